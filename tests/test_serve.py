"""`cds-service serve` starts the real server in a process of its own, says what it does, and stops when told to."""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service import __version__
from cds_service.app import settle_memory
from cds_service.cli.main import COMMANDS, commands
from tests.web_floor import CALL

ROOT = Path(__file__).parent.parent
SERVER = """
import sys
from functools import cache
from cds_service.cli.serve import run
from cds_service.observe import write_log_to
from cds_service.settings import read_settings
from tests.web_floor import app_with

@cache
def load():
    write_log_to()
    return app_with()

if __name__ == "__main__":
    run(read_settings(port=int(sys.argv[1])), load)
"""
SECONDS_TO_START = 120


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[str]
    port: int

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[HTTPResponse, bytes]:
        """Send one request over a connection of its own."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body, {"Content-Type": "application/json", "Origin": "http://localhost:1"})
            answer = connection.getresponse()
            return answer, answer.read()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def environment(**settings: str) -> dict[str, str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    return {**outside, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **settings}


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    script, port = folder / "served.py", free_port()
    script.write_text(SERVER)
    process = subprocess.Popen(
        [sys.executable, str(script), str(port)],
        env=environment(CDS_MAX_BODY_BYTES="65536"),
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until_it_answers(process, port)
    yield Service(process, port)
    process.terminate()
    process.communicate(timeout=20)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service")) as started:
        yield started


def wait_until_it_answers(process: subprocess.Popen[str], port: int) -> None:
    for _ in range(SECONDS_TO_START * 10):
        assert process.poll() is None, process.communicate()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the service did not start")


def test_the_server_answers_logs_and_stops(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        discovery, _ = service.ask("GET", "/cds-services//")
        assert (discovery.status, discovery.headers["Content-Type"]) == (200, "application/json")
        answer, body = service.ask("POST", "/cds-services/some-order-sign", CALL)
        assert (answer.status, json.loads(body)["cards"][0]["detail"]) == (200, "order-sign")
        assert service.ask("OPTIONS", "/anywhere")[0].headers["Access-Control-Allow-Origin"] == "http://localhost:1"

        service.process.send_signal(signal.SIGTERM)
        out, err = service.process.communicate(timeout=20)
        assert service.process.returncode == 0
        assert [json.loads(line)["status"] for line in out.splitlines()] == [200, 200, 204]
        assert err.splitlines()[0] == f"Listening on http://127.0.0.1:{service.port} (Ctrl+C stops)"
        assert "nothing checks who calls" in err
        assert "Traceback" not in err


def test_a_body_far_over_the_limit_gets_its_answer_not_a_broken_connection(service: Service) -> None:
    answer, body = service.ask("POST", "/cds-services/some-order-sign", b" " * 400_000)
    assert (answer.status, json.loads(body)["issue"][0]["code"]) == (413, "too-long")


def test_senders_that_never_finish_do_not_stop_the_others(service: Service) -> None:
    begun = b"POST /cds-services/some-order-sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"
    with ExitStack() as slow:
        for _ in range(60):
            slow.enter_context(socket.create_connection(("127.0.0.1", service.port))).sendall(begun)
        started = time.monotonic()
        assert service.ask("POST", "/cds-services/some-order-sign", CALL)[0].status == 200
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST /cds-services/some-order-sign HTTP/1.1\r\nHost: a b/..:99x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        b"GET //evil.example.org/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://evil.example.org/cds-services HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%0d%0aSet-Cookie:%20a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /cds-services HTTP/1.1\r\nHost: x\r\nOrigin: \xff\xfe\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /cds-services/some-order-sign HTTP/1.1\r\nHost: x\r\nContent-Type: \xff\r\nContent-Length: -1\r\n\r\n",
        b"POST /cds-services/some-order-sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n",
    ],
)
def test_odd_http_never_brings_an_error_of_the_server_or_a_redirect(service: Service, request_text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(request_text)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as received:
            answer = received.readline()
    assert answer == b"" or answer.split()[1][:1] in {b"2", b"4"}
    assert service.ask("GET", "/health")[0].status == 200


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["--host", "0.0.0.0"], {}, "SET-002 CDS_HOST: found '0.0.0.0'"),  # noqa: S104 - refused
        ([], {"CDS_HOST": "::"}, "SET-002 CDS_HOST: found '::'"),
        (["--port", "99999"], {}, "SET-001 CDS_PORT: found '99999'"),
        ([], {"CDS_PORT": "x", "CDS_SITE": ".."}, "SET-001 CDS_PORT: found 'x'; expected a whole number from 1 to 65535\nSET-001 CDS_SITE"),
    ],
)
def test_an_unsafe_start_is_refused_in_plain_words(arguments: list[str], settings: dict[str, str], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cds_service", "serve", *arguments],
        env=environment(**settings),
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(said)
    assert "Traceback" not in ended.stderr


def test_the_help_names_the_commands() -> None:
    assert CliRunner().invoke(commands, ["--version"]).output == f"cds-service, version {__version__}\n"
    shown = CliRunner().invoke(commands, ["--help"])
    assert [name for name in COMMANDS if f"\n  {name} " not in shown.output] == []


def test_an_unknown_command_is_refused() -> None:
    ended = CliRunner().invoke(commands, ["sreve"])
    assert (ended.exit_code, "No such command 'sreve'" in ended.output) == (2, True)


def test_memory_is_settled_after_the_start() -> None:
    before = gc.get_threshold()
    try:
        settle_memory()
        assert (gc.get_threshold(), gc.get_freeze_count() > 0) == ((50_000, 20, 100), True)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
