"""A real server that takes feedback, killed without warning while clients send: what was acknowledged must be in the store.

As a program it is that server: `python -m tests.feedback_server PORT`, with the store of the CDS_* variables.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from flask import Flask

from cds_service.app import caller, create_app
from cds_service.cli.serve import run
from cds_service.memory import open_memory
from cds_service.observe import write_log_to
from cds_service.settings import read_settings
from cds_service.store.schema import feedback
from tests.store_floor import rows, store_at
from tests.web_floor import FakeAdvisor

ROOT = Path(__file__).parent.parent
PATH = "/cds-services/some-order-sign/feedback"
_SENDERS = 8


@cache
def load() -> Flask:
    """Make the application with its real store and a fake advisor."""
    settings = read_settings()
    write_log_to()
    memory = open_memory(settings, lambda: caller(settings))
    return create_app(settings, FakeAdvisor(), memory.tokens, memory.feedback)


@dataclass
class Sent:
    """What happened in one cycle: the cards whose feedback was acknowledged, and the answers that were no acknowledgement."""

    acknowledged: list[str] = field(default_factory=list)
    others: list[int] = field(default_factory=list)


@contextmanager
def served(address: str, folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the server on a store until the block ends; it ends by SIGKILL to all its processes at the latest."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    outside = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    settings = {"CDS_DATABASE_URL": address, "CDS_DATA_DIR": str(folder), "CDS_PORT": str(port), **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.feedback_server"],
        env={**outside, "PYTHONPATH": str(ROOT), **settings},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, port)
        yield process, port
    finally:
        with suppress(ProcessLookupError):  # it may have been told to stop before
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def kill_while_sending(address: str, folder: Path, seconds: float) -> Sent:
    """Let clients send feedback, kill the server after some seconds, and tell what it had acknowledged."""
    sent, is_over = Sent(), threading.Event()
    with served(address, folder, CDS_WORKERS="2") as (_, port):
        threads = [threading.Thread(target=_send, args=(port, sent, is_over)) for _ in range(_SENDERS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
    is_over.set()
    for thread in threads:
        thread.join()
    return sent


def lost(address: str, acknowledged: list[str]) -> list[str]:
    """Name the cards whose feedback was acknowledged but is not in the store."""
    store = store_at(address)
    kept = {row["card"] for row in rows(store, feedback)}
    store.close()
    return [card for card in acknowledged if card not in kept]


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not start")


def _send(port: int, sent: Sent, is_over: threading.Event) -> None:
    """Send batches, one after another, until the server is gone."""
    connection = HTTPConnection("127.0.0.1", port, timeout=15)
    while not is_over.is_set():
        cards = [str(uuid.uuid4()) for _ in range(random.choice((1, 1, 3, 100)))]  # noqa: S311 - no secret
        items = [{"card": card, "outcome": "overridden", "overrideReason": {"reason": {"code": "c"}, "userComment": "x"}} for card in cards]
        try:
            connection.request("POST", PATH, json.dumps({"feedback": items}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            break
        if answer.status == 200:
            sent.acknowledged.extend(cards)
        else:
            sent.others.append(answer.status)
    connection.close()


if __name__ == "__main__":
    run(read_settings(data_dir=os.environ.get("CDS_DATA_DIR", tempfile.gettempdir())), load)
