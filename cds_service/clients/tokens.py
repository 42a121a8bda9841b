"""Floor 7: the check of a client's token (CDS Hooks 2.0.1, #trusting-cds-clients; RELIABILITY.md, 8)."""

import base64
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jiter
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from cds_service.clients.keys import KeySets
from cds_service.clients.registry import Client, Registry
from cds_service.clients.replay import ReplayMemory
from cds_service.errors import CdsError

LONGEST_TOKEN: Final = 8192
LONGEST_LIFE_SECONDS: Final = 3600
_LONGEST_ID: Final = 256
_LATEST: Final = 253402300799
"""The last second of the year 9999: times beyond are no times."""
_BEARER: Final = re.compile(r"bearer {1,8}(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+)", re.IGNORECASE | re.ASCII)
_NOT_KNOWN: Final = ("crit", "b64")
"""Header members that change how a token is to be read: nobody here knows them."""
Json = Mapping[str, Any]


class TokenRefused(CdsError):
    """A token that does not let its bearer in; `client` is the name of who it says it is, once that is sure."""

    def __init__(self, code: str, client: str = "") -> None:
        """Keep the code for the log; the caller is told nothing of it."""
        self.code = code
        self.client = client
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class _Token:
    """A token taken apart, not yet believed."""

    text: str
    header: Json
    claims: Json


class TokenCheck:
    """Tells which client of the registry a token comes from."""

    def __init__(
        self, registry: Registry, keys: KeySets, used: ReplayMemory, leeway_seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        """`leeway_seconds` is how far the clocks of client and service may differ."""
        self._registry = registry
        self._keys = keys
        self._used = used
        self._leeway = leeway_seconds
        self._clock = clock

    def client_of(self, authorization: str, addresses: Collection[str]) -> Client:
        """Return the client that signed the token of an Authorization header for one of these addresses; raises TokenRefused.

        The token is used up by this, and only by this: one that is refused for any reason can still be used by its owner.
        """
        token = _read(authorization)
        client = self._client(token.claims)
        self._check_signature(token, client)
        self._check_audience(token.claims.get("aud"), client, addresses)
        expires = self._check_times(token.claims, client)
        self._check_first_use(token.claims.get("jti"), expires, client)
        return client

    def _client(self, claims: Json) -> Client:
        issuer = claims.get("iss")
        client = self._registry.client_of(issuer, claims.get("tenant")) if isinstance(issuer, str) else None
        if client is None:
            raise TokenRefused("TOKEN-005")
        return client

    def _check_signature(self, token: _Token, client: Client) -> None:
        """Verify by a key of this client that has the token's key id and was made for its algorithm."""
        algorithm, kid = _signed_with(token.header)
        if algorithm not in client.algorithms:
            raise TokenRefused("TOKEN-004")
        keys = self._keys.keys(client, kid, algorithm)
        if not keys:
            raise TokenRefused("TOKEN-006")
        if not any(_verifies(token.text, key, algorithm) for key in keys):
            raise TokenRefused("TOKEN-007")

    def _check_audience(self, audience: object, client: Client, addresses: Collection[str]) -> None:
        """Compare with what the registry lists, else with the address called."""
        named = audience if isinstance(audience, list) else [audience]
        if not all(isinstance(one, str) for one in named) or set(named).isdisjoint(client.audiences or addresses):
            raise TokenRefused("TOKEN-008", client.name)

    def _check_times(self, claims: Json, client: Client) -> float:
        """Return the moment from which on the token is refused anyway."""
        now, leeway = self._clock(), self._leeway
        issued, expires = (_moment(claims.get(name)) for name in ("iat", "exp"))
        begins = _moment(claims["nbf"]) if "nbf" in claims else 0.0
        if issued is None or expires is None or begins is None:
            raise TokenRefused("TOKEN-009", client.name)
        if expires + leeway <= now:
            raise TokenRefused("TOKEN-010", client.name)
        if max(issued, begins) > now + leeway:
            raise TokenRefused("TOKEN-011", client.name)
        if not 0 < expires - issued <= LONGEST_LIFE_SECONDS:
            raise TokenRefused("TOKEN-012", client.name)
        return expires + leeway

    def _check_first_use(self, token_id: object, expires: float, client: Client) -> None:
        """Use the token up, as the very last step."""
        if not isinstance(token_id, str) or not 0 < len(token_id) <= _LONGEST_ID:
            raise TokenRefused("TOKEN-013", client.name)
        if not self._used.first_use(client.issuer, token_id, datetime.fromtimestamp(expires, UTC)):
            raise TokenRefused("TOKEN-014", client.name)


def _read(authorization: str) -> _Token:
    """Take a header's token apart: one token, of bounded length, in the compact form."""
    if not authorization:
        raise TokenRefused("TOKEN-001")
    bearer = _BEARER.fullmatch(authorization) if len(authorization) <= LONGEST_TOKEN else None
    if bearer is None:
        raise TokenRefused("TOKEN-002")
    return _Token(bearer[1], _object(bearer[2]), _object(bearer[3]))


def _object(part: str) -> Json:
    """Read a part of a token as strict JSON: a member that stands twice is read differently by different readers."""
    try:
        content = jiter.from_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        raise TokenRefused("TOKEN-003") from None
    if not isinstance(content, dict):
        raise TokenRefused("TOKEN-003")
    return content


def _signed_with(header: Json) -> tuple[str, str]:
    """Return algorithm and key id; `jku`, `jwk`, `x5u` and `x5c` are not looked at, and `crit` asks for what nobody here knows."""
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    if not (isinstance(algorithm, str) and isinstance(kid, str) and isinstance(kind, str)):
        raise TokenRefused("TOKEN-003")
    if not 0 < len(kid) <= _LONGEST_ID or kind.upper() != "JWT" or not header.keys().isdisjoint(_NOT_KNOWN):
        raise TokenRefused("TOKEN-003")
    return algorithm, kid


def _verifies(text: str, key: Any, algorithm: str) -> bool:  # noqa: ANN401 - PyJWK
    try:
        PyJWS(algorithms=[algorithm]).decode_complete(text, key, algorithms=[algorithm])
    except (PyJWTError, ValueError):
        return False
    return True


def _moment(claim: object) -> float | None:
    """Read a NumericDate (RFC 7519); a text or a boolean is none."""
    if isinstance(claim, bool) or not isinstance(claim, int | float) or not 0 <= claim <= _LATEST:
        return None
    return float(claim)
