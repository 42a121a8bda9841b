"""Floor 7: `clients.toml` becomes frozen `Client` records, or is refused with every mistake at once."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
    tenants: tuple[str, ...] = ()
    """Values of `tenant` in its tokens, where several clients share an issuer; empty where the issuer is this client's alone."""


@dataclass(frozen=True, slots=True)
class Registry:
    """All clients, in the order of the file."""

    clients: tuple[Client, ...]

    def client_of(self, issuer: str, tenant: object) -> Client | None:
        """Return the client of an issuer and tenant, compared letter by letter: there is one at most."""
        return next((one for one in self.clients if one.issuer == issuer and (not one.tenants or tenant in one.tenants)), None)

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
    found = [_table(table, file.parent) for table in tables]
    told = [
        (_place(number, table), one) for number, (table, (_, several)) in enumerate(zip(tables, found, strict=True), 1) for one in several
    ]
    mistakes = [*(("top level", one) for one in _strange(content)), *told, *(("every [[client]]", one) for one in _twice(tables))]
    if mistakes:
        raise ClientsRefused("\n".join(f"{file} {place}: {one.code} {one.message}" for place, one in mistakes))
    return Registry(tuple(Client(**members) for members, _ in found))


def _place(number: int, table: object) -> str:
    """Say which table is meant: by its place in the file and, where it has one, its name."""
    name = table.get("name") if isinstance(table, dict) else None
    return f"[[client]] {number}" + (f" {_shown(name)}" if isinstance(name, str) else "")


def _strange(content: Mapping[str, Any]) -> list[Mistake]:
    """Refuse what stands beside the tables, and a file without any."""
    mistakes = [Mistake("CLIENT-002", f"no key '{key}'{nearest(key, ['client'])}") for key in content if key != "client"]
    return mistakes if content.get("client") else [*mistakes, Mistake("CLIENT-003", "no [[client]] table: nobody could call")]


def _table(table: object, folder: Path) -> tuple[dict[str, Any], list[Mistake]]:
    """Read one table as far as it can be read, with all that is wrong in it."""
    if not isinstance(table, dict):
        return {}, [Mistake("CLIENT-002", "no table; expected [[client]] with keys below it")]
    mistakes = [Mistake("CLIENT-002", f"no key '{key}'{nearest(key, SHAPES)}") for key in table if key not in SHAPES]
    read = {key: _member(key, shape, table.get(key, MISSING), folder) for key, shape in SHAPES.items()}
    mistakes += [one for one in read.values() if isinstance(one, Mistake)]
    if ("jwks_url" in table) == ("jwks_file" in table):
        found = "both" if "jwks_url" in table else "neither"
        mistakes.append(Mistake("CLIENT-006", f"keys: found {found}; expected one of 'jwks_url' and 'jwks_file'"))
    return {key: value for key, value in read.items() if value is not MISSING}, mistakes


def _member(key: str, shape: Shape, value: object, folder: Path) -> object:
    """Read one member: its value, what is wrong with it, or MISSING where it may be left out."""
    if value is MISSING:
        return Mistake("CLIENT-004", f"'{key}' is missing; expected {shape.expected}") if shape.is_required else MISSING
    read = shape.read(value, folder)
    if read is MISSING:
        hint = nearest(str(value), shape.words) if isinstance(value, str) else ""
        return Mistake(shape.code, f"'{key}': found {_shown(value)}; expected {shape.expected}{hint}")
    return read


def _shown(value: object) -> str:
    """Quote what was found, shortened."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"  # noqa: PLR2004 - as long as a line can bear


def _twice(tables: Sequence[object]) -> list[Mistake]:
    """Refuse two clients of one name, or of one issuer that no tenant tells apart: a token says by these whose it is."""
    names = [
        Mistake("CLIENT-005", f"'name' {_shown(name)} stands {times} times; expected each once")
        for name, times in _repeated(tables, "name")
    ]
    issuers = [
        Mistake(
            "CLIENT-005",
            f"'issuer' {_shown(issuer)} stands {times} times; expected each once, or 'tenants' in each of these tables and no tenant in two "
            "(the values of 'tenant' in their tokens)",
        )
        for issuer, times in _repeated(tables, "issuer")
        if not _are_told_apart([table.get("tenants") for table in tables if isinstance(table, dict) and table.get("issuer") == issuer])
    ]
    return [*names, *issuers]


def _repeated(tables: Sequence[object], key: str) -> list[tuple[str, int]]:
    texts = [table[key] for table in tables if isinstance(table, dict) and isinstance(table.get(key), str)]
    return [(text, times) for text, times in Counter(texts).items() if times > 1]


def _are_told_apart(tenants: Sequence[object]) -> bool:
    """Tell whether each list names tenants, and no tenant stands in two of them."""
    if not all(isinstance(several, list) and several for several in tenants):
        return False
    named = [repr(one) for several in tenants if isinstance(several, list) for one in dict.fromkeys(map(repr, several))]
    return len(named) == len(set(named))
