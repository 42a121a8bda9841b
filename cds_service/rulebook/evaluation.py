"""Floor 4: evaluates one rule for one order: what holds, how surely, how severe, and which exposures met it.

Every alternative that holds counts. The strongest that surely holds gives severity and text; only where none of its set
surely holds does the strongest that may hold, and what only may hold is never more than a warning.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final, NamedTuple

from cds_service.facts.registry import Item, OrderFacts
from cds_service.rulebook.operators import FALSE, MAYBE, TRUE, Limits
from cds_service.rulebook.standings import Facts, lacks_of, standing_of
from cds_service.rulebook.trace import trace_of
from cds_service.rulebook.types import Alternative, Finding, Group, MatchedExposure, Outcome, Quantified, Rule, Severity

_NOTHING: Final = Group()


def evaluate(rule: Rule, facts: OrderFacts, today: date, *, trace: bool = False) -> Outcome:
    """Evaluate a rule for an order as of `today`; a trace is written only when asked for."""
    limits = MappingProxyType({name: threshold.on(today) for name, threshold in rule.thresholds.items()})
    when = standing_of(rule.when, facts.facts, facts, limits)
    if when != FALSE and rule.unless != _NOTHING and standing_of(rule.unless, facts.facts, facts, limits) == TRUE:
        when = FALSE
    lines = trace_of(rule, facts, limits) if trace else ()
    if when == FALSE:
        return Outcome(rule, facts.order, "quiet", lines)
    if when == TRUE or (when == MAYBE and rule.if_unknown == "fire"):
        return Outcome(rule, facts.order, "fired", lines, _finding(rule, facts, limits, is_certain=when == TRUE))
    if when == MAYBE:
        return Outcome(rule, facts.order, "held", lines)
    lacks = tuple(sorted(set(lacks_of(rule.when, facts.facts, facts, limits))))
    return Outcome(rule, facts.order, "incomplete", lines, lacks=lacks)


def _finding(rule: Rule, facts: OrderFacts, limits: Limits, *, is_certain: bool) -> Finding:
    cap = Severity.CRITICAL if is_certain else Severity.WARNING
    if _is_surely(facts.facts, "order.is_proposal"):
        cap = Severity.INFO
    weighing = _Weighing(facts, limits, cap, counts_unknown=rule.if_unknown == "fire")
    grade = weighing.grade(rule.when, _Grade(rule.severity, rule.says), facts.facts)
    matched = tuple(exposure for _, exposure in sorted(weighing.matched.items()))
    return Finding(rule, min(grade.severity, cap), grade.says, facts, matched, limits, is_certain)


def _is_surely(facts: Facts, name: str) -> bool:
    fact = facts.get(name)
    return fact is not None and fact.value is True


class _Grade(NamedTuple):
    """A severity with its text; one that is not stated is inherited, and yields to one that is."""

    severity: Severity
    says: str
    is_stated: bool = False

    def inside(self, option: Alternative) -> "_Grade":
        """Return what the alternative hands down: its own labels, else those around it."""
        severity = self.severity if option.severity is None else option.severity
        return _Grade(severity, option.says or self.says)


def _strongest(grades: Iterable[_Grade]) -> _Grade:
    """Return the most severe of the stated grades, the first written of equals."""
    return max(grades, key=lambda grade: (grade.is_stated, grade.severity))


@dataclass(frozen=True, slots=True)
class _Weighing:
    """Finds severity, text and matched exposures of a rule that fired."""

    order: OrderFacts
    limits: Limits
    cap: Severity
    counts_unknown: bool
    matched: dict[int, MatchedExposure] = field(default_factory=dict)

    def grade(self, group: Group, base: _Grade, facts: Facts) -> _Grade:
        """Weigh a group that holds or may hold: its alternatives first, then the exposures that met it."""
        best = _strongest([self._option(option, base, facts) for option in self._holding(group, facts)] or [base])
        lists = [line for line in group.lines if isinstance(line, Quantified) and line.quantifier == "some"]
        met = [
            grade for line in lists for number, item in enumerate(self.order.exposures) for grade in self._meet(line, best, number, item)
        ]
        return max(met, key=lambda grade: grade.severity) if met else best

    def _holding(self, group: Group, facts: Facts) -> list[Alternative]:
        """Of each set the alternatives that surely hold; where none does, those that may."""
        holding: list[Alternative] = []
        for options in group.sets:
            standings = [standing_of(option.group, facts, self.order, self.limits) for option in options]
            most = max(standings)
            holding += [option for option, found in zip(options, standings, strict=True) if found == most]
        return holding

    def _option(self, option: Alternative, base: _Grade, facts: Facts) -> _Grade:
        grade = self.grade(option.group, base.inside(option), facts)
        return grade._replace(is_stated=grade.is_stated or option.severity is not None or bool(option.says))

    def _meet(self, line: Quantified, base: _Grade, number: int, item: Item) -> Iterable[_Grade]:
        """Give the grade of an exposure that meets the list's group, and keep it among the matched."""
        found = standing_of(line.group, item, self.order, self.limits)
        if found == TRUE or (found == MAYBE and self.counts_unknown):
            grade = _strongest([self.grade(line.group, base, item), base])
            severity = min(grade.severity, self._cap_of(item, is_certain=found == TRUE))
            self._keep(number, MatchedExposure(item, severity, grade.says, found == TRUE))
            yield grade._replace(severity=severity)

    def _cap_of(self, item: Item, *, is_certain: bool) -> Severity:
        cap = self.cap if is_certain else min(self.cap, Severity.WARNING)
        return Severity.INFO if _is_surely(item, "is_proposed") else cap

    def _keep(self, number: int, exposure: MatchedExposure) -> None:
        before = self.matched.get(number)
        if before is None or before.severity < exposure.severity:
            self.matched[number] = exposure
