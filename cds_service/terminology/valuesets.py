"""Floor 7: the condition index over rules/valuesets: code first, then name."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

from cds_service.errors import Location
from cds_service.fhir.elements import Coding, Concept
from cds_service.fhir.terminology import ConditionMatch, MatchedBy
from cds_service.terminology.condition_names import ConditionName, ConditionNames, Guard, named_conditions
from cds_service.terminology.rows import Files, Report, Row, fingerprint, read_rows
from cds_service.terminology.site_sets import read_site_set
from cds_service.terminology.systems import System, Systems, read_systems
from cds_service.terminology.words import phrases_of

FOLDER: Final = "valuesets"
_SHAPE: Final = re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?", re.ASCII)
"""Of an ICD-10-CM code, with or without its dot."""
_NO_SYSTEM: Final = "without_system"
_CACHED_NAMES: Final = 8192
_SEMANTIC_TAG: Final = re.compile(r" \((?:disorder|finding|situation)\)$")
"""SNOMED CT writes the kind of a concept behind its name; a clinician reads the name alone."""
_LONGEST_CACHED: Final = 300

Json = dict[str, Any]
Named = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ValueSet:
    """What holds for a whole set."""

    id: str
    url: str
    version: str
    title: str
    counts_in_remission: bool
    stops_names: bool


@dataclass(frozen=True, slots=True)
class Member:
    """One code of a set; a weak one counts only where no code of a near miss stands beside it."""

    valueset: ValueSet
    code: str
    display: str
    is_weak: bool


@dataclass(frozen=True, slots=True)
class TableConditionIndex:
    """Finds the value sets of a concept; answers to fhir.terminology.ConditionIndex."""

    sets: Mapping[str, ValueSet]
    fingerprint: str
    _systems: Systems
    _assumed: System | None
    _exact: Mapping[tuple[str, str], tuple[Member, ...]]
    _prefixes: Mapping[tuple[str, str], tuple[Member, ...]]
    _lengths: Mapping[str, tuple[int, ...]]
    _texts: ConditionNames
    _read: Callable[[str], Named]

    @property
    def valuesets(self) -> frozenset[str]:
        """The ids that rules may use: all sets but those that only stop a match."""
        return frozenset(one.id for one in self.sets.values() if not one.stops_names)

    def find(self, concept: Concept) -> tuple[ConditionMatch, ...]:
        """Return every set that holds the concept, by code; by name only where no code of it is in any set."""
        members = [member for coding in concept.codings for member in self._members(coding)]
        if members:
            return _by_code(members)
        texts = {concept.text, *(coding.display for coding in concept.codings)}
        return self._by_name(text for text in texts if text and not text.isspace())

    def listed(self, valueset: str) -> Iterator[tuple[str, Member, bool]]:
        """Give each code of a set with its system, and whether all codes below it count too."""
        for table, is_prefix in ((self._exact, False), (self._prefixes, True)):
            for (system, _), members in table.items():
                yield from ((system, member, is_prefix) for member in members if member.valueset.id == valueset)

    def _members(self, coding: Coding) -> Iterator[Member]:
        system = self._systems.of(coding) if coding.system else self._shaped(coding.code)
        code = system.normal(coding.code) if system else ""
        if system is None or not code:
            return
        yield from self._exact.get((system.uri, code), ())
        for length in self._lengths.get(system.uri, ()):
            yield from self._prefixes.get((system.uri, code[:length]), ())

    def _shaped(self, code: str) -> System | None:
        """Return the system that a code without one is taken for, where it has that system's shape."""
        return self._assumed if _SHAPE.fullmatch(code.strip().upper()) else None

    def _by_name(self, texts: Iterable[str]) -> tuple[ConditionMatch, ...]:
        told = sorted({pair for text in texts for pair in self._names(text)}, reverse=True)
        matches = ((self.sets[valueset], name) for valueset, name in sorted(dict(told).items()))
        return tuple(_match(valueset, name, "name") for valueset, name in matches if not valueset.stops_names)

    def _names(self, text: str) -> Named:
        return self._read(text) if len(text) <= _LONGEST_CACHED else named_conditions(self._texts, text)


def _by_code(members: Iterable[Member]) -> tuple[ConditionMatch, ...]:
    """Keep one match for each set, told by its most exact member; a near miss beside a weak code takes that back."""
    found = list(members)
    is_near_miss = any(member.valueset.stops_names for member in found)
    kept = [member for member in found if not member.valueset.stops_names and not (member.is_weak and is_near_miss)]
    best = {member.valueset.id: member for member in sorted(kept, key=lambda member: (len(member.code), member.code, member.display))}
    return tuple(_match(best[name].valueset, best[name].display, "code") for name in sorted(best))


def _match(valueset: ValueSet, name: str, matched_by: MatchedBy) -> ConditionMatch:
    return ConditionMatch(
        valueset.id, valueset.title, _SEMANTIC_TAG.sub("", name), matched_by, counts_in_remission=valueset.counts_in_remission
    )


def read_condition_index(files: Files, site: Files = MappingProxyType({})) -> TableConditionIndex:
    """Read rules/valuesets (path inside the rules folder → text); raises RulebookInvalid with every TERM problem found.

    `site` holds ValueSets (path → text) that add codes to the shipped set of the same id.
    """
    report = Report([])
    systems = read_systems(files, f"{FOLDER}/systems.csv", report)
    members: list[tuple[tuple[str, str], bool, Member]] = []
    sets: dict[str, ValueSet] = {}
    for path in sorted(path for path in files if path.startswith(f"{FOLDER}/") and path.endswith(".json")):
        valueset = _read_set(files[path], path, report)
        if valueset:
            sets[valueset[0].id] = valueset[0]
            members += _read_members(valueset[1], valueset[0], systems, _Place(path, files[path], report))
    own = [(path, found) for path, text in sorted(site.items()) if (found := read_site_set(text, path, report))]
    systems = systems.with_own(_own_systems(own))
    for path, (set_id, contains) in own:
        if report.one_of(Location(path, 1, 1), "TERM-011", "value set", set_id, sets):
            members += _read_members(contains, sets[set_id], systems, _Place(path, site[path], report, match_rule="exact"))
    texts = _read_names(files, sets, report)
    assumed = _assumed(files, systems, report)
    report.raise_if_any()
    prefixes = _grouped((key, member) for key, is_prefix, member in members if is_prefix)
    return TableConditionIndex(
        sets=MappingProxyType(sets),
        fingerprint=fingerprint({**files, **site}, (path for path in (*files, *site) if path in site or path.startswith(f"{FOLDER}/"))),
        _systems=systems,
        _assumed=assumed,
        _exact=_grouped((key, member) for key, is_prefix, member in members if not is_prefix),
        _prefixes=prefixes,
        _lengths=_lengths(prefixes),
        _texts=texts,
        _read=lru_cache(maxsize=_CACHED_NAMES)(partial(named_conditions, texts)),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A value set file, to tell where in it something is wrong."""

    path: str
    text: str
    report: Report
    match_rule: str = ""
    """How a code matches that does not say."""

    def wrong(self, code: str, message: str, near: str = "") -> None:
        """Note a problem at the first line that holds a text."""
        line = self.text.count("\n", 0, max(self.text.find(f'"{near}"'), 0)) + 1
        self.report.add(Location(self.path, line, 1), code, message)


def _read_set(text: str, path: str, report: Report) -> tuple[ValueSet, list[Json]] | None:
    """Read one ValueSet; what is no expanded ValueSet is TERM-009."""
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        report.add(Location(path, error.lineno, error.colno), "TERM-009", f"not readable as JSON: {error.msg}")
        return None
    needed = ("id", "url", "version", "title")
    if not isinstance(raw, dict) or raw.get("resourceType") != "ValueSet" or not all(isinstance(raw.get(key), str) for key in needed):
        report.add(Location(path, 1, 1), "TERM-009", f"no ValueSet with {', '.join(needed)}")
        return None
    expansion = raw.get("expansion")
    contains = expansion.get("contains") if isinstance(expansion, dict) else None
    if not isinstance(contains, list) or not all(isinstance(one, dict) for one in contains):
        report.add(Location(path, 1, 1), "TERM-009", "the ValueSet is not expanded")
        return None
    says = _extensions(raw)
    flags = (bool(says.get("counts-in-remission")), bool(says.get("stops-names")))
    return ValueSet(raw["id"], raw["url"], raw["version"], raw["title"], *flags), contains


def _own_systems(own: Iterable[tuple[str, tuple[str, list[Json]]]]) -> Iterator[str]:
    """Name the code systems of a site's sets."""
    for _, (_, contains) in own:
        yield from (str(one["system"]) for one in contains if isinstance(one.get("system"), str) and one["system"])


def _extensions(element: Json) -> dict[str, object]:
    """Return the project's own extensions of an element, by the last word of their URL."""
    found: dict[str, object] = {}
    extensions = element.get("extension")
    for extension in (one for one in extensions if isinstance(one, dict)) if isinstance(extensions, list) else ():
        name = str(extension.get("url", "")).rpartition("/terminology-")[2]
        found[name] = next((value for key, value in extension.items() if key.startswith("value")), None)
    return found


def _read_members(
    contains: list[Json], valueset: ValueSet, systems: Systems, place: _Place
) -> Iterator[tuple[tuple[str, str], bool, Member]]:
    for one in contains:
        code, says, name = str(one.get("code", "")), _extensions(one), str(one.get("system") or "")
        system = systems.of(Coding(name, code))
        rule = says.get("match-rule", place.match_rule)
        if system is None:
            place.wrong("TERM-012", f"no code system '{name}'{systems.nearest(name)}", code)
        elif rule not in {"exact", "prefix"} or not system.normal(code):
            place.wrong("TERM-009", f"the member '{code}' has no code or no match rule (exact, prefix)", code)
        else:
            member = Member(valueset, system.normal(code), str(one.get("display", code)), is_weak=bool(says.get("weak")))
            yield (system.uri, member.code), rule == "prefix", member


def _read_names(files: Files, sets: Iterable[str], report: Report) -> ConditionNames:
    """Read names.csv and guards.csv; a set that there is not is TERM-011, a role that there is not TERM-010."""
    names = read_rows(files, f"{FOLDER}/names.csv", ("name", "shown", "valuesets", "match"), report)
    guards = read_rows(files, f"{FOLDER}/guards.csv", ("phrase", "side", "reach", "crosses_commas", "valuesets"), report)
    for row in (*names, *guards):
        for one in row.words("valuesets"):
            report.one_of(row.where, "TERM-011", "value set", one, sets)
    for row in names:
        report.one_of(row.where, "TERM-010", "way to match", row["match"], ("anywhere", "whole"))
    by_side: defaultdict[str, list[tuple[str, Guard]]] = defaultdict(list)
    for row in guards:
        report.one_of(row.where, "TERM-010", "side of a guard", row["side"], ("before", "after", "break", "soft-break"))
        by_side[row["side"]].append((row["phrase"], _guard(row, report)))
    named = ((row["name"], ConditionName(row["shown"], row.words("valuesets"), row["match"] == "whole")) for row in names)
    return ConditionNames(
        phrases_of(named),
        phrases_of(by_side["before"]),
        phrases_of(by_side["after"]),
        frozenset(text for text, _ in by_side["break"]),
        frozenset(text for text, _ in by_side["soft-break"]),
    )


def _guard(row: Row, report: Report) -> Guard:
    reach = row["reach"] or "0"
    if not (reach.isascii() and reach.isdigit()):
        report.add(row.where, "TERM-005", f"'{reach}' in reach is not a count of words")
        reach = "0"
    return Guard(int(reach), bool(row["crosses_commas"]), frozenset(row.words("valuesets")))


def _assumed(files: Files, systems: Systems, report: Report) -> System | None:
    """Return the system that a code without one belongs to, by systems.csv."""
    rows = read_rows(files, f"{FOLDER}/systems.csv", ("system", _NO_SYSTEM), report)
    return next((systems.by_name.get(row["system"]) for row in rows if row[_NO_SYSTEM]), None)


def _grouped(pairs: Iterable[tuple[tuple[str, str], Member]]) -> Mapping[tuple[str, str], tuple[Member, ...]]:
    groups: defaultdict[tuple[str, str], list[Member]] = defaultdict(list)
    for key, member in pairs:
        groups[key].append(member)
    return MappingProxyType({key: tuple(members) for key, members in groups.items()})


def _lengths(prefixes: Mapping[tuple[str, str], object]) -> Mapping[str, tuple[int, ...]]:
    """Return the lengths that the prefixes of each system have."""
    lengths: defaultdict[str, set[int]] = defaultdict(set)
    for uri, prefix in prefixes:
        lengths[uri].add(len(prefix))
    return MappingProxyType({uri: tuple(sorted(them)) for uri, them in lengths.items()})
