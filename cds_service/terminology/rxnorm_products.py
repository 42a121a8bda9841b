"""Floor 7: products out of gathered RxNorm rows: what each concept holds, down to ingredients and strengths, written as the index."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Final

from cds_service.terminology.rxnorm_staging import LEVELS

FORMAT: Final = "1"
_SCHEMA: Final = """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE product (
        rxcui INTEGER PRIMARY KEY, tty TEXT NOT NULL, name TEXT NOT NULL, form TEXT NOT NULL, contents TEXT NOT NULL,
        is_retired INTEGER NOT NULL
    );
    CREATE TABLE package (ndc INTEGER, rxcui INTEGER, PRIMARY KEY (ndc, rxcui)) WITHOUT ROWID;
    CREATE TABLE merged (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
"""
PACKS: Final = frozenset(["GPCK", "BPCK"])
_INGREDIENT: Final = LEVELS["IN"]
_COMPONENTS: Final = frozenset(["SCDC"])

Content = tuple[int, str]
Contents = frozenset[Content]
"""(RxNorm ingredient, strength as RxNorm writes it, or an empty text)"""
_BEST: Final = """
    SELECT rxcui, tty, level, name, is_retired FROM (
        SELECT *, row_number() OVER (PARTITION BY rxcui ORDER BY is_retired, level DESC, name) AS place FROM concept
    ) WHERE place = 1 ORDER BY level, rxcui
"""
_PACKAGES: Final = """
    INSERT INTO built.package
    SELECT DISTINCT ndc, rxcui FROM (
        SELECT ndc, coalesce(merged.new, package.rxcui) AS rxcui, trust, min(trust) OVER (PARTITION BY ndc) AS best
        FROM package LEFT JOIN built.merged ON merged.old = package.rxcui
        WHERE coalesce(merged.new, package.rxcui) IN (SELECT rxcui FROM built.product)
    ) WHERE trust = best
"""
"""Of what several sources say of a package only the most trusted counts; a historic code stays for as long as nothing newer has it."""


def build_index(work: sqlite3.Connection) -> None:
    """Write the attached, empty database `built` from the gathered rows, in one transaction."""
    work.executescript("".join(f"{part};" for part in _attached(_SCHEMA)))
    with work:
        work.executemany("INSERT INTO built.product VALUES (?, ?, ?, ?, ?, ?)", _products(work))
        work.executemany("INSERT INTO built.merged VALUES (?, ?)", _merged(work))
        work.execute(_PACKAGES)


def _attached(schema: str) -> Iterator[str]:
    return (part.replace("CREATE TABLE ", "CREATE TABLE built.") for part in schema.split(";") if part.strip())


def _products(work: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    forms = dict(work.execute("SELECT form_of.rxcui, min(form.name) FROM form_of JOIN form ON form.rxcui = form_of.form GROUP BY 1"))
    concepts = work.execute(_BEST).fetchall()
    contents = _contents(work, concepts)
    for rxcui, tty, _, name, is_retired in concepts:
        yield rxcui, tty, name, forms.get(rxcui, ""), written(contents.get(rxcui, frozenset())), is_retired


def _contents(work: sqlite3.Connection, concepts: Iterable[tuple[int, str, int, str, int]]) -> Mapping[int, Contents]:
    """Work out what each concept holds, level by level: every part of it is done before it."""
    types = {rxcui: (tty, level, name) for rxcui, tty, level, name, _ in concepts}
    strengths = dict(work.execute("SELECT rxcui, max(text) FROM strength GROUP BY rxcui"))
    found: dict[int, Contents] = {rxcui: frozenset([(rxcui, "")]) for rxcui, (_, level, _) in types.items() if level == _INGREDIENT}
    shared: dict[Contents, Contents] = {}
    query = """SELECT DISTINCT high, low FROM part JOIN concept AS one ON one.rxcui = high JOIN concept AS other ON other.rxcui = low
               WHERE other.tty <> 'BN' ORDER BY one.level, high"""
    work.execute("CREATE INDEX IF NOT EXISTS concept_code ON concept (rxcui)")
    for high, pairs in groupby(work.execute(query), key=itemgetter(0)):
        tty, _, name = types[high]
        held = _told(content for _, low in pairs for content in found.get(low, ()))
        if tty in _COMPONENTS:
            held = _with_strength(held, strengths.get(high) or _tail(name))
        elif tty in PACKS:
            held = frozenset((ingredient, "") for ingredient, _ in held)
        found[high] = shared.setdefault(held, held)
    return found


def _told(contents: Iterable[Content]) -> Contents:
    """Leave out an ingredient without strength where another part tells its strength."""
    everything = frozenset(contents)
    strong = {ingredient for ingredient, strength in everything if strength}
    return frozenset(content for content in everything if content[1] or content[0] not in strong)


def _with_strength(held: Contents, strength: str) -> Contents:
    """Give a component its strength; one of several ingredients has none that could be told apart."""
    return frozenset((ingredient, strength) for ingredient, _ in held) if len(held) == 1 else held


def _tail(name: str) -> str:
    """Return the number and the unit that the name of a component ends with."""
    words = name.split()
    return " ".join(words[-2:]) if len(words) > 2 and words[-2].replace(".", "", 1).isdigit() else ""  # noqa: PLR2004


def written(contents: Contents) -> str:
    """Write contents as `code=strength`, one to a line, in one order."""
    return "\n".join(f"{ingredient}={strength}" for ingredient, strength in sorted(contents))


def read_contents(text: str) -> tuple[Content, ...]:
    """Read what `written` wrote."""
    pairs = (line.partition("=") for line in text.split("\n") if line)
    return tuple((int(code), strength) for code, _, strength in pairs)


def _merged(work: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Follow each chain of merged concepts to one that is there; a circle or a dead end leads nowhere."""
    here = {rxcui for (rxcui,) in work.execute("SELECT rxcui FROM concept")}
    onward = dict(work.execute("SELECT old, max(new) FROM merged GROUP BY old"))
    for old in sorted(onward.keys() - here):
        seen, place = {old}, onward[old]
        while place not in here and place in onward and place not in seen:
            seen.add(place)
            place = onward[place]
        if place in here:
            yield old, place
