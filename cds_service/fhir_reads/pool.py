"""One long-lived HTTP client for all reads: pooled connections, no redirects, and everything cut off at the call's deadline."""

import contextlib
import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, Final

import jiter
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    SSLError,
)
from urllib3.exceptions import (
    TimeoutError as Urllib3TimeoutError,
)
from urllib3.util import Retry, Timeout

from cds_service.fhir_reads.bounds import Allowance, Deadline, Fault, ReadFailed
from cds_service.fhir_reads.targets import Base

MOST_TRIES: Final = 3
_CHUNK: Final = 1 << 16
_JSON: Final = frozenset(["application/fhir+json", "application/json", "application/json+fhir", "text/json"])
_UTF8: Final = frozenset(["", "utf-8", "utf8", "us-ascii"])
_TOKEN: Final = re.compile(r"[!-~]{1,16384}")
_FIRST_PAUSE: Final = 0.05
_STATUSES: Final[Mapping[int, Fault]] = {
    401: Fault.UNAUTHORIZED, 403: Fault.UNAUTHORIZED, 404: Fault.NOT_FOUND, 410: Fault.NOT_FOUND, 429: Fault.THROTTLED, 503: Fault.THROTTLED,
}  # fmt: skip
_OK: Final = 200


class Cut:
    """Ends, at the deadline, whatever one call still has open: the one way to stop a read that hangs in a blocking receive."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._held: dict[int, list[socket.socket]] = {}
        self._lock = threading.Lock()
        self._is_done = False

    def hold(self, connection: socket.socket) -> None:
        """Keep a second handle of this thread's connection; the handle outlives what TLS and http.client do to the first."""
        handle = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._held.setdefault(threading.get_ident(), []).append(handle)
            is_late = self._is_done
        if is_late:
            _shut(handle)

    def release(self) -> None:
        """Let go of this thread's connections: they may serve other calls now."""
        with self._lock:
            for handle in self._held.pop(threading.get_ident(), ()):
                handle.close()

    def now(self) -> None:
        """Shut every connection that is still held; receives that hang in other threads return at once."""
        with self._lock:
            self._is_done = True
            for handles in self._held.values():
                for handle in handles:
                    _shut(handle)


def _shut(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


_under_way: Final = threading.local()
"""The cut of the call for which this thread is reading."""


class _Connection(HTTPConnection):
    """A connection that the cut of its present call can end."""

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        _under_way.cut.hold(made)
        return made

    def request(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as urllib3's
        """Put a connection that was used before under the present call's cut, then send."""
        if self.sock is not None:
            _under_way.cut.hold(self.sock)
        super().request(*arguments, **options)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Connections(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecureConnections(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


@dataclass(frozen=True, slots=True)
class Reading:
    """What all reads of one call share: server, token, deadline, bytes, cut."""

    base: Base
    deadline: Deadline
    allowance: Allowance
    token: str = field(default="", repr=False)
    cut: Cut = field(default_factory=Cut)


class FhirPool:
    """Reads FHIR JSON over pooled connections; one for the life of a process, shared by all threads."""

    def __init__(self, ca_file: Path | None = None, connections: int = 32) -> None:
        """Trust the system's authorities, or those of `ca_file` alone; raises OSError where that cannot be read."""
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # its lines hold addresses, and those hold patient ids
        self._manager = urllib3.PoolManager(num_pools=64, maxsize=connections, ssl_context=context, retries=False)
        self._manager.pool_classes_by_scheme = {"http": _Connections, "https": _SecureConnections}

    def get(self, target: str, reading: Reading) -> Any:  # noqa: ANN401 - any JSON value
        """Return the parsed answer to one GET; raises ReadFailed.

        Tried again, three times at most, only where no answer began or where the server asks to come back in time.
        """
        _under_way.cut = reading.cut
        try:
            for number in range(1, MOST_TRIES + 1):
                pause = self._try(target, reading, number)
                if not isinstance(pause, _Pause):
                    return pause
                time.sleep(pause.seconds)
            raise AssertionError("the last try returns or raises")
        except ReadFailed:
            reading.deadline.check()  # what a cut looks like from inside is of no interest
            raise
        finally:
            reading.cut.release()

    def _try(self, target: str, reading: Reading, number: int) -> Any:  # noqa: ANN401 - any JSON value, or a pause
        """Try once; a pause where another try is worth it."""
        reading.deadline.check()
        pool = self._manager.connection_from_host(reading.base.host, reading.base.port, reading.base.scheme)
        try:
            response = pool.urlopen("GET", target, **_options(reading))
        except HTTPError as error:
            return _again(_fault_of(error), _FIRST_PAUSE * number, reading, number)
        try:
            if response.status in (429, 503):
                return _again(Fault.THROTTLED, _asked_pause(response, number), reading, number)
            return _parsed(_body(response, reading))
        finally:
            if not response.closed or response.connection is not None:
                response.close()


@dataclass(frozen=True, slots=True)
class _Pause:
    """Wait, then try again."""

    seconds: float


def bearer(token: object) -> str:
    """Return an access token that can stand in a header; raises ReadFailed for anything else."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ReadFailed(Fault.BAD_TOKEN)
    return token


def _options(reading: Reading) -> dict[str, Any]:
    """Say how to send one request: nothing followed, nothing read in advance, no wait beyond the deadline."""
    left = max(reading.deadline.remaining(), 0.001)
    headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", "User-Agent": "cds-service"}
    if reading.token:
        headers["Authorization"] = f"Bearer {reading.token}"
    timeout = Timeout(connect=left, read=left)
    return {"headers": headers, "redirect": False, "retries": False, "timeout": timeout, "preload_content": False, "decode_content": True}


def _again(fault: Fault, pause: float, reading: Reading, number: int) -> _Pause:
    """Return the pause before the next try; raises ReadFailed where a further one is useless, or too late, or one too many."""
    is_worth_it = fault in (Fault.CONNECT, Fault.THROTTLED)
    if not is_worth_it or number == MOST_TRIES or pause >= reading.deadline.remaining():
        raise ReadFailed(fault) from None
    return _Pause(pause)


def _fault_of(error: HTTPError) -> Fault:
    """Name what went wrong before an answer began."""
    if isinstance(error, NewConnectionError | NameResolutionError):
        return Fault.CONNECT
    if isinstance(error, Urllib3TimeoutError | ConnectTimeoutError):
        return Fault.TIMEOUT
    if isinstance(error, ProtocolError) and any(isinstance(cause, ConnectionError) for cause in error.args):
        return Fault.CONNECT  # a pooled connection that the server had closed, or a server that hangs up
    return Fault.TLS if isinstance(error, SSLError) else Fault.BROKEN_OFF


def _asked_pause(response: urllib3.BaseHTTPResponse, number: int) -> float:
    """Return how long the server asks to wait, or a short pause where it does not say."""
    said = response.headers.get("Retry-After")
    if said is None:
        return 2 * _FIRST_PAUSE * number
    try:
        return max(float(Retry().parse_retry_after(said)), 0.0)
    except (InvalidHeader, OverflowError, ValueError):
        return 2 * _FIRST_PAUSE * number


def _body(response: urllib3.BaseHTTPResponse, reading: Reading) -> bytes:
    """Read a body of FHIR JSON within the allowance, chunk by chunk; raises ReadFailed."""
    _check_status(response.status)
    _check_content(response.headers)
    body = bytearray()
    for chunk in _chunks(response, reading):
        reading.allowance.spend(len(chunk))
        body += chunk
    reading.deadline.check()
    return bytes(body)


def _chunks(response: urllib3.BaseHTTPResponse, reading: Reading) -> Iterator[bytes]:
    """Yield the decompressed body; what a cut or a broken connection raises becomes ReadFailed."""
    try:
        while chunk := response.read(_CHUNK):
            reading.deadline.check()
            yield chunk
    except (HTTPError, OSError):
        raise ReadFailed(Fault.BROKEN_OFF) from None


def _check_status(status: int) -> None:
    if status == _OK:
        return
    if status in _STATUSES:
        raise ReadFailed(_STATUSES[status])
    families = {3: Fault.REDIRECT, 5: Fault.SERVER_ERROR}
    raise ReadFailed(families.get(status // 100, Fault.STATUS))


def _check_content(headers: Mapping[str, str]) -> None:
    """Refuse what does not call itself JSON in UTF-8, plain or gzipped once."""
    sent = Message()
    sent["Content-Type"] = headers.get("Content-Type", "")
    charset = str(sent.get_param("charset") or "").lower()
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if sent.get_content_type() not in _JSON or charset not in _UTF8 or coding not in ("identity", "gzip", ""):
        raise ReadFailed(Fault.NOT_FHIR)


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse strict JSON as a request's body is parsed: numbers as Decimal, no member twice, no NaN, 200 levels at most."""
    try:
        return jiter.from_json(body, float_mode="decimal", allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        raise ReadFailed(Fault.BAD_JSON) from None
