"""Floor 3: from which day to which day a listed drug covers the patient, and whether it is in use; for exposures and history."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

from cds_service.facts.timing import days_in, schedule_of
from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.elements import Dosage, Period, Timing
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import QuantityRange, exactly
from cds_service.unknown import Unknown

Durations = Mapping[str, Decimal]
"""How many days one injection of a depot acts, by drug class or ingredient; from the manifest."""

NO_DURATIONS: Final[Durations] = MappingProxyType({})
Courses = Mapping[str, Decimal]
"""Days that an order covers at most which is over by its status and names neither supply nor end, by status; from the manifest."""

NO_COURSES: Final[Courses] = MappingProxyType({})
DEPOT: Final = "depot"
LISTED_BUT_ENDED: Final = Unknown("listed-but-ended")
"""In use by its status, over by its supply: nobody can tell from the record."""
PLANNED: Final = Unknown("planned")
"""In use by its status, but a plan that does not say whether it reports what the patient takes."""
_LAST_DAY: Final = date.max.toordinal()

Standing = Literal["in-use", "paused", "over", "never", "by-dates", "cut-short"]
"""What a status says of the use: "by-dates" leaves it to the dates, "cut-short" ended before its dates nobody knows when."""

_STANDINGS: Final[Mapping[str, Mapping[str, Standing]]] = MappingProxyType(
    {
        "MedicationRequest": {
            "active": "in-use", "on-hold": "paused", "completed": "over", "stopped": "over", "ended": "over",
            "cancelled": "never", "entered-in-error": "never", "draft": "never",
        },
        "MedicationStatement": {
            "active": "in-use", "intended": "in-use", "on-hold": "paused", "completed": "over", "stopped": "over",
            "not-taken": "never", "entered-in-error": "never", "draft": "never",
        },
        "MedicationDispense": {
            "preparation": "in-use", "in-progress": "in-use", "on-hold": "paused", "stopped": "cut-short",
            "cancelled": "never", "declined": "never", "entered-in-error": "never",
        },
        "MedicationAdministration": {
            "in-progress": "in-use", "on-hold": "paused", "not-done": "never", "entered-in-error": "never",
        },
    },
)  # fmt: skip
"""FHIR R4 statuses; one that is absent, unknown or of another version leaves it to the dates."""
STATUSES_OVER: Final = tuple(status for status, standing in _STANDINGS["MedicationRequest"].items() if standing == "over")
"""Statuses of an order that is over."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """When a record covers the patient; days are in the site's time zone, both ends included.

    `is_exposure` is False for what was never taken (cancelled, entered in error, not taken, unsigned, an option, a prohibition).
    `days_since_last_dose` counts from the last covered day, 0 where in use; a range where that day is not known.
    """

    start: date | Unknown
    last_covered: date | Unknown
    is_current: bool | Unknown
    days_since_last_dose: QuantityRange | Unknown
    is_explicit_end: bool = False
    """The dosage itself ends the therapy (bounds, count), not merely the supply."""
    is_exposure: bool = True
    is_proposed: bool = False


@dataclass(frozen=True, slots=True)
class _Span:
    """Start, end and kind of end of a record, before its status is looked at; `acts_until` is the first depot's last day."""

    start: date | None
    end: date | None
    is_explicit: bool
    acts_until: date | None = None
    contradicts: bool = False
    """An end was named, and lies before the start."""
    is_counted: bool = False
    """The end was counted on from the start: the first dose may have been taken on the day after."""


def coverage(record: MedicationRecord, today: date, durations: Durations = NO_DURATIONS, courses: Courses = NO_COURSES) -> Coverage:
    """Tell for a listed request, statement, dispense or administration from when to when it covers, and whether it does today."""
    span, standing = _span(record, durations), standing_of(record)
    is_current = _is_current(record, span, standing, today)
    return Coverage(
        start=span.start or Unknown("no-start"),
        last_covered=span.end or Unknown("no-end"),
        is_current=PLANNED if is_current is True and _is_unreported_plan(record) else is_current,
        days_since_last_dose=_no_longer_than(_longest_course(record, span, courses), _days_since(span, standing, is_current, today)),
        is_explicit_end=span.is_explicit,
        is_exposure=standing != "never" and not record.do_not_perform and record.intent != "option",
        is_proposed=is_proposed(record),
    )


def standing_of(record: MedicationRecord) -> Standing:
    """Read what the status of a record says of the use of its drug."""
    return _STANDINGS.get(record.resource_type, {}).get(record.status, "by-dates")


def is_proposed(record: MedicationRecord) -> bool:
    """Tell whether a record is no more than a proposal: nobody has acted on it, and it reports no use outside."""
    return record.intent == "proposal" or record.status == "intended"


def _is_unreported_plan(record: MedicationRecord) -> bool:
    """Tell whether a record is a plan that does not say that it reports a use: lists hold both what is taken and what is planned so."""
    return record.intent == "plan" and not record.is_reported


def start_of(record: MedicationRecord) -> date | None:
    """Find the day on which a record begins: its dosage's first day, its period's, else the day it was written."""
    effective = record.effective.start if record.effective else None
    validity = record.validity.start if record.validity else None
    handed_over = record.resource_type in ("MedicationDispense", "MedicationAdministration")
    bounds = None if handed_over and effective else first_bound(record.dosages)
    return bounds or effective or validity or record.authored_on


def first_bound(dosages: Sequence[Dosage]) -> date | None:
    """Find the earliest day that the bounds of some dosage lines name as their start."""
    starts = [line.timing.bounds.start for line in dosages if line.timing and line.timing.bounds and line.timing.bounds.start]
    return min(starts, default=None)


def days_later(day: date, days: int) -> date:
    """Count days on from a day, no further than the calendar goes."""
    return date.fromordinal(min(day.toordinal() + days, _LAST_DAY))


def _span(record: MedicationRecord, durations: Durations) -> _Span:
    """Find start and end of a record; an end before the start contradicts itself and is no end."""
    start = start_of(record)
    explicit = _therapy_end(record.dosages, start)
    end = explicit or _other_end(record, start)
    if start and end and end < start:
        return _Span(start, None, is_explicit=False, contradicts=True)
    span = _Span(start, end, explicit is not None)
    if _is_depot(record):
        return _depot_span(record, span, durations)
    return replace(span, is_counted=end not in _named_ends(record))


def _named_ends(record: MedicationRecord) -> set[date | None]:
    """Collect the days that a record itself names as an end; the day of an administration is one."""
    bounds = [line.timing.bounds.end for line in record.dosages if line.timing and line.timing.bounds]
    periods = [period.end for period in (record.effective, record.validity) if period]
    given = [start_of(record)] if record.resource_type == "MedicationAdministration" else []
    return {*bounds, *periods, *given}


def _is_depot(record: MedicationRecord) -> bool:
    """Tell whether the drug tables call the product a depot."""
    return isinstance(record.drug, DrugMatch) and DEPOT in record.drug.classes


def _depot_span(record: MedicationRecord, span: _Span, durations: Durations) -> _Span:
    """Let a depot act for its own duration; a single injection ends then, an order of injections not sooner than then."""
    days = _depot_days(record, durations)
    if span.start is None or days is None:
        is_injection = record.resource_type == "MedicationAdministration"
        return _Span(span.start, None if is_injection else span.end, span.is_explicit)
    acts_until = days_later(span.start, days - 1)
    is_one = record.resource_type in ("MedicationDispense", "MedicationAdministration")
    end = max(span.end or acts_until, acts_until) if span.end or is_one else None
    return _Span(span.start, end, span.is_explicit, acts_until)


def _depot_days(record: MedicationRecord, durations: Durations) -> int | None:
    """Days that one injection acts: by the tables for its classes or ingredient, else the interval that the order itself names."""
    names = (record.drug.ingredient, *record.drug.classes) if isinstance(record.drug, DrugMatch) else ()
    known = [Fraction(durations[name]) for name in names if name in durations]
    intervals = [_interval(line.timing) for line in record.dosages if line.timing]
    return _whole_days(max(known or [days for days in intervals if days], default=None))


def _therapy_end(dosages: Sequence[Dosage], start: date | None) -> date | None:
    """Find the last day of the dosage's own bounds, step after step; none where the last step is open."""
    end, begins = None, start
    for step in _in_sequence(dosages):
        ends = [_line_end(line, begins) for line in step]
        end = None if None in ends else max(day for day in ends if day)
        begins = days_later(end, 1) if end else None
    return end


def _in_sequence(dosages: Sequence[Dosage]) -> list[list[Dosage]]:
    """Put the lines of one sequence number together, in rising order; lines without a number come last, as they may stay."""
    numbers = sorted({line.sequence for line in dosages if line.sequence is not None})
    groups = [[line for line in dosages if line.sequence == number] for number in (*numbers, None)]
    return [group for group in groups if group]


def _line_end(line: Dosage, begins: date | None) -> date | None:
    """Find the last day of one line: its own end, or its length or count from its first day."""
    bounds = line.timing.bounds if line.timing else None
    if bounds and bounds.end:
        return bounds.end
    days = _length(line)
    first = (bounds and bounds.start) or begins
    return days_later(first, days - 1) if first and days else None


def _length(line: Dosage) -> int | None:
    """Days that a line holds, by its bounds (the longer one of two) or by its count of doses; none where it says neither."""
    timing = line.timing
    if timing is None or (timing.count is None and (timing.bounds is None or timing.bounds.length is None)):
        return None
    length = schedule_of(line).length
    return None if isinstance(length, Unknown) else _whole_days(length.high)


def _interval(timing: Timing) -> Fraction | None:
    """Days of the period of a timing ("every 4 wk" is 28)."""
    return None if timing.period is None else _known_days(timing.period, timing.period_unit)


def _known_days(value: Decimal, unit: str) -> Fraction | None:
    """Turn a time into days; none where it cannot be read."""
    days = days_in(value, unit)
    return None if isinstance(days, Unknown) else days


def _other_end(record: MedicationRecord, start: date | None) -> date | None:
    """Find the later end of supply, validity and period, as the drug lasts until the later one."""
    effective = record.effective or Period()
    if record.resource_type == "MedicationAdministration":
        return effective.end or start
    ends = [_supply_end(record, start)]
    if record.resource_type != "MedicationDispense" and effective.end != effective.start:
        ends.append(effective.end)
    if record.validity:
        ends.append(record.validity.end)
    return max((day for day in ends if day), default=None)


def _supply_end(record: MedicationRecord, start: date | None) -> date | None:
    """Find the last day that the supply covers with all its repeats: 5 days from day 1 are days 1 to 5."""
    if record.supply is None or start is None:
        return None
    fill = _known_days(record.supply.value, record.supply.unit)
    days = _whole_days(fill * (1 + max(record.repeats_allowed or 0, 0))) if fill else None
    return days_later(start, days - 1) if days else None


def _whole_days(days: Fraction | None) -> int | None:
    """Round a length up to whole days; none where it is not above 0, and never beyond the calendar."""
    return min(math.ceil(days), _LAST_DAY) if days is not None and days > 0 else None


def _is_current(record: MedicationRecord, span: _Span, standing: Standing, today: date) -> bool | Unknown:
    """Tell whether the drug is in use today; never False merely because a supply should have run out."""
    if not record.is_readable:
        return Unknown("not-readable")
    if standing == "in-use":
        return _in_use(span, today)
    if standing in ("by-dates", "cut-short"):
        return _by_dates(record, span, standing, today)
    return _acts_on(record, span, today) if _is_depot(record) else False


def _in_use(span: _Span, today: date) -> bool | Unknown:
    """Read an active record: in use, also from a later day on; over by its own dosage; or listed beyond its supply."""
    if span.end is None or span.end >= today:
        return True
    return False if span.is_explicit else LISTED_BUT_ENDED


def _by_dates(record: MedicationRecord, span: _Span, standing: Standing, today: date) -> bool | Unknown:
    """Read a record without a telling status by its dates; a supply taken as needed may last longer than it counts."""
    if span.end is None:
        return Unknown("no-end")
    if span.start and span.start > today:
        return Unknown("starts-later")
    if span.end >= today:
        return Unknown("stopped-early") if standing == "cut-short" else True
    is_as_needed = any(line.is_as_needed for line in record.dosages)
    is_single = record.resource_type == "MedicationAdministration"
    return Unknown("as-needed-supply") if is_as_needed and not span.is_explicit and not is_single else False


def _acts_on(record: MedicationRecord, span: _Span, today: date) -> bool | Unknown:
    """Tell whether a depot whose order is over or paused still acts: stopping does not take it out again."""
    if span.end and span.end < today:
        return False
    is_given = record.status in ("completed", "ended") and span.acts_until is not None and span.acts_until >= today
    return True if is_given else Unknown("depot-may-act")


def _days_since(span: _Span, standing: Standing, is_current: bool | Unknown, today: date) -> QuantityRange | Unknown:  # noqa: FBT001 - a fact, not a switch
    """Count the days since the last covered day: 0 in use, exact where it is named, else from 0 to the days since the start.

    An end that was counted on from the start may have been a day later, as nobody knows when the first dose was taken.
    """
    if is_current is True:
        return exactly(0, "d")
    if is_current == Unknown("not-readable"):
        return Unknown("not-readable")
    if span.end and span.end < today:
        days = Decimal((today - span.end).days)
        return QuantityRange(days - int(span.is_counted), days, "d")
    if standing == "paused":
        return Unknown("on-hold")
    return _up_to(span.start, today)


def _up_to(start: date | None, today: date) -> QuantityRange | Unknown:
    """From 0 days to those since the start; unknown without a start, or where it lies ahead."""
    if start is None or start > today:
        return Unknown("no-dates")
    return QuantityRange(Decimal(0), Decimal((today - start).days), "d")


def _longest_course(record: MedicationRecord, span: _Span, courses: Courses) -> Decimal | None:
    """Days that an order without any end covers at most; with repeats the longest that any order does, and none for a depot."""
    is_open = record.resource_type == "MedicationRequest" and span.end is None and record.supply is None and not span.contradicts
    if not is_open or record.status not in courses or _is_depot(record):
        return None
    return max(courses.values()) if record.repeats_allowed else courses[record.status]


def _no_longer_than(days: Decimal | None, since: QuantityRange | Unknown) -> QuantityRange | Unknown:
    """Raise the least number of days since the last dose where a course lasts no longer than so many days from its start."""
    if days is None or isinstance(since, Unknown):
        return since
    return QuantityRange(max(since.low, since.high - days), since.high, since.unit)
