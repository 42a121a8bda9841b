"""RELIABILITY.md 10 on the running service: what is acknowledged is committed, whatever is sent, and a store that is away stops no advice."""

import json
import random
import socket
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from cds_service.store.schema import feedback
from tests.clients_floor import BASE, registry_file, token
from tests.clinic import Json
from tests.promises_floor import FEEDBACK, SIGN, WRONG, Running, conflict, damaged, running, wait_until
from tests.store_floor import DATABASES, POSTGRES, database, postgres_answers, rows, store_at

ROOT = Path(__file__).parent.parent
WORKERS = "3"


def items(*cards: str, **more: Any) -> Json:  # noqa: ANN401
    return {"feedback": [{"card": card, "outcome": "accepted", **more} for card in cards]}


def kept(address: str) -> list[str]:
    """The cards of all feedback in the store."""
    store = store_at(address)
    cards = [row["card"] for row in rows(store, feedback)]
    store.close()
    return cards


@pytest.fixture(scope="module", params=DATABASES)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    folder = tmp_path_factory.mktemp("feedback")
    with (
        database(request.param, folder) as address,
        running(folder, CDS_DATABASE_URL=address, CDS_WORKERS=WORKERS) as service,
    ):
        yield service, address


@pytest.mark.parametrize("number", [1, 100, 500])
def test_promise_10_a_batch_is_committed_when_it_is_acknowledged(served: tuple[Running, str], number: int) -> None:
    service, address = served
    cards = [str(uuid.uuid4()) for _ in range(number)]
    status, told, _ = service.ask(items(*cards), FEEDBACK)
    assert (status, json.loads(told)) == (200, {"received": number})
    assert set(cards) - set(kept(address)) == set()


def test_promise_10_many_clients_and_processes_lock_nobody_out(served: tuple[Running, str]) -> None:
    service, address = served
    chance = random.Random(10)  # noqa: S311 - no secret
    shared = [str(uuid.uuid4()) for _ in range(50)]
    batches = [[*(str(uuid.uuid4()) for _ in range(chance.choice((1, 3, 40)))), *chance.sample(shared, 5)] for _ in range(150)]

    def send(cards: list[str]) -> int:
        service.ask(conflict())  # its decision is written beside the feedback
        return service.ask(items(*cards), FEEDBACK)[0]

    with ThreadPoolExecutor(20) as threads:
        assert Counter(threads.map(send, batches)) == {200: 150}
    found = Counter(kept(address))
    assert {found[card] for batch in batches for card in batch} == {1}


def test_promise_10_what_is_no_feedback_gets_a_4xx_and_nothing_a_5xx(served: tuple[Running, str]) -> None:
    service, _ = served
    recorded = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "fixtures/feedback").glob("*.json"))]
    statuses = Counter[int]()
    for seed in range(300):
        chance = random.Random(seed)  # noqa: S311 - no secret
        statuses[service.ask(damaged(chance.choice(recorded), chance, chance.randrange(1, 5), lambda _: False), FEEDBACK)[0]] += 1
    for wrong in [
        *WRONG,
        "\u0000",
        "\ud800",
        "x" * 100_000,
        "9" * 400,
        10**400,
        {"$ne": 1},
        "'; DROP TABLE feedback; --",
        "\u202e\x1b[31m",
    ]:
        for name in ("card", "outcome", "outcomeTimestamp", "overrideReason", "overrideReasons", "acceptedSuggestions", "extension"):
            statuses[service.ask({"feedback": [{"card": "c", "outcome": "overridden", name: wrong}]}, FEEDBACK)[0]] += 1
    assert set(statuses) <= {200, 400}
    assert min(statuses.values()) > 50


@pytest.mark.parametrize("sent", [b"", b"[]", b"{}", b'{"feedback": {}}', b'{"feedback": []}', b"\xff", b'{"feedback": [1]}', b"x" * 100])
def test_promise_10_a_body_of_another_kind_gets_400(served: tuple[Running, str], sent: bytes) -> None:
    assert served[0].ask(sent, FEEDBACK)[0] == 400


def test_promise_10_nothing_of_all_this_was_an_error_inside_or_locked(served: tuple[Running, str]) -> None:
    told = served[0].log.read_text(encoding="utf-8") + (served[0].log.parent / "err").read_text(encoding="utf-8")
    assert [word for word in ('"event": "error"', "locked", "Traceback", "DROP TABLE", '"status": 5') if word in told] == []


# the store is away


def is_told_to_come_again(service: Running) -> bool:
    status, _, headers = service.ask(items("c"), FEEDBACK)
    return status == 503 and int(headers["retry-after"]) > 0


def test_promise_10_while_sqlite_is_held_by_another_feedback_gets_503_and_advice_goes_on(tmp_path: Path) -> None:
    with running(tmp_path, CDS_DATABASE_URL=f"sqlite:///{tmp_path}/store.sqlite3") as service:
        assert service.ask(items("before"), FEEDBACK)[0] == 200
        with closing(sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with ThreadPoolExecutor(1) as waiting:
                turned_away = waiting.submit(is_told_to_come_again, service)
                assert {card["indicator"] for _ in range(10) for card in service.advice(conflict())["cards"]} >= {"critical"}
                assert turned_away.result()
            other.execute("ROLLBACK")
        wait_until(lambda: service.ask(items("after"), FEEDBACK)[0] == 200)
    assert {"before", "after"} <= set(kept(f"sqlite:///{tmp_path}/store.sqlite3"))


class Relay:
    """Passes connections on to PostgreSQL, until it is cut."""

    def __init__(self) -> None:
        self._open: list[socket.socket] = []
        self.is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", 5432))
            self._open += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while chunk := one.recv(1 << 16):
                other.sendall(chunk)
        for side in (one, other):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self.is_cut = True
        for side in self._open:
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self._listener.close()


@pytest.fixture
def relay() -> Iterator[Relay]:
    if not postgres_answers():
        pytest.skip(f"no PostgreSQL at {POSTGRES}")
    one = Relay()
    yield one
    one.close()


def test_promise_10_with_postgresql_away_feedback_gets_503_tokens_are_good_once_and_advice_goes_on(tmp_path: Path, relay: Relay) -> None:
    def headers(path: str, **changed: Any) -> dict[str, str]:  # noqa: ANN401
        return {"Authorization": f"Bearer {token(aud=BASE + path, **changed)}"}

    def give(card: str) -> int:
        return service.ask(items(card), FEEDBACK, headers(FEEDBACK))[0]

    file = registry_file(tmp_path)
    with (
        database("postgresql", tmp_path) as address,
        running(
            tmp_path, CDS_DATABASE_URL=address.replace(":5432", f":{relay.port}"), CDS_CLIENTS_FILE=str(file), CDS_PUBLIC_URL=BASE
        ) as service,
    ):
        assert give("before") == 200
        relay.cut()
        once = headers(SIGN)
        assert [service.ask(conflict(), headers=once)[0] for _ in range(3)] == [200, 401, 401]
        assert [give(f"while-{number}") for number in range(5)] == [503] * 5
        assert {service.ask(conflict(), headers=headers(SIGN))[0] for _ in range(10)} == {200}
        relay.is_cut = False
        wait_until(lambda: give("after") == 200)
        cards = kept(address)
    assert ({"before", "after"} <= set(cards), [card for card in cards if card.startswith("while")]) == (True, [])


def test_promise_10_a_service_whose_store_is_away_at_the_start_advises(tmp_path: Path) -> None:
    with running(tmp_path, CDS_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing") as service:
        assert "critical" in [card["indicator"] for card in service.advice(conflict())["cards"]]
        assert is_told_to_come_again(service)
