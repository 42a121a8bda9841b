"""Floor 7: what was read and how each rule came to its answer, in words for the templates of the workbench."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cds_service.facts.dose_reasons import REASONS as DOSE_REASONS
from cds_service.facts.registry import EXPOSURES, FACTS, Fact, FactKind, FactType, Item, OrderFacts, Value
from cds_service.facts.sig.reasons import REASONS as SIG_REASONS
from cds_service.quantities import QuantityRange
from cds_service.rulebook.operators import found
from cds_service.rulebook.types import Outcome, Severity, Status, TraceLine
from cds_service.service import Decision
from cds_service.unknown import Unknown

_REASONS: Final[Mapping[str, str]] = {**DOSE_REASONS, **{str(code): words for code, words in SIG_REASONS.items()}}
_OF: Final = re.compile(r"\b(order|patient|data)\.")
_STATES: Final = ("fired", "incomplete", "held", "quiet")
_ANSWERS: Final = {"true": "yes", "false": "no", "unknown": "not known"}
_TYPES: Final[tuple[FactType, ...]] = ("quantity", "words", "text", "truth")
"""Facts in the order in which a reader looks for them."""
_UNITS: Final = {"mg/d": ("mg a day", "mg a day"), "d": ("day", "days"), "a": ("year", "years")}
"""Units in words, for one and for another number."""


@dataclass(frozen=True, slots=True)
class FactView:
    """One fact: its value in words, or why there is none; what it means; the places that it rests on."""

    name: str
    about: str
    value: str
    is_known: bool
    rests_on: tuple[str, ...]
    is_yes_or_no: bool


@dataclass(frozen=True, slots=True)
class OrderView:
    """One draft with its facts, what is known first, and what stands beside it."""

    key: str
    name: str
    facts: tuple[FactView, ...]
    exposures: tuple[Mapping[str, FactView], ...]
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a trace with the lines that stand under it."""

    asked: str
    answer: str
    found: str
    rests_on: tuple[str, ...]
    below: tuple["Line", ...] = ()


@dataclass(frozen=True, slots=True)
class RuleView:
    """How one rule judged one draft: `why` is the reason in a line, `fate` what became of a finding."""

    id: str
    title: str
    version: int
    order: str
    state: str
    severity: str
    fate: str
    why: str
    lines: tuple[Line, ...]


def order_views(decision: Decision) -> list[OrderView]:
    """Show what was read of each draft that was judged."""
    return [_order(facts) for facts in decision.facts]


def _order(order: OrderFacts) -> OrderView:
    shown = [name for name in order.facts if not name.startswith("data.") and name != "order.name"]
    own = [_fact(FACTS[name], order.facts[name]) for name in sorted(shown, key=lambda name: _TYPES.index(FACTS[name].type))]
    return OrderView(
        order.order,
        value_in_words(order.facts["order.name"].value),
        tuple(own),
        tuple(_exposure(item) for item in order.exposures),
        order.exposures_lack,
    )


def _fact(kind: FactKind, fact: Fact) -> FactView:
    is_known = not isinstance(fact.value, Unknown)
    return FactView(in_words(kind.name), kind.about, value_in_words(fact.value), is_known, fact.rests_on, isinstance(fact.value, bool))


def _exposure(item: Item) -> dict[str, FactView]:
    return {name: _fact(EXPOSURES[name], fact) for name, fact in item.items()}


def value_in_words(value: Value) -> str:
    """Write a value for a reader; for an unknown one the reason."""
    if isinstance(value, Unknown):
        return _REASONS.get(value.reason, value.reason.replace("-", " ")) + (f" ({value.missing} not read)" if value.missing else "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, QuantityRange) and value.unit in _UNITS:
        one, many = _UNITS[value.unit]
        return found(value).removesuffix(value.unit) + (one if value.low == value.high == 1 else many)
    return found(value)


def in_words(asked: str) -> str:
    """Write the name of a fact, or a test of one, without the marks of the rule format."""
    words = _OF.sub("", asked).replace("_", " ").replace("$", "").replace("[", "").replace("]", "")
    return words.replace("is known false", "is unknown").replace("is known true", "is known").removesuffix(" is true")


def rule_views(decision: Decision) -> list[RuleView]:
    """Show every rule that was asked, those that fired first, the strongest of them at the top."""
    return sorted((_rule(outcome, decision) for outcome in decision.outcomes), key=_rank)


def _rank(rule: RuleView) -> tuple[int, int]:
    return _STATES.index(rule.state), -Severity[rule.severity.upper()] if rule.severity else 0


def _rule(outcome: Outcome, decision: Decision) -> RuleView:
    lines = nested(outcome.trace, _names(outcome.order, decision))
    finding = outcome.finding
    return RuleView(
        outcome.rule.id,
        outcome.rule.title,
        outcome.rule.version,
        outcome.order,
        outcome.state,
        finding.severity.word if finding else "",
        _fate(outcome, decision),
        _why(outcome, lines),
        lines,
    )


def _fate(outcome: Outcome, decision: Decision) -> str:
    """Say what became of a finding; empty where there is none."""
    if outcome.finding is None:
        return ""
    if any(outcome.finding is shown for shown in decision.shown):
        return "on a card"
    if outcome.rule.status is not Status.ACTIVE:
        return f"not shown: the rule is {outcome.rule.status.value}"
    return "not shown yet: information waits for the signature"


def _names(order: str, decision: Decision) -> dict[str, str]:
    """Name what stands beside an order, by the heading that a trace gives it."""
    facts = next((facts for facts in decision.facts if facts.order == order), None)
    return {f"exposure {number}": value_in_words(item["name"].value) for number, item in enumerate(facts.exposures if facts else ())}


def nested(trace: Sequence[TraceLine], names: Mapping[str, str]) -> tuple[Line, ...]:
    """Put the lines of a trace under each other by their depth; `names` tells which medicine a heading stands for."""
    lines: list[Line] = []
    start = 0
    while start < len(trace):
        head = trace[start]
        end = start + 1
        while end < len(trace) and trace[end].depth > head.depth:
            end += 1
        found_there = head.found or names.get(head.asked, "")
        lines.append(Line(head.asked, head.answer, found_there, head.rests_on, nested(trace[start + 1 : end], names)))
        start = end
    return tuple(lines)


def _why(outcome: Outcome, lines: Sequence[Line]) -> str:
    """Say in one line why a rule fired or did not."""
    if outcome.finding:
        return outcome.finding.says.replace("-", " ")
    if outcome.lacks:
        return f"cannot be told without: {', '.join(outcome.lacks)}"
    silenced = next((line for line in lines if line.asked == "unless" and line.answer == "true"), None)
    if silenced:
        return f"set aside: {_told(_first(silenced, 'true'))}"
    stopped = next((line for line in lines if line.answer != "true"), None)
    return _told(_first(stopped, stopped.answer)) if stopped else ""


def _first(line: Line, answer: str) -> Line:
    """Find the first line that gives the answer and has none under it: a plain test before a group of them."""
    giving = [one for one in line.below if one.answer == answer]
    nearest = next((one for one in giving if not one.below), giving[0] if giving else None)
    return line if nearest is None else _first(nearest, answer)


def _told(line: Line) -> str:
    asked = in_words(line.asked)
    if not line.found:
        return asked
    found_too = "" if line.found in _ANSWERS else f": {line.found}"
    return f"{asked}? {_ANSWERS[line.answer].capitalize()}{found_too}"
