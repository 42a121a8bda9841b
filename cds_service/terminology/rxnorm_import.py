"""Floor 7: an RxNorm release made into the embedded index: goes on where it broke off, and readers see the old index until the new one is whole."""

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cds_service.errors import Location, Problem, RulebookInvalid
from cds_service.terminology.rxnorm_changes import Changes, compare
from cds_service.terminology.rxnorm_products import FORMAT, build_index
from cds_service.terminology.rxnorm_rows import Progress, Release, find_release
from cds_service.terminology.rxnorm_staging import FileRead, stage

_WORK: Final = ".importing"
_NEW: Final = ".new"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: the release, the files read, how many products and packages there are now, and what is new in them."""

    release: str
    files: tuple[FileRead, ...]
    products: int
    packages: int
    changes: Changes


def import_release(folder: Path, into: Path, concerned: Collection[int], progress: Progress) -> Imported:
    """Read a release folder into an index file; `concerned` are the ingredients whose changes are told one by one.

    Raises RulebookInvalid: TERM-013 no release, TERM-015 a file that is not what its name says, TERM-017 where the index cannot be
    written or another import is at work on it.
    """
    release = find_release(folder)
    try:
        return _import(release, into, concerned, progress)
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if "locked" in reason:
            reason = "another import is at work on it"
        raise RulebookInvalid([Problem(Location(into.as_posix(), 1, 1), "TERM-017", f"the index cannot be written: {reason}")]) from None


def _import(release: Release, into: Path, concerned: Collection[int], progress: Progress) -> Imported:
    work_path, new_path = _beside(into, _WORK), _beside(into, _NEW)
    with closing(_open_work(work_path)) as work:
        files = stage(work, release, progress)
        new_path.unlink(missing_ok=True)
        work.execute("ATTACH ? AS built", (new_path.as_posix(),))
        work.execute("PRAGMA built.journal_mode = OFF")
        work.execute("PRAGMA built.synchronous = OFF")
        build_index(work)
        name = _describe(work, files)
        products, packages = (int(work.execute(f"SELECT count(*) FROM built.{table}").fetchone()[0]) for table in ("product", "package"))  # noqa: S608 - names of this module
        work.execute("DETACH built")
        changes = compare(into, new_path, concerned)
        _put_in_place(new_path, into)
    work_path.unlink()
    return Imported(name, files, products, packages, changes)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _open_work(path: Path) -> sqlite3.Connection:
    """Open the work file for this process alone; one that cannot be read any more is begun anew."""
    try:
        return _locked(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        path.unlink()
        return _locked(path)


def _locked(path: Path) -> sqlite3.Connection:
    work = sqlite3.connect(path, timeout=0)
    try:
        work.execute("PRAGMA locking_mode = EXCLUSIVE")
        work.execute("PRAGMA cache_size = -65536")
        work.execute("BEGIN EXCLUSIVE")
        work.execute("CREATE TABLE IF NOT EXISTS lock (held INTEGER)")
        work.commit()
    except sqlite3.Error:
        work.close()
        raise
    return work


def _describe(work: sqlite3.Connection, files: tuple[FileRead, ...]) -> str:
    """Write what the index was made from: the release's own name, and one hash over the files and the format."""
    found = work.execute("SELECT max(name) FROM release").fetchone()[0]
    digest = sha256("\n".join([FORMAT, *sorted(f"{one.name} {one.sha256}" for one in files)]).encode()).hexdigest()
    name = found or f"without a name, {digest[:12]}"
    with work:
        pairs = {"format": FORMAT, "release": name, "hash": digest}
        work.executemany("INSERT INTO built.meta VALUES (?, ?)", pairs.items())
    return name


def _put_in_place(new: Path, into: Path) -> None:
    """Swap the index in one step, once all of it is on the disk."""
    _sync(new)
    new.replace(into)
    _sync(into.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
