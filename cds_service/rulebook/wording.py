"""Floor 4: a rule in plain English sentences, made from the rule itself, for those who own it and do not read YAML."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cds_service.facts.registry import EXPOSURES, FACTS
from cds_service.quantities import Quantity, plain
from cds_service.rulebook.lines import lines_of
from cds_service.rulebook.types import Alternative, Group, Line, Operand, Quantified, Rule, Status, Threshold, ThresholdName

_UNITS: Final[Mapping[str, str]] = MappingProxyType({"d": "days", "mg/d": "mg a day", "a": "years", "wk": "weeks", "h": "hours"})
_COMPARED: Final[Mapping[str, str]] = MappingProxyType(
    {"above": "is above", "at_least": "is at least", "below": "is below", "at_most": "is at most", "is": "is", "one_of": "is one of"}
)
_SUBJECTS: Final[Mapping[str, str]] = MappingProxyType({"order": "the order", "patient": "the patient", "data": "what was read of"})
STATUS_MEANINGS: Final[Mapping[Status, str]] = MappingProxyType(
    {
        Status.DRAFT: "Being written: not evaluated at all.",
        Status.SILENT: "On trial: evaluated and counted for every order, shown to nobody.",
        Status.ACTIVE: "In force: evaluated for every order, and shown.",
        Status.RETIRED: "Out of use: kept for the record, not evaluated.",
    }
)
IF_UNKNOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fire": "Where something known could not be read in full, the rule fires all the same, as a warning at most.",
        "hold": "Where something known could not be read in full, the rule stays silent.",
    }
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence, with the sentences below it; `severity` and `says` are those of an alternative that has its own."""

    text: str
    below: tuple["Clause", ...] = ()
    severity: str = ""
    says: str = ""


def conditions_of(rule: Rule) -> tuple[Clause, ...]:
    """Say when a rule fires: all of these hold together."""
    return _clauses(rule.when, rule.thresholds)


def exceptions_of(rule: Rule) -> tuple[Clause, ...]:
    """Say what silences a rule, where it is surely true."""
    return _clauses(rule.unless, rule.thresholds)


def facts_named(rule: Rule) -> tuple[tuple[str, str], ...]:
    """List what a rule asks about, each with its meaning, in the order in which the rule asks."""
    used: dict[str, str] = {}
    for line, is_of_exposure in lines_of(rule.when, rule.unless):
        kind = (EXPOSURES if is_of_exposure else FACTS)[line.fact]
        used.setdefault(f"exposure: {_words(line.fact)}" if is_of_exposure else _subject(line.fact), kind.about)
    return tuple(used.items())


def words_named(rule: Rule, words_from: str) -> frozenset[str]:
    """Return the drug classes ("drug-classes") or value sets ("valuesets") that a rule names."""
    named: set[str] = set()
    for line, is_of_exposure in lines_of(rule.when, rule.unless):
        kind = (EXPOSURES if is_of_exposure else FACTS)[line.fact]
        if kind.words_from == words_from and isinstance(line.operand, frozenset):
            named |= line.operand
    return frozenset(named)


def severities_of(rule: Rule) -> tuple[str, ...]:
    """Return the severities that a rule can fire with, the strongest first."""
    graded = [option.severity for option in _alternatives(rule.when) if option.severity is not None]
    every = {*graded, rule.severity} if not graded or _has_ungraded(rule.when) else set(graded)
    return tuple(severity.word for severity in sorted(every, reverse=True))


def limit_text(threshold: Threshold) -> str:
    """Say how far a site may move a threshold."""
    return {"raise": "A site may raise it.", "lower": "A site may lower it.", "nothing": "A site may not change it."}[threshold.site_may]


def quantity_words(quantity: Quantity) -> str:
    """Write a quantity as a reader says it: "14 days"."""
    return f"{plain(quantity.value)} {_UNITS.get(quantity.unit, quantity.unit)}"


def _alternatives(group: Group) -> Iterable[Alternative]:
    for line in group.lines:
        if isinstance(line, Quantified):
            yield from _alternatives(line.group)
    for options in group.sets:
        for option in options:
            yield option
            yield from _alternatives(option.group)


def _has_ungraded(group: Group) -> bool:
    """Tell whether the rule can hold by an alternative that has no severity of its own, and holds none that has."""
    return any(option.severity is None and not any(True for _ in _alternatives(option.group)) for option in _alternatives(group))


def _clauses(group: Group, thresholds: Mapping[str, Threshold]) -> tuple[Clause, ...]:
    told = [_quantified(line, thresholds) if isinstance(line, Quantified) else Clause(_sentence(line, thresholds)) for line in group.lines]
    ways = (Clause("at least one of these ways:", tuple(_way(option, thresholds) for option in options)) for options in group.sets)
    return (*told, *ways)


def _way(option: Alternative, thresholds: Mapping[str, Threshold]) -> Clause:
    """One alternative; one that is a single sentence is told as that."""
    below = _clauses(option.group, thresholds)
    severity = option.severity.word if option.severity else ""
    if len(below) == 1 and not below[0].severity:
        return Clause(below[0].text, below[0].below, severity, option.says)
    return Clause("all of these together:", below, severity, option.says)


def _quantified(line: Quantified, thresholds: Mapping[str, Threshold]) -> Clause:
    head = (
        "there is another drug, or a diagnosis that tells of one, for which"
        if line.quantifier == "some"
        else "there is no other drug for which"
    )
    return Clause(f"{head}:", _clauses(line.group, thresholds))


def _sentence(line: Line, thresholds: Mapping[str, Threshold]) -> str:
    subject = _subject(line.fact)
    if line.operator == "is_known":
        return f"{subject if not _is_truth(line) else f'whether {_truth(line.fact, holds=True)}'} is {'known' if line.operand else 'not known'}"
    if _is_truth(line):
        return _truth(line.fact, holds=bool(line.operand))
    if isinstance(line.operand, frozenset):
        return f"{subject} {_among(line)}"
    return f"{subject} {_COMPARED[line.operator]} {_limits(line.operand, thresholds)}"


def _is_truth(line: Line) -> bool:
    kind = FACTS.get(line.fact) or EXPOSURES[line.fact]
    return kind.type == "truth"


def _among(line: Line) -> str:
    words = [word.replace("-", " ") for word in sorted(line.operand)] if isinstance(line.operand, frozenset) else []
    if line.operator == "none_in":
        return f"is not {words[0]}" if len(words) == 1 else f"is none of {_listed(words, 'or')}"
    return f"is {words[0]}" if len(words) == 1 else f"is one of {_listed(words, 'or')}"


def _limits(operand: Operand, thresholds: Mapping[str, Threshold]) -> str:
    if isinstance(operand, ThresholdName):
        threshold = thresholds[operand.name]
        newest = Quantity(threshold.in_force[-1][1], threshold.unit)
        return f"{quantity_words(newest)} ({_words(operand.name)})"
    if isinstance(operand, tuple):
        return _listed([quantity_words(one) for one in operand], "or")
    return quantity_words(operand) if isinstance(operand, Quantity) else str(operand)


def _subject(fact: str) -> str:
    """Name what a fact is about: "the order's daily dose"; an attribute of an exposure stands alone."""
    about, _, name = fact.rpartition(".")
    if not about:
        return f"its {_words(name)}"
    return f"{_SUBJECTS[about]} {_words(name)}" if about == "data" else f"{_SUBJECTS[about]}'s {_words(name)}"


def _truth(fact: str, *, holds: bool) -> str:
    """Make a sentence of a fact whose name is a verb and what follows: `order.is_being_stopped`, `order.fits_product`."""
    about, _, name = fact.rpartition(".")
    verb, _, rest = name.partition("_")
    subject, rest = _SUBJECTS[about] if about else "it", _words(rest)
    if name.endswith("_is_known"):
        return f"{_subject(fact.removesuffix('_is_known'))} is {'known' if holds else 'not known'}"
    if verb == "is":
        return f"{subject} is {'' if holds else 'not '}{rest}"
    if verb == "has":
        return f"{subject} has {'' if holds else 'no '}{rest}"
    return f"{subject} {verb} {rest}" if holds else f"{subject} does not {verb.removesuffix('s')} {rest}"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _listed(words: list[str], conjunction: str) -> str:
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}" if len(words) > 1 else "".join(words)
