"""Floor 3: the facts of one order about dose, timing and route.

Two facts judge the product, and each says one thing. `order.fits_product` is about measuring: False where the dose cannot be
made from whole or half units of what is ordered (a small part of a tablet). `order.agrees_with_itself` is about
statements: False where two of them cannot both be meant (ordered and calculated dose, mg and counted units, timing and its
code, dose and maximum, code and name of the product), or where the dose asks for ten or more units of the product at once (a
slip of the decimal point).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Final

from cds_service.facts.dose_amount import all_of, strength_of
from cds_service.facts.dose_arithmetic import Span, as_range, decimal
from cds_service.facts.dose_reasons import told, unknowns_in
from cds_service.facts.dose_route import route_fact
from cds_service.facts.registry import Fact, Value
from cds_service.facts.steps import Line, Step, groups, lines_of, places, steps, why_unreadable
from cds_service.facts.timing import bedtime_of, is_dropped
from cds_service.fhir.chart import MedicationRecord
from cds_service.quantities import QuantityRange, exactly
from cds_service.unknown import Unknown

_TEXT_ONLY: Final = Unknown("text-only")
_IN_TEXT: Final = (_TEXT_ONLY, Unknown("timing-in-text"))
"""What a text that was refused would have told: its own reason says more."""


@dataclass(frozen=True, slots=True)
class _Read:
    """An order as read: its lines that say something, its steps, and why neither can be trusted, where so."""

    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    trouble: Unknown | None


def dose_facts(order: MedicationRecord, today: date) -> Mapping[str, Fact]:
    """Return the facts about dose, timing and route of one order, by the names of the registry, for rules and cards.

    Daily doses are in mg/d, averaged over the schedule, doses in mg, times in d; `today` begins a draft without a date.
    What cannot be computed is Unknown with a reason of `dose_reasons.REASONS`.
    """
    read = _read(order, today)
    first, last = read.steps[0], read.steps[-1]
    by_lines: Mapping[str, Value] = {
        "order.has_steps": _has_steps(read),
        "order.largest_step": _largest_step(read),
        "order.shortest_step": _shortest_step(read),
        "order.single_dose": _single_dose(read.steps),
        "order.time_between_doses": _time_between_doses(read),
        "order.fits_product": read.trouble or all_of(line.amount.fits for line in read.lines),
        "order.agrees_with_itself": _agrees(order, read),
        "order.is_as_needed": read.trouble or _is_as_needed(read.lines),
        "order.is_at_bedtime": read.trouble or all_of(_is_at_bedtime(line) for line in read.lines),
    }
    facts = {
        "order.daily_dose": Fact(last.daily, last.evidence),
        "order.highest_daily_dose": Fact(_highest(last.daily), last.evidence),
        "order.starting_daily_dose": Fact(first.daily, first.evidence),
        **{name: Fact(value, tuple(line.where for line in read.lines) or places(order)) for name, value in by_lines.items()},
        "order.product_strength": Fact(_product_strength(order), (f"{order.where} medication",)),
        "order.route": route_fact(order),
    }
    return {
        name: Fact(order.text_refused, fact.rests_on) if order.text_refused and fact.value in _IN_TEXT else fact
        for name, fact in facts.items()
    }


def _read(order: MedicationRecord, today: date) -> _Read:
    """Read an order once for all facts."""
    lines = lines_of(order)
    grouped = why_unreadable(order) or groups(lines)
    if isinstance(grouped, Unknown):
        return _Read(lines, steps(order, today), None if lines and not why_unreadable(order) else grouped)
    return _Read(tuple(line for group in grouped for line in group), steps(order, today), None)


def _has_steps(read: _Read) -> bool | Unknown:
    """Tell whether there is more than one consecutive step; words alone may hide some."""
    if len(read.steps) > 1:
        return True
    if read.trouble or read.steps[0].daily == Unknown("unclear-sequence"):
        return read.trouble or Unknown("unclear-sequence")
    return _TEXT_ONLY if all(line.is_silent for line in read.lines) else False


def _no_steps(read: _Read) -> Unknown | None:
    """Say why there is nothing to compare between steps; `None` where there is."""
    has_steps = _has_steps(read)
    if isinstance(has_steps, Unknown):
        return has_steps
    return None if has_steps else Unknown("no-steps")


def _increases(all_steps: Sequence[Step]) -> list[QuantityRange | Unknown]:
    """Return by how much the daily dose changes from each step to the next."""
    return [_difference(earlier.daily, later.daily) for earlier, later in pairwise(all_steps)]


def _difference(earlier: QuantityRange | Unknown, later: QuantityRange | Unknown) -> QuantityRange | Unknown:
    """Return the change from one daily dose to another; below 0 for a decrease."""
    if isinstance(earlier, Unknown) or isinstance(later, Unknown):
        return told(unknowns_in((earlier, later)))
    return QuantityRange(later.low - earlier.high, later.high - earlier.low, "mg/d")


def _largest_step(read: _Read) -> QuantityRange | Unknown:
    """Return the largest change of the daily dose between steps; 0 or less where it never rises."""
    if why := _no_steps(read):
        return why
    increases = _increases(read.steps)
    if unknowns := unknowns_in(increases):
        return told(unknowns)
    known = [increase for increase in increases if not isinstance(increase, Unknown)]
    return QuantityRange(max(rise.low for rise in known), max(rise.high for rise in known), "mg/d")


def _shortest_step(read: _Read) -> QuantityRange | Unknown:
    """Return the shortest time on a step before the dose rises; a step before a change that is not known counts."""
    if why := _no_steps(read):
        return why
    lengths = [
        step.length for step, rise in zip(read.steps, _increases(read.steps), strict=False) if isinstance(rise, Unknown) or rise.high > 0
    ]
    if not lengths or (unknowns := unknowns_in(lengths)):
        return told(unknowns) if lengths else Unknown("no-increase")
    known = [length for length in lengths if not isinstance(length, Unknown)]
    return QuantityRange(min(length.low for length in known), min(length.high for length in known), "d")


def _single_dose(all_steps: Sequence[Step]) -> QuantityRange | Unknown:
    """Return the largest dose at one time of all steps, in mg."""
    doses = [step.single_dose for step in all_steps]
    if unknowns := unknowns_in(doses):
        return told(unknowns)
    known = [dose for dose in doses if not isinstance(dose, Unknown)]
    return QuantityRange(max(dose.low for dose in known), max(dose.high for dose in known), "mg")


def _highest(daily: QuantityRange | Unknown) -> QuantityRange | Unknown:
    """Return the high end of a daily dose: a range that crosses a limit is judged by the most that may be taken."""
    return daily if isinstance(daily, Unknown) else replace(daily, low=daily.high)


def _time_between_doses(read: _Read) -> QuantityRange | Unknown:
    """Return the average days from one dose to the next, where the order has one line; what is taken once or as needed has none."""
    if read.trouble or len(read.lines) != 1:
        return read.trouble or Unknown("unclear-sequence")
    line = read.lines[0]
    rate, is_once = line.schedule.rate, line.schedule.count == 1
    if isinstance(rate, Unknown) or is_once or line.dosage.is_as_needed or rate.low <= 0:
        return rate if isinstance(rate, Unknown) else Unknown("no-timing")
    return as_range(Span(1 / rate.high, 1 / rate.low), "d")


def _product_strength(order: MedicationRecord) -> QuantityRange | Unknown:
    """Return what one counted unit of the product holds, in mg."""
    strength = strength_of(order.drug)
    if not isinstance(strength.in_piece, Unknown):
        return exactly(decimal(strength.in_piece), "mg")
    return strength.in_piece if isinstance(strength.in_ml, Unknown) else Unknown("liquid-product")


def _agrees(order: MedicationRecord, read: _Read) -> bool | Unknown:
    """Tell whether the statements of an order can all be meant; unknown where a dose or timing could not be read."""
    product_contradicts = not isinstance(order.drug, Unknown) and order.drug.contradicts
    if product_contradicts or order.text_contradicts or any(line.contradicts for line in read.lines):
        return False
    unread = unknowns_in(line.amount.mg for line in read.lines) + unknowns_in(line.schedule.rate for line in read.lines)
    return read.trouble or (told(unread) if unread else True)


def _is_as_needed(lines: Sequence[Line]) -> bool | Unknown:
    """Tell whether the order as a whole is taken as needed; words alone may say it."""
    if any(is_dropped(line.dosage, "asNeeded") for line in lines):
        return Unknown("unreadable-as-needed")
    answers = {line.dosage.is_as_needed for line in lines}
    if len(answers) > 1:
        return Unknown("partly-as-needed")
    return True if True in answers else _TEXT_ONLY if all(line.is_silent for line in lines) else False


def _is_at_bedtime(line: Line) -> bool | Unknown:
    """Tell whether one line is taken in the evening, at bedtime or at night."""
    answer = _TEXT_ONLY if line.is_silent and line.amount.mg == _TEXT_ONLY else bedtime_of(line.schedule)
    has_text = bool(line.dosage.text or line.dosage.patient_instruction)
    return Unknown("time-of-day-in-text") if answer == Unknown("no-time-of-day") and has_text else answer
