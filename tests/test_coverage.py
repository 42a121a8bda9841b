"""Coverage of listed drugs: boundary days, statuses, kinds of record, depots."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.facts.coverage import Coverage, coverage, first_bound
from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.elements import Bounds, Concept, Dosage, Medication, Period, Timing
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity, QuantityRange, exactly
from cds_service.unknown import Unknown

TODAY = date(2026, 11, 22)
DRUG = DrugMatch(frozenset({"some-class"}), "some-drug", "Some drug", "code", Unknown("no-strength"), Decimal(10))
DEPOT = replace(DRUG, classes=frozenset({"some-class", "depot"}))
DURATIONS = {"some-drug": Decimal(28)}
PLAIN = MedicationRecord("MedicationRequest", "1", "medications[0]", Medication(Concept()), DRUG)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def supply(days: float | str, unit: str = "d") -> Quantity:
    return Quantity(Decimal(days), unit)


def bounded(start: date | None = None, end: date | None = None, days: int | None = None, sequence: int | None = None) -> Dosage:
    length = None if days is None else QuantityRange(Decimal(1), Decimal(days), "d")
    return Dosage(sequence=sequence, timing=Timing(bounds=Bounds(start, end, length)))


def covered(durations: dict[str, Decimal] | None = None, /, **elements: Any) -> Coverage:  # noqa: ANN401 - any element of a record
    return coverage(replace(PLAIN, **elements), TODAY, durations or {})


def told(coverage_: Coverage) -> tuple[object, object]:
    """Is it current, and for how many days has it not been."""
    since = coverage_.days_since_last_dose
    days = (int(since.low), int(since.high)) if isinstance(since, QuantityRange) else since.reason
    current = coverage_.is_current
    return (current.reason if isinstance(current, Unknown) else current, days)


@pytest.mark.parametrize(
    ("written", "days", "repeats", "last"),
    [
        (0, 5, None, ago(-4)),
        (5, 5, None, ago(1)),
        (5, 5, 0, ago(1)),
        (10, 5, 1, ago(1)),
        (10, 5, -1, ago(6)),
        (5, "0.5", None, ago(5)),
        (5, "1.5", None, ago(4)),
        (5, 10**11, None, date.max),
    ],
)
def test_a_supply_covers_from_the_first_day_with_all_its_repeats(written: int, days: float, repeats: int | None, last: date) -> None:
    found = covered(authored_on=ago(written), supply=supply(days), repeats_allowed=repeats, status="completed")
    assert (found.start, found.last_covered, found.is_explicit_end) == (ago(written), last, False)


@pytest.mark.parametrize(
    ("written", "expected"),
    [(5, (False, (0, 1))), (6, (False, (1, 2))), (4, (False, (0, 4))), (0, (False, (0, 0)))],
)
def test_the_day_after_the_last_covered_day_is_one_day_since_the_last_dose_or_none(written: int, expected: tuple[object, object]) -> None:
    assert told(covered(status="completed", authored_on=ago(written), supply=supply(5))) == expected


@pytest.mark.parametrize(("unit", "last"), [("wk", ago(24)), ("days", ago(29)), ("mo", ago(0)), ("", None), ("mg", None)])
def test_a_supply_counts_in_units_of_time_alone(unit: str, last: date | None) -> None:
    found = covered(status="completed", authored_on=ago(30), supply=supply(1 if unit != "days" else 2, unit))
    assert found.last_covered == (last or Unknown("no-end"))


@pytest.mark.parametrize("days", [0, -3])
def test_a_supply_of_no_days_is_no_end(days: int) -> None:
    assert covered(authored_on=ago(3), supply=supply(days)).last_covered == Unknown("no-end")


def test_without_any_date_a_supply_is_no_end() -> None:
    found = covered(status="completed", supply=supply(5))
    assert (found.start, found.last_covered, told(found)) == (Unknown("no-start"), Unknown("no-end"), (False, "no-dates"))


OLD = {"authored_on": ago(30), "supply": supply(5)}
NEW = {"authored_on": ago(3), "supply": supply(30)}
OPEN = {"authored_on": ago(3)}
AHEAD = {"authored_on": ago(-3)}
NEVER = {"cancelled", "entered-in-error", "draft"}


@pytest.mark.parametrize(
    ("status", "old", "new", "undated", "ahead"),
    [
        ("active", ("listed-but-ended", (25, 26)), (True, (0, 0)), (True, (0, 0)), (True, (0, 0))),
        ("on-hold", (False, (25, 26)), (False, "on-hold"), (False, "on-hold"), (False, "on-hold")),
        ("completed", (False, (25, 26)), (False, (0, 3)), (False, (0, 3)), (False, "no-dates")),
        ("stopped", (False, (25, 26)), (False, (0, 3)), (False, (0, 3)), (False, "no-dates")),
        ("ended", (False, (25, 26)), (False, (0, 3)), (False, (0, 3)), (False, "no-dates")),
        ("unknown", (False, (25, 26)), (True, (0, 0)), ("no-end", (0, 3)), ("no-end", "no-dates")),
        ("", (False, (25, 26)), (True, (0, 0)), ("no-end", (0, 3)), ("no-end", "no-dates")),
        ("gibberish", (False, (25, 26)), (True, (0, 0)), ("no-end", (0, 3)), ("no-end", "no-dates")),
    ],
)
def test_a_request_is_read_by_its_status_then_by_its_dates(status: str, old: object, new: object, undated: object, ahead: object) -> None:
    found = [covered(status=status, **dates) for dates in (OLD, NEW, OPEN, AHEAD)]
    assert [told(each) for each in found] == [old, new, undated, ahead]
    assert all(each.is_exposure for each in found)


@pytest.mark.parametrize(
    ("resource_type", "status"),
    [
        ("MedicationRequest", "cancelled"), ("MedicationRequest", "entered-in-error"), ("MedicationRequest", "draft"),
        ("MedicationStatement", "not-taken"), ("MedicationStatement", "entered-in-error"), ("MedicationStatement", "draft"),
        ("MedicationDispense", "cancelled"), ("MedicationDispense", "declined"), ("MedicationDispense", "entered-in-error"),
        ("MedicationAdministration", "not-done"), ("MedicationAdministration", "entered-in-error"),
    ],
)  # fmt: skip
def test_what_was_never_taken_is_no_exposure(resource_type: str, status: str) -> None:
    assert covered(resource_type=resource_type, status=status).is_exposure is False


@pytest.mark.parametrize(
    ("elements", "is_exposure", "is_proposed"),
    [
        ({}, True, False),
        ({"intent": "order"}, True, False),
        ({"intent": "original-order"}, True, False),
        ({"intent": "proposal"}, True, True),
        ({"intent": "plan"}, True, False),
        ({"intent": "plan", "is_reported": True}, True, False),
        ({"intent": "proposal", "is_reported": True}, True, True),
        ({"intent": "option"}, False, False),
        ({"do_not_perform": True}, False, False),
        ({"resource_type": "MedicationStatement", "status": "intended"}, True, True),
    ],
)
def test_intent_and_prohibition_tell_exposure_from_proposal(elements: dict[str, Any], is_exposure: bool, is_proposed: bool) -> None:  # noqa: FBT001
    found = covered(**{"status": "active", **elements})
    assert (found.is_exposure, found.is_proposed) == (is_exposure, is_proposed)


@pytest.mark.parametrize(
    ("dosages", "expected"),
    [
        ((bounded(ago(20), ago(8)),), (False, (8, 8))),
        ((bounded(ago(20), ago(1)),), (False, (1, 1))),
        ((bounded(ago(20), ago(0)),), (True, (0, 0))),
        ((bounded(days=10),), (False, (0, 1))),
        ((bounded(days=11),), (True, (0, 0))),
        ((bounded(ago(5), days=5),), (False, (0, 1))),
        ((bounded(ago(10), days=2, sequence=1), bounded(ago(6), days=2, sequence=2)), (False, (4, 5))),
        ((bounded(ago(5)),), (True, (0, 0))),
        ((bounded(days=3, sequence=1), bounded(days=4, sequence=2)), (False, (3, 4))),
        ((bounded(days=4, sequence=2), bounded(days=3, sequence=1)), (False, (3, 4))),
        ((bounded(days=3, sequence=1), Dosage(sequence=2)), (True, (0, 0))),
        ((Dosage(sequence=1), bounded(end=ago(2), sequence=2)), (False, (2, 2))),
        ((Dosage(sequence=1), bounded(days=2, sequence=2)), (True, (0, 0))),
        ((bounded(days=3), bounded(days=6)), (False, (4, 5))),
        ((bounded(days=3), Dosage()), (True, (0, 0))),
        ((bounded(days=3, sequence=1), Dosage()), (True, (0, 0))),
        ((bounded(days=3, sequence=1), bounded(days=5, sequence=1)), (False, (5, 6))),
        ((Dosage(timing=Timing(frequency=2, period=Decimal(1), period_unit="d", count=10)),), (False, (5, 6))),
        ((Dosage(timing=Timing(frequency=2, period=Decimal(1), period_unit="d", count=9)),), (False, (5, 6))),
        ((Dosage(timing=Timing(frequency=2, period=Decimal(1), period_unit="d")),), (True, (0, 0))),
        ((Dosage(timing=Timing(count=10)),), (True, (0, 0))),
        ((Dosage(is_as_needed=True, timing=bounded(days=5).timing),), (False, (5, 6))),
    ],
)
def test_an_active_order_is_over_only_by_its_own_dosage(dosages: tuple[Dosage, ...], expected: object) -> None:
    found = covered(status="active", authored_on=ago(10), dosages=dosages)
    assert told(found) == expected
    assert found.is_explicit_end is isinstance(found.last_covered, date)


def test_the_dosage_outranks_a_longer_or_shorter_supply() -> None:
    longer = covered(status="active", authored_on=ago(10), supply=supply(90), dosages=(bounded(days=5),))
    shorter = covered(status="active", authored_on=ago(10), supply=supply(5), dosages=(bounded(days=90),))
    assert (told(longer), told(shorter)) == ((False, (5, 6)), (True, (0, 0)))


@pytest.mark.parametrize(
    ("validity", "days", "last"),
    [
        (Period(ago(20), ago(10)), None, ago(10)),
        (Period(ago(20), ago(10)), 5, ago(10)),
        (Period(ago(20), ago(10)), 15, ago(6)),
        (Period(None, ago(10)), 5, ago(10)),
        (Period(ago(20), None), 5, ago(16)),
    ],
)
def test_validity_and_supply_end_at_the_later_of_the_two(validity: Period, days: int | None, last: date) -> None:
    found = covered(status="completed", authored_on=ago(21), validity=validity, supply=None if days is None else supply(days))
    assert (found.last_covered, found.is_explicit_end) == (last, False)


def test_an_active_order_past_its_validity_is_never_silently_ended() -> None:
    found = covered(status="active", authored_on=ago(60), validity=Period(ago(60), ago(1)))
    assert told(found) == ("listed-but-ended", (1, 1))
    assert told(covered(status="active", authored_on=ago(60), validity=Period(ago(60), ago(0)))) == (True, (0, 0))


def test_an_end_before_the_start_is_no_end() -> None:
    found = covered(status="active", authored_on=ago(5), dosages=(bounded(ago(5), ago(6)),))
    assert (found.start, found.last_covered, found.is_explicit_end, told(found)) == (ago(5), Unknown("no-end"), False, (True, (0, 0)))
    assert covered(dosages=(bounded(ago(5), ago(5)),)).last_covered == ago(5)


def test_an_end_without_a_start_counts() -> None:
    assert told(covered(status="stopped", dosages=(bounded(end=ago(3)),))) == (False, (3, 3))
    assert told(covered(status="", dosages=(bounded(end=ago(3)),))) == (False, (3, 3))


@pytest.mark.parametrize(
    ("elements", "start"),
    [
        ({"authored_on": ago(9)}, ago(9)),
        ({"authored_on": ago(9), "validity": Period(ago(8))}, ago(8)),
        ({"authored_on": ago(9), "validity": Period(ago(8)), "effective": Period(ago(7))}, ago(7)),
        ({"authored_on": ago(9), "dosages": (Dosage(), bounded(ago(5)), bounded(ago(6)), bounded())}, ago(6)),
        (
            {"authored_on": ago(9), "resource_type": "MedicationDispense", "effective": Period(ago(2)), "dosages": (bounded(ago(6)),)},
            ago(2),
        ),
        ({"resource_type": "MedicationAdministration", "effective": Period(ago(2)), "dosages": (bounded(ago(6)),)}, ago(2)),
        ({"authored_on": ago(9), "resource_type": "MedicationDispense", "dosages": (bounded(ago(6)),)}, ago(6)),
        (
            {"authored_on": ago(9), "resource_type": "MedicationStatement", "effective": Period(ago(2)), "dosages": (bounded(ago(6)),)},
            ago(6),
        ),
    ],
)
def test_a_record_begins_with_its_dosage_then_its_period_then_its_writing(elements: dict[str, Any], start: date) -> None:
    assert covered(**elements).start == start


@pytest.mark.parametrize(
    ("elements", "answer"),
    [
        ({"supply": supply(5)}, (5, 6)),
        ({"validity": Period(None, ago(6)), "supply": supply(5)}, (6, 6)),
        ({"validity": Period(None, ago(7)), "supply": supply(5)}, (5, 6)),
        ({"effective": Period(ago(10), ago(6))}, (6, 6)),
        ({"dosages": (bounded(ago(10), ago(6)),)}, (6, 6)),
        ({"dosages": (bounded(ago(10), days=5),)}, (5, 6)),
        ({"dosages": (bounded(days=5), bounded(end=ago(6)))}, (6, 6)),
        ({"resource_type": "MedicationAdministration"}, (10, 10)),
        ({"drug": DEPOT, "supply": supply(5)}, (6, 6)),
    ],
)
def test_only_an_end_that_is_named_is_exact_since_nobody_knows_when_the_first_dose_was_taken(
    elements: dict[str, Any], answer: object
) -> None:
    assert told(covered(**{"status": "completed", "authored_on": ago(10), **elements}))[1] == answer


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"status": "active"}, ("planned", (0, 0))),
        ({"status": "active", "is_reported": True}, (True, (0, 0))),
        ({"status": "completed"}, (False, (0, 3))),
        ({"status": "on-hold"}, (False, "on-hold")),
    ],
)
def test_a_plan_that_does_not_say_whether_it_reports_a_use_may_be_one(elements: dict[str, Any], expected: object) -> None:
    assert told(covered(**{"intent": "plan", "authored_on": ago(3), **elements})) == expected


def test_a_later_start_of_an_active_order_is_a_use_together() -> None:
    assert told(covered(status="active", authored_on=ago(1), dosages=(bounded(ago(-10), ago(-20)),))) == (True, (0, 0))


def test_a_later_start_without_status_is_unknown() -> None:
    assert told(covered(authored_on=ago(-1), supply=supply(5))) == ("starts-later", "no-dates")
    assert told(covered(authored_on=ago(0), supply=supply(5))) == (True, (0, 0))


STATEMENT = {"resource_type": "MedicationStatement"}


@pytest.mark.parametrize(
    ("status", "effective", "expected"),
    [
        ("active", Period(ago(90), None), (True, (0, 0))),
        ("active", None, (True, (0, 0))),
        ("active", Period(ago(90), ago(90)), (True, (0, 0))),
        ("active", Period(ago(90), ago(4)), ("listed-but-ended", (4, 4))),
        ("intended", Period(ago(-4), None), (True, (0, 0))),
        ("completed", Period(ago(90), ago(4)), (False, (4, 4))),
        ("completed", Period(ago(9), ago(9)), (False, (0, 9))),
        ("completed", Period(ago(9), None), (False, (0, 9))),
        ("stopped", None, (False, "no-dates")),
        ("on-hold", Period(ago(9), None), (False, "on-hold")),
        ("unknown", Period(ago(9), ago(2)), (False, (2, 2))),
        ("unknown", Period(ago(9), ago(0)), (True, (0, 0))),
        ("", Period(ago(9), None), ("no-end", (0, 9))),
    ],
)
def test_a_statement_is_read_by_its_status_and_period(status: str, effective: Period | None, expected: object) -> None:
    assert told(covered(**STATEMENT, status=status, effective=effective)) == expected


def test_a_supply_also_ends_a_statement() -> None:
    assert told(covered(**STATEMENT, status="completed", effective=Period(ago(9)), supply=supply(5))) == (False, (4, 5))


@pytest.mark.parametrize(
    ("status", "days", "expected"),
    [
        ("completed", 5, (False, (4, 5))),
        ("completed", 9, (False, (0, 1))),
        ("completed", 10, (True, (0, 0))),
        ("completed", None, ("no-end", (0, 9))),
        ("unknown", 5, (False, (4, 5))),
        ("in-progress", 30, (True, (0, 0))),
        ("in-progress", None, (True, (0, 0))),
        ("preparation", None, (True, (0, 0))),
        ("in-progress", 5, ("listed-but-ended", (4, 5))),
        ("on-hold", None, (False, "on-hold")),
        ("stopped", 30, ("stopped-early", (0, 9))),
        ("stopped", 5, (False, (4, 5))),
        ("stopped", None, ("no-end", (0, 9))),
    ],
)
def test_a_dispense_covers_from_the_day_it_was_handed_over(status: str, days: int | None, expected: object) -> None:
    handed_over = Period(ago(9), ago(9))
    found = covered(resource_type="MedicationDispense", status=status, effective=handed_over, supply=None if days is None else supply(days))
    assert told(found) == expected


def test_a_dispense_is_never_over_by_the_day_of_its_hand_over() -> None:
    found = covered(resource_type="MedicationDispense", status="completed", effective=Period(ago(9), ago(3)))
    assert told(found) == ("no-end", (0, 9))


def test_a_dispense_without_hand_over_is_dated_by_its_writing() -> None:
    found = covered(resource_type="MedicationDispense", status="completed", authored_on=ago(9), supply=supply(5))
    assert told(found) == (False, (4, 5))


@pytest.mark.parametrize(
    ("status", "effective", "expected"),
    [
        ("completed", Period(ago(3), ago(3)), (False, (3, 3))),
        ("completed", Period(ago(3), None), (False, (3, 3))),
        ("completed", Period(ago(0), ago(0)), (True, (0, 0))),
        ("completed", Period(ago(3), ago(1)), (False, (1, 1))),
        ("completed", None, ("no-end", "no-dates")),
        ("in-progress", Period(ago(0), None), (True, (0, 0))),
        ("in-progress", Period(ago(3), None), ("listed-but-ended", (3, 3))),
        ("stopped", Period(ago(3), ago(2)), (False, (2, 2))),
        ("on-hold", Period(ago(3), ago(2)), (False, (2, 2))),
        ("unknown", Period(ago(3), ago(2)), (False, (2, 2))),
        ("completed", Period(ago(-3), ago(-3)), ("starts-later", "no-dates")),
    ],
)
def test_an_administration_counts_from_its_day(status: str, effective: Period | None, expected: object) -> None:
    assert told(covered(resource_type="MedicationAdministration", status=status, effective=effective)) == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, ("as-needed-supply", (5, 6))),
        ({"resource_type": "MedicationDispense", "status": "completed"}, ("as-needed-supply", (5, 6))),
        ({"status": "completed"}, (False, (5, 6))),
        ({"status": "active"}, ("listed-but-ended", (5, 6))),
        ({"resource_type": "MedicationAdministration"}, (False, (10, 10))),
    ],
)
def test_a_supply_taken_as_needed_is_no_proof_of_an_end(elements: dict[str, Any], expected: object) -> None:
    lines = (Dosage(), Dosage(is_as_needed=True))
    assert told(covered(**{"authored_on": ago(10), "supply": supply(5), "dosages": lines, **elements})) == expected


def test_bounds_of_an_as_needed_order_are_an_end() -> None:
    line = replace(bounded(ago(10), ago(6)), is_as_needed=True)
    assert told(covered(dosages=(line,))) == (False, (6, 6))


@pytest.mark.parametrize("status", ["", "active", "completed"])
def test_what_was_not_readable_is_unknown(status: str) -> None:
    found = covered(is_readable=False, status=status, authored_on=ago(90), supply=supply(5))
    assert told(found) == ("not-readable", "not-readable")


GIVEN = {"resource_type": "MedicationAdministration", "status": "completed"}
FILLED = {"resource_type": "MedicationDispense", "status": "completed"}
EVERY_FOUR_WEEKS = (Dosage(timing=Timing(period=Decimal(4), period_unit="wk")),)


@pytest.mark.parametrize(
    ("elements", "day", "expected"),
    [
        (GIVEN, 27, (True, (0, 0))),
        (GIVEN, 28, (False, (1, 1))),
        (GIVEN, 30, (False, (3, 3))),
        (FILLED, 27, (True, (0, 0))),
        (FILLED, 28, (False, (1, 1))),
        ({**FILLED, "supply": supply(30)}, 29, (True, (0, 0))),
        ({**FILLED, "supply": supply(30)}, 30, (False, (1, 1))),
        ({**FILLED, "supply": supply(1)}, 27, (True, (0, 0))),
        ({"status": "active"}, 90, (True, (0, 0))),
        ({"status": "active", "supply": supply(1)}, 27, (True, (0, 0))),
        ({"status": "active", "supply": supply(1)}, 28, ("listed-but-ended", (1, 1))),
        ({"status": "completed"}, 27, (True, (0, 0))),
        ({"status": "ended"}, 27, (True, (0, 0))),
        ({"status": "completed"}, 28, ("depot-may-act", (0, 28))),
        ({"status": "completed", "supply": supply(28), "repeats_allowed": 5}, 40, ("depot-may-act", (0, 40))),
        ({"status": "completed", "supply": supply(28)}, 27, (True, (0, 0))),
        ({"status": "completed", "supply": supply(28)}, 28, (False, (1, 1))),
        ({"status": "on-hold", "supply": supply(28)}, 27, ("depot-may-act", "on-hold")),
        ({"status": "stopped"}, 27, ("depot-may-act", (0, 27))),
        ({"status": "stopped", "supply": supply(28)}, 28, (False, (1, 1))),
        ({"status": "on-hold"}, 27, ("depot-may-act", "on-hold")),
        ({"status": "on-hold", "supply": supply(28)}, 28, (False, (1, 1))),
        ({"status": "", "dosages": (bounded(days=1),)}, 27, (True, (0, 0))),
    ],
)
def test_a_depot_acts_for_its_own_duration(elements: dict[str, Any], day: int, expected: object) -> None:
    assert told(covered(DURATIONS, drug=DEPOT, authored_on=ago(day), **elements)) == expected


@pytest.mark.parametrize(
    ("durations", "day", "expected"),
    [
        ({"depot": Decimal(7), "some-class": Decimal(14)}, 13, (True, (0, 0))),
        ({"depot": Decimal(7), "some-class": Decimal(14)}, 14, (False, (1, 1))),
        ({"another": Decimal(14)}, 14, ("no-end", (0, 14))),
        ({}, 0, ("no-end", (0, 0))),
    ],
)
def test_the_longest_duration_known_counts_and_none_is_guessed(durations: dict[str, Decimal], day: int, expected: object) -> None:
    assert told(covered(durations, **GIVEN, drug=DEPOT, authored_on=ago(day))) == expected


@pytest.mark.parametrize(("day", "expected"), [(27, (True, (0, 0))), (28, (False, (1, 1)))])
def test_a_depot_without_a_listed_duration_acts_for_the_interval_of_its_order(day: int, expected: object) -> None:
    assert told(covered(**GIVEN, drug=DEPOT, authored_on=ago(day), dosages=EVERY_FOUR_WEEKS)) == expected
    assert (
        told(covered({"depot": Decimal(28)}, **GIVEN, drug=DEPOT, authored_on=ago(day), dosages=(Dosage(), *EVERY_FOUR_WEEKS))) == expected
    )


def test_the_listed_duration_outranks_the_interval_of_the_order() -> None:
    found = covered({"depot": Decimal(7)}, **GIVEN, drug=DEPOT, authored_on=ago(8), dosages=EVERY_FOUR_WEEKS)
    assert told(found) == (False, (2, 2))


def test_a_depot_dispense_without_duration_lasts_as_long_as_its_supply() -> None:
    assert told(covered(**FILLED, drug=DEPOT, authored_on=ago(30), supply=supply(28))) == (False, (3, 3))


def test_a_depot_without_dates_is_unknown() -> None:
    assert told(covered(DURATIONS, **GIVEN, drug=DEPOT)) == ("no-end", "no-dates")
    assert told(covered(DURATIONS, drug=DEPOT, status="completed")) == ("depot-may-act", "no-dates")


def test_durations_are_for_depots_alone() -> None:
    assert told(covered(DURATIONS, **GIVEN, authored_on=ago(3))) == (False, (3, 3))
    assert told(covered(DURATIONS, **GIVEN, drug=Unknown("no-code"), authored_on=ago(3))) == (False, (3, 3))


def test_the_calendar_ends_where_it_ends() -> None:
    found = covered(
        DURATIONS,
        drug=DEPOT,
        status="completed",
        authored_on=date.max,
        supply=supply(9),
        dosages=(bounded(days=9, sequence=1), bounded(days=9)),
    )
    assert found.last_covered == date.max


def test_days_of_an_order_in_use_are_exactly_none() -> None:
    assert covered(status="active").days_since_last_dose == exactly(0, "d")


def test_no_bounds_name_no_first_day() -> None:
    assert first_bound((Dosage(), Dosage(timing=Timing()), bounded(end=TODAY))) is None


# --- orders that are over and name no end -----------------------------------------------------------------------------

COURSES = {"completed": Decimal(90), "stopped": Decimal(365)}


@pytest.mark.parametrize(
    ("elements", "days"),
    [
        ({"status": "completed", "authored_on": ago(200)}, (110, 200)),
        ({"status": "completed", "authored_on": ago(90)}, (0, 90)),
        ({"status": "completed", "authored_on": ago(91)}, (1, 91)),
        ({"status": "stopped", "authored_on": ago(200)}, (0, 200)),
        ({"status": "stopped", "authored_on": ago(400)}, (35, 400)),
        ({"status": "ended", "authored_on": ago(400)}, (0, 400)),
        ({"status": "completed", "authored_on": ago(200), "repeats_allowed": 2}, (0, 200)),
        ({"status": "completed", "authored_on": ago(400), "repeats_allowed": 2}, (35, 400)),
        ({"status": "completed", "authored_on": ago(200), "repeats_allowed": 0}, (110, 200)),
        ({"status": "completed", "authored_on": ago(200), "supply": supply(5)}, (195, 196)),
        ({"status": "completed", "authored_on": ago(200), "supply": supply(5, "mg")}, (0, 200)),
        ({"status": "completed", "authored_on": ago(200), "validity": Period(None, ago(300))}, (0, 200)),
        ({"status": "completed", "authored_on": ago(200), "validity": Period(ago(150), None)}, (60, 150)),
        ({"status": "completed", "authored_on": ago(200), "dosages": (bounded(end=ago(100)),)}, (100, 100)),
        ({"status": "completed", "authored_on": ago(200), "drug": DEPOT}, (0, 200)),
        ({"status": "completed", "authored_on": ago(200), "resource_type": "MedicationStatement"}, (0, 200)),
        ({"status": "completed"}, "no-dates"),
        ({"status": "completed", "authored_on": ago(200), "is_readable": False}, "not-readable"),
    ],
)
def test_an_order_that_is_over_without_an_end_covered_a_course_at_most(elements: dict[str, Any], days: object) -> None:
    assert told(coverage(replace(PLAIN, **elements), TODAY, {}, COURSES))[1] == days


def test_an_order_in_use_is_in_use_however_long() -> None:
    assert told(coverage(replace(PLAIN, status="active", authored_on=ago(900)), TODAY, {}, COURSES)) == (True, (0, 0))
