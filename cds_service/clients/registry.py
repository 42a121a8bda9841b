"""Floor 7: `clients.toml` becomes frozen `Client` records, or is refused with every mistake at once."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from cds_service.cards import ProfileName
from cds_service.clients.members import MISSING, SHAPES, Mistake, Shape
from cds_service.errors import SettingsRefused, nearest

ALGORITHMS: Final = ("ES384", "RS384")
"""What a client may sign with unless its table says otherwise (CDS Hooks, #trusting-cds-clients)."""


@dataclass(frozen=True, slots=True)
class Client:
    """One system that may call: who it is, where its keys are, and what it asks of answers.

    An empty `audiences` stands for the address called; an empty `profile`, `site` or `language` for that of the settings.
    """

    name: str
    issuer: str
    jwks_url: str = ""
    jwks_file: Path | None = None
    algorithms: tuple[str, ...] = ALGORITHMS
    audiences: tuple[str, ...] = ()
    fhir_servers: tuple[str, ...] = ()
    profile: ProfileName | None = None
    site: str = ""
    language: str = ""
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registry:
    """All clients, in the order of the file."""

    clients: tuple[Client, ...]

    def by_issuer(self) -> Mapping[str, Client]:
        """Return the clients by their issuer, which is exact: no two share one."""
        return {client.issuer: client for client in self.clients}

    def origins(self) -> tuple[str, ...]:
        """Return the origins whose pages may call."""
        return tuple(dict.fromkeys(origin for client in self.clients for origin in client.cors_origins))

    def sites(self) -> tuple[str, ...]:
        """Return the sites whose rules are asked for."""
        return tuple(dict.fromkeys(client.site for client in self.clients if client.site))


class ClientsRefused(SettingsRefused):
    """The client registry cannot be used; holds every mistake found, not the first alone."""

    code = "CLIENT-000"


def read_registry(file: Path) -> Registry:
    """Read a registry file; raises ClientsRefused with one line for each mistake."""
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = "is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"cannot be read ({error.strerror})"
        raise ClientsRefused(f"CLIENT-001 {file}: the file {reason}") from None
    return registry_of(text, file)


def registry_of(text: str, file: Path) -> Registry:
    """Read the text of a registry; `file` names it in messages, and its folder is where relative key set files are looked for."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ClientsRefused(f"CLIENT-001 {file}: no TOML: {error}") from None
    tables = content.get("client", [])
    tables = tables if isinstance(tables, list) else [tables]
    found = [_table(number, table, file.parent) for number, table in enumerate(tables, 1)]
    clients = tuple(Client(**members) for members, mistakes in found if not mistakes)
    mistakes = [*_strange(content), *(f"{place}: {one}" for _, several in found for place, one in several), *_twice(tables)]
    if mistakes:
        raise ClientsRefused("\n".join(f"{_code_first(file, mistake)}" for mistake in mistakes))
    return Registry(clients)


def _code_first(file: Path, mistake: str) -> str:
    """Put the code at the start of the line, before file and client."""
    place, code, message = mistake.partition(" CLIENT-")
    return f"CLIENT-{message[:3]} {file} {place}{message[3:]}" if code else f"{file} {mistake}"


def _strange(content: Mapping[str, Any]) -> list[str]:
    """Refuse what stands beside the tables, and a file without any."""
    mistakes = [f"top level: CLIENT-002 no key '{key}'{nearest(key, ['client'])}" for key in content if key != "client"]
    return mistakes if content.get("client") else [*mistakes, "top level: CLIENT-003 no [[client]] table: nobody could call"]


def _table(number: int, table: object, folder: Path) -> tuple[dict[str, Any], list[tuple[str, Mistake]]]:
    """Read one table as far as it can be read, with all that is wrong in it."""
    if not isinstance(table, dict):
        return {}, [(f"[[client]] {number}", Mistake("CLIENT-002 no table"))]
    place = f"[[client]] {number}" + (f" '{table['name']}'" if isinstance(table.get("name"), str) else "")
    members: dict[str, Any] = {}
    mistakes = [Mistake(f"CLIENT-002 no key '{key}'{nearest(key, SHAPES)}") for key in table if key not in SHAPES]
    for key, shape in SHAPES.items():
        read = _member(key, shape, table.get(key, MISSING), folder)
        if isinstance(read, Mistake):
            mistakes.append(read)
        elif read is not MISSING:
            members[key] = read
    if ("jwks_url" in table) == ("jwks_file" in table):
        found = "both" if "jwks_url" in table else "neither"
        mistakes.append(Mistake(f"CLIENT-006 keys: found {found}; expected one of 'jwks_url' and 'jwks_file'"))
    return members, [(place, mistake) for mistake in mistakes]


def _member(key: str, shape: Shape, value: object, folder: Path) -> object:
    """Read one member: its value, what is wrong with it, or MISSING where it may be left out."""
    if value is MISSING:
        return Mistake(f"CLIENT-004 '{key}' is missing; expected {shape.expected}") if shape.is_required else MISSING
    read = shape.read(value, folder)
    if read is MISSING:
        hint = nearest(str(value), shape.words) if isinstance(value, str) else ""
        return Mistake(f"{shape.code} '{key}': found {_shown(value)}; expected {shape.expected}{hint}")
    return read


def _shown(value: object) -> str:
    """Quote what was found, shortened."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"  # noqa: PLR2004 - as long as a line can bear


def _twice(tables: Sequence[object]) -> list[str]:
    """Refuse two clients of one name or issuer: the issuer of a token says whose it is."""
    return [
        f"every [[client]]: CLIENT-005 '{key}' {value!r} stands {times} times; expected each once"
        for key in ("name", "issuer")
        for value, times in Counter(table[key] for table in tables if isinstance(table, dict) and isinstance(table.get(key), str)).items()
        if times > 1
    ]


PROFILE_NAMES: Final = get_args(ProfileName)
