"""Floor 7: code systems by URI, OID or short name, and codes brought into the one form that the tables hold."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cds_service.fhir.elements import Coding
from cds_service.terminology.rows import Files, Report, read_rows

_COLUMNS: Final = ("system", "aliases", "form", "unknown_code_means")
_DIGITS: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_NDC_PARTS: Final = ((5, 4, 2), (4, 4, 2), (5, 3, 2), (5, 4, 1))
_NDC_PRODUCT_PARTS: Final = ((5, 4), (4, 4), (5, 3))
_NDC_LENGTH: Final = 11
_A_SLIP: Final = 0.97
"""How much alike two addresses are that differ by one or two letters."""


@dataclass(frozen=True, slots=True)
class System:
    """A code system: its URI, the form of its codes, and whether the tables hold all its codes that matter."""

    uri: str
    form: str
    is_complete: bool

    def normal(self, code: str) -> str:
        """Bring a code into the form of the tables; an empty text where it is no code of this system."""
        return _FORMS[self.form](code.strip())


@dataclass(frozen=True, slots=True)
class Systems:
    """All systems of a table, by every name that they go by."""

    by_name: Mapping[str, System]

    def of(self, coding: Coding) -> System | None:
        """Find the system of a coding; `None` where the tables know nothing of it."""
        return self.by_name.get(coding.system) or self.by_name.get(plain_name(coding.system))

    def nearest(self, name: str) -> str:
        """Return a hint for an address that differs from a known one by a slip; a site's own system is nothing like them."""
        known = [one for one in self.by_name if "://" in one]
        close = difflib.get_close_matches(name.strip(), known, n=1, cutoff=_A_SLIP)
        return f"; did you mean '{close[0]}'?" if close else ""

    def with_own(self, names: Iterable[str]) -> "Systems":
        """Return the systems with further ones of a site, whose codes are compared as they stand; a near miss is left out."""
        own = {name: System(name, "exact", is_complete=False) for name in names if not self.nearest(name)}
        return Systems(MappingProxyType({**own, **{plain_name(name): system for name, system in own.items()}, **self.by_name}))


def read_systems(files: Files, path: str, report: Report) -> Systems:
    """Read systems.csv; an unknown form is TERM-010."""
    by_name: dict[str, System] = {}
    for row in read_rows(files, path, _COLUMNS, report):
        if report.one_of(row.where, "TERM-010", "form of codes", row["form"], _FORMS):
            system = System(row["system"], row["form"], is_complete=row["unknown_code_means"] == "another-drug")
            names = (row["system"], *row.words("aliases"))
            by_name.update(dict.fromkeys((*names, *map(plain_name, names)), system))
    return Systems(MappingProxyType(by_name))


def plain_name(name: str) -> str:
    """Make names of a system comparable: drop what senders write differently: case, secure scheme, the OID prefix and a closing slash."""
    return name.strip().casefold().removeprefix("urn:oid:").replace("https://", "http://").rstrip("/")


def _digits(code: str) -> str:
    return code if _DIGITS.fullmatch(code) else ""


def _letters(code: str) -> str:
    return code.upper()


def _exact(code: str) -> str:
    return code


def _undotted(code: str) -> str:
    return code.upper().replace(".", "")


def _ndc(code: str) -> str:
    """Bring an NDC to 11 digits; a code of two segments (labeler and product) to nine."""
    parts = code.split("-")
    lengths = tuple(len(part) for part in parts)
    if not all(_DIGITS.fullmatch(part) for part in parts):
        return ""
    if lengths in _NDC_PARTS:
        return parts[0].zfill(5) + parts[1].zfill(4) + parts[2].zfill(2)
    if lengths in _NDC_PRODUCT_PARTS:
        return parts[0].zfill(5) + parts[1].zfill(4)
    return code if lengths == (_NDC_LENGTH,) else ""


_FORMS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {"digits": _digits, "letters": _letters, "undotted": _undotted, "exact": _exact, "ndc": _ndc},
)
