"""Floor 7: rows of a terminology CSV that know where they stand, and the problems found on the way."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from io import StringIO

from cds_service.errors import Location, Problem, RulebookInvalid, nearest
from cds_service.quantities import LARGEST

Files = Mapping[str, str]
"""Path inside the rules folder ("drugs/products.csv") → text."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a table; `where` is the line on which it ends."""

    cells: Mapping[str, str]
    where: Location

    def __getitem__(self, column: str) -> str:
        """Return the cell of a column that the table is known to have."""
        return self.cells[column]

    def words(self, column: str) -> tuple[str, ...]:
        """Return a cell that holds words with spaces between them."""
        return tuple(self.cells[column].split())


@dataclass(frozen=True, slots=True)
class Report:
    """Collects every problem of the terminology files, so that one run tells them all."""

    problems: list[Problem]

    def add(self, where: Location, code: str, message: str) -> None:
        """Note one problem."""
        self.problems.append(Problem(where, code, message))

    def one_of(self, where: Location, code: str, what: str, word: str, allowed: Iterable[str]) -> bool:
        """Tell whether a word is allowed; note the problem, with the nearest allowed word, where it is not."""
        choices = sorted(allowed)
        if word in choices:
            return True
        self.add(where, code, f"no {what} '{word}'{nearest(word, choices)}")
        return False

    def raise_if_any(self) -> None:
        """Raise RulebookInvalid with all problems, where there are any."""
        if self.problems:
            raise RulebookInvalid(self.problems)


def read_rows(files: Files, path: str, columns: Sequence[str], report: Report) -> tuple[Row, ...]:
    """Read a CSV table with at least these columns; a missing file is TERM-001, a wrong shape TERM-002."""
    if path not in files:
        report.add(Location(path, 1, 1), "TERM-001", "the file is missing")
        return ()
    records = list(_records(files[path], path, report))
    header = records[0][1] if records else []
    lacks = [column for column in columns if column not in header]
    if lacks:
        report.add(Location(path, 1, 1), "TERM-002", f"the header lacks {', '.join(lacks)}")
        return ()
    return tuple(_rows(records[1:], path, header, report))


def _records(text: str, path: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """Go through the records with the line on which each ends; what the csv module refuses ends the file with a problem."""
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader)
    except csv.Error as error:
        report.add(Location(path, reader.line_num, 1), "TERM-002", f"not readable as CSV: {error}")


def _rows(records: Iterable[tuple[int, list[str]]], path: str, header: list[str], report: Report) -> Iterator[Row]:
    for line, cells in records:
        where = Location(path, line, 1)
        if len(cells) == len(header):
            yield Row(dict(zip(header, cells, strict=True)), where)
        else:
            report.add(where, "TERM-002", f"{len(cells)} fields where the header has {len(header)}")


def number(row: Row, column: str, report: Report) -> Decimal | None:
    """Read a positive number; an empty cell is `None`, anything else TERM-005."""
    text = row[column]
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if value.is_finite() and 0 < value < LARGEST:
        return value
    report.add(row.where, "TERM-005", f"'{text}' in {column} is not a number above 0")
    return None


def fingerprint(files: Files, paths: Iterable[str]) -> str:
    """Return the SHA-256 of these files, so that a decision can say which tables it was made with."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path}\0{len(files[path])}\0{files[path]}\0".encode())
    return digest.hexdigest()
