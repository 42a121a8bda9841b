"""Floor 7: rows of an RxNorm release (RRF: UTF-8, fields ended by a bar), read in bounded memory; what is no row is counted, never fatal."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cds_service.errors import Location, Problem, RulebookInvalid

_CHUNK: Final = 4 * 1024 * 1024
_LONGEST_LINE: Final = 1024 * 1024
_TOLD: Final = 20
"""Problems of a file that are told one by one; the rest is counted."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Progress = Callable[[int], object]
"""Called with the number of bytes read since the last call."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A file of the release: how many fields its rows have, and in which texts a row that matters holds one at least."""

    name: str
    fields: int
    marks: tuple[bytes, ...]


CONCEPTS: Final = Layout("RXNCONSO.RRF", 18, (b"|RXNORM|",))
LINKS: Final = Layout("RXNREL.RRF", 16, (b"|RXNORM|",))
ATTRIBUTES: Final = Layout("RXNSAT.RRF", 13, (b"|NDC|", b"|RXN_STRENGTH|"))
ARCHIVE: Final = Layout("RXNATOMARCHIVE.RRF", 16, (b"|RXNORM|",))
"""Atoms of earlier releases with the concept that theirs was merged into; a release may come without it."""
SOURCES: Final = Layout("RXNSAB.RRF", 25, (b"|RXNORM|",))
"""Versions of the sources; a release may come without it."""
NEEDED: Final = (CONCEPTS, LINKS, ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class Release:
    """The files of a release folder, by their layout."""

    files: dict[Layout, Path]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.files.values())


def find_release(folder: Path) -> Release:
    """Find the files in a folder or in its `rrf` below; raises RulebookInvalid (TERM-013) naming every needed one that is missing."""
    for place in (folder, folder / "rrf"):
        here = {path.name.upper(): path for path in sorted(place.glob("*")) if path.is_file()}
        if any(layout.name in here for layout in NEEDED):
            break
    missing = [layout.name for layout in NEEDED if layout.name not in here]
    if missing:
        where = Location(folder.as_posix(), 1, 1)
        raise RulebookInvalid(
            [
                Problem(where, "TERM-013", f"no {name}; expected the folder of an RxNorm release, or the one above its rrf")
                for name in missing
            ]
        )
    return Release({layout: here[layout.name] for layout in (*NEEDED, ARCHIVE, SOURCES) if layout.name in here})


@dataclass(slots=True)
class RowReader:
    """Reads one file; afterwards says how many rows it had, which were malformed, and the file's SHA-256."""

    path: Path
    layout: Layout
    progress: Progress
    rows: int = 0
    malformed: int = 0
    problems: list[Problem] = field(default_factory=list)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """Hash of what was read."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[list[str]]:
        """Go through the fields of the rows that matter."""
        marks, fields = self.layout.marks, self.layout.fields
        for line in self._lines():
            self.rows += 1
            bars = line.count(b"|")
            if bars != fields and bars != fields - 1:
                self.wrong(f"{bars} fields where {self.layout.name} has {fields}")
            elif any(mark in line for mark in marks):
                try:
                    yield line.decode().split("|")
                except UnicodeDecodeError:
                    self.wrong("not readable as UTF-8")

    def wrong(self, message: str) -> None:
        """Count the present row as malformed, and keep the message where it is one of the first."""
        self.malformed += 1
        if len(self.problems) < _TOLD:
            self.problems.append(Problem(Location(self.path.as_posix(), self.rows, 1), "TERM-014", f"row left out: {message}"))

    def _lines(self) -> Iterator[bytes]:
        """Go through the lines without their ends; of one without end no more than a megabyte is kept."""
        rest, is_first = b"", True
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                self._digest.update(chunk)
                self.progress(len(chunk))
                lines = (rest + (chunk.removeprefix(_BYTE_ORDER_MARK) if is_first else chunk)).split(b"\n")
                is_first = False
                rest = lines.pop()[:_LONGEST_LINE]
                yield from (line.rstrip(b"\r") for line in lines)
        if rest:
            yield rest.rstrip(b"\r")


def sha256_of(path: Path, progress: Progress) -> str:
    """Return the hash of a file that need not be read row by row again."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            progress(len(chunk))
    return digest.hexdigest()
