"""How often, when and how long: every way in which Timing is sent."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from cds_service.facts.dose_arithmetic import Span
from cds_service.facts.dose_codes import timing_of_code
from cds_service.facts.timing import Schedule, bedtime_of, days_in, schedule_of
from cds_service.fhir.elements import Bounds, Dosage, Timing
from cds_service.quantities import LARGEST, QuantityRange
from cds_service.unknown import Unknown

CONTRADICTORY = Unknown("contradictory-timing")
UNREADABLE = Unknown("unreadable-timing")
NO_LENGTH = Unknown("no-length")


def repeat(**elements: Any) -> Timing:  # noqa: ANN401 - elements of FHIR by name
    names = {"f": "frequency", "fmax": "frequency_max", "p": "period", "pmax": "period_max", "u": "period_unit", "days": "day_of_week"}
    values = {names.get(name, name): value for name, value in elements.items()}
    for name in ("period", "period_max"):
        if name in values:
            values[name] = Decimal(values[name])
    for name in ("when", "time_of_day", "day_of_week"):
        if name in values:
            values[name] = tuple(values[name].split())
    return Timing(**values)


def schedule(**elements: Any) -> Schedule:  # noqa: ANN401 - elements of FHIR by name
    return schedule_of(Dosage(timing=repeat(**elements)))


def rate(low: int | str | Fraction, high: int | str | Fraction | None = None) -> Span:
    return Span(Fraction(low), Fraction(low if high is None else high))


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"f": 1, "p": 1, "u": "d"}, rate(1)),
        ({"f": 2, "p": 1, "u": "d"}, rate(2)),
        ({"p": 1, "u": "d"}, rate(1)),
        ({"f": 1, "p": 8, "u": "h"}, rate(3)),
        ({"f": 1, "p": 24, "u": "h"}, rate(1)),
        ({"f": 1, "p": "0.5", "u": "d"}, rate(2)),
        ({"f": 1, "p": 480, "u": "min"}, rate(3)),
        ({"f": 1, "p": 28800, "u": "s"}, rate(3)),
        ({"f": 1, "p": 2, "u": "d"}, rate("1/2")),
        ({"f": 1, "p": 3, "u": "d"}, rate("1/3")),
        ({"f": 3, "p": 1, "u": "wk"}, rate("3/7")),
        ({"f": 1, "p": 1, "u": "mo"}, rate("16/487")),
        ({"f": 1, "p": 1, "u": "a"}, rate("4/1461")),
        ({"f": 1, "p": 1, "u": "day"}, rate(1)),
        ({"f": 1, "fmax": 2, "p": 1, "u": "d"}, rate(1, 2)),
        ({"fmax": 2, "p": 1, "u": "d"}, rate(1, 2)),
        ({"fmax": 1, "p": 1, "u": "d"}, rate(1)),
        ({"f": 1, "p": 4, "pmax": 6, "u": "h"}, rate(4, 6)),
        ({"f": 1, "fmax": 2, "p": 4, "pmax": 6, "u": "h"}, rate(4, 12)),
    ],
)
def test_frequency_and_period_give_exact_times_a_day(elements: dict[str, Any], expected: Span) -> None:
    assert schedule(**elements).rate == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"when": "HS"}, rate(1)),
        ({"when": "MORN HS"}, rate(2)),
        ({"when": "MORN MORN"}, rate(1)),
        ({"when": "CM CD CV"}, rate(3)),
        ({"when": "ACM"}, rate(1)),
        ({"when": "HS", "f": 1, "p": 1, "u": "d"}, rate(1)),
        ({"when": "MORN HS", "f": 2, "p": 1, "u": "d"}, rate(2)),
        ({"when": "MORN HS", "f": 1, "p": 1, "u": "d"}, rate(2)),
        ({"when": "MORN HS", "f": 1, "fmax": 2, "p": 1, "u": "d"}, rate(1, 2)),
        ({"when": "MORN HS", "f": 2}, rate(2)),
        ({"when": "HS", "f": 1}, rate(1)),
        ({"when": "HS", "f": 3, "p": 1, "u": "wk"}, rate("3/7")),
        ({"when": "HS", "f": 1, "p": 2, "u": "d"}, rate("1/2")),
        ({"when": "MORN HS", "f": 1, "p": 12, "u": "h"}, rate(2)),
        ({"when": "HS", "f": 1, "p": 24, "u": "h"}, rate(1)),
        ({"when": "HS", "f": 1, "p": 1, "pmax": 2, "u": "d"}, rate("1/2", 1)),
        ({"when": "MORN HS", "f": 2, "p": 1, "pmax": 2, "u": "d"}, rate(1, 2)),
        ({"when": "AC", "f": 3, "p": 1, "u": "d"}, rate(3)),
        ({"when": "PC", "f": 1, "p": 1, "u": "d"}, rate(1)),
        ({"when": "C", "f": 3}, rate(3)),
        ({"when": "AC", "f": 1, "p": 8, "u": "h"}, rate(3)),
        ({"when": "AC"}, UNREADABLE),
        ({"when": "HS", "f": 2, "p": 1, "u": "d"}, CONTRADICTORY),
        ({"when": "HS", "f": 2}, CONTRADICTORY),
        ({"when": "MORN NOON HS", "f": 2, "p": 1, "u": "d"}, CONTRADICTORY),
        ({"when": "HS", "f": 1, "p": 8, "u": "h"}, CONTRADICTORY),
        ({"when": "HS", "f": 8, "p": 1, "u": "wk"}, CONTRADICTORY),
        ({"when": "HS", "f": 4, "p": 1, "pmax": 2, "u": "d"}, CONTRADICTORY),
        ({"when": "HS", "f": 7, "p": 1, "u": "wk"}, rate(1)),
        ({"when": "SOON"}, UNREADABLE),
        ({"time_of_day": "21:00:00"}, rate(1)),
        ({"time_of_day": "08:00:00 21:00"}, rate(2)),
        ({"time_of_day": "08:00 8:00:00"}, rate(1)),
        ({"time_of_day": "08:00:00.000 21:00", "f": 2, "p": 1, "u": "d"}, rate(2)),
        ({"time_of_day": "08:00 21:00", "f": 3, "p": 1, "u": "d"}, CONTRADICTORY),
        ({"time_of_day": "24:00"}, UNREADABLE),
        ({"time_of_day": "21:60"}, UNREADABLE),
        ({"time_of_day": "evening"}, UNREADABLE),
        ({"time_of_day": "21:00", "when": "HS"}, rate(1)),
        ({"time_of_day": "08:00 21:00", "when": "HS"}, CONTRADICTORY),
    ],
)
def test_moments_of_the_day_count_once_each_and_must_agree_with_the_frequency(elements: dict[str, Any], expected: Span | Unknown) -> None:
    assert schedule(**elements).rate == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"days": "mon wed fri"}, rate("3/7")),
        ({"days": "mon mon"}, rate("1/7")),
        ({"days": "Mon"}, rate("1/7")),
        ({"days": "mon wed fri", "f": 1, "p": 1, "u": "d"}, rate("3/7")),
        ({"days": "mon wed fri", "f": 2, "p": 1, "u": "d"}, rate("6/7")),
        ({"days": "mon wed fri", "f": 1, "p": 12, "u": "h"}, rate("6/7")),
        ({"days": "mon wed fri", "f": 3, "p": 1, "u": "wk"}, rate("3/7")),
        ({"days": "mon wed fri", "f": 1, "p": 1, "u": "wk"}, rate("3/7")),
        ({"days": "mon wed fri", "f": 1, "p": 7, "u": "d"}, rate("3/7")),
        ({"days": "mon wed fri", "f": 1, "p": 2, "u": "wk"}, rate("3/14")),
        ({"days": "mon wed fri", "f": 2, "p": 1, "u": "wk"}, CONTRADICTORY),
        ({"days": "mon", "f": 2, "p": 1, "u": "wk"}, rate("2/7")),
        ({"days": "mon", "f": 2, "p": 1, "u": "wk", "when": "HS"}, CONTRADICTORY),
        ({"days": "mon thu", "f": 1, "p": 1, "u": "wk", "when": "MORN HS"}, rate("4/7")),
        ({"days": "mon thu", "f": 4, "p": 1, "u": "wk", "when": "MORN HS"}, rate("4/7")),
        ({"days": "mon wed", "f": 1, "p": 2, "u": "d"}, UNREADABLE),
        ({"days": "mon wed", "f": 2, "p": 1, "pmax": 2, "u": "wk"}, UNREADABLE),
        ({"days": "mon wed fri", "f": 1}, rate("3/7")),
        ({"days": "mon wed fri", "f": 3}, UNREADABLE),
        ({"days": "mon wed", "when": "HS"}, rate("2/7")),
        ({"days": "mon tue", "time_of_day": "08:00 20:00"}, rate("4/7")),
        ({"days": "mon tue", "when": "HS", "f": 1, "p": 1, "u": "d"}, rate("2/7")),
        ({"days": "monday"}, UNREADABLE),
        ({"days": "mon tue wed thu fri sat sun"}, rate(1)),
    ],
)
def test_weekdays_filter_the_days(elements: dict[str, Any], expected: Span | Unknown) -> None:
    assert schedule(**elements).rate == expected


@pytest.mark.parametrize(
    "elements",
    [
        {"f": 1},
        {"f": 2, "p": 1},
        {"f": 1, "u": "d"},
        {"fmax": 2},
        {"f": 0, "p": 1, "u": "d"},
        {"f": -1, "p": 1, "u": "d"},
        {"f": 3, "fmax": 2, "p": 1, "u": "d"},
        {"f": int(LARGEST) + 1, "p": 1, "u": "d"},
        {"f": 1, "p": 0, "u": "d"},
        {"f": 1, "p": -1, "u": "d"},
        {"f": 1, "p": 2, "pmax": 1, "u": "d"},
        {"f": 1, "pmax": 1},
        {"when": "HS", "u": "d"},
        {"when": "HS", "pmax": 1},
        {"f": 1, "p": 1, "u": "fortnight"},
        {"f": 1, "p": 1, "u": "mg"},
        {"f": 1, "p": "1E+999999", "u": "d"},
        {"f": 1, "p": "1E-999999", "u": "d"},
        {"f": 1, "p": "NaN", "u": "d"},
        {"f": 1, "p": 1, "pmax": "Infinity", "u": "d"},
        {"f": 1, "count": 3},
    ],
)
def test_what_has_no_sure_meaning_is_unreadable(elements: dict[str, Any]) -> None:
    assert schedule(**elements).rate == UNREADABLE


@pytest.mark.parametrize(
    ("dosage", "expected"),
    [
        (Dosage(), "no-timing"),
        (Dosage(timing=Timing()), "no-timing"),
        (Dosage(timing=Timing(count=3)), "no-timing"),
        (Dosage(text="nightly"), "timing-in-text"),
        (Dosage(timing=Timing(), patient_instruction="nightly"), "timing-in-text"),
        (Dosage(text="nightly", is_as_needed=True), "as-needed-without-limit"),
        (Dosage(timing=repeat(f=1, p=1, u="d"), dropped=("timing",)), "unreadable-timing"),
        (Dosage(timing=repeat(f=1, p=1, u="d"), dropped=("timing.repeat.when",)), "unreadable-timing"),
        (Dosage(dropped=("dosageInstruction[0].timing",)), "unreadable-timing"),
    ],
)
def test_a_line_without_timing_says_why(dosage: Dosage, expected: str) -> None:
    assert schedule_of(dosage).rate == Unknown(expected)


def test_a_dropped_element_of_another_kind_leaves_the_timing_alone() -> None:
    assert schedule_of(Dosage(timing=repeat(f=1, p=1, u="d"), dropped=("route", "site"))).rate == rate(1)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *[(code, repeat(f=1, p=1, u="d")) for code in ("QD", "q.d.", "Daily", "EVERY DAY", "once daily", "Once a day", "1 time per day", "QD PRN")],
        *[(code, repeat(f=2, p=1, u="d")) for code in ("BID", "b.i.d.", "twice daily", "2 times daily", "2x/day", "2X DAILY", "two times a day", "BID as needed")],
        *[(code, repeat(f=3, p=1, u="d")) for code in ("TID", "three times a day", "3 TIMES DAILY", "3X DAY")],
        *[(code, repeat(f=4, p=1, u="d")) for code in ("QID", "4 times a day")],
        *[(code, repeat(f=1, p=1, u="d", when="MORN")) for code in ("AM", "QAM", "every morning")],
        *[(code, repeat(f=1, p=1, u="d", when="AFT")) for code in ("in the afternoon",)],
        *[(code, repeat(f=1, p=1, u="d", when="PM")) for code in ("PM",)],
        *[(code, repeat(f=1, p=1, u="d", when="EVE")) for code in ("QPM", "every evening")],
        *[(code, repeat(f=1, p=1, u="d", when="HS")) for code in ("BED", "HS", "QHS", "q.h.s.", "nightly", "Every Night at Bedtime", "AT BEDTIME")],
        *[(code, repeat(f=1, p=2, u="d")) for code in ("QOD", "every other day", "Q2D", "every 2 days", "EVERY TWO DAYS")],
        *[(code, repeat(f=1, p=3, u="d")) for code in ("every third day", "Q3D")],
        *[(code, repeat(f=1, p=n, u="h")) for n, code in ((1, "Q1H"), (2, "Q2H"), (3, "Q3H"), (4, "Q4H"), (6, "Q6H"), (8, "Q8H"), (12, "every 12 hours"), (72, "Q72H"))],
        ("Q4-6H", repeat(f=1, p=4, pmax=6, u="h")),
        ("every 4 to 6 hours prn", repeat(f=1, p=4, pmax=6, u="h")),
        *[(code, repeat(f=1, p=1, u="wk")) for code in ("WK", "weekly", "every week", "once weekly", "EVERY 1 WEEK")],
        ("EVERY OTHER WEEK", repeat(f=1, p=2, u="wk")),
        ("EVERY OTHER NIGHT", repeat(f=1, p=2, u="d", when="HS")),
        *[(code, repeat(f=3, p=1, u="wk")) for code in ("TIW", "three times a week", "3x weekly", "3 TIMES PER WEEK")],
        ("MWF", repeat(f=1, p=1, u="d", days="mon wed fri")),
        *[(code, repeat(f=1, p=1, u="mo")) for code in ("MO", "monthly", "ONCE A MONTH", "EVERY 1 MONTH")],
        *[(code, repeat(f=1, p=1, u="h")) for code in ("QH", "hourly")],
        *[(code, repeat(count=1)) for code in ("ONCE", "STAT", "x1")],
        *[(code, repeat()) for code in ("PRN", "as needed", "  ")],
        *[(code, repeat(f=1, p=1, u="d", when="HS")) for code in ("Once a day (at bedtime)", "every day at bedtime")],
        ("Every morning before breakfast", repeat(f=1, p=1, u="d", when="ACM")),
        *[(code, UNREADABLE) for code in ("at 21:00", "daily for 14 days", "1 capsule daily", "daily, then weekly", "for 3 doses")],
        ("DAILY".ljust(60), repeat(f=1, p=1, u="d")),
        ("DAILY".ljust(61), UNREADABLE),
        *[(code, UNREADABLE) for code in ("2 WEEKLY", "1 WEEK", "2 DAILY", "2 DAYS", "BIWEEKLY", "Q0H", "PRN DAILY", "307486002", "DAILY" * 20)],
    ],
)  # fmt: skip
def test_a_timing_code_or_its_text_means_what_the_ward_means(code: str, expected: Timing | Unknown) -> None:
    assert timing_of_code(code) == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"code": "BID"}, rate(2)),
        ({"code": "BID", "f": 2, "p": 1, "u": "d"}, rate(2)),
        ({"code": "BID", "f": 1, "p": 12, "u": "h"}, rate(2)),
        ({"code": "BID", "f": 1, "p": 1, "u": "d"}, CONTRADICTORY),
        ({"code": "QD", "f": 2, "p": 1, "u": "d"}, CONTRADICTORY),
        ({"code": "BID", "f": 1, "fmax": 2, "p": 1, "u": "d"}, rate(1, 2)),
        ({"code": "Q4-6H", "f": 1, "p": 6, "u": "h"}, rate(4)),
        ({"code": "Q4H", "f": 1, "p": 4, "pmax": 6, "u": "h"}, rate(4, 6)),
        ({"code": "TID", "f": 1, "fmax": 2, "p": 1, "u": "d"}, CONTRADICTORY),
        ({"code": "as directed", "f": 2, "p": 1, "u": "d"}, rate(2)),
        ({"code": "as directed"}, UNREADABLE),
        ({"code": "PRN"}, Unknown("no-timing")),
        ({"code": "BID", "f": 2}, rate(2)),
        ({"code": "QHS", "f": 1}, rate(1)),
        ({"code": "BID", "f": 1}, UNREADABLE),
        ({"code": "QD", "days": "mon wed fri", "f": 1, "p": 1, "u": "d"}, rate("3/7")),
        ({"code": "TIW", "days": "mon wed fri", "f": 1, "p": 1, "u": "d"}, rate("3/7")),
        ({"code": "TID", "days": "mon wed fri", "f": 1}, CONTRADICTORY),
        ({"code": "BID", "days": "mon"}, rate("2/7")),
        ({"code": "WK", "days": "mon"}, rate("1/7")),
        ({"code": "MWF"}, rate("3/7")),
        ({"code": "Q4-6H"}, rate(4, 6)),
        ({"code": "BID", "u": "d"}, UNREADABLE),
        ({"code": "BID", "f": 2, "u": "d"}, UNREADABLE),
        ({"code": "MWF", "f": 1, "p": 1, "u": "d"}, CONTRADICTORY),
        ({"code": "MWF", "f": 3, "p": 1, "u": "wk"}, rate("3/7")),
        ({"code": "BID", "when": "MORN HS"}, rate(2)),
        ({"code": "BID", "when": "HS"}, CONTRADICTORY),
        ({"code": "QHS", "when": "HS"}, rate(1)),
        ({"code": "QOD", "when": "HS"}, rate("1/2")),
        ({"code": "QHS", "when": "MORN"}, CONTRADICTORY),
        ({"code": "QAM", "time_of_day": "21:00"}, CONTRADICTORY),
        ({"code": "QHS", "time_of_day": "21:00"}, rate(1)),
        ({"code": "ONCE"}, rate(1)),
        ({"code": "ONCE", "f": 1, "p": 1, "u": "d"}, rate(1)),
        ({"code": "ONCE", "f": 2, "p": 1, "u": "d"}, CONTRADICTORY),
        ({"code": "BID", "bounds": Bounds(start=date(2026, 11, 22))}, rate(2)),
    ],
)
def test_repeat_wins_over_its_code_unless_they_contradict(elements: dict[str, Any], expected: Span | Unknown) -> None:
    assert schedule(**elements).rate == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"f": 1, "p": 1, "u": "d"}, Unknown("no-time-of-day")),
        *[({"when": event}, True) for event in ("HS", "PHS", "NIGHT", "EVE", "EVE.early", "EVE.late", "CV", "ACV", "PCV", "HS NIGHT")],
        *[({"when": event}, False) for event in ("MORN", "MORN.early", "MORN.late", "NOON", "AFT", "AFT.early", "AFT.late", "WAKE")],
        *[({"when": event}, False) for event in ("CM", "ACM", "PCM", "CD", "ACD", "PCD", "MORN HS")],
        *[({"when": event, "f": 1, "p": 1, "u": "d"}, Unknown("vague-time-of-day")) for event in ("C", "AC", "PC")],
        ({"when": "MORN AC", "f": 1, "p": 1, "u": "d"}, False),
        *[({"time_of_day": time}, True) for time in ("18:00", "20:00:00", "21:30", "23:59", "00:00", "02:59")],
        *[({"time_of_day": time}, False) for time in ("03:00", "08:00", "12:00", "17:59")],
        *[({"code": code}, True) for code in ("QHS", "HS", "BED", "NIGHTLY", "QPM")],
        *[({"code": code}, False) for code in ("AM", "QAM")],
        ({"code": "PM"}, Unknown("vague-time-of-day")),
        ({"code": "BID"}, Unknown("no-time-of-day")),
        ({"code": "QHS", "f": 1, "p": 1, "u": "d"}, True),
        ({"code": "QHS", "when": "MORN"}, CONTRADICTORY),
        ({"when": "SOON HS"}, UNREADABLE),
        ({}, Unknown("no-time-of-day")),
    ],
)
def test_the_time_of_day_is_bedtime_or_by_day_or_not_said(elements: dict[str, Any], expected: bool | Unknown) -> None:  # noqa: FBT001
    assert bedtime_of(schedule(**elements)) == expected


def length_of(low: object, high: object, unit: str) -> Bounds:
    return Bounds(length=QuantityRange(Decimal(str(low)), Decimal(str(high)), unit))


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"bounds": length_of(14, 14, "d")}, rate(14)),
        ({"bounds": length_of(2, 2, "wk")}, rate(14)),
        ({"bounds": length_of(1, 2, "wk")}, rate(7, 14)),
        ({"bounds": length_of(2, 2, "weeks")}, rate(14)),
        ({"bounds": length_of(48, 48, "h")}, rate(2)),
        ({"bounds": length_of("0.5", 1, "d")}, rate("1/2", 1)),
        ({"bounds": length_of(0, 7, "d")}, rate(0, 7)),
        ({"bounds": length_of(2, 1, "wk")}, NO_LENGTH),
        ({"bounds": length_of(0, 0, "wk")}, NO_LENGTH),
        ({"bounds": length_of(-1, 1, "wk")}, NO_LENGTH),
        ({"bounds": length_of(1, 1, "mg")}, NO_LENGTH),
        ({"bounds": length_of(1, "1E+99", "d")}, NO_LENGTH),
        ({"bounds": Bounds(date(2026, 11, 22), date(2026, 12, 5))}, rate(14)),
        ({"bounds": Bounds(date(2026, 11, 22), date(2026, 11, 22))}, rate(1)),
        ({"bounds": Bounds(date(2026, 11, 22), date(2026, 11, 21))}, NO_LENGTH),
        ({"bounds": Bounds(date(2026, 11, 22))}, NO_LENGTH),
        ({"count": 14}, rate(14)),
        ({"count": 14, "f": 2, "p": 1, "u": "d"}, rate(7)),
        ({"count": 0}, NO_LENGTH),
        ({"count": 10**13}, NO_LENGTH),
        ({}, NO_LENGTH),
    ],
)
def test_bounds_or_a_count_say_how_long(elements: dict[str, Any], expected: Span | Unknown) -> None:
    assert schedule(**{"f": 1, "p": 1, "u": "d", **elements}).length == expected


def test_a_single_administration_is_one_dose_on_one_day() -> None:
    for once in (schedule(count=1), schedule(code="ONCE"), schedule(f=1, count=1), schedule(f=1, p=1, u="d", code="ONCE")):
        assert (once.rate, once.length, once.count) == (rate(1), rate(1), 1)


def test_the_extent_of_a_contradictory_timing_is_kept() -> None:
    bounds = Bounds(start=date(2026, 11, 22))
    found = schedule(code="BID", f=1, p=1, u="d", bounds=bounds, count=3)
    assert (found.rate, found.bounds, found.count, found.has_extent) == (CONTRADICTORY, bounds, 3, True)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (8, "h", Fraction(1, 3)),
        (1, "wk", 7),
        (1, "month", Fraction(487, 16)),
        (1, "mL", UNREADABLE),
        (1, "", UNREADABLE),
        ("NaN", "d", UNREADABLE),
    ],
)
def test_times_are_turned_into_days_exactly(value: int | str, unit: str, expected: Fraction | Unknown) -> None:
    assert days_in(Decimal(value), unit) == expected
