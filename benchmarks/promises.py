"""What the promises cost, measured on a running service: `python -m benchmarks.promises [COUNT]`; ends by itself.

10,000 mixed requests from 50 threads; senders of a byte at a time; calls that hang on a FHIR server; large bodies; every fault of a FHIR
server. The service is started here, on loopback, and stopped at the end. docs/reliability.md quotes what is printed.
"""

import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path

from tests.clinic import (
    ALCOHOL,
    DAILY,
    FIBROMYALGIA,
    LDN_CAPSULE,
    METFORMIN,
    OXYCODONE,
    TABLET_50,
    Json,
    bundle,
    call,
    condition,
    dosage,
    listed,
    order,
)
from tests.fhir_reads_floor import without
from tests.golden import golden_text
from tests.misbehaving_server import misbehaving, silence
from tests.promises_floor import SIGN, Running, conflict, running
from tests.test_fhir_reads_faults import MISBEHAVIOUR

CALLS: list[Json] = [
    call(order(TABLET_50, dosage(50)), conditions=[condition(ALCOHOL)]),
    call(order(TABLET_50, dosage(50)), medications=[listed(OXYCODONE, supply=30)], conditions=[condition(FIBROMYALGIA)]),
    call(order(LDN_CAPSULE, dosage(4.5)), conditions=[condition(FIBROMYALGIA)]),
    call(order(METFORMIN, dosage(500)), medications=[listed(METFORMIN) for _ in range(40)]),
    call(order(TABLET_50), prefetch={"conditions": 5, "activeMedications": ...}),
]
FEEDBACK: Json = {
    "feedback": [{"card": "4e0a3a1e-3074-4315-a46a-2245ea70e358", "outcome": "accepted", "acceptedSuggestions": [{"id": "s"}]}]
}
OTHERS: list[tuple[str, str, Json | bytes | None]] = [
    ("GET", "/cds-services", None),
    ("OPTIONS", SIGN, None),
    ("POST", f"{SIGN}/feedback", FEEDBACK),
    ("POST", f"{SIGN}/feedback", {"feedback": [{"outcome": "accepted"}]}),
    ("POST", SIGN, b'{"hook": "order-sign", '),
    ("POST", SIGN, {"hook": "order-select", "context": {}}),
    ("POST", "/cds-services/nobody", CALLS[0]),
    ("GET", SIGN, None),
    ("GET", "/ready", None),
    ("GET", "/metrics", None),
    ("GET", "/workbench/rules", None),
]
"""What else comes: discovery, preflight, feedback, refusals, pages."""
HEAD = f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n".encode()


def main(count: int) -> None:
    """Run and print the figures."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as service:
        for request in CALLS:
            service.advice(request)
        print(f"refused: {seconds_of(lambda: service.post(b' ' * (1 << 26))):.2f} s", flush=True)
        body = json.dumps(large())
        print(f"large: {seconds_of(lambda: service.ask(body)):.2f} s", flush=True)
        for number in (60, 300, 1000):
            print(f"slow: {number} senders of a byte at a time: slowest of 40 others {among_slow(service, number):.2f} s", flush=True)
        print(f"hanging: {among_hanging(service):.2f} s", flush=True)
        print(f"fault: {max(faults(service)):.2f} s", flush=True)
        print(f"mixed: {mixed(service, count)}", flush=True)


def seconds_of(act: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def large() -> Json:
    """A body of 4 MB with 10,000 entries, an opioid the last of them."""
    many = [listed(METFORMIN, id=f"m-{number}", note=[{"text": "x" * 100}]) for number in range(9_999)]
    opioid = listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30)
    return call(order(TABLET_50, dosage(50)), prefetch={"activeMedications": bundle([*many, opioid])})


def among_slow(service: Running, number: int) -> float:
    """Return the slowest of 40 honest calls while so many clients send a byte at a time."""
    stop = threading.Event()
    with ExitStack() as opened:
        slow = [opened.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=30)) for _ in range(number)]
        for one in slow:
            one.sendall(HEAD)
        dripping = threading.Thread(target=drip, args=(slow, stop))
        dripping.start()
        opened.callback(dripping.join)
        opened.callback(stop.set)
        return max(seconds_of(lambda: service.advice(conflict())) for _ in range(40))


def drip(connections: list[socket.socket], stop: threading.Event) -> None:
    """Send a byte on every connection, again and again."""
    while not stop.wait(0.1):
        for one in connections:
            with suppress(OSError):
                one.sendall(b" ")


def among_hanging(service: Running) -> float:
    """Return the slowest of 20 calls that need no read while 60 wait for a silent FHIR server."""
    with misbehaving(silence) as server, ThreadPoolExecutor(60) as waiting:
        for _ in range(60):
            waiting.submit(service.advice, without(conflict(), server=server.base))
        time.sleep(0.3)
        return max(seconds_of(lambda: service.advice(CALLS[3])) for _ in range(20))


def faults(service: Running) -> list[float]:
    """Return how long a call took for each misbehaviour of a FHIR server."""
    taken = []
    for _, behave, _ in MISBEHAVIOUR:
        with misbehaving(behave) as server:
            request = without(conflict(), server=server.base)
            taken.append(seconds_of(lambda request=request: service.advice(request)))  # type: ignore[misc]
    return taken


def mixed(service: Running, count: int) -> str:
    """Send mixed requests from 50 threads, and compare each answer with that at rest."""
    kinds = [*(partial(_advice, request=request) for request in CALLS), *(partial(_status, asked=asked) for asked in OTHERS)]
    at_rest = [ask(service) for ask in kinds]
    started = time.perf_counter()
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda number: kinds[number % len(kinds)](service), range(count)))
    seconds = time.perf_counter() - started
    broken = sum(answer[0] >= HTTPStatus.INTERNAL_SERVER_ERROR for answer in answers)
    differing = sum(answer != at_rest[number % len(kinds)] for number, answer in enumerate(answers))
    return f"{count} requests of {len(kinds)} kinds, 50 threads: {broken} with a 5xx, {differing} other than at rest, {count / seconds:.0f} a second"


def _advice(service: Running, request: Json) -> tuple[int, str]:
    """Ask for advice; its text without what is new in each answer."""
    status, body, _ = service.ask(request)
    return status, golden_text(json.loads(body)) if status == HTTPStatus.OK else ""


def _status(service: Running, asked: tuple[str, str, Json | bytes | None]) -> tuple[int, str]:
    """Send something else; its status tells enough."""
    method, path, body = asked
    return service.ask(body, path, method=method)[0], ""


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
