"""Floor 3: how often, at what time of day, on which days and for how long: FHIR R4 Timing read exactly, never guessed.

What the elements mean is FHIR R4's datatype Timing: `when` and `timeOfDay` name moments of each day, several moments are a
union, `dayOfWeek` filters, `frequency` without a period says nothing, and a period without a frequency means once.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from cds_service.facts.dose_arithmetic import Span, exact, is_number, one
from cds_service.facts.dose_codes import AFTERNOON_OR_EVENING, timing_of_code
from cds_service.fhir.elements import Bounds, Dosage, Timing
from cds_service.quantities import LARGEST, unit_named
from cds_service.unknown import Unknown

UNREADABLE: Final = Unknown("unreadable-timing")
CONTRADICTORY: Final = Unknown("contradictory-timing")
NO_LENGTH: Final = Unknown("no-length")
_NOT_SAID: Final = Unknown("no-timing")
_UNBOUNDED: Final = Bounds()

_DAYS: Final = MappingProxyType(
    {
        "s": Fraction(1, 86400),
        "min": Fraction(1, 1440),
        "h": Fraction(1, 24),
        "d": Fraction(1),
        "wk": Fraction(7),
        "mo": Fraction("30.4375"),
        "a": Fraction("365.25"),
    },
)
"""Days in a unit of time, exactly: the Decimal factors of quantities.UNITS would make 24 h / 8 h less than 3."""
_WEEK: Final = 7
_WEEKDAYS: Final = frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})
_MEALS: Final = frozenset({"C", "AC", "PC"})
"""Meals without saying which: once, or as often as there are meals; only a frequency can tell."""
_AT_BEDTIME: Final = frozenset({"HS", "PHS", "NIGHT", "EVE", "EVE.early", "EVE.late", "CV", "ACV", "PCV"})
_BY_DAY: Final = frozenset(
    {"MORN", "MORN.early", "MORN.late", "NOON", "AFT", "AFT.early", "AFT.late", "WAKE", "CM", "ACM", "PCM", "CD", "ACD", "PCD"},
)
_VAGUE: Final = _MEALS | {AFTERNOON_OR_EVENING}
_EVENTS: Final = _AT_BEDTIME | _BY_DAY | _VAGUE
_CLOCK: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::[0-9]{2}(?:\.[0-9]{1,9})?)?")
_HOURS: Final = 24
_MINUTES: Final = 60
_EVENING_BEGINS: Final = "18:00"
_NIGHT_ENDS: Final = "03:00"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When one dosage instruction is taken: times a day averaged over its cycle, moments of the day, weekdays, how long.

    `moments` are EventTiming codes and clock times ("HS", "20:00"); `length` is in days.
    """

    rate: Span | Unknown
    moments: frozenset[str] = frozenset()
    days: frozenset[str] = frozenset()
    length: Span | Unknown = NO_LENGTH
    bounds: Bounds = _UNBOUNDED
    count: int | None = None

    @property
    def has_extent(self) -> bool:
        """The instruction says from when, until when, how long or how many times."""
        return self.bounds != _UNBOUNDED or self.count is not None


def is_dropped(dosage: Dosage, element: str) -> bool:
    """Tell whether salvaging dropped an element of this line, or a part of it; `element` is the start of its name."""
    return any(part.startswith(element) for path in dosage.dropped for part in path.split("."))


def schedule_of(dosage: Dosage) -> Schedule:
    """Read when one dosage instruction is taken, for the dose a day and for the time of day."""
    if is_dropped(dosage, "timing"):
        return Schedule(UNREADABLE)
    if dosage.timing is None:
        return Schedule(_why_not_said(dosage))
    timing = _with_code(dosage.timing)
    if isinstance(timing, Unknown):
        return Schedule(timing, bounds=dosage.timing.bounds or _UNBOUNDED, count=dosage.timing.count)
    rate = _rate(timing)
    return Schedule(
        rate=_why_not_said(dosage) if rate == _NOT_SAID else rate,
        moments=_moments(timing),
        days=_weekdays(timing),
        length=_length(timing, rate),
        bounds=timing.bounds or _UNBOUNDED,
        count=timing.count,
    )


def bedtime_of(schedule: Schedule) -> bool | Unknown:
    """Tell whether every dose of a line falls into the evening, bedtime or the night (18:00 to 03:00)."""
    rate = schedule.rate
    return rate if isinstance(rate, Unknown) and rate in (UNREADABLE, CONTRADICTORY) else _is_bedtime(schedule.moments)


def days_in(value: Decimal, unit: str) -> Fraction | Unknown:
    """Turn a time with its UCUM code or everyday name into days, exactly."""
    known = unit_named(unit)
    if known is None or known.code not in _DAYS or not is_number(value):
        return UNREADABLE
    return exact(value) * _DAYS[known.code]


def _why_not_said(dosage: Dosage) -> Unknown:
    """Say why there is no rate in a line that states none."""
    if dosage.is_as_needed:
        return Unknown("as-needed-without-limit")
    return Unknown("timing-in-text") if dosage.text or dosage.patient_instruction else _NOT_SAID


def _with_code(timing: Timing) -> Timing | Unknown:
    """Lay Timing.code beside Timing.repeat: the code fills what repeat leaves open and may not contradict it."""
    coded = timing_of_code(timing.code) if timing.code else Timing()
    if isinstance(coded, Unknown):
        return coded if _rate(timing) == _NOT_SAID else timing
    if coded == Timing():
        return timing
    if not _same_time_of_day(timing, coded) or not _same_rate(timing, coded):
        return CONTRADICTORY
    return _filled(timing, coded)


def _filled(timing: Timing, coded: Timing) -> Timing:
    """Complete a repeat with what its code says; what the repeat says itself stays."""
    filled = timing
    if not _has_cycle(timing, coded):
        cycle = (coded.frequency, coded.period, coded.period_max, coded.period_unit)
        filled = replace(timing, frequency=cycle[0], period=cycle[1], period_max=cycle[2], period_unit=cycle[3])
    if not (timing.when or timing.time_of_day):
        filled = replace(filled, when=coded.when)
    if timing.count is None and coded.count is not None:
        filled = replace(filled, count=coded.count)
    return replace(filled, day_of_week=timing.day_of_week or coded.day_of_week)


def _has_cycle(timing: Timing, coded: Timing) -> bool:
    """Repeat itself says how often; a frequency without a period that the code repeats is no more than the code."""
    parts = (timing.frequency_max, timing.period, timing.period_max)
    has_own_frequency = timing.frequency not in (None, coded.frequency)
    return has_own_frequency or bool(timing.period_unit) or any(part is not None for part in parts)


def _same_rate(timing: Timing, coded: Timing) -> bool:
    """Tell whether repeat and code can both be true; weekdays may stand in the repeat alone."""
    if not _has_cycle(timing, coded) or isinstance(_rate(timing), Unknown):
        return True
    return any(_overlap(_rate(way), _rate(coded)) for way in (timing, replace(timing, day_of_week=())))


def _overlap(rate: Span | Unknown, wanted: Span | Unknown) -> bool:
    """Two rates have a value in common."""
    if isinstance(rate, Unknown) or isinstance(wanted, Unknown):
        return False
    return rate.low <= wanted.high and wanted.low <= rate.high


def _same_time_of_day(timing: Timing, coded: Timing) -> bool:
    """Repeat and code do not name opposite times of day."""
    said, meant = _is_bedtime(_moments(timing)), _is_bedtime(_moments(coded))
    return isinstance(said, Unknown) or isinstance(meant, Unknown) or said == meant


def _rate(timing: Timing) -> Span | Unknown:
    """Times a day, averaged over the cycle."""
    if not _is_readable(timing):
        return UNREADABLE
    if timing.when and timing.time_of_day and len(set(timing.when)) != len(_clock_times(timing)):
        return CONTRADICTORY
    return _rate_without_period(timing) if timing.period is None else _rate_with_period(timing, timing.period)


def _rate_without_period(timing: Timing) -> Span | Unknown:
    """Moments and weekdays say how often by themselves; a bare frequency does not."""
    takings, moments, days = _takings(timing), _moment_count(timing), _weekdays(timing)
    if moments:
        if timing.frequency is None and _moments(timing) & _MEALS:
            return UNREADABLE
        return _on_days(_tied(takings, Fraction(1), timing), days)
    if timing.frequency is None and timing.frequency_max is None and not days:
        return one(1) if timing.count == 1 else _NOT_SAID
    is_once = takings == one(1) and bool(days or timing.count == 1)
    return _on_days(one(1), days) if is_once else UNREADABLE


def _rate_with_period(timing: Timing, period: Decimal) -> Span | Unknown:
    """So many times in a period, at the moments and on the weekdays named."""
    cycle, days = _cycle(timing, period), _weekdays(timing)
    takings = _takings(timing)
    if days and cycle.high > 1:
        return _in_whole_weeks(takings, cycle, timing)
    if not _moment_count(timing):
        return _on_days(takings / cycle, days)
    if cycle.low == cycle.high:
        return _on_days(_tied(takings, cycle.low, timing), days)
    return takings / cycle if takings.high <= cycle.low * _moment_count(timing) else CONTRADICTORY


def _tied(takings: Span, cycle: Fraction, timing: Timing) -> Span | Unknown:
    """Tie a frequency to the moments of the day: a frequency of 1 means each moment, else the two must agree."""
    moments = _moment_count(timing)
    if _moments(timing) & _MEALS:
        return takings / one(cycle)
    if cycle < 1:
        return one(moments) if takings / one(cycle) == one(moments) else CONTRADICTORY
    if takings == one(1):
        return one(moments) / one(cycle)
    agrees = takings.low <= moments <= takings.high if cycle == 1 else takings.high <= moments * cycle
    return takings / one(cycle) if agrees else CONTRADICTORY


def _in_whole_weeks(takings: Span, cycle: Span, timing: Timing) -> Span | Unknown:
    """Weekdays within a cycle of weeks: "3 times a week on Mon, Wed, Fri" and "once a week on …" both mean each day once."""
    if cycle.low != cycle.high or cycle.low % _WEEK:
        return UNREADABLE
    each_day = len(_weekdays(timing)) * (_moment_count(timing) or 1)
    if takings in (one(1), one(each_day)):
        return one(each_day) / cycle
    is_one_day = len(_weekdays(timing)) == 1 and not _moment_count(timing)
    return takings / cycle if is_one_day else CONTRADICTORY


def _on_days(rate: Span | Unknown, days: frozenset[str]) -> Span | Unknown:
    """Average a rate of the days named over the week."""
    if isinstance(rate, Unknown) or not days:
        return rate
    return rate * one(Fraction(len(days), _WEEK))


def _takings(timing: Timing) -> Span:
    """How many times in the cycle; once where no frequency is given."""
    least = timing.frequency or 1
    return Span(Fraction(least), Fraction(timing.frequency_max or least))


def _cycle(timing: Timing, period: Decimal) -> Span:
    """Length of the cycle in days, of a timing that is readable."""
    longest = period if timing.period_max is None else timing.period_max
    unit = _DAYS[_unit(timing)]
    return Span(exact(period) * unit, exact(longest) * unit)


def _unit(timing: Timing) -> str:
    """Name the unit of the period by its UCUM code; empty where it is unknown."""
    known = unit_named(timing.period_unit)
    return known.code if known is not None and known.code in _DAYS else ""


def _is_readable(timing: Timing) -> bool:
    """Each element has a meaning by itself."""
    return all(check(timing) for check in _CHECKS)


def _frequency_is_readable(timing: Timing) -> bool:
    """Frequencies are counts, the larger one not below the other."""
    least = 1 if timing.frequency is None else timing.frequency
    most = least if timing.frequency_max is None else timing.frequency_max
    return 0 < least <= most <= LARGEST


def _period_is_readable(timing: Timing) -> bool:
    """Period and unit stand together or not at all; a longest period is not below the period."""
    if timing.period is None:
        return not timing.period_unit and timing.period_max is None
    longest = timing.period if timing.period_max is None else timing.period_max
    return bool(_unit(timing)) and is_number(timing.period) and is_number(longest) and 0 < timing.period <= longest


def _moments_are_readable(timing: Timing) -> bool:
    """Each moment is an EventTiming code or a clock time, each weekday a code of FHIR's list."""
    clock = all(_clock_time(time) for time in timing.time_of_day)
    return clock and set(timing.when) <= _EVENTS and _weekdays(timing) <= _WEEKDAYS


_CHECKS: Final[tuple[Callable[[Timing], bool], ...]] = (_frequency_is_readable, _period_is_readable, _moments_are_readable)


def _weekdays(timing: Timing) -> frozenset[str]:
    """Weekdays named, each once."""
    return frozenset(day.lower() for day in timing.day_of_week)


def _clock_time(text: str) -> str:
    """Write a time of day as HH:MM; empty where it is none."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return ""
    hour, minute = int(match[1]), int(match[2])
    return f"{hour:02}:{minute:02}" if hour < _HOURS and minute < _MINUTES else ""


def _clock_times(timing: Timing) -> frozenset[str]:
    """Times of day named, each once."""
    return frozenset(time for text in timing.time_of_day if (time := _clock_time(text)))


def _moments(timing: Timing) -> frozenset[str]:
    """Moments of the day, as codes and clock times."""
    return frozenset(timing.when) | _clock_times(timing)


def _moment_count(timing: Timing) -> int:
    """How many moments a day: codes and clock times that stand together mean the same moments."""
    return max(len(set(timing.when)), len(_clock_times(timing)))


def _is_bedtime(moments: frozenset[str]) -> bool | Unknown:
    """Tell whether every moment is evening or night; any moment by day decides against it."""
    if not moments:
        return Unknown("no-time-of-day")
    if any(_is_by_day(moment) for moment in moments):
        return False
    return Unknown("vague-time-of-day") if moments & _VAGUE else True


def _is_by_day(moment: str) -> bool:
    """Tell whether a moment is surely between the end of the night and the evening."""
    if ":" in moment:
        return _NIGHT_ENDS <= moment < _EVENING_BEGINS
    return moment in _BY_DAY


def _length(timing: Timing, rate: Span | Unknown) -> Span | Unknown:
    """Days that the instruction holds: its bounds, else its count at its rate."""
    bounds = timing.bounds or _UNBOUNDED
    if bounds.length is not None:
        return _span_of(days_in(bounds.length.low, bounds.length.unit), days_in(bounds.length.high, bounds.length.unit))
    if bounds.start and bounds.end and bounds.start <= bounds.end:
        return one((bounds.end - bounds.start).days + 1)
    if timing.count is None or isinstance(rate, Unknown) or not 0 < timing.count <= LARGEST:
        return NO_LENGTH
    return one(timing.count) / rate


def _span_of(low: Fraction | Unknown, high: Fraction | Unknown) -> Span | Unknown:
    """Two readable ends, in order and above 0, as a span."""
    if isinstance(low, Unknown) or isinstance(high, Unknown) or not 0 <= low <= high or not high:
        return NO_LENGTH
    return Span(low, high)
