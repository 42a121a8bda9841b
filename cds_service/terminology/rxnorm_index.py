"""Floor 7: the reader of the index that `cds-service terminology import` makes: read-only, one connection for each thread."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cds_service.errors import Location, Problem, RulebookInvalid
from cds_service.terminology.rxnorm_products import FORMAT, PACKS, Content, read_contents

_PRODUCT: Final = "SELECT rxcui, tty, name, form, contents FROM product WHERE rxcui = ?"
_MERGED: Final = "SELECT rxcui, tty, name, form, contents FROM product WHERE rxcui = (SELECT new FROM merged WHERE old = ?)"
_PACKAGES: Final = "SELECT DISTINCT rxcui FROM package WHERE ndc BETWEEN ? AND ? ORDER BY rxcui LIMIT 100"
_PACKAGE_SEGMENT: Final = 2
_PACKAGE_DIGITS: Final = 11
_LARGEST: Final = 18
"""Digits of a code that a SQLite integer holds."""


@dataclass(frozen=True, slots=True)
class Product:
    """A concept of RxNorm: `contents` are its ingredients with their strengths as RxNorm writes them."""

    rxcui: int
    tty: str
    name: str
    form: str
    contents: tuple[Content, ...]

    @property
    def is_pack(self) -> bool:
        """Tell whether it holds several products, which no single strength describes."""
        return self.tty in PACKS


class RxNormIndex:
    """An open index. A new import is seen by the next start alone: this one keeps to the file that it opened."""

    def __init__(self, path: Path) -> None:
        """Open an index; raises RulebookInvalid (TERM-016) where the file is missing or no index of this format."""
        self._path = path
        self._threads = threading.local()
        self._lock = threading.Lock()
        try:
            self._first = _connect(path, shared=True)
            meta = _meta(self._first)
        except sqlite3.Error:
            meta = {}
        if meta.get("format") != FORMAT or not meta.get("hash"):
            found = "the file is no index of this version" if path.is_file() else "there is no such file"
            message = f"{found}; expected what `cds-service terminology import` made"
            raise RulebookInvalid([Problem(Location(path.as_posix(), 1, 1), "TERM-016", message)])
        self.release = meta.get("release", "")
        self.hash = meta["hash"]

    def product(self, code: str) -> Product | None:
        """Return the concept of a code; of one that was merged into another, that other."""
        if not _is_number(code):
            return None
        with self._connection() as connection:
            row = connection.execute(_PRODUCT, (int(code),)).fetchone() or connection.execute(_MERGED, (int(code),)).fetchone()
        return Product(row[0], row[1], row[2], row[3], read_contents(row[4])) if row else None

    def package(self, digits: str) -> tuple[Product, ...]:
        """Return the products of a package code of 11 digits, or of all packages that share a product code of nine."""
        if not _is_number(digits) or len(digits) not in {_PACKAGE_DIGITS, _PACKAGE_DIGITS - _PACKAGE_SEGMENT}:
            return ()
        room = 10 ** (_PACKAGE_DIGITS - len(digits))
        first = int(digits) * room
        with self._connection() as connection:
            codes = [code for (code,) in connection.execute(_PACKAGES, (first, first + room - 1))]
        return tuple(product for product in (self.product(str(code)) for code in codes) if product)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection, or the first one in turn where the file was replaced since the start."""
        own = self._own()
        if own:
            yield own
            return
        with self._lock:
            yield self._first

    def _own(self) -> sqlite3.Connection | None:
        """Open this thread's connection once; a forked process opens its own."""
        if getattr(self._threads, "process", None) != os.getpid():
            self._threads.process = os.getpid()
            self._threads.connection = self._opened()
        found: sqlite3.Connection | None = self._threads.connection
        return found

    def _opened(self) -> sqlite3.Connection | None:
        try:
            connection = _connect(self._path)
            return connection if _meta(connection).get("hash") == self.hash else None
        except sqlite3.Error:
            return None


def _connect(path: Path, *, shared: bool = False) -> sqlite3.Connection:
    """Open for reading; the file never changes in place, so that nothing is locked."""
    address = f"file:{quote(path.absolute().as_posix())}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, check_same_thread=not shared, cached_statements=16)


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, value FROM meta"))


def _is_number(code: str) -> bool:
    return code.isascii() and code.isdigit() and len(code) <= _LARGEST
