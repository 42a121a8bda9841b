"""Floor 7: the public keys of each client, from a file or an address of the registry: cached, refreshed beside the calls."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jiter
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from cds_service.clients.members import ASYMMETRIC
from cds_service.clients.registry import Client
from cds_service.errors import CdsError

FIRST_WAIT_SECONDS: Final = 1.0
"""Longest wait of a call for a key set that is on its way."""
UNKNOWN_KID_SECONDS: Final = 60.0
"""A key id that the set does not have makes it be read again at most once in this time, for each client."""
STALE_SECONDS: Final = 24 * 3600.0
"""How long the last good key set is used while its source gives none."""
RETRY_SECONDS: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
"""The pause after each failure in a row; the last one stays."""
LARGEST_KEY_SET: Final = 256 * 1024
_MOST_KEYS: Final = 100
_SMALLEST_RSA: Final = 2048
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_PUBLIC: Final = {"EC": ("kty", "crv", "x", "y"), "RSA": ("kty", "n", "e")}
_FOR_RSA: Final = tuple(name for name in ASYMMETRIC if not name.startswith("ES"))

KeySet = Mapping[tuple[str, str], tuple[PyJWK, ...]]
"""Keys by key id and algorithm; two of one id (a careless rotation) are both tried."""
Read = Callable[[Client], bytes]


class KeySetRefused(CdsError):
    """A key set that cannot be read: the reason, without what it holds."""

    code = "CLIENT-020"


def read_key_set(text: bytes) -> KeySet:
    """Read a JWK Set (RFC 7517); keys of other kinds, uses, curves or too small are left out; raises KeySetRefused."""
    try:
        content = jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        raise KeySetRefused("CLIENT-020 the key set is no strict JSON") from None
    keys = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(keys, list) or len(keys) > _MOST_KEYS:
        raise KeySetRefused(f"CLIENT-020 no JWK Set: expected an object with a list 'keys' of at most {_MOST_KEYS}")
    found: dict[tuple[str, str], tuple[PyJWK, ...]] = {}
    for jwk in keys:
        for name, key in _usable(jwk) if isinstance(jwk, dict) else ():
            found[jwk["kid"], name] = (*found.get((jwk["kid"], name), ()), key)
    return found


def _usable(jwk: Mapping[str, Any]) -> Iterable[tuple[str, PyJWK]]:
    """Yield a key for each algorithm that it verifies: by its own `alg`, `kty` and `crv`, never by what a token says."""
    kid, use, operations = jwk.get("kid"), jwk.get("use", "sig"), jwk.get("key_ops", ["verify"])
    if not isinstance(kid, str) or not kid or use != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return
    kind = jwk.get("kty")
    public = {name: jwk.get(name) for name in _PUBLIC.get(kind, ())} if isinstance(kind, str) else {}
    for name in _algorithms(jwk):
        key = _public_key(public, name)
        if key is not None:
            yield name, key


def _algorithms(jwk: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the algorithms of a key: an elliptic curve has one, RSA all of its own, and `alg` narrows them."""
    if jwk.get("kty") == "RSA":
        fitting = _FOR_RSA
    else:
        curve = jwk.get("crv")
        fitting = (_CURVES[curve],) if jwk.get("kty") == "EC" and isinstance(curve, str) and curve in _CURVES else ()
    return tuple(name for name in fitting if jwk.get("alg", name) == name)


def _public_key(public: Mapping[str, Any], name: str) -> PyJWK | None:
    """Build the key from its public members alone; None for a point off its curve, a short modulus, or what is no key."""
    try:
        key = PyJWK(dict(public), algorithm=name)
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    is_short = public["kty"] == "RSA" and key.key.key_size < _SMALLEST_RSA
    return None if is_short else key


@dataclass(slots=True)
class _Held:
    """The key set of one client as it stands."""

    keys: KeySet = field(default_factory=dict)
    read_at: float | None = None
    begun_at: float | None = None
    """When the reading that is under way began."""
    is_first: bool = True
    done: threading.Event = field(default_factory=threading.Event)
    failures: int = 0
    not_before: float = float("-inf")
    asked_for_unknown: float = float("-inf")


class KeySets:
    """The key sets of all clients. A call takes what is there; reading happens in threads of its own, one for each client."""

    def __init__(self, read: Read, fresh_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`read` gets the text of a client's key set, and raises KeySetRefused; `fresh_seconds` is how long it is not read again."""
        self._read = read
        self._fresh = fresh_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def keys(self, client: Client, kid: str, algorithm: str) -> tuple[PyJWK, ...]:
        """Return the keys of this id and algorithm; none where the client has no such key as far as can be known in time."""
        held = self._held_for(client)
        waits = self._refresh(client, held)
        if waits:
            self._wait(held)
        found = self._current(held, kid, algorithm)
        if not found and not waits and self._ask_for_unknown(client, held):
            self._wait(held)
            found = self._current(held, kid, algorithm)
        return found

    def _held_for(self, client: Client) -> _Held:
        with self._lock:
            return self._held.setdefault(client.name, _Held())

    def _current(self, held: _Held, kid: str, algorithm: str) -> tuple[PyJWK, ...]:
        with self._lock:
            is_alive = held.read_at is not None and self._clock() - held.read_at <= STALE_SECONDS
            return held.keys.get((kid, algorithm), ()) if is_alive else ()

    def _refresh(self, client: Client, held: _Held) -> bool:
        """Have the set read where it is due; True where the call should wait: for the first set, or in place of a very old one."""
        with self._lock:
            now = self._clock()
            age = float("inf") if held.read_at is None else now - held.read_at
            if age > self._fresh and held.begun_at is None and now >= held.not_before:
                self._begin(client, held, now)
            return held.begun_at is not None and (held.is_first if held.read_at is None else age > 2 * self._fresh)

    def _ask_for_unknown(self, client: Client, held: _Held) -> bool:
        """Have the set read again for a key id that it does not have: a key may have been added; once a minute at most."""
        with self._lock:
            now = self._clock()
            is_due = held.read_at is not None and now - held.asked_for_unknown >= UNKNOWN_KID_SECONDS and now >= held.not_before
            if is_due and held.begun_at is None:
                held.asked_for_unknown = now
                self._begin(client, held, now)
            return held.begun_at is not None and held.begun_at == held.asked_for_unknown

    def _begin(self, client: Client, held: _Held, now: float) -> None:
        held.begun_at = now
        held.done = threading.Event()
        threading.Thread(target=self._read_into, args=(client, held), name="key-set", daemon=True).start()

    def _read_into(self, client: Client, held: _Held) -> None:
        """Read a set and put it in place; one that cannot be read leaves the last good one where it is."""
        keys: KeySet | None = None
        try:
            with contextlib.suppress(KeySetRefused):
                keys = read_key_set(self._read(client))
        finally:
            with self._lock:
                self._settle(held, keys)

    def _settle(self, held: _Held, keys: KeySet | None) -> None:
        now = self._clock()
        held.begun_at, held.is_first = None, False
        if keys is None:
            held.not_before = now + RETRY_SECONDS[min(held.failures, len(RETRY_SECONDS) - 1)]
            held.failures += 1
        else:
            held.keys, held.read_at, held.failures, held.not_before = keys, now, 0, float("-inf")
        held.done.set()

    def _wait(self, held: _Held) -> None:
        """Wait for the reading that is under way until it has lasted as long as a call may be held up."""
        with self._lock:
            begun, done = held.begun_at, held.done
        if begun is not None:
            done.wait(max(0.0, begun + FIRST_WAIT_SECONDS - self._clock()))
