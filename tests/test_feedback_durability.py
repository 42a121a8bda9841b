"""Feedback that was acknowledged survives a server that is killed at any moment."""

import json
from http.client import HTTPConnection
from pathlib import Path

import pytest

from cds_service.store.schema import feedback
from tests.feedback_server import PATH, kill_while_sending, lost, served
from tests.store_floor import DATABASES, database, rows, store_at


@pytest.mark.parametrize("kind", DATABASES)
def test_kill_9_loses_nothing_acknowledged(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as address:
        for seconds in (0.3, 0.7):
            sent = kill_while_sending(address, tmp_path / "data", seconds)
            assert (len(sent.acknowledged) > 0, sent.others) == (True, [])
            assert lost(address, sent.acknowledged) == []


def test_a_clean_stop_answers_what_it_has_begun(tmp_path: Path) -> None:
    with database("sqlite", tmp_path) as address, served(address, tmp_path / "data") as (process, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=15)
        items = [{"card": str(number), "outcome": "accepted"} for number in range(1000)]
        connection.request("POST", PATH, json.dumps({"feedback": items}), {"Content-Type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()
        process.terminate()
        assert process.wait(20) == 0
        store = store_at(address)
        assert len(rows(store, feedback)) == 1000
        store.close()
