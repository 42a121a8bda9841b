"""Floor 3: why a drug is ordered: the order's own reason first, else the active problem list; for the indication facts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

from cds_service.facts.registry import Fact, Words
from cds_service.fhir.chart import Chart, Completeness, ConditionRecord, Kind, MedicationRecord
from cds_service.fhir.elements import Concept
from cds_service.fhir.terminology import ConditionIndex, ConditionMatch
from cds_service.unknown import Unknown

_NEVER_HAD: Final = frozenset(["refuted", "entered-in-error"])
_OVER: Final = frozenset(["inactive", "resolved"])
_NO_REASON: Final = Concept()
_CLAUSE: Final = re.compile(r"[.;()\n]")
_FOR: Final = re.compile(r"\b(?:for|para|für|pour|dx|indication|reason)\b", re.IGNORECASE)
_CAUTION: Final = re.compile(
    r"\b(?:no|not|don.?t|never|avoid|hold|stop|unless|until|without|caution|risk|watch|monitor|call|sin|kein|keine|nicht|pas|non)\b",
    re.IGNORECASE,
)
"""Words of a caution: what such a clause names is hardly why the drug is taken, however it is meant."""
_LONGEST_TEXT: Final = 1_000
_MOST_WRITTEN: Final = 6
"""Clauses of dosing texts that are looked up."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Matches with the resources that hold them."""

    matches: tuple[ConditionMatch, ...] = ()
    rests_on: tuple[str, ...] = ()


def indication_facts(
    order: MedicationRecord, chart: Chart, index: ConditionIndex, today: date, indications: Words = frozenset()
) -> Mapping[str, Fact]:
    """Tell why the drug of a draft is ordered, where that was found, and what the active problem list holds.

    `indications` names the value sets of the problem list that can be a reason for a drug at all; empty means all of them.
    """
    problems = _problem_list(chart, today)
    own = _own_reasons(order, chart, index, indications)
    found, source = (own, "order") if own is not None else (_among(problems, indications), "problem-list")
    unread = _unread(chart, found) if own is None else None
    return {
        "order.indication": Fact(unread or _words(found), found.rests_on),
        "order.indication_source": Fact(unread or frozenset([source if own is not None or found.matches else "none"]), found.rests_on),
        "order.indication_names": Fact(unread or _names(found.matches), found.rests_on),
        "patient.conditions": Fact(_unread(chart, problems) or _words(problems), problems.rests_on),
    }


def counts(condition: ConditionRecord, match: ConditionMatch, today: date) -> bool:
    """Tell whether a condition counts as one that the patient has: doubt counts, a refuted or bygone one does not."""
    status = condition.clinical_status
    if condition.verification_status in _NEVER_HAD or status in _OVER:
        return False
    if status == "remission":
        return match.counts_in_remission
    return bool(status) or condition.abated is None or condition.abated >= today


def in_sentence(name: str) -> str:
    """Write the name of a condition as it stands inside a sentence: small, but for abbreviations and names of people ("Crohn's")."""
    first = name.partition(" ")[0].partition("-")[0]
    is_common = len(first) > 1 and first[1:].islower() and first[1:].isalpha()
    return name[:1].lower() + name[1:] if is_common else name


def ended_on(condition: ConditionRecord, today: date) -> date | None:
    """Find the day on which a condition that the patient surely had was over; none where it has no such day, or never was."""
    if condition.verification_status in _NEVER_HAD or condition.abated is None or condition.abated > today:
        return None
    return condition.abated


def stated_reasons(order: MedicationRecord, chart: Chart) -> list[Concept]:
    """List the reasons that an order states in itself, but those that the chart refutes."""
    never_had = [condition.concept for condition in _referenced(order, chart) if condition.verification_status in _NEVER_HAD]
    return [reason for reason in order.reasons if reason not in (_NO_REASON, *never_had)]


def spoken_list(names: Iterable[str]) -> str:
    """Join names as a sentence does, sorted and each once: "A, B and C"."""
    *first, last = sorted(set(names)) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _own_reasons(order: MedicationRecord, chart: Chart, index: ConditionIndex, indications: Words) -> _Found | None:
    """Find the value sets of the reasons that the order itself states; `None` where it states none.

    What it is taken for as needed, or "for" in the words of a dosing text, is a reason only where it is in a value set of
    `indications`: "pain" or "14 days" there says nothing of why.
    """
    named = [condition for condition in _referenced(order, chart) if condition.verification_status not in _NEVER_HAD]
    reasons = stated_reasons(order, chart)
    as_needed = [line.as_needed_for for line in order.dosages if line.as_needed_for]
    linked = [match for condition in named for match in condition.matches]
    matches = (*(match for concept in (*reasons, *as_needed) for match in index.find(concept)), *linked)
    if matches or reasons or named:
        return _Found(matches, (order.where,))
    written = _among(
        _Found(tuple(match for reason in _written_reasons(order) for match in index.find(reason)), (order.where,)), indications
    )
    return written if written.matches else None


def _written_reasons(order: MedicationRecord) -> list[Concept]:
    """List the first clauses of the dosing texts of an order that say what it is for, whole, but those of a caution."""
    texts = dict.fromkeys(text[:_LONGEST_TEXT] for line in order.dosages for text in (line.text, line.patient_instruction) if text)
    clauses = (clause for text in texts for clause in _CLAUSE.split(text) if _FOR.search(clause) and not _CAUTION.search(clause))
    return [Concept(text=clause) for clause in islice(clauses, _MOST_WRITTEN)]


def _referenced(order: MedicationRecord, chart: Chart) -> list[ConditionRecord]:
    """Find the conditions of the chart that the order names as its reason."""
    ids = {reference.rpartition("Condition/")[2] for reference in order.reason_references if "Condition/" in reference}
    return [condition for condition in chart.conditions if condition.id and condition.id in ids]


def _problem_list(chart: Chart, today: date) -> _Found:
    """Find every value set of the conditions that count."""
    pairs = [(match, condition) for condition in chart.conditions for match in condition.matches if counts(condition, match, today)]
    return _Found(tuple(match for match, _ in pairs), tuple(dict.fromkeys(condition.where for _, condition in pairs)))


def _among(found: _Found, valuesets: Words) -> _Found:
    """Keep the matches of some value sets; all of them where none are named."""
    if not valuesets:
        return found
    matches = tuple(match for match in found.matches if match.valueset in valuesets)
    return _Found(matches, found.rests_on if matches else ())


def _unread(chart: Chart, found: _Found) -> Unknown | None:
    """Say why an empty find proves nothing; what was found stands, however little was read."""
    completeness = chart.completeness.get(Kind.CONDITIONS, Completeness.MISSING)
    if found.matches or completeness is Completeness.COMPLETE:
        return None
    reason = "partial-problem-list" if completeness is Completeness.PARTIAL else "no-problem-list"
    return Unknown(reason, missing="conditions")


def _words(found: _Found) -> Words:
    return frozenset(match.valueset for match in found.matches)


def _names(matches: Iterable[ConditionMatch]) -> str:
    return spoken_list(in_sentence(match.name or match.title) for match in matches)
