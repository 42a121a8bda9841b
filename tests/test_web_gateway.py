"""Bodies are read within bounds of size and time before a thread takes the call; a head that is refused is answered without its body."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from cds_service.web.gateway import BODY_TROUBLE, BodyBounds, Gateway, Message, environ_of

T = TypeVar("T")
Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
SCOPE: Message = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "raw_path": b"/a%20b/%ff",
    "query_string": b"q=1",
    "server": ("127.0.0.1", "8000"),
    "client": ("10.0.0.9", "5000"),
    "headers": [],
}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end on a thread of its own: a browser that another test of this process opened keeps the loop of the main thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Echo:
    """A WSGI application that tells what it was given."""

    def __init__(self) -> None:
        self.environs: list[Environ] = []

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environs.append(environ)
        start_response("201 Created", [("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2")])
        trouble = environ.get(BODY_TROUBLE)
        return [str(int(trouble)).encode()] if trouble else [environ["wsgi.input"].read()]


class Sender:
    """What a client sends, piece by piece; `seconds` pass before each piece, and `asked` counts how often one was asked for."""

    def __init__(self, *pieces: bytes, seconds: float = 0, ends: str = "http.request") -> None:
        self.pieces = [*pieces]
        self.seconds = seconds
        self.ends = ends
        self.asked = 0

    async def receive(self) -> Message:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.pieces:
            return {"type": "http.request", "body": self.pieces.pop(0), "more_body": True}
        return {"type": self.ends, "body": b"", "more_body": False}


def asked(
    sender: Sender, *, largest: int = 100, seconds: float = 5, listens: bool | None = None, app: WsgiApp | None = None, **head: str
) -> list[Message]:
    """Return the messages that the gateway answers one request with."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in head.items()]
    listening = None if listens is None else lambda _: bool(listens)
    gateway = Gateway(app or Echo(), listening, BodyBounds(largest, seconds), 4)
    run(gateway({**SCOPE, "headers": headers}, sender.receive, send))
    return sent


def body_of(sent: list[Message]) -> bytes:
    return bytes(sent[1]["body"])


def test_a_body_in_pieces_arrives_whole_with_its_length() -> None:
    app = Echo()
    sent = asked(Sender(b"ab", b"c", b"", b"de"), app=app, transfer_encoding="chunked")
    assert (body_of(sent), app.environs[0]["CONTENT_LENGTH"], "HTTP_TRANSFER_ENCODING" in app.environs[0]) == (b"abcde", "5", False)


def test_the_answer_keeps_status_and_each_header() -> None:
    sent = asked(Sender())
    assert sent[0] == {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"content-type", b"text/plain"), (b"x-a", b"1"), (b"x-a", b"2")],
    }
    assert sent[1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_request_without_a_body_is_answered_without_waiting_for_one() -> None:
    sender = Sender(b"never read", seconds=60)
    assert (body_of(asked(sender)), sender.asked) == (b"", 0)


@pytest.mark.parametrize(
    ("pieces", "told"),
    [([b"x" * 100], b"x" * 100), ([b"x" * 100, b"x"], b"413"), ([b"x" * 101], b"413"), ([b"x" * 99, b"xx", b"x" * 50], b"413")],
)
def test_one_byte_over_the_limit_is_refused_and_what_follows_is_heard_out(pieces: list[bytes], told: bytes) -> None:
    sender = Sender(*pieces)
    assert body_of(asked(sender, transfer_encoding="chunked")) == told
    assert sender.pieces == []


def test_an_announced_length_over_the_limit_is_refused_and_nothing_of_it_is_kept() -> None:
    sender = Sender(*[b"x" * 10] * 20)
    assert (body_of(asked(sender, content_length="200")), sender.pieces) == (b"413", [])


def test_a_refused_sender_is_heard_out_up_to_eight_times_the_limit() -> None:
    sender = Sender(*[b"x" * 100] * 50)
    assert (body_of(asked(sender, transfer_encoding="chunked")), 50 - len(sender.pieces)) == (b"413", 9)


@pytest.mark.parametrize("seconds", [0.03, 60])
def test_a_body_that_does_not_come_in_time_is_given_up(seconds: float) -> None:
    started = time.monotonic()
    assert body_of(asked(Sender(*[b"x"] * 100, seconds=seconds), seconds=0.3, content_length="100")) == b"408"
    assert 0.3 <= time.monotonic() - started < 2


def test_a_sender_that_breaks_off_is_told_so() -> None:
    assert body_of(asked(Sender(b"x", ends="http.disconnect"), content_length="5")) == b"400"


def test_a_head_that_is_refused_is_answered_before_anything_of_the_body_is_read() -> None:
    sender = Sender(b"x" * 10)
    assert (body_of(asked(sender, listens=False, content_length="10")), sender.asked) == (b"", 0)
    assert body_of(asked(sender, listens=True, content_length="10")) == b"x" * 10


def test_all_bodies_together_are_bounded_and_let_go_of() -> None:
    gate = threading.Event()

    def slow(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        if environ.get(BODY_TROUBLE):
            return [str(int(environ[BODY_TROUBLE])).encode()]
        gate.wait(10)
        return [b"whole"]

    gateway = Gateway(slow, None, BodyBounds(10, 5), 30)

    async def one() -> bytes:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await gateway({**SCOPE, "headers": [(b"content-length", b"10")]}, Sender(b"x" * 10).receive, send)
        return body_of(sent)

    async def crowd() -> tuple[list[bytes], bytes]:
        under_way = [asyncio.create_task(one()) for _ in range(16)]
        await asyncio.sleep(0.3)
        turned_away = await one()
        gate.set()
        return await asyncio.gather(*under_way), turned_away

    assert run(crowd()) == ([b"whole"] * 16, b"429")
    assert run(one()) == b"whole"


def test_a_drip_costs_few_wake_ups_and_a_short_body_no_wait() -> None:
    drip = Sender(*[b"x"] * 200)
    started = time.monotonic()
    assert body_of(asked(drip, seconds=0.5, largest=1000, content_length="1000")) == b"408"
    assert drip.asked < 25
    started = time.monotonic()
    assert body_of(asked(Sender(b"x", b"y"), content_length="2")) == b"xy"
    assert time.monotonic() - started < 0.3


def test_the_head_becomes_a_wsgi_environment() -> None:
    headers = [(b"host", b"x"), (b"x-two", b"1"), (b"x-two", b"\xff"), (b"content-type", b"a/b"), (b"x_forwarded_for", b"evil")]
    environ = environ_of({**SCOPE, "headers": headers})
    assert {name: environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "CONTENT_TYPE")} == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a b/\xff",
        "QUERY_STRING": "q=1",
        "REMOTE_ADDR": "10.0.0.9",
        "CONTENT_TYPE": "a/b",
    }
    assert (environ["HTTP_X_TWO"], environ["HTTP_HOST"]) == ("1,\xff", "x")
    assert "evil" not in json.dumps({name: str(value) for name, value in environ.items()})


def test_a_peer_of_a_unix_socket_has_no_address() -> None:
    assert environ_of({**SCOPE, "client": ("", "0"), "server": None})["REMOTE_ADDR"] == ""


def test_other_scopes_than_http_are_passed_over() -> None:
    async def never() -> Message:
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    run(Gateway(Echo(), None, BodyBounds(1, 1), 1)({"type": "lifespan"}, never, send))
