"""Tokens that were used, remembered for every process and machine that shares the database."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete

from cds_service.clients.replay import ReplayUnavailable, token_key
from cds_service.errors import StoreUnavailable
from cds_service.store.engine import Store, insert_new
from cds_service.store.schema import replay

_PRUNE_SECONDS: Final = 60.0
SLACK: Final = timedelta(minutes=5)
"""How long a token is remembered beyond its end: clocks differ, and a verifier may grant some leeway."""


@dataclass(slots=True)
class DatabaseReplayMemory:
    """Remembers used tokens in a store; nothing in it tells the token or its issuer."""

    store: Store
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _prune_at: float = field(default=0.0, init=False)

    def first_use(self, issuer: str, token_id: str, expires: datetime) -> bool:
        """Tell whether a token is used for the first time, and remember it, in one step; raises ReplayUnavailable."""
        token = token_key(issuer, token_id)
        try:
            is_new = self.store.write(lambda connection: _remember(connection, token, expires))
        except StoreUnavailable as error:
            raise ReplayUnavailable(f"TOKEN-020 {error}") from None
        with suppress(StoreUnavailable):  # the answer is known; forgetting old tokens can wait
            self._prune()
        return is_new

    def _prune(self) -> None:
        """Forget expired tokens from time to time."""
        now = time.monotonic()
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_SECONDS
            moment = self.clock()
            self.store.write(lambda connection: forget_expired(connection, moment))


def forget_expired(connection: Connection, now: datetime) -> int:
    """Delete tokens that nobody could use any more; returns how many."""
    return connection.execute(delete(replay).where(replay.c.expires < now - SLACK)).rowcount


def _remember(connection: Connection, token: str, expires: datetime) -> bool:
    inserted = connection.execute(insert_new(connection, replay).returning(replay.c.token), {"token": token, "expires": expires})
    return inserted.first() is not None
