"""The usual steps of a titration, worked out from a rule's thresholds: for the dates on a card and for the order that it offers."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from cds_service.cards.library import Schedule, Words
from cds_service.cards.offered import Amount, amount, fact_value
from cds_service.quantities import Quantity, QuantityRange, in_unit
from cds_service.rulebook.types import Finding

_MOST_STEPS: Final = 20
"""More steps than any schedule has: thresholds that a site changed must not make an endless one."""
_LAST_START: Final = date.max - timedelta(days=_MOST_STEPS * 366)


@dataclass(frozen=True, slots=True)
class Step:
    """One dose of a schedule: mg a day, the day (counted from 0) on which it begins, and for how many days (0: it stays)."""

    mg: Decimal
    begins: int
    days: int


@dataclass(frozen=True, slots=True)
class Row:
    """A step as a template sees it: the date from which on, and the dose in words."""

    day: str
    dose: Amount


def usual_steps(finding: Finding, schedule: Schedule | None) -> tuple[Step, ...]:
    """Work out the steps from the first dose to the last; none where a number is missing or leads nowhere."""
    if schedule is None:
        return ()
    mg, rise, target = (_limit(finding, name, "mg/d") for name in (schedule.start, schedule.step, schedule.target))
    every = int(_limit(finding, schedule.every, "d"))
    if not (mg > 0 and rise > 0 and every > 0 and mg <= target <= mg + rise * (_MOST_STEPS - 1)):
        return ()
    doses = [mg]
    while doses[-1] < target:
        doses.append(min(doses[-1] + rise, target))
    last = len(doses) - 1
    return tuple(Step(dose, every * index, every if index < last else 0) for index, dose in enumerate(doses))


def rows(finding: Finding, schedule: Schedule | None, words: Words) -> tuple[Row, ...]:
    """Date the usual steps from the day on which the order begins; one that starts lower keeps its own dose as the first step."""
    steps = usual_steps(finding, schedule)
    begins = _begins(finding)
    if not steps or begins is None:
        return ()
    own = _lower_start(finding, steps[0].mg)
    wait = steps[0].days if own else 0
    first = [Row(begins.isoformat(), amount(Quantity(own, "mg/d"), words))] if own else []
    return (*first, *(_row(step, begins + timedelta(days=wait), words) for step in steps))


def _row(step: Step, begins: date, words: Words) -> Row:
    return Row((begins + timedelta(days=step.begins)).isoformat(), amount(Quantity(step.mg, "mg/d"), words))


def _limit(finding: Finding, name: str, unit: str) -> Decimal:
    limit = finding.limits.get(name)
    return (in_unit(limit, unit) if limit else None) or Decimal(0)


def _begins(finding: Finding) -> date | None:
    told = fact_value(finding.facts, "order.begins")
    try:
        day = date.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return None
    return day if day and day < _LAST_START else None


def _lower_start(finding: Finding, usual: Decimal) -> Decimal | None:
    """Return the order's own first dose where it is one number below the usual one."""
    own = fact_value(finding.facts, "order.starting_daily_dose")
    is_one = isinstance(own, QuantityRange) and own.unit == "mg/d" and own.low == own.high
    return own.low if isinstance(own, QuantityRange) and is_one and 0 < own.low < usual else None
