"""Floor 7: the rows of an RxNorm release that matter, gathered file by file in a work file that a broken import goes on with."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Final, TypeVar

from cds_service.errors import Location, Problem, RulebookInvalid
from cds_service.terminology.rxnorm_rows import (
    ARCHIVE,
    ATTRIBUTES,
    CONCEPTS,
    LINKS,
    SOURCES,
    Layout,
    Progress,
    Release,
    RowReader,
    sha256_of,
)
from cds_service.terminology.systems import System

LEVELS: Final = MappingProxyType(
    {
        "IN": 0, "PIN": 1, "MIN": 1, "BN": 2, "SCDC": 2, "SCDF": 2, "SCDFP": 2, "SCDG": 2, "SCDGP": 2,
        "SCD": 3, "SBDC": 3, "SBDF": 3, "SBDFP": 3, "SBDG": 3, "SBD": 4, "GPCK": 5, "BPCK": 6,
    },
)  # fmt: skip
"""RxNorm term types from the ingredient up to the branded pack: what a concept holds stands on a lower level."""
_FORM: Final = "DF"
_PARTS: Final = frozenset(
    [
        "has_ingredient", "ingredient_of", "has_ingredients", "ingredients_of", "has_precise_ingredient", "precise_ingredient_of",
        "consists_of", "constitutes", "contains", "contained_in", "has_tradename", "tradename_of", "has_part", "part_of",
        "has_form", "form_of",
    ],
)  # fmt: skip
_FORMS: Final = frozenset(["has_dose_form", "dose_form_of"])
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS done (file TEXT PRIMARY KEY, sha256 TEXT, rows INTEGER, malformed INTEGER, problems TEXT);
    CREATE TABLE IF NOT EXISTS release (name TEXT);
    CREATE TABLE IF NOT EXISTS concept (rxcui INTEGER, tty TEXT, level INTEGER, name TEXT, is_retired INTEGER);
    CREATE TABLE IF NOT EXISTS form (rxcui INTEGER, name TEXT);
    CREATE TABLE IF NOT EXISTS part (high INTEGER, low INTEGER);
    CREATE TABLE IF NOT EXISTS form_of (rxcui INTEGER, form INTEGER);
    CREATE TABLE IF NOT EXISTS strength (rxcui INTEGER, text TEXT);
    CREATE TABLE IF NOT EXISTS package (ndc INTEGER, rxcui INTEGER, trust INTEGER);
    CREATE TABLE IF NOT EXISTS merged (old INTEGER, new INTEGER);
"""
_TABLES: Final = MappingProxyType(
    {
        CONCEPTS: ("concept", "form"),
        LINKS: ("part", "form_of"),
        ATTRIBUTES: ("strength", "package"),
        ARCHIVE: ("merged",),
        SOURCES: ("release",),
    },
)
_BATCH: Final = 20_000
_NOT_SUPPRESSED: Final = "N"
_PACKAGE: Final = System("", "ndc", is_complete=False)
_PACKAGE_DIGITS: Final = 11
_LARGEST_CODE: Final = 10**9
_MALFORMED_SHARE: Final = 10
"""One malformed row in so many is no slip any more: the file is not what its name says."""

Statement = tuple[str, tuple[object, ...]]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class FileRead:
    """What one file of the release held."""

    name: str
    sha256: str
    rows: int
    malformed: int
    problems: tuple[Problem, ...]
    is_new: bool
    """False where an earlier, broken import had read it."""


def stage(work: sqlite3.Connection, release: Release, progress: Progress) -> tuple[FileRead, ...]:
    """Read every file that the work file does not hold yet; each is all there or not at all.

    Raises RulebookInvalid (TERM-015) for a file that is not what its name says.
    """
    work.executescript(_SCHEMA)
    return tuple(_stage_file(work, release, layout, progress) for layout in release.files)


def _stage_file(work: sqlite3.Connection, release: Release, layout: Layout, progress: Progress) -> FileRead:
    known = _known(work, release, layout, progress)
    if known:
        return known
    reader = RowReader(release.files[layout], layout, progress)
    with work:
        for table in _TABLES[layout]:
            work.execute(f"DELETE FROM {table}")  # noqa: S608 - names of this module
        kept = sum(_write(work, statements) for statements in _batches(_statements(work, reader)))
        _refuse_another_file(reader, kept)
        problems = [[problem.where.line, problem.message] for problem in reader.problems]
        row = (layout.name, reader.sha256, reader.rows, reader.malformed, json.dumps(problems))
        work.execute("INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?, ?)", row)
    return FileRead(layout.name, reader.sha256, reader.rows, reader.malformed, tuple(reader.problems), is_new=True)


def _known(work: sqlite3.Connection, release: Release, layout: Layout, progress: Progress) -> FileRead | None:
    """Return what an earlier import read of this very file; a file that changed, or a changed list of concepts, is read again."""
    found = work.execute("SELECT sha256, rows, malformed, problems FROM done WHERE file = ?", (layout.name,)).fetchone()
    if found is None:
        return None
    path = release.files[layout]
    if sha256_of(path, lambda _: None) != found[0]:
        forgotten = [layout.name] if layout is not CONCEPTS else [one.name for one in _TABLES]
        with work:
            work.executemany("DELETE FROM done WHERE file = ?", [(name,) for name in forgotten])
        return None
    progress(path.stat().st_size)
    problems = tuple(Problem(Location(path.as_posix(), line, 1), "TERM-014", message) for line, message in json.loads(found[3]))
    return FileRead(layout.name, found[0], found[1], found[2], problems, is_new=False)


def _refuse_another_file(reader: RowReader, kept: int) -> None:
    if reader.malformed * _MALFORMED_SHARE <= reader.rows and (kept or reader.layout in {ARCHIVE, SOURCES}):
        return
    found = f"{reader.malformed} of {reader.rows} rows malformed, {kept} of RxNorm's own that matter"
    where = Location(reader.path.as_posix(), 1, 1)
    raise RulebookInvalid([Problem(where, "TERM-015", f"{found}; expected a {reader.layout.name} as the release has it"), *reader.problems])


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _write(work: sqlite3.Connection, statements: list[Statement]) -> int:
    """Write the rows of a batch, grouped by statement; return how many."""
    by_text: dict[str, list[tuple[object, ...]]] = {}
    for text, row in statements:
        by_text.setdefault(text, []).append(row)
    for text, rows in by_text.items():
        work.executemany(text, rows)
    return len(statements)


def _statements(work: sqlite3.Connection, reader: RowReader) -> Iterator[Statement]:
    """Turn the rows of a file into what is kept of them."""
    if reader.layout is LINKS:
        levels = dict(work.execute("SELECT rxcui, level FROM concept"))
        forms = {rxcui for (rxcui,) in work.execute("SELECT rxcui FROM form")}
        yield from _links(reader, levels, forms)
        return
    read: Callable[[RowReader], Iterator[Statement]] = {
        CONCEPTS: _concepts, ATTRIBUTES: _attributes, ARCHIVE: _merged, SOURCES: _release,
    }[reader.layout]  # fmt: skip
    yield from read(reader)


def code_of(reader: RowReader, text: str) -> int | None:
    """Read an RXCUI; one that is no number is a malformed row."""
    if text.isascii() and text.isdigit() and 0 < int(text[:10]) < _LARGEST_CODE:
        return int(text)
    reader.wrong("the concept identifier is no number")
    return None


def _concepts(reader: RowReader) -> Iterator[Statement]:
    for row in reader:
        source, tty, name = row[11], row[12], row[14].strip()
        if source != "RXNORM" or (tty not in LEVELS and tty != _FORM):
            continue
        rxcui = code_of(reader, row[0])
        if rxcui is None:
            continue
        if not name:
            reader.wrong("the concept has no name")
        elif tty == _FORM:
            yield "INSERT INTO form VALUES (?, ?)", (rxcui, name)
        else:
            yield "INSERT INTO concept VALUES (?, ?, ?, ?, ?)", (rxcui, tty, LEVELS[tty], name, row[16] != _NOT_SUPPRESSED)


def _links(reader: RowReader, levels: dict[int, int], forms: set[int]) -> Iterator[Statement]:
    """Keep which concept holds which, whatever the direction in which the row tells it: levels say which is the part."""
    for row in reader:
        relation = row[7]
        is_form = relation in _FORMS
        if row[10] != "RXNORM" or not (is_form or relation in _PARTS) or not (row[0] and row[4]):
            continue
        one, other = code_of(reader, row[0]), code_of(reader, row[4])
        if one is None or other is None:
            continue
        if is_form:
            product, form = (one, other) if other in forms else (other, one)
            if form in forms and product in levels:
                yield "INSERT INTO form_of VALUES (?, ?)", (product, form)
        elif one in levels and other in levels and levels[one] != levels[other]:
            yield "INSERT INTO part VALUES (?, ?)", (one, other) if levels[one] > levels[other] else (other, one)


def _attributes(reader: RowReader) -> Iterator[Statement]:
    for row in reader:
        name, source, value = row[8], row[9], row[10].strip()
        if name not in {"NDC", "RXN_STRENGTH"} or not row[0]:
            continue
        rxcui = code_of(reader, row[0])
        if rxcui is None:
            continue
        if name == "RXN_STRENGTH" and source == "RXNORM":
            yield "INSERT INTO strength VALUES (?, ?)", (rxcui, value)
        elif name == "NDC":
            package = package_number(value)
            if package is not None:
                yield "INSERT INTO package VALUES (?, ?, ?)", (package, rxcui, _trust(source, row[11]))


def package_number(code: str) -> int | None:
    """Read a package code as the number that its 11 digits make; `None` for codes of another kind, which sources hold too."""
    is_padded = len(code) == _PACKAGE_DIGITS + 1 and code.startswith("0") and code.isdigit()
    normal = _PACKAGE.normal(code[1:] if is_padded else code)
    return int(normal) if len(normal) == _PACKAGE_DIGITS and normal.isascii() and normal.isdigit() else None


def _trust(source: str, suppress: str) -> int:
    """Rank what an attribute says: RxNorm's own present ones, those of other sources, then historic ones."""
    if suppress != _NOT_SUPPRESSED:
        return 2
    return 0 if source == "RXNORM" else 1


def _merged(reader: RowReader) -> Iterator[Statement]:
    for row in reader:
        if row[13] == "RXNORM" and row[15]:
            old, new = code_of(reader, row[12]), code_of(reader, row[15])
            if old is not None and new is not None:
                yield "INSERT INTO merged VALUES (?, ?)", (old, new)


def _release(reader: RowReader) -> Iterator[Statement]:
    for row in reader:
        if row[3] == "RXNORM" and row[6]:
            yield "INSERT INTO release VALUES (?)", (row[6][:40],)
