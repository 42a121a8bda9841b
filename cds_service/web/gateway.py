"""Floor 7: the ASGI application around the Flask one: bodies are read here, beside the threads, within bounds of size and time.

A thread takes a call when its body is whole, so that senders of a byte at a time hold none, however many they are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from sys import stderr
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

BODY_TROUBLE: Final = "cds_service.body_trouble"
"""Where the WSGI environment keeps the status to answer with in place of a body that did not come whole and in bounds."""
_HEARD_OUT: Final = 8
"""How many times the size limit a refused sender may send before the connection is cut: else it would not see the answer."""
_HELD: Final = 16
"""How many bodies of the largest size the bytes of all unanswered calls may add up to."""
_SMALL_PIECE: Final = 1024
_PIECES_AT_ONCE: Final = 4
_PAUSE_SECONDS: Final = 0.05
"""After so many small pieces the next one is not waited for at once: a drip costs a few wake-ups a second, not one for each byte."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What a body may cost: its bytes, and the seconds within which all of it must come."""

    largest: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of the WSGI application."""

    status: int
    headers: Headers
    body: bytes


class Gateway:
    """Answers ASGI requests by a WSGI application in a bounded number of threads."""

    def __init__(
        self, application: "WSGIApplication", is_listened_to: Callable[["WSGIEnvironment"], bool] | None, bounds: BodyBounds, threads: int
    ) -> None:
        """`is_listened_to` tells by the head alone, in a thread, whether a body is read at all; without it every body is."""
        self._application = application
        self._is_listened_to = is_listened_to
        self._bounds = bounds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="call")
        self._held = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; scopes of another kind than HTTP are passed over."""
        if scope["type"] != "http":
            return
        environ = environ_of(scope)
        body = bytearray()
        try:
            if _has_body(environ) and await self._listens_to(environ):
                await self._read_body(environ, receive, body)
            await _send(send, await self._in_thread(run, self._application, environ))
        finally:
            self._held -= len(body)

    async def _in_thread(self, work: Callable[..., Any], *given: object) -> Any:  # noqa: ANN401 - what the work returns
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)

    async def _listens_to(self, environ: "WSGIEnvironment") -> bool:
        return self._is_listened_to is None or bool(await self._in_thread(self._is_listened_to, environ))

    async def _read_body(self, environ: "WSGIEnvironment", receive: Receive, body: bytearray) -> None:
        """Put the whole body in its place, or the reason why there is none."""
        try:
            async with asyncio.timeout(self._bounds.seconds):
                trouble = await self._collect(_declared(environ), receive, body)
        except TimeoutError:
            trouble = HTTPStatus.REQUEST_TIMEOUT
        if trouble:
            environ[BODY_TROUBLE] = trouble
            return
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}

    async def _collect(self, declared: int, receive: Receive, body: bytearray) -> HTTPStatus | None:
        """Read pieces to the end; those of a body that is refused are dropped, up to a bound."""
        largest = self._bounds.largest
        trouble = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if declared > largest else None
        heard = small = 0
        while heard <= _HEARD_OUT * largest:
            message = await receive()
            if message["type"] != "http.request":
                return HTTPStatus.BAD_REQUEST
            piece = message.get("body", b"")
            heard += len(piece)
            trouble = trouble or self._keep(piece, body)
            if not message.get("more_body", False):
                break
            small += len(piece) < _SMALL_PIECE
            if small > _PIECES_AT_ONCE and heard != declared:
                await asyncio.sleep(_PAUSE_SECONDS)
        return trouble

    def _keep(self, piece: bytes, body: bytearray) -> HTTPStatus | None:
        """Keep a piece, or let go of the whole body and say why."""
        trouble = None
        if len(body) + len(piece) > self._bounds.largest:
            trouble = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        elif self._held + len(piece) > _HELD * self._bounds.largest:
            trouble = HTTPStatus.TOO_MANY_REQUESTS
        if trouble:
            self._held -= len(body)
            body.clear()
            return trouble
        self._held += len(piece)
        body += piece
        return None


def environ_of(scope: Message) -> "WSGIEnvironment":
    """Write the head of a request as a WSGI environment (PEP 3333); the body follows.

    Header names with an underscore are dropped: in an environment they could not be told from those with a hyphen.
    """
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]) or "localhost",
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(client[0]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(),
        "wsgi.input_terminated": True,
        "wsgi.errors": stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" not in name:
            _add(environ, name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1"))
    return environ


def _add(environ: "WSGIEnvironment", name: str, value: str) -> None:
    """Add a header; one that comes several times is joined, as HTTP reads it."""
    key = name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"
    environ[key] = f"{environ[key]},{value}" if key in environ else value


def _has_body(environ: "WSGIEnvironment") -> bool:
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ


def _declared(environ: "WSGIEnvironment") -> int:
    """Return the length that the head announces; 0 where it announces none."""
    length = environ.get("CONTENT_LENGTH", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def run(application: "WSGIApplication", environ: "WSGIEnvironment") -> Answer:
    """Have a WSGI application answer, and gather the answer whole."""
    begun: list[tuple[str, Headers]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Headers, _: object = None) -> Callable[[bytes], object]:
        begun[:] = [(status, headers)]
        return written.append

    pieces: Iterable[bytes] = application(environ, start_response)
    try:
        written.extend(pieces)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    [(status, headers)] = begun
    return Answer(int(status.split()[0]), headers, b"".join(written))


async def _send(send: Send, answer: Answer) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
