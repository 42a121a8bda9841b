"""The running service under attack, for the tests of RELIABILITY.md: a real granian process, raw sockets, damage to charts."""

import copy
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.clinic import DAILY, OXYCODONE, TABLET_50, Json, call, dosage, listed, order
from tests.test_serve import environment, free_port, wait_until_it_answers

SIGN = "/cds-services/naltrexone-order-sign"
FEEDBACK = f"{SIGN}/feedback"
JSON = {"Content-Type": "application/json"}
WRONG: tuple[Any, ...] = (
    None,
    0,
    5,
    -1,
    "",
    "x",
    "unknown",
    [],
    {},
    [None],
    [[]],
    {"a": 1},
    True,
    False,
    ["x"],
    [{}],
    {"text": None},
    1e300,
)
"""What stands where something else belongs."""


@dataclass(frozen=True)
class Running:
    """A running service and its log."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def ask(
        self, body: Json | bytes | str | None = None, path: str = SIGN, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> tuple[int, bytes, dict[str, str]]:
        """Send one request over a connection of its own; return status, body and headers."""
        sent = json.dumps(body) if isinstance(body, dict) else body
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(
                method, path, sent.encode("utf-8", "surrogatepass") if isinstance(sent, str) else sent, JSON | (headers or {})
            )
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}

    def advice(self, request: Json, path: str = "") -> Json:
        """Post a call and return the JSON of its 200."""
        status, body, _ = self.ask(request, path or f"/cds-services/naltrexone-{request['hook']}")
        assert status == 200, body
        answer: Json = json.loads(body)
        return answer

    def raw(self, *pieces: bytes, seconds: float = 20) -> bytes:
        """Send bytes as they are, and return all that comes back until the server closes."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection, suppress(OSError):
            with suppress(OSError):  # the server may answer and close before all is sent
                for piece in pieces:
                    connection.sendall(piece)
            while chunk := connection.recv(1 << 16):
                received += chunk
        return received

    def post(self, body: bytes, extra: str = "", version: str = "1.1", length: str = "") -> bytes:
        """Post bytes with a head of one's own choice."""
        head = f"POST {SIGN} HTTP/{version}\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{extra}"
        return self.raw(f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode("latin-1"), body)

    def lines(self) -> list[Json]:
        """All lines of the log; a line that is no JSON object fails."""
        return [dict(json.loads(line)) for line in self.log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def running(folder: Path, port: int = 0, is_up: Callable[[], bool] | None = None, **settings: str) -> Iterator[Running]:
    """Start the service on a free port, with a store of its own, and stop it; `is_up` tells when it listens elsewhere than on the port."""
    port, log = port or free_port(), folder / "log"
    with log.open("w", encoding="utf-8") as out, (folder / "err").open("w", encoding="utf-8") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "cds_service", "serve", "--port", str(port)],
            env=environment(CDS_DATA_DIR=str(folder / "var"), **settings),
            text=True,
            stdout=out,
            stderr=err,
        )
        try:
            wait_until(is_up) if is_up else wait_until_it_answers(process, port)
            yield Running(process, port, log)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            process.kill()
            process.wait()


def wait_until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something to become true; fails where it does not."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def conflict() -> Json:
    """A naltrexone tablet ordered beside oxycodone in use."""
    return call(order(TABLET_50, dosage(50), id="d-1"), medications=[listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30, id="m-1")])


def indicators(answer: Json) -> list[str]:
    return [card["indicator"] for card in answer["cards"]]


def drip(port: int, seconds: float, stop: Callable[[], bool]) -> None:
    """Send the body of a call a byte at a time for so many seconds."""
    end = time.monotonic() + seconds
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n".encode())
        while time.monotonic() < end and not stop():
            connection.sendall(b" ")
            time.sleep(0.1)


def places(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - any JSON value
    """Every place in a JSON value, the root left out."""
    if here:
        yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*here, key))


def damaged(value: Json, chance: random.Random, number: int, keep: Callable[[tuple[str | int, ...]], bool]) -> Json:
    """A copy in which `number` places hold something else, are gone or come twice; `keep` names places that stay."""
    made = copy.deepcopy(value)
    for _ in range(number):
        can = [place for place in places(made) if not keep(place)]
        if not can:
            break
        *above, last = chance.choice(can)
        holder: Any = made
        for key in above:
            holder = holder[key]
        what = chance.randrange(4)
        if what == 0:
            del holder[last]
        elif what == 1:
            holder[last] = [holder[last]]
        elif what == 2 and isinstance(holder[last], list):
            holder[last] = {str(index): one for index, one in enumerate(holder[last])}
        else:
            holder[last] = copy.deepcopy(chance.choice(WRONG))
    return made
