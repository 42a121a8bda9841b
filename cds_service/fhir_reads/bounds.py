"""What holds reads within bounds: one deadline for a call, a circuit breaker for each server, a limit on calls that read at once."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from cds_service.errors import CdsError

Monotonic = Callable[[], float]


class Fault(StrEnum):
    """Why a read brought nothing; each is counted."""

    NOT_ALLOWED = "not-allowed"
    """The call names a server that its client may not name, or one without token where a token is needed."""
    BAD_TOKEN = "bad-token"  # noqa: S105 - the name of a fault
    BUSY = "busy"
    """Too many other calls were reading."""
    CIRCUIT_OPEN = "circuit-open"
    """The server let call after call run out; it is left alone for a while."""
    TIMEOUT = "timeout"
    CONNECT = "connect"
    TLS = "tls"
    """No trusted certificate for this name, or no TLS at all."""
    REDIRECT = "redirect"
    UNAUTHORIZED = "unauthorized"
    """401 or 403."""
    NOT_FOUND = "not-found"
    """404 or 410."""
    THROTTLED = "throttled"
    """429 or 503, also after as many tries as there was time for."""
    SERVER_ERROR = "server-error"
    STATUS = "status"
    """Any other status than 200."""
    NOT_FHIR = "not-fhir"
    """Content type, charset or coding of something else than FHIR JSON in UTF-8."""
    TOO_LARGE = "too-large"
    BAD_JSON = "bad-json"
    WRONG_RESOURCE = "wrong-resource"
    BROKEN_OFF = "broken-off"
    """The connection ended before the answer did."""
    STRANGE_LINK = "strange-link"
    """A next link that leads out of the base."""
    TOO_MANY_PAGES = "too-many-pages"
    """More pages than the limit, or a next link that leads back."""


SLOW: Final = frozenset([Fault.TIMEOUT, Fault.CONNECT])
"""Faults that cost time; the others answer quickly and trip no breaker."""


class ReadFailed(CdsError):
    """A read from a FHIR server brought nothing that can be used; holds the kind of fault and no address."""

    code = "FHIR-001"

    def __init__(self, fault: Fault) -> None:
        """Keep the fault; the text names it for whoever reads a trace."""
        self.fault = fault
        super().__init__(f"{self.code}: {fault.value}")


class CountReads(Protocol):
    """Hears how each read ended: "ok" or the name of a `Fault`; called from all threads, must not wait and must not fail."""

    def count(self, name: str) -> None:
        """Count one more."""


class FaultCounts:
    """Counts the reads of this process by how they ended; shared by all threads."""

    def __init__(self) -> None:
        """Start at zero."""
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, name: str) -> None:
        """Count one more."""
        with self._lock:
            self._counts[name] += 1

    def read(self) -> Mapping[str, int]:
        """Return all counts since the start, by the names of `Fault` and "ok", zeros included."""
        with self._lock:
            return {name: self._counts[name] for name in ("ok", *(fault.value for fault in Fault))}


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment at which everything that one call reads must have ended."""

    end: float
    clock: Monotonic = time.monotonic

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.end - self.clock())

    def check(self) -> None:
        """Raise ReadFailed where no time is left."""
        if self.remaining() <= 0:
            raise ReadFailed(Fault.TIMEOUT)


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    closed_again: float = 0.0
    is_being_tried: bool = False


class Breaker:
    """Leaves a server alone for a while after so many calls in a row ran out of time; then lets one call try.

    It spares the callers the wait, not the server the load: quick errors count as answers.
    """

    MOST_SERVERS: Final = 256

    def __init__(self, failures: int = 8, pause: float = 5.0, clock: Monotonic = time.monotonic) -> None:
        """Open after `failures` in a row, for `pause` seconds."""
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._circuits: OrderedDict[object, _Circuit] = OrderedDict()
        self._lock = threading.Lock()

    def enter(self, server: object) -> None:
        """Raise ReadFailed where the server is being left alone."""
        with self._lock:
            circuit = self._circuits.get(server)
            if circuit is None or circuit.failures < self._limit:
                return
            if circuit.is_being_tried or self._clock() < circuit.closed_again:
                raise ReadFailed(Fault.CIRCUIT_OPEN)
            circuit.is_being_tried = True

    def leave(self, server: object, *, ran_out: bool | None) -> None:
        """Remember how a call to the server ended; `None` where it was not asked after all."""
        with self._lock:
            if ran_out is None:
                self._circuits.get(server, _Circuit()).is_being_tried = False
                return
            if not ran_out:
                self._circuits.pop(server, None)
                return
            circuit = self._circuits.setdefault(server, _Circuit())
            self._circuits.move_to_end(server)
            circuit.failures += 1
            circuit.closed_again = self._clock() + self._pause
            circuit.is_being_tried = False
            if len(self._circuits) > self.MOST_SERVERS:
                self._circuits.popitem(last=False)


class Bulkhead:
    """Lets so many calls read at once and as many more wait a moment; the rest go on without, so that threads stay free."""

    def __init__(self, at_once: int) -> None:
        """Let `at_once` calls in."""
        self._places = threading.BoundedSemaphore(at_once)
        self._waiting = threading.BoundedSemaphore(at_once)

    @contextmanager
    def place(self, patience: float) -> Iterator[None]:
        """Hold a place, waiting for one at most `patience` seconds; raises ReadFailed where there is none."""
        self._take(patience)
        try:
            yield
        finally:
            self._places.release()

    def _take(self, patience: float) -> None:
        if self._places.acquire(blocking=False):
            return
        if not self._waiting.acquire(blocking=False):
            raise ReadFailed(Fault.BUSY)
        try:
            if not self._places.acquire(timeout=patience):
                raise ReadFailed(Fault.BUSY)
        finally:
            self._waiting.release()


@dataclass(slots=True)
class Allowance:
    """How many bytes, decompressed, all reads of one call may bring together."""

    left: int
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def spend(self, count: int) -> None:
        """Take bytes off; raises ReadFailed where too many came."""
        with self._lock:
            self.left -= count
            if self.left < 0:
                raise ReadFailed(Fault.TOO_LARGE)
