"""Floor 7: the members of a `[[client]]` table: how each is read, and what it may hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_args
from urllib.parse import SplitResult, urlsplit

from cds_service.cards import ProfileName
from cds_service.settings import is_loopback

ASYMMETRIC: Final = ("ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
"""Every algorithm that a client may be given: none of them is symmetric, and `none` is not among them."""
MISSING: Final = object()
"""Stands for a member that is not there, or cannot be read: no value of TOML is this."""
_LONGEST: Final = 512
_SITE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,252}|[0-9a-fA-F:.]{2,45}")
_ORIGIN: Final = re.compile(r"https?://[^/?#@]+")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a table."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How a member is read (MISSING where it cannot be), what a message says that it may hold, and the code of the message."""

    read: Callable[[Any, Path], object]
    expected: str
    code: str
    is_required: bool = False
    words: tuple[str, ...] = ()


def is_safe(address: str) -> bool:
    """Tell whether an address may be trusted on the way: https anywhere, plain http on this machine alone."""
    parts = _split(address)
    return parts is not None and (parts.scheme == "https" or is_loopback(parts.hostname or ""))


def _split(address: str) -> SplitResult | None:
    """Take an http(s) address apart; None for what has user, query, fragment, dots as segments, backslashes, blanks or no host."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    is_plain = address.isascii() and address.isprintable() and not set(address) & set(' \\"<>?#@')
    has_host = parts.hostname is not None and _HOST.fullmatch(parts.hostname) is not None and port != 0
    is_steady = not {".", ".."} & set(parts.path.split("/"))
    return parts if parts.scheme in {"http", "https"} and is_plain and has_host and is_steady else None


def _text(value: object, _: Path) -> object:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() and value == value.strip() else MISSING


def _address(value: object, _: Path) -> object:
    return value if isinstance(value, str) and len(value) <= _LONGEST and is_safe(value) else MISSING


def _base(value: object, folder: Path) -> object:
    address = _address(value, folder)
    return address.rstrip("/") if isinstance(address, str) else MISSING


def _origin(value: object, folder: Path) -> object:
    return value.lower() if isinstance(value, str) and _ORIGIN.fullmatch(value) and _address(value, folder) is not MISSING else MISSING


def _file(value: object, folder: Path) -> object:
    path = folder / value if isinstance(value, str) and value else folder
    return path if path.is_file() else MISSING


def _matching(pattern: re.Pattern[str]) -> Callable[[object, Path], object]:
    return lambda value, _: value if isinstance(value, str) and pattern.fullmatch(value) else MISSING


def _one_of(words: tuple[str, ...]) -> Callable[[object, Path], object]:
    return lambda value, _: value if value in words else MISSING


def _list_of(read: Callable[[Any, Path], object], *, least: int = 0) -> Callable[[object, Path], object]:
    """Read a list all of whose entries can be read, each once."""

    def read_list(value: object, folder: Path) -> object:
        entries = [read(one, folder) for one in value] if isinstance(value, list) else []
        return tuple(dict.fromkeys(entries)) if isinstance(value, list) and len(value) >= least and MISSING not in entries else MISSING

    return read_list


_SECURE: Final = "https, or http on loopback, without user, query or fragment"
_PROFILES: Final = get_args(ProfileName)
SHAPES: Final = MappingProxyType(
    {
        "name": Shape(_text, "a name of at most 512 printable characters", "CLIENT-010", is_required=True),
        "issuer": Shape(_text, "the 'iss' of the client's tokens, letter by letter", "CLIENT-010", is_required=True),
        "tenants": Shape(
            _list_of(_text, least=1), "a list of values of 'tenant'; leave it out where the issuer is this client's alone", "CLIENT-010"
        ),
        "jwks_url": Shape(_address, f"the address of a key set: {_SECURE}", "CLIENT-011"),
        "jwks_file": Shape(_file, "a file that exists, relative to the registry's folder", "CLIENT-012"),
        "algorithms": Shape(_list_of(_one_of(ASYMMETRIC), least=1), f"a list of {', '.join(ASYMMETRIC)}", "CLIENT-013"),
        "audiences": Shape(_list_of(_text, least=1), "a list of values of 'aud'; leave it out for the address called", "CLIENT-010"),
        "fhir_servers": Shape(_list_of(_base), f"a list of FHIR base addresses: {_SECURE}", "CLIENT-011"),
        "profile": Shape(_one_of(_PROFILES), ", ".join(_PROFILES), "CLIENT-014", words=_PROFILES),
        "site": Shape(_matching(_SITE), "lower-case letters, digits and hyphens, as in rules/sites", "CLIENT-014"),
        "language": Shape(_matching(_LANGUAGE), "a language as 'en' or 'es-MX'", "CLIENT-014"),
        "cors_origins": Shape(
            _list_of(_origin), "a list of origins ('https://ehr.example.org'), plain http on loopback alone", "CLIENT-011"
        ),
    },
)
"""Every member of a `[[client]]` table, in the order in which the docs tell of them."""
