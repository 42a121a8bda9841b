"""Floor 7: what an import of RxNorm changed against the index that was in force before, for those who have to look at it."""

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cds_service.terminology.rxnorm_products import FORMAT, read_contents

_JOINED: Final = """
    SELECT new.rxcui, new.name, coalesce(new.contents, ''), coalesce(old.contents, ''), new.is_retired > old.is_retired
    FROM product AS new JOIN before.product AS old USING (rxcui)
    WHERE new.contents <> old.contents OR new.is_retired > old.is_retired ORDER BY rxcui
"""
_MISSING: Final = "SELECT rxcui, name, contents FROM {here} WHERE rxcui NOT IN (SELECT rxcui FROM {there}) ORDER BY rxcui"
_PACKAGES: Final = "SELECT count(*) FROM {here} WHERE ndc NOT IN (SELECT ndc FROM {there})"


@dataclass(frozen=True, slots=True)
class Changes:
    """Products of the ingredients that rules concern, as `code name` with what changed; package codes are counted, of all drugs."""

    against: str = ""
    """The release before, or an empty text where there was none that could be read."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    packages_added: int = 0
    packages_removed: int = 0


def compare(before: Path, after: Path, concerned: Collection[int]) -> Changes:
    """Compare two index files; one that is missing, or no index of this format, makes everything new."""
    with closing(sqlite3.connect(after)) as now:
        if not _attach(now, before):
            return Changes()
        (release,) = now.execute("SELECT value FROM before.meta WHERE name = 'release'").fetchone()
        joined = [row for row in now.execute(_JOINED) if _is_concerned((row[2], row[3]), concerned)]
        new, old = "main.{}", "before.{}"
        return Changes(
            against=release,
            added=_missing(now, new, old, concerned),
            removed=_missing(now, old, new, concerned),
            changed=tuple(f"{row[0]} {row[1]}: {_shown(row[3])} → {_shown(row[2])}" for row in joined if row[2] != row[3]),
            retired=tuple(f"{row[0]} {row[1]}" for row in joined if row[4]),
            packages_added=_packages(now, new, old),
            packages_removed=_packages(now, old, new),
        )


def _attach(now: sqlite3.Connection, before: Path) -> bool:
    """Attach the index before under that name, where there is one that can be read."""
    if not before.exists():
        return False
    try:
        now.execute("ATTACH ? AS before", (before.as_posix(),))
        found = now.execute("SELECT value FROM before.meta WHERE name = 'format'").fetchone()
    except sqlite3.Error:
        return False
    return bool(found) and found[0] == FORMAT


def _missing(now: sqlite3.Connection, here: str, there: str, concerned: Collection[int]) -> tuple[str, ...]:
    rows = now.execute(_MISSING.format(here=here.format("product"), there=there.format("product")))
    return tuple(f"{rxcui} {name}" for rxcui, name, contents in rows if _is_concerned((contents,), concerned))


def _packages(now: sqlite3.Connection, here: str, there: str) -> int:
    return int(now.execute(_PACKAGES.format(here=here.format("package"), there=there.format("package"))).fetchone()[0])


def _is_concerned(texts: Iterable[str], concerned: Collection[int]) -> bool:
    return any(code in concerned for text in texts for code, _ in read_contents(text))


def _shown(contents: str) -> str:
    return ", ".join(strength or f"ingredient {code}" for code, strength in read_contents(contents)) or "nothing"
