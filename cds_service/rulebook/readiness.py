"""Floor 4: what a rule needs before it may be active, and which of its references are due to be looked at again."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from cds_service.errors import Problem
from cds_service.facts.registry import Fact
from cds_service.quantities import Quantity, QuantityRange
from cds_service.rulebook.cases import Case
from cds_service.rulebook.lines import lines_of
from cds_service.rulebook.operators import asked, converted, limits_of
from cds_service.rulebook.running import CaseResult, run_cases
from cds_service.rulebook.types import Line, Reference, Rule, Status
from cds_service.unknown import Unknown

_FEBRUARY_29: Final = (2, 29)


def is_stale(reference: Reference, today: date) -> bool:
    """Tell whether nobody has checked a reference within twelve months; the rule is then shown with a warning, never silenced."""
    checked = reference.checked
    day = 28 if (checked.month, checked.day) == _FEBRUARY_29 else checked.day
    return today > date(checked.year + 1, checked.month, day)


def stale_references(rule: Rule, today: date) -> Iterator[Problem]:
    """Warn (RULE-064) of references that are due."""
    for reference in rule.references:
        if is_stale(reference, today):
            yield Problem(rule.where, "RULE-064", f"reference '{reference.id}' was last checked on {reference.checked}")


def unready(rule: Rule, cases: tuple[Case, ...]) -> Iterator[Problem]:
    """Say what keeps an active rule from being active: cases that fail, sorts of case that lack, tests that no case decides."""
    if rule.status is Status.ACTIVE:
        results = run_cases(rule, cases)
        yield from (problem for result in results for problem in result.problems)
        yield from (Problem(rule.where, "RULE-062", f"rule '{rule.id}' has no {sort} case") for sort in _lacking_sorts(rule, results))
        yield from _undecided(rule, results)


def _lacking_sorts(rule: Rule, results: tuple[CaseResult, ...]) -> Iterator[str]:
    states = {result.outcome.state for result in results}
    if "fired" not in states:
        yield "firing"
    if "quiet" not in states:
        yield "quiet"
    if any(_limits(line, rule, date.max) for line, _ in _lines(rule)) and not any(_is_boundary(rule, result.case) for result in results):
        yield "boundary"
    if not any(_states_unknown(rule, result.case) for result in results):
        yield "unknown"


def _undecided(rule: Rule, results: tuple[CaseResult, ...]) -> Iterator[Problem]:
    seen = {(line.where, line.answer) for result in results for line in result.outcome.trace}
    limits = {name: threshold.on(date.max) for name, threshold in rule.thresholds.items()}
    for line, _ in _lines(rule):
        for answer in ("true", "false"):
            if (line.where, answer) not in seen:
                yield Problem(line.where, "RULE-063", f"no case makes '{asked(line, limits)}' {answer}")


def _lines(rule: Rule) -> Iterator[tuple[Line, bool]]:
    return lines_of(rule.when, rule.unless)


def _limits(line: Line, rule: Rule, day: date) -> tuple[Quantity, ...]:
    return limits_of(line.operand, {name: threshold.on(day) for name, threshold in rule.thresholds.items()})


def _is_boundary(rule: Rule, case: Case) -> bool:
    """Tell whether a case gives a quantity that equals a limit which the rule compares it with."""
    return any(
        _touches(fact, limit)
        for line, is_of_exposure in _lines(rule)
        for limit in _limits(line, rule, case.today)
        for fact in _facts(case, line, is_of_exposure=is_of_exposure)
    )


def _touches(fact: Fact, limit: Quantity) -> bool:
    value = converted(fact.value, limit.unit) if isinstance(fact.value, QuantityRange) else None
    return value is not None and limit.value in (value.low, value.high)


def _facts(case: Case, line: Line, *, is_of_exposure: bool) -> Iterator[Fact]:
    places: tuple[Mapping[str, Fact], ...] = case.facts.exposures if is_of_exposure else (case.facts.facts,)
    return (place[line.fact] for place in places)


def _states_unknown(rule: Rule, case: Case) -> bool:
    """Tell whether a case says of something that the rule uses that it is unknown or missing."""
    if case.facts.exposures_lack and any(is_of_exposure for _, is_of_exposure in _lines(rule)):
        return True
    return any(_is_stated_unknown(case, line, is_of_exposure=is_of_exposure) for line, is_of_exposure in _lines(rule))


def _is_stated_unknown(case: Case, line: Line, *, is_of_exposure: bool) -> bool:
    if is_of_exposure:
        items = enumerate(case.facts.exposures)
        return any(f"exposures.{number}.{line.fact}" in case.given and isinstance(item[line.fact].value, Unknown) for number, item in items)
    return line.fact in case.given and isinstance(case.facts.facts[line.fact].value, Unknown)
