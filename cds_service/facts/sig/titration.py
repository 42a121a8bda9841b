"""Floor 3: titrations in words: "week 1, week 2 …", "increase by 1.5 mg every 2 weeks to 4.5 mg"."""

from collections.abc import Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from cds_service.facts.sig.clauses import Clause, When
from cds_service.facts.sig.parts import Frequency, Label
from cds_service.facts.sig.reasons import Refused
from cds_service.facts.sig.vocabulary import WEEK
from cds_service.fhir.elements import Timing
from cds_service.quantities import QuantityRange

_MOST_STEPS: Final = 60
_A_WEEK: Final = MappingProxyType({"h": Decimal(24 * 7), "wk": Decimal(1), "mo": Decimal(12 * 7) / 365})
"""How often a period of one of these units comes in a week."""
_RISES: Final = ("INCREASE", "MAY")


def label_lengths(clauses: Sequence[Clause]) -> None:
    """Turn "week 1", "weeks 2-3", "week 4 and onward" into lengths; the numbers must follow each other from 1."""
    expected = 1
    labelled = [(clause, clause.label) for clause in clauses if clause.label]
    for clause, label in labelled:
        if label.first != expected or label.unit != labelled[0][1].unit or clause.lengths:
            raise Refused("sig-contradictory")
        expected = label.last + 1
        clause.length_group = len(clause.groups)
        clause.lengths = [] if label.is_ongoing or clause.is_ongoing else [length_of(label)]
    if not all(clause.label for clause in clauses[: len(labelled)]):
        raise Refused("sig-ambiguous")


def length_of(label: Label) -> QuantityRange:
    """Return how long a labelled step lasts."""
    length = Decimal(label.last - label.first + 1)
    return QuantityRange(length, length, label.unit)


def is_slow(clause: Clause) -> bool:
    """Tell whether a clause names a period of weeks or months, which may be how often the dose rises."""
    whens = [when for group in clause.groups for when in group.when] + clause.after_goal
    return any(isinstance(when, Frequency) and (when.unit in ("wk", "mo") or (when.unit == "d" and when.period_high > 1)) for when in whens)


def interval(clause: Clause) -> tuple[QuantityRange | None, Sequence[When]]:
    """Part how often the dose rises from when it is taken."""
    before = [when for group in clause.groups for when in group.when]
    every = [when for when in before if isinstance(when, Frequency)]
    late = [when for when in clause.after_goal if isinstance(when, Frequency) and not is_daily(when)]
    if len(every) + len(late) > 1 or any(is_daily(when) for when in every):
        raise Refused("sig-ambiguous")
    kept = [when for when in (*before, *clause.after_goal) if when not in every and when not in late]
    return next((period_of(when) for when in (*every, *late)), None), kept


def is_daily(frequency: Frequency) -> bool:
    """Times a day."""
    return frequency.unit in ("", "h") or (frequency.unit == "d" and frequency.period_high == 1)


def period_of(frequency: Frequency) -> QuantityRange:
    """Return the period of a change."""
    if frequency.low != 1 or frequency.high != 1:
        raise Refused("sig-ambiguous")
    return QuantityRange(frequency.period_low, frequency.period_high, frequency.unit)


def climbed(start: Decimal, by: Decimal, goal: Decimal, opener: str) -> list[Decimal]:
    """Return the amounts from the first change to the goal, which must be met exactly."""
    step = by if opener in _RISES else -by
    if (goal - start) * step <= 0:
        raise Refused("sig-contradictory")
    count, rest = divmod(goal - start, step)
    if rest or count > _MOST_STEPS:
        raise Refused("sig-ambiguous")
    return [start + step * number for number in range(1, int(count) + 1)]


def single_value(amount: QuantityRange) -> Decimal:
    """Return the one value of an amount that is no range."""
    if amount.low != amount.high:
        raise Refused("sig-ambiguous")
    return amount.low


def times_a_week(timing: Timing | None) -> Decimal:
    """Return how often a week; a dose of which nobody says when is taken once a day."""
    match timing:
        case Timing(frequency=int() as often, period=Decimal() as every, period_unit=unit, day_of_week=days):
            return often * (len(days or WEEK) if unit == "d" else _A_WEEK[unit]) / every
    return Decimal(len(WEEK))
