"""Floor 7: tokens remembered in Redis, for services on several machines."""

from datetime import datetime
from typing import Final

import redis

from cds_service.clients.replay import ReplayUnavailable, seconds_left, token_key

_SECONDS: Final = 0.5
"""Longest wait for Redis: a call is not held up longer by it."""
_PREFIX: Final = "cds-service:token:"


class RedisMemory:
    """Remembers with `SET … NX EX`, which Redis does in one step for all who ask."""

    def __init__(self, url: str) -> None:
        """Prepare connections to `redis://…` or `rediss://…`; raises ValueError for another address. Nothing is sent yet."""
        self._redis = redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=None)

    def first_use(self, issuer: str, token_id: str, expires: datetime) -> bool:
        """Return True once across all processes and machines; raises ReplayUnavailable."""
        try:
            return self._redis.set(_PREFIX + token_key(issuer, token_id), b"", nx=True, ex=seconds_left(expires)) is True
        except redis.RedisError as error:
            raise ReplayUnavailable(f"TOKEN-020 Redis: {type(error).__name__}") from None
