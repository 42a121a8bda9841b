"""Floor 7: the memory of tokens: each may be used once, in whichever process it arrives."""

import heapq
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Protocol

from cds_service.errors import CdsError

_PAUSE_SECONDS: Final = 5.0
"""How long a shared memory that failed is not asked again, so that its timeouts do not hold up each call."""


class ReplayUnavailable(CdsError):
    """The shared memory cannot be reached: the memory of the process has to do."""

    code = "TOKEN-020"


class ReplayMemory(Protocol):
    """Remembers tokens until they expire."""

    def first_use(self, issuer: str, token_id: str, expires: datetime) -> bool:
        """Return True exactly once for each token, across processes; raises ReplayUnavailable where the memory is out of reach."""


def token_key(issuer: str, token_id: str) -> str:
    """Return the name under which a token is remembered: a digest of fixed length, in which neither part can run into the other."""
    return sha256(f"{len(issuer)} {issuer} {token_id}".encode("utf-8", "surrogatepass")).hexdigest()


class ProcessMemory:
    """Remembers within one process; only tokens that verified come in, and each leaves when it expires."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Begin empty."""
        self._clock = clock
        self._lock = threading.Lock()
        self._used: set[str] = set()
        self._leaving: list[tuple[float, str]] = []

    def first_use(self, issuer: str, token_id: str, expires: datetime) -> bool:
        """Return True for the first use of a token that anything in this process makes."""
        key = token_key(issuer, token_id)
        with self._lock:
            self._forget_expired()
            if key in self._used:
                return False
            self._used.add(key)
            heapq.heappush(self._leaving, (expires.timestamp(), key))
            return True

    def __len__(self) -> int:
        """Count the tokens that are remembered."""
        return len(self._used)

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._leaving and self._leaving[0][0] < now:
            self._used.discard(heapq.heappop(self._leaving)[1])


class SharedMemory:
    """Asks the shared memory, and goes on with the process's own while that is out of reach (RELIABILITY.md, 10)."""

    def __init__(
        self, shared: ReplayMemory, clock: Callable[[], float] = time.monotonic, report: Callable[[str], None] = lambda _: None
    ) -> None:
        """Put a memory of the process in front of the shared one; it knows what this process took while the other was away.

        `report` hears each time the shared one goes away or comes back: meanwhile a token can be used once in each process.
        """
        self._shared = shared
        self._process = ProcessMemory()
        self._clock = clock
        self._report = report
        self._ask_again = clock()
        self._is_away = False

    def first_use(self, issuer: str, token_id: str, expires: datetime) -> bool:
        """Return True once; while the shared memory is away, once in each process."""
        if not self._process.first_use(issuer, token_id, expires):
            return False
        if self._clock() < self._ask_again:
            return True
        try:
            is_first = self._shared.first_use(issuer, token_id, expires)
        except ReplayUnavailable as error:
            self._ask_again = self._clock() + _PAUSE_SECONDS
            self._tell(f"{error}: a token can be used once in each process meanwhile", is_away=True)
            return True
        self._tell("the shared memory of used tokens is back", is_away=False)
        return is_first

    def _tell(self, what: str, *, is_away: bool) -> None:
        """Report news, and each of them once."""
        if is_away != self._is_away:
            self._is_away = is_away
            self._report(what)


def seconds_left(expires: datetime) -> int:
    """Return the whole seconds for which a token must be remembered, at least one."""
    return max(1, int((expires - datetime.now(UTC)).total_seconds()) + 1)
