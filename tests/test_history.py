"""Earlier orders of the same drug: first, renewal, step, and the time on the dose before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.facts.history import continuation, days_since_earlier, earlier_orders, history_facts, same_drug
from cds_service.facts.registry import Fact
from cds_service.fhir.chart import Chart, Completeness, Kind, MedicationRecord
from cds_service.fhir.elements import Bounds, Concept, Dosage, Dose, Medication, Period, Timing
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity, QuantityRange
from cds_service.unknown import Unknown

TODAY = date(2026, 11, 22)
COMPLETE = dict.fromkeys(Kind, Completeness.COMPLETE)
DRUG = DrugMatch(frozenset({"some-class"}), "some-drug", "Some drug", "code", Unknown("no-strength"), Unknown("no-interval"))
POWDER = replace(DRUG, classes=frozenset({"some-class", "bulk-powder"}), name="Some powder")
DEPOT = replace(DRUG, classes=frozenset({"some-class", "depot"}))
COMBINATION = replace(DRUG, classes=frozenset({"some-class", "fixed-combination"}))
OTHER = replace(DRUG, ingredient="other-drug")
PLAIN = MedicationRecord(
    "MedicationRequest", "order", "draftOrders.entry[0]", Medication(Concept()), DRUG, status="draft", authored_on=TODAY
)
NAMES = ("is_first", "is_renewal", "increase", "time_on_previous_dose")


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def daily(
    dose: float | str,
    high: float | str | None = None,
    *,
    days: int | None = None,
    start: date | None = None,
    end: date | None = None,
    sequence: int | None = None,
) -> Dosage:
    """So many mg once a day, for so many days or from a day."""
    length = None if days is None else QuantityRange(Decimal(days), Decimal(days), "d")
    bounds = Bounds(start, end, length) if start or end or length else None
    amount = QuantityRange(Decimal(str(dose)), Decimal(str(dose if high is None else high)), "mg")
    timing = Timing(frequency=1, period=Decimal(1), period_unit="d", bounds=bounds)
    return Dosage(sequence=sequence, timing=timing, doses=(Dose("ordered", amount),))


def order(*dosages: Dosage, **elements: Any) -> MedicationRecord:  # noqa: ANN401 - any element of a record
    return replace(PLAIN, dosages=dosages, **elements)


def listed(since: int | None, *dosages: Dosage, **elements: Any) -> MedicationRecord:  # noqa: ANN401 - any element of a record
    written = None if since is None else ago(since)
    return replace(
        PLAIN,
        **{
            "id": f"listed-{since}",
            "where": f"medications {since}",
            "status": "active",
            "authored_on": written,
            "dosages": dosages,
            **elements,
        },
    )


def facts(
    draft: MedicationRecord,
    *medications: MedicationRecord,
    drafts: Sequence[MedicationRecord] = (),
    completeness: Mapping[Kind, Completeness] = COMPLETE,
) -> tuple[object, ...]:
    """First, renewal, increase and time on the dose before; Unknown by its reason."""
    chart = Chart(orders=(draft, *drafts), medications=medications, completeness=completeness)
    found = history_facts(draft, chart, TODAY)
    assert set(found) == {f"order.{name}" for name in (*NAMES, "previous_daily_dose", "days_since_previous_ended")}
    return tuple(_plain(found[f"order.{name}"].value) for name in NAMES)


def _plain(value: object) -> object:
    if isinstance(value, QuantityRange):
        return str(value)
    return value.reason if isinstance(value, Unknown) else value


FIRST = (True, False, "no-earlier-order", "no-earlier-order")
FOUR = order(daily(4.5))


def test_an_order_without_another_is_the_first() -> None:
    assert facts(FOUR) == FIRST


@pytest.mark.parametrize(
    ("completeness", "missing"),
    [
        ({}, "medications"),
        ({**COMPLETE, Kind.MEDICATIONS: Completeness.PARTIAL}, "medications"),
        ({**COMPLETE, Kind.HISTORY: Completeness.FAILED}, "history"),
    ],
)
def test_it_takes_whole_lists_to_call_an_order_the_first(completeness: Mapping[Kind, Completeness], missing: str) -> None:
    found = history_facts(FOUR, Chart(orders=(FOUR,), completeness=completeness), TODAY)
    assert {fact.value for fact in found.values()} == {Unknown("no-medication-list", missing=missing)}


@pytest.mark.parametrize("kind", [Kind.CONDITIONS, Kind.PATIENT])
def test_other_lists_do_not_matter(kind: Kind) -> None:
    assert facts(FOUR, completeness={**COMPLETE, kind: Completeness.MISSING}) == FIRST


def test_an_earlier_order_decides_however_little_was_read() -> None:
    assert facts(FOUR, listed(30, daily(4.5)), completeness={}) == (False, True, "0 mg/d", "30 d")


def test_a_draft_is_continued_by_one_of_the_same_drug_that_begins_later() -> None:
    later = replace(FOUR, id="later", where="draftOrders.entry[1]", authored_on=TODAY + timedelta(days=14))
    other = replace(later, drug=Unknown("no-code"))
    ended = replace(later, status="stopped")
    assert continuation(FOUR, Chart(orders=(FOUR, later)), TODAY) == Fact(True, (FOUR.where, later.where))  # noqa: FBT003 - the value
    for alone in ((FOUR,), (FOUR, FOUR), (FOUR, other), (FOUR, ended)):
        assert continuation(FOUR, Chart(orders=alone), TODAY) == Fact(False, (FOUR.where,))  # noqa: FBT003 - the value
    assert continuation(later, Chart(orders=(FOUR, later)), TODAY).value is False


def test_of_an_unknown_drug_nothing_is_known() -> None:
    unknown = order(daily(4.5), drug=Unknown("no-code"))
    assert facts(unknown, listed(30, daily(4.5), drug=Unknown("no-code"))) == ("no-code",) * 4


def test_facts_rest_on_the_order_and_the_earlier_ones() -> None:
    found = history_facts(FOUR, Chart(orders=(FOUR,), medications=(listed(30, daily(3)),), completeness=COMPLETE), TODAY)
    assert {fact.rests_on for fact in found.values()} == {("draftOrders.entry[0]", "medications 30")}


@pytest.mark.parametrize(
    ("dose", "before", "expected"),
    [
        (4.5, 4.5, (False, True, "0 mg/d", "14 d")),
        (4.5, 3, (False, False, "1.5 mg/d", "14 d")),
        (3, 4.5, (False, False, "-1.5 mg/d", "14 d")),
        ("4.5004", "4.5", (False, True, "0 mg/d", "14 d")),
        ("4.502", "4.5", (False, False, "0.002 mg/d", "14 d")),
        ("4.5", "4.502", (False, False, "-0.002 mg/d", "14 d")),
    ],
)
def test_the_dose_is_held_against_the_one_before(dose: float | str, before: float | str, expected: tuple[object, ...]) -> None:
    assert facts(order(daily(dose)), listed(14, daily(before))) == expected


@pytest.mark.parametrize(
    ("own", "before", "renewal", "increase"),
    [
        ((1.5, 3), (1.5, 3), True, "-1.5 to 1.5 mg/d"),
        ((1.5, 3), (3, 3), "dose-range", "-1.5 to 0 mg/d"),
        ((3, 3), (1.5, 3), "dose-range", "0 to 1.5 mg/d"),
        ((1.5, 3), (4.5, 4.5), False, "-3 to -1.5 mg/d"),
        ((4.5, 6), (1.5, 3), False, "1.5 to 4.5 mg/d"),
        ((1.5, 3), (1.5, 4.5), "dose-range", "-3 to 1.5 mg/d"),
        ((1.5, 4.5), (3, 4.5), "dose-range", "-3 to 1.5 mg/d"),
    ],
)
def test_ranges_of_doses_are_compared_as_ranges(
    own: tuple[float, float], before: tuple[float, float], renewal: object, increase: str
) -> None:
    found = facts(order(daily(*own)), listed(14, daily(*before)))
    assert found[1:3] == (renewal, increase)


def test_a_dose_that_is_not_known_cannot_be_compared() -> None:
    own = facts(order(Dosage(text="as before")), listed(14, daily(3)))
    before = facts(order(daily(3)), listed(14, Dosage(text="as before")))
    assert [one if isinstance(one, str) else "?" for one in (*own[1:3], *before[1:3])].count("?") == 0
    assert (own[0], own[3], before[0], before[3]) == (False, "14 d", False, "14 d")


def test_a_titration_that_begins_with_the_dose_before_is_no_renewal() -> None:
    rising = order(daily(3, days=14, sequence=1), daily(4.5, sequence=2))
    assert facts(rising, listed(14, daily(3)))[:3] == (False, False, "0 mg/d")


def test_a_titration_with_an_unknown_step_may_or_may_not_be_a_renewal() -> None:
    rising = order(daily(3, days=14, sequence=1), Dosage(sequence=2, timing=Timing(frequency=1, period=Decimal(1), period_unit="d")))
    assert facts(rising, listed(14, daily(3)))[1] not in (True, False)


@pytest.mark.parametrize(
    ("drug", "expected"),
    [(DRUG, False), (POWDER, False), (DEPOT, True), (COMBINATION, True), (OTHER, True), (Unknown("no-code"), True)],
)
def test_only_the_same_drug_in_the_same_kind_of_product_came_before(drug: DrugMatch | Unknown, expected: bool) -> None:  # noqa: FBT001
    assert facts(FOUR, listed(30, daily(4.5), drug=drug))[0] is expected


def test_powder_and_what_is_made_of_it_are_one_drug() -> None:
    assert same_drug(order(drug=POWDER), order()) is True
    assert same_drug(order(drug=POWDER), order(drug=DEPOT)) is False


@pytest.mark.parametrize(
    "elements",
    [
        {"status": "cancelled"},
        {"status": "entered-in-error"},
        {"status": "draft"},
        {"do_not_perform": True},
        {"intent": "proposal"},
        {"intent": "option"},
        {"resource_type": "MedicationStatement", "status": "not-taken"},
        {"resource_type": "MedicationStatement", "status": "intended"},
        {"is_of_this_patient": False},
        {"id": "order"},
    ],
)
def test_what_was_never_taken_or_is_the_order_itself_came_not_before(elements: dict[str, Any]) -> None:
    assert facts(FOUR, listed(30, daily(4.5), **elements)) == FIRST


@pytest.mark.parametrize("status", ["active", "completed", "stopped", "on-hold", "unknown", ""])
def test_a_used_order_came_before_whatever_its_status(status: str) -> None:
    assert facts(FOUR, listed(30, daily(3), status=status)) == (False, False, "1.5 mg/d", "30 d")


@pytest.mark.parametrize("resource_type", ["MedicationStatement", "MedicationDispense"])
def test_statements_and_fills_with_a_dose_tell_it(resource_type: str) -> None:
    assert facts(FOUR, listed(30, daily(3), resource_type=resource_type)) == (False, False, "1.5 mg/d", "30 d")


@pytest.mark.parametrize(
    ("resource_type", "dosages"),
    [("MedicationStatement", ()), ("MedicationDispense", ()), ("MedicationAdministration", (daily(3),))],
)
def test_a_fill_without_a_dose_shows_use_but_no_dose(resource_type: str, dosages: tuple[Dosage, ...]) -> None:
    fill = listed(5, *dosages, resource_type=resource_type)
    assert facts(FOUR, fill) == (False, "no-earlier-dose", "no-earlier-dose", "no-start")
    assert facts(FOUR, fill, listed(30, daily(3))) == (False, False, "1.5 mg/d", "30 d")


def test_the_newest_order_is_the_one_before() -> None:
    assert facts(FOUR, listed(10, daily(3)), listed(30, daily(1.5))) == (False, False, "1.5 mg/d", "10 d")
    assert facts(FOUR, listed(30, daily(1.5)), listed(10, daily(3))) == (False, False, "1.5 mg/d", "10 d")


def test_a_newest_order_without_a_readable_dose_leaves_the_step_unknown() -> None:
    found = facts(FOUR, listed(10, Dosage(text="as told")), listed(30, daily(1.5)))
    assert (found[0], found[3]) == (False, "10 d")
    assert isinstance(found[1], str)


def test_consecutive_orders_of_one_dose_are_one_time_on_it() -> None:
    orders = [listed(10, daily(3)), listed(40, daily(3)), listed(70, daily(1.5)), listed(100, daily(3))]
    assert facts(FOUR, *orders)[3] == "40 d"


def test_a_statement_of_the_day_of_an_order_does_not_outrank_it() -> None:
    says = listed(10, daily(1.5), id="says", resource_type="MedicationStatement")
    assert facts(FOUR, listed(10, daily(3)), says)[2] == "1.5 mg/d"
    assert facts(FOUR, says, listed(10, daily(3)))[2] == "1.5 mg/d"


def test_two_orders_of_one_day_with_different_doses_leave_the_dose_unknown() -> None:
    assert facts(FOUR, listed(10, daily(3)), listed(10, daily(1.5), id="b")) == (
        False,
        "several-earlier-orders",
        "several-earlier-orders",
        "10 d",
    )
    assert facts(FOUR, listed(10, daily(3)), listed(10, daily(3), id="b")) == (False, False, "1.5 mg/d", "10 d")


def test_the_prescription_that_the_order_names_is_the_one_before() -> None:
    draft = order(daily(4.5), prior_prescription="MedicationRequest/listed-30")
    assert facts(draft, listed(10, daily(1.5)), listed(30, daily(3)), listed(60, daily(3))) == (False, False, "1.5 mg/d", "60 d")


def test_a_named_prescription_outranks_another_of_its_day() -> None:
    draft = order(daily(4.5), prior_prescription="MedicationRequest/b")
    assert facts(draft, listed(10, daily(3), id="b"), listed(10, daily(1.5)))[2] == "1.5 mg/d"


def test_a_named_prescription_that_is_not_listed_leaves_the_newest() -> None:
    draft = order(daily(4.5), prior_prescription="MedicationRequest/unheard-of")
    assert facts(draft, listed(10, daily(3)), listed(30, daily(1.5)))[2:] == ("1.5 mg/d", "10 d")


def test_a_named_prescription_without_dates_tells_the_dose_alone() -> None:
    draft = order(daily(4.5), prior_prescription="MedicationRequest/listed-None")
    assert facts(draft, listed(None, daily(3)), listed(30, daily(3)))[2:] == ("1.5 mg/d", "no-start")


def test_beside_a_named_prescription_an_undated_order_tells_nothing() -> None:
    draft = order(daily(4.5), prior_prescription="MedicationRequest/listed-10")
    assert facts(draft, listed(None, daily(3)), listed(10, daily(3)))[2:] == ("1.5 mg/d", "10 d")


def test_of_a_long_list_the_newest_and_the_named_order_are_looked_at() -> None:
    old = [listed(day, daily(3)) for day in range(11, 211)]
    draft = order(daily(4.5), prior_prescription="MedicationRequest/listed-900")
    assert facts(FOUR, *old, listed(10, daily(1.5)))[2:] == ("3 mg/d", "10 d")
    assert facts(draft, *old, listed(900, daily(1.5)))[2:] == ("3 mg/d", "900 d")
    assert facts(FOUR, *old)[3] == "110 d"


def test_an_order_without_dates_tells_the_dose_only_where_nothing_else_does() -> None:
    assert facts(FOUR, listed(None, daily(3))) == (False, False, "1.5 mg/d", "no-start")
    assert facts(FOUR, listed(None, daily(3)), listed(9, daily(1.5)))[2:] == ("3 mg/d", "9 d")
    assert facts(FOUR, listed(None, daily(3)), listed(9, daily(3)))[3] == "9 d"


def test_a_titration_without_dates_leaves_the_dose_unknown() -> None:
    rising = listed(None, daily(1.5, days=14, sequence=1), daily(3, sequence=2))
    assert facts(FOUR, rising) == (False, "no-start", "no-start", "no-start")


@pytest.mark.parametrize(
    ("since", "increase", "time"),
    [
        (5, "3 mg/d", "5 d"),
        (14, "3 mg/d", "14 d"),
        (15, "1.5 mg/d", "1 d"),
        (28, "1.5 mg/d", "14 d"),
        (29, "0 mg/d", "1 d"),
        (60, "0 mg/d", "32 d"),
    ],
)
def test_a_patient_stands_where_the_titration_of_an_earlier_order_has_come(since: int, increase: str, time: str) -> None:
    rising = listed(since, daily(1.5, days=14, sequence=1), daily(3, days=14, sequence=2), daily(4.5, sequence=3))
    assert facts(FOUR, rising)[2:] == (increase, time)


def test_a_titration_by_dates_stands_where_its_dates_say() -> None:
    rising = listed(30, daily(1.5, start=ago(30), end=ago(17)), daily(3, start=ago(16), end=ago(-10)))
    assert facts(FOUR, rising)[2:] == ("1.5 mg/d", "16 d")


def test_a_titration_without_lengths_leaves_the_dose_unknown() -> None:
    rising = listed(30, daily(1.5, sequence=1), daily(3, sequence=2))
    assert facts(FOUR, rising) == (False, "no-length", "no-length", "30 d")


def test_time_counts_to_the_day_on_which_the_draft_begins() -> None:
    later = order(daily(4.5, start=ago(-7)))
    assert facts(later, listed(10, daily(3)))[3] == "17 d"
    assert facts(order(daily(4.5), validity=Period(ago(-7))), listed(10, daily(3)))[3] == "17 d"
    assert facts(order(daily(4.5, start=ago(3))), listed(10, daily(3)))[3] == "10 d"


def test_an_order_listed_today_is_before_and_one_of_tomorrow_has_no_dose_yet() -> None:
    assert facts(FOUR, listed(0, daily(3)))[2:] == ("1.5 mg/d", "0 d")
    assert facts(FOUR, listed(-1, daily(3))) == (False, "no-earlier-dose", "no-earlier-dose", "no-start")


def titration() -> list[MedicationRecord]:
    """Three drafts of two weeks each."""
    return [
        order(daily(1.5 * (turn + 1), start=ago(-14 * turn), end=ago(-14 * turn - 13)), id=f"draft-{turn}", where=f"draft {turn}")
        for turn in range(3)
    ]


def test_several_drafts_of_one_signing_are_a_titration() -> None:
    first, second, third = titration()
    assert facts(first, drafts=[second, third]) == FIRST
    assert facts(second, drafts=[third, first]) == (False, False, "1.5 mg/d", "14 d")
    assert facts(third, drafts=[second, first]) == (False, False, "1.5 mg/d", "14 d")


def test_drafts_echoed_on_the_list_are_still_drafts() -> None:
    first, second, third = titration()
    echoes = [replace(draft, status="active") for draft in (first, second, third)]
    assert facts(first, *echoes, drafts=[second, third]) == FIRST


def test_drafts_without_dates_follow_their_sequence() -> None:
    first, second = order(daily(1.5, sequence=1), id="a"), order(daily(3, sequence=2), id="b")
    assert facts(first, drafts=[second]) == FIRST
    assert facts(second, drafts=[first]) == (False, False, "1.5 mg/d", "0 d")


@pytest.mark.parametrize("sequence", [None, 2])
def test_drafts_of_one_day_and_no_order_are_none_before_the_other(sequence: int | None) -> None:
    draft, other = order(daily(3, sequence=sequence), id="a"), order(daily(1.5), id="b")
    assert (facts(draft, drafts=[other]), facts(other, drafts=[draft])) == (FIRST, FIRST)


def test_drafts_of_one_day_and_one_number_are_none_before_the_other() -> None:
    draft, other = order(daily(3, sequence=1), id="a"), order(daily(1.5, sequence=1), id="b")
    assert (facts(draft, drafts=[other]), facts(other, drafts=[draft])) == (FIRST, FIRST)


def test_the_day_of_a_draft_outranks_its_number() -> None:
    sooner, later = order(daily(1.5, sequence=2), id="a"), order(daily(3, start=ago(-7), sequence=1), id="b")
    assert facts(sooner, drafts=[later]) == FIRST
    assert facts(later, drafts=[sooner])[2:] == ("1.5 mg/d", "7 d")


def test_a_draft_written_before_begins_before() -> None:
    older, newer = order(daily(1.5), id="a", authored_on=ago(3)), order(daily(3), id="b")
    assert facts(older, drafts=[newer]) == FIRST
    assert facts(newer, drafts=[older])[2:] == ("1.5 mg/d", "3 d")


def test_a_draft_without_any_date_begins_today() -> None:
    undated = order(daily(1.5), id="b", authored_on=None)
    assert facts(order(daily(3, start=ago(-7))), drafts=[undated])[2:] == ("1.5 mg/d", "7 d")


@pytest.mark.parametrize(
    "elements", [{"status": "cancelled"}, {"intent": "proposal"}, {"intent": "option"}, {"drug": OTHER}, {"is_of_this_patient": False}]
)
def test_a_draft_that_starts_nothing_of_the_drug_came_not_before(elements: dict[str, Any]) -> None:
    first, second, _ = titration()
    assert facts(second, drafts=[replace(first, **elements)]) == FIRST


def test_a_listed_order_that_a_draft_stops_came_before_all_the_same() -> None:
    stop = order(daily(3), id="listed-30", status="stopped")
    assert facts(FOUR, listed(30, daily(3)), drafts=[stop]) == (False, False, "1.5 mg/d", "30 d")


def test_records_without_ids_are_not_taken_for_each_other() -> None:
    nameless = order(daily(4.5), id="")
    assert facts(nameless, listed(30, daily(3), id=""))[0] is False


@pytest.mark.parametrize(
    ("medications", "expected"),
    [
        ([], "no-earlier-order"),
        ([listed(30, daily(3))], "0 d"),
        ([listed(30, daily(3), status="completed", supply=Quantity(Decimal(10), "d"))], "20 to 21 d"),
        (
            [
                listed(30, status="completed", supply=Quantity(Decimal(10), "d")),
                listed(60, status="completed", supply=Quantity(Decimal(10), "d")),
            ],
            "20 to 21 d",
        ),
        ([listed(30, status="completed")], "0 to 30 d"),
        ([listed(30, status="completed"), listed(20, status="completed")], "0 to 20 d"),
        ([listed(None, status="completed")], "no-dates"),
        ([listed(None, status="completed"), listed(30)], "0 d"),
        ([listed(None, status="completed"), listed(30, status="completed", supply=Quantity(Decimal(10), "d"))], "no-dates"),
    ],
)
def test_the_gap_before_an_order_is_counted_from_the_last_covered_day(medications: list[MedicationRecord], expected: str) -> None:
    chart = Chart(orders=(FOUR,), medications=tuple(medications), completeness=COMPLETE)
    assert _plain(days_since_earlier(earlier_orders(FOUR, chart, TODAY))) == expected


def test_the_facts_tell_the_gap_over_all_earlier_orders_and_the_dose_before() -> None:
    newer = listed(40, daily(3), status="completed", supply=Quantity(Decimal(5), "d"))
    lasting = listed(90, daily(1.5), status="completed", supply=Quantity(Decimal(80), "d"))
    chart = Chart(orders=(FOUR,), medications=(lasting, newer), completeness=COMPLETE)
    found = history_facts(FOUR, chart, TODAY)
    assert _plain(found["order.days_since_previous_ended"].value) == "10 to 11 d"
    assert _plain(found["order.previous_daily_dose"].value) == "3 mg/d"
    open_ended = Chart(orders=(FOUR,), medications=(listed(200, daily(3), status="completed"),), completeness=COMPLETE)
    courses = {"completed": Decimal(90)}
    assert _plain(history_facts(FOUR, open_ended, TODAY, {}, courses)["order.days_since_previous_ended"].value) == "110 to 200 d"


def test_after_a_draft_of_this_signing_there_is_no_gap() -> None:
    first, second, _ = titration()
    chart = Chart(orders=(first, second), completeness=COMPLETE)
    assert _plain(days_since_earlier(earlier_orders(second, chart, TODAY))) == "0 d"


def test_depots_count_their_own_days() -> None:
    given = listed(20, drug=DEPOT, resource_type="MedicationAdministration", status="completed")
    draft = order(drug=DEPOT)
    chart = Chart(orders=(draft,), medications=(given,), completeness=COMPLETE)
    assert _plain(days_since_earlier(earlier_orders(draft, chart, TODAY, {"depot": Decimal(28)}))) == "0 d"
    assert history_facts(draft, chart, TODAY, {"depot": Decimal(28)})["order.is_first"].value is False
