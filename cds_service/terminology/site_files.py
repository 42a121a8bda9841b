"""Floor 7: the shipped terminology together with what a site adds to it by file, all problems of all files at once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

from cds_service.errors import Location, Problem, RulebookInvalid
from cds_service.terminology.rows import Files, Report, fingerprint
from cds_service.terminology.rxnorm_index import RxNormIndex
from cds_service.terminology.site_codes import site_codes
from cds_service.terminology.site_drugs import read_site_drugs
from cds_service.terminology.tables import TableDrugIndex, read_drug_index
from cds_service.terminology.valuesets import TableConditionIndex, read_condition_index

DRUGS: Final = "drugs.csv"
_SETS: Final = ".json"
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class SiteFiles:
    """Where a site keeps what it adds: the index made by an import, and the folder of its own lists; either may be absent."""

    index: Path | None = None
    folder: Path | None = None


NO_SITE_FILES: Final = SiteFiles()


@dataclass(frozen=True, slots=True)
class Terminology:
    """Both indexes; `site_hash` is empty where the site adds nothing, and else changes with all that it adds."""

    drugs: TableDrugIndex
    conditions: TableConditionIndex
    site_hash: str = ""
    release: str = ""
    """Name of the RxNorm release that the index was made from."""

    def pack_hash(self, rules_hash: str) -> str:
        """Return the hash that a decision records: that of the rules, or of rules and site files together."""
        return sha256(f"{rules_hash}\n{self.site_hash}".encode()).hexdigest() if self.site_hash else rules_hash


def read_terminology(rules: Files, site: SiteFiles = NO_SITE_FILES) -> Terminology:
    """Read the shipped tables and the site's files; raises RulebookInvalid with every TERM problem of all of them."""
    problems: list[Problem] = []
    files = _gathered(lambda: _folder_files(site.folder), problems) or {}
    drugs = _gathered(lambda: read_drug_index(rules), problems)
    conditions = _gathered(
        lambda: read_condition_index(rules, {path: text for path, text in files.items() if path.endswith(_SETS)}), problems
    )
    index = _gathered(partial(RxNormIndex, site.index), problems) if site.index else None
    if drugs and site != NO_SITE_FILES:
        drugs = _gathered(partial(_with_site, drugs, files, index), problems)
    if problems or drugs is None or conditions is None:
        raise RulebookInvalid(problems)
    site_hash = _hash(files, index) if site != NO_SITE_FILES else ""
    return Terminology(drugs, conditions, site_hash, index.release if index else "")


def _gathered(read: Callable[[], Found], problems: list[Problem]) -> Found | None:
    """Read one part, and keep its problems with those of the others."""
    try:
        return read()
    except RulebookInvalid as error:
        problems += error.problems
        return None


def _with_site(shipped: TableDrugIndex, files: Files, index: RxNormIndex | None) -> TableDrugIndex:
    report = Report([])
    lists = [path for path in files if path.endswith(DRUGS)]
    own = read_site_drugs(files, lists[0], shipped, index, report) if lists else {}
    report.raise_if_any()
    return shipped.with_further(site_codes(shipped, own, index, _hash(files, index)))


def _hash(files: Files, index: RxNormIndex | None) -> str:
    """Hash what the site adds, by file name, wherever its folder stands."""
    named = {Path(path).name: text for path, text in files.items()}
    return sha256(f"{fingerprint(named, named)}\n{index.hash if index else ''}".encode()).hexdigest()


def _folder_files(folder: Path | None) -> dict[str, str]:
    """Read drugs.csv and the ValueSets of a folder by path; an empty or missing one is TERM-001, what is no UTF-8 TERM-002."""
    if folder is None:
        return {}
    report = Report([])
    paths = [path for path in sorted(folder.glob("*")) if path.is_file() and (path.name == DRUGS or path.suffix == _SETS)]
    if not paths:
        report.add(Location(folder.as_posix(), 1, 1), "TERM-001", f"neither {DRUGS} nor a ValueSet (*{_SETS}) is here")
    files: dict[str, str] = {}
    for path in paths:
        try:
            files[path.as_posix()] = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            report.add(Location(path.as_posix(), 1, 1), "TERM-002", "not readable as UTF-8 text")
    report.raise_if_any()
    return files
