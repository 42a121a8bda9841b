"""RELIABILITY.md 9 on the running service: senders that never finish, in any number, and a stop under load that loses no call."""

import json
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.clinic import METFORMIN, call, order
from tests.fhir_reads_floor import without
from tests.misbehaving_server import misbehaving, silence
from tests.promises_floor import JSON, SIGN, Running, conflict, running

SLOW = 300
HEAD = f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n".encode()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("slow"), CDS_BODY_SECONDS="4") as one:
        yield one


def drip(connections: list[socket.socket], stop: threading.Event) -> None:
    """Send a byte on every connection, again and again."""
    while not stop.wait(0.1):
        for one in connections:
            with suppress(OSError):
                one.sendall(b" ")


def slowest(service: Running, number: int) -> float:
    """Return the seconds of the slowest of so many calls of an honest client, one after the other."""
    seconds = []
    for _ in range(number):
        started = time.monotonic()
        assert "critical" in [card["indicator"] for card in service.advice(conflict())["cards"]]
        seconds.append(time.monotonic() - started)
    return max(seconds)


@pytest.mark.parametrize("begun", [HEAD, b"POST / HTTP/1.1\r\nX: ", b""], ids=["body", "head", "nothing"])
def test_promise_9_three_hundred_clients_that_send_a_byte_at_a_time_stop_nobody(service: Running, begun: bytes) -> None:
    stop = threading.Event()
    with ExitStack() as opened:
        connections = [opened.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10)) for _ in range(SLOW)]
        for one in connections:
            one.sendall(begun)
        dripping = threading.Thread(target=drip, args=(connections if begun else [], stop))
        dripping.start()
        opened.callback(dripping.join)
        opened.callback(stop.set)
        assert slowest(service, 20) < 2


def test_promise_9_a_body_that_does_not_come_in_time_gets_408_and_a_line_in_the_log(service: Running) -> None:
    started = time.monotonic()
    received = service.raw(HEAD + b"{", seconds=20)
    assert received.split()[1] == b"408"
    assert 3.5 < time.monotonic() - started < 8
    outcome = json.loads(received.partition(b"\r\n\r\n")[2])
    assert outcome["issue"][0]["details"]["coding"] == [{"code": "HTTP-408"}]
    assert [line for line in service.lines() if line.get("status") == 408] != []


def test_promise_9_calls_that_fetch_from_a_server_that_hangs_do_not_hold_up_the_others(service: Running) -> None:
    with misbehaving(silence) as server, ThreadPoolExecutor(60) as hanging:
        asked = [hanging.submit(service.advice, without(conflict(), server=server.base)) for _ in range(60)]
        time.sleep(0.5)
        started = time.monotonic()
        for _ in range(10):
            assert service.advice(call(order(METFORMIN))) == {"cards": []}
        assert time.monotonic() - started < 2
        assert {bool(one.result()["cards"]) for one in asked} == {True}


class Clients:
    """Clients that call one after the other until the service is gone; each call is counted by how it ended."""

    def __init__(self, port: int) -> None:
        self.counted: Counter[str] = Counter()
        self.is_told_to_stop = threading.Event()
        self._port = port
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, args=(json.dumps(conflict()).encode(),)) for _ in range(20)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _call(self, body: bytes) -> None:
        while True:
            with closing(HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
                try:
                    connection.connect()
                except OSError:
                    return
                was_before = not self.is_told_to_stop.is_set()
                self._count(was_before, self._ask(connection, body))
                if not was_before:
                    return

    def _ask(self, connection: HTTPConnection, body: bytes) -> str:
        try:
            connection.request("POST", SIGN, body, JSON)
            answer = connection.getresponse()
            return f"{answer.status}" if answer.read() else "empty"
        except OSError as error:
            return type(error).__name__

    def _count(self, was_before: bool, ended: str) -> None:  # noqa: FBT001
        with self._lock:
            self.counted[f"{'before' if was_before else 'after'} {ended}"] += 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_loses_no_call_that_was_accepted(tmp_path: Path, workers: str) -> None:
    with running(tmp_path, CDS_WORKERS=workers) as service:
        clients = Clients(service.port)
        clients.start()
        time.sleep(2)
        clients.is_told_to_stop.set()
        time.sleep(0.05)
        service.process.send_signal(signal.SIGTERM)
        clients.join()
        assert service.process.wait(20) == 0
        begun = [line for line in service.lines() if line["event"] == "call"]
    before = {ended: number for ended, number in clients.counted.items() if ended.startswith("before")}
    assert set(before) == {"before 200"}
    assert len(begun) == sum(number for ended, number in clients.counted.items() if ended.endswith("200"))


def after_the_stop(service: Running, act: Callable[[], bytes]) -> tuple[bytes, int]:
    """Tell the service to stop half a second after a call has begun; return what the call got, and how the service ended."""
    with ThreadPoolExecutor(1) as other:
        under_way = other.submit(act)
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        return under_way.result(), service.process.wait(20)


def test_a_stop_waits_for_a_call_that_waits_for_a_fhir_server(tmp_path: Path) -> None:
    with misbehaving(silence) as server, running(tmp_path) as service:
        answer, code = after_the_stop(service, lambda: service.ask(without(conflict(), server=server.base))[1])
        assert (bool(json.loads(answer)["cards"]), code) == (True, 0)


def test_a_stop_waits_for_a_body_that_is_on_its_way(tmp_path: Path) -> None:
    body = json.dumps(conflict()).encode()
    head = f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def send(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(head + body[:100])
            time.sleep(1.5)
            connection.sendall(body[100:])
            return connection.recv(100)

    with running(tmp_path) as service:
        answer, code = after_the_stop(service, lambda: send(service.port))
        assert (answer.split()[1], code) == (b"200", 0)
