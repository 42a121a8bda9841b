"""Exposures of one order: drafts, listed drugs, telling diagnoses, and what a signing stops."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.facts.exposures import (
    days_short,
    exposures,
    is_being_stopped,
    is_start,
    key,
    referred_key,
    same_ingredient,
    told_by_reason,
)
from cds_service.facts.registry import EXPOSURES, Item, Value
from cds_service.fhir.chart import Chart, Completeness, ConditionRecord, Kind, MedicationRecord
from cds_service.fhir.elements import Concept, Dosage, Medication, Period
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.quantities import Quantity, QuantityRange, exactly
from cds_service.unknown import Unknown

TODAY = date(2026, 11, 22)
ADDED_BESIDE = {"dose_class", "is_replaced", "repeats_order"}
"""Attributes that compare an item with the order: `order_facts` adds them, and its own test finds the registry complete."""
COMPLETE = dict.fromkeys(Kind, Completeness.COMPLETE)
ONE = DrugMatch(frozenset({"one-class"}), "one-drug", "One drug", "code", Unknown("no-strength"), Unknown("no-interval"))
OTHER = DrugMatch(frozenset({"other-class"}), "other-drug", "Other drug", "name", Unknown("no-strength"), Decimal(10))
OTHER_PRODUCT = replace(OTHER, name="Other drug, slow release")
OTHER_DEPOT = replace(OTHER, classes=frozenset({"other-class", "depot"}), opioid_free_days=Unknown("no-interval"))
ORDER = MedicationRecord("MedicationRequest", "order", "draftOrders.entry[0]", Medication(Concept()), ONE, is_draft=True, status="draft")
LISTED = MedicationRecord("MedicationRequest", "listed", "medications.entry[0]", Medication(Concept()), OTHER, status="active")
DRAFT = replace(ORDER, id="draft", where="draftOrders.entry[1]", drug=OTHER)
BESIDE = {"dose_class", "is_replaced", "repeats_order"}
"""What facts.beside adds."""


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def listed(**elements: Any) -> MedicationRecord:  # noqa: ANN401 - any element of a record
    return replace(LISTED, **elements)


def draft(**elements: Any) -> MedicationRecord:  # noqa: ANN401 - any element of a record
    return replace(DRAFT, **elements)


def chart(medications: Sequence[MedicationRecord] = (), drafts: Sequence[MedicationRecord] = (), **elements: Any) -> Chart:  # noqa: ANN401
    return Chart(**{"orders": (ORDER, *drafts), "medications": tuple(medications), "completeness": COMPLETE, **elements})


def found(*medications: MedicationRecord, drafts: Sequence[MedicationRecord] = (), **elements: Any) -> tuple[Item, ...]:  # noqa: ANN401
    return exposures(ORDER, chart(medications, drafts, **elements), TODAY)[0]


def values(item: Item) -> Mapping[str, Value]:
    return {name: fact.value for name, fact in item.items()}


def told(items: Sequence[Item]) -> list[tuple[object, object]]:
    """Current or not, and the days since the last dose."""
    return [
        (
            current.reason if isinstance(current := item["is_current"].value, Unknown) else current,
            str(since) if isinstance(since := item["days_since_last_dose"].value, QuantityRange) else since,
        )
        for item in items
    ]


IN_USE = (True, "0 d")
STOPPED_NOW = (False, "0 d")
UNSURE = ("one-of-several-stopped", "0 d")


def test_an_item_has_every_registered_attribute_and_rests_on_its_record() -> None:
    (item,) = found(LISTED)
    assert set(item) == set(EXPOSURES) - BESIDE - ADDED_BESIDE
    assert {fact.rests_on for fact in item.values()} == {("medications.entry[0]",)}


def test_a_listed_drug_is_an_item() -> None:
    assert [values(item) for item in found(LISTED)] == [
        {
            "drug": frozenset({"other-class"}),
            "name": "Other drug",
            "source": frozenset({"listed"}),
            "is_current": True,
            "is_listed_as_active": True,
            "is_proposed": False,
            "days_since_last_dose": exactly(0, "d"),
            "days_short_of_opioid_free": exactly(10, "d"),
            "opioid_free_days": exactly(10, "d"),
        },
    ]


def test_another_draft_is_an_item_and_the_order_itself_is_none() -> None:
    assert [values(item) for item in found(drafts=[DRAFT])] == [
        {
            "drug": frozenset({"other-class"}),
            "name": "Other drug",
            "source": frozenset({"draft"}),
            "is_current": True,
            "is_listed_as_active": True,
            "is_proposed": False,
            "days_since_last_dose": exactly(0, "d"),
            "days_short_of_opioid_free": exactly(10, "d"),
            "opioid_free_days": exactly(10, "d"),
        },
    ]


def test_of_two_equal_drafts_one_is_beside_the_other() -> None:
    twin = replace(ORDER)
    assert len(found(drafts=[twin])) == 1


@pytest.mark.parametrize(
    ("elements", "answer"),
    [
        ({"authored_on": ago(30)}, True),
        ({"authored_on": ago(30), "supply": Quantity(Decimal(5), "d")}, True),
        ({"status": "completed", "authored_on": ago(30)}, False),
        ({"status": "", "authored_on": ago(30)}, False),
        ({"is_readable": False}, False),
    ],
)
def test_an_active_order_is_listed_as_active_even_beyond_its_supply(elements: dict[str, Any], answer: bool) -> None:  # noqa: FBT001
    (item,) = found(listed(**elements))
    assert item["is_listed_as_active"].value is answer


def test_an_order_that_this_signing_stops_is_no_longer_listed_as_active() -> None:
    (item,) = found(LISTED, drafts=[draft(id="listed", status="cancelled")])
    assert item["is_listed_as_active"].value is False


@pytest.mark.parametrize("gone", [9, 10, 11])
def test_days_short_count_down_with_the_days_since_the_last_dose(gone: int) -> None:
    record = listed(status="completed", authored_on=ago(gone + 4), supply=Quantity(Decimal(5), "d"))
    (item,) = found(record)
    assert values(item)["days_since_last_dose"] == QuantityRange(Decimal(gone - 1), Decimal(gone), "d")
    assert values(item)["days_short_of_opioid_free"] == QuantityRange(Decimal(10 - gone), Decimal(11 - gone), "d")


@pytest.mark.parametrize(
    ("free", "since", "short"),
    [
        (Decimal(10), exactly(4, "d"), exactly(6, "d")),
        (Decimal(10), QuantityRange(Decimal(0), Decimal(30), "d"), QuantityRange(Decimal(-20), Decimal(10), "d")),
        (Unknown("no-interval"), exactly(4, "d"), Unknown("no-interval")),
        (Decimal(10), Unknown("no-dates"), Unknown("no-dates")),
        (Unknown("no-interval"), Unknown("no-dates"), Unknown("no-interval")),
    ],
)
def test_days_short_are_unknown_where_either_is(
    free: Decimal | Unknown, since: QuantityRange | Unknown, short: QuantityRange | Unknown
) -> None:
    assert days_short(free, since) == short


def test_a_drug_without_an_interval_says_so() -> None:
    (item,) = found(listed(drug=OTHER_DEPOT))
    attributes = values(item)
    assert (attributes["opioid_free_days"], attributes["days_short_of_opioid_free"]) == (Unknown("no-interval"), Unknown("no-interval"))


@pytest.mark.parametrize(
    "elements",
    [{"status": "cancelled"}, {"status": "entered-in-error"}, {"status": "draft"}, {"do_not_perform": True}, {"intent": "option"}],
)
def test_what_was_never_taken_is_no_item(elements: dict[str, Any]) -> None:
    assert found(listed(**elements)) == ()


def test_a_proposal_is_an_item_that_says_so() -> None:
    both = found(listed(intent="proposal"), drafts=[draft(intent="proposal")])
    assert [(item["is_proposed"].value, item["is_current"].value) for item in both] == [(True, True), (True, True)]


def test_a_plan_is_no_proposal_and_on_a_list_perhaps_a_use() -> None:
    both = found(listed(intent="plan"), drafts=[draft(intent="plan")])
    assert [(item["is_proposed"].value, item["is_current"].value) for item in both] == [(False, True), (False, Unknown("planned"))]


@pytest.mark.parametrize(
    ("elements", "items"),
    [
        ({}, [IN_USE]),
        ({"status": "active"}, [IN_USE]),
        ({"status": ""}, [IN_USE]),
        ({"status": "stopped"}, [STOPPED_NOW]),
        ({"status": "completed"}, [STOPPED_NOW]),
        ({"status": "ended"}, [STOPPED_NOW]),
        ({"status": "on-hold"}, [STOPPED_NOW]),
        ({"status": "cancelled"}, []),
        ({"status": "entered-in-error"}, []),
        ({"do_not_perform": True}, []),
        ({"intent": "option"}, []),
    ],
)
def test_another_draft_starts_its_drug_or_ends_it_today(elements: dict[str, Any], items: list[object]) -> None:
    assert told(found(drafts=[draft(**elements)])) == items


@pytest.mark.parametrize(
    ("is_same_type", "count"),
    [(True, 0), (False, 1)],
)
def test_the_echo_of_the_order_on_the_list_is_left_out(is_same_type: bool, count: int) -> None:  # noqa: FBT001
    echo = replace(ORDER, status="active", is_draft=False, resource_type="MedicationRequest" if is_same_type else "MedicationStatement")
    assert len(found(echo)) == count


def test_records_without_id_are_never_taken_for_the_order() -> None:
    nameless = replace(ORDER, id="")
    assert len(exposures(nameless, Chart(orders=(nameless,), medications=(listed(id=""),), completeness=COMPLETE), TODAY)[0]) == 1


STOPS = ["stopped", "completed", "ended", "cancelled", "on-hold"]


@pytest.mark.parametrize("status", [*STOPS, "entered-in-error"])
def test_a_draft_that_is_a_new_version_of_a_listed_order_stops_it_today(status: str) -> None:
    stop = draft(id="listed", status=status)
    assert told(found(LISTED, drafts=[stop]))[-1] == STOPPED_NOW


@pytest.mark.parametrize(
    "reference",
    ["MedicationRequest/listed", "https://ehr.example/fhir/MedicationRequest/listed", "MedicationRequest/listed/_history/2"],
)
def test_a_stop_that_names_the_prescription_before_stops_that_one(reference: str) -> None:
    stop = draft(status="cancelled", prior_prescription=reference, drug=Unknown("no-code"))
    assert told(found(LISTED, drafts=[stop])) == [STOPPED_NOW]


def test_a_reference_to_another_record_stops_nothing() -> None:
    stop = draft(status="cancelled", prior_prescription="MedicationRequest/another", drug=ONE)
    assert told(found(LISTED, drafts=[stop])) == [IN_USE]


@pytest.mark.parametrize("status", STOPS)
def test_a_stop_of_the_only_order_of_a_drug_needs_no_name(status: str) -> None:
    assert told(found(LISTED, drafts=[draft(status=status)]))[-1] == STOPPED_NOW


def test_an_error_stops_only_what_it_names() -> None:
    assert told(found(LISTED, drafts=[draft(status="entered-in-error")])) == [IN_USE]


def test_forbidding_a_drug_stops_all_of_it() -> None:
    forbid = draft(do_not_perform=True)
    assert told(found(LISTED, listed(id="second"), drafts=[forbid])) == [STOPPED_NOW, STOPPED_NOW]


def test_the_order_itself_can_stop_a_listed_one() -> None:
    stop = replace(ORDER, status="stopped", drug=OTHER)
    items, _ = exposures(stop, Chart(orders=(stop,), medications=(LISTED,), completeness=COMPLETE), TODAY)
    assert told(items) == [STOPPED_NOW]


def test_of_two_orders_of_a_drug_a_stop_without_name_leaves_doubt() -> None:
    both = [listed(id="a"), listed(id="b")]
    assert told(found(*both, drafts=[draft(status="cancelled")])) == [UNSURE, UNSURE]
    assert told(found(*both, drafts=[draft(status="cancelled"), draft(id="x", status="cancelled")])) == [STOPPED_NOW, STOPPED_NOW]


def test_of_two_products_of_a_drug_the_one_stopped_is_meant() -> None:
    both = [listed(id="a"), listed(id="b", drug=OTHER_PRODUCT)]
    says = listed(**STATEMENT, drug=OTHER_PRODUCT)
    assert told(found(*both, says, drafts=[draft(status="cancelled")])) == [STOPPED_NOW, IN_USE, IN_USE]
    assert told(found(*both, listed(id="c"), drafts=[draft(status="cancelled")])) == [UNSURE, UNSURE, UNSURE]


def test_an_order_that_is_not_in_force_leaves_no_doubt() -> None:
    old = listed(id="old", status="completed", authored_on=ago(50), supply=Quantity(Decimal(5), "d"))
    never = listed(id="never", status="cancelled")
    told_items = told(found(LISTED, old, never, drafts=[draft(status="cancelled")]))
    assert told_items == [STOPPED_NOW, (False, "45 to 46 d")]


def test_a_stop_that_names_one_order_leaves_the_other_in_use() -> None:
    both = [listed(id="a"), listed(id="b")]
    assert told(found(*both, drafts=[draft(id="a", status="cancelled")])) == [STOPPED_NOW, IN_USE]


def test_a_named_and_an_unnamed_stop_end_both_orders() -> None:
    both = [listed(id="a"), listed(id="b")]
    assert told(found(*both, drafts=[draft(id="a", status="cancelled"), draft(status="cancelled")])) == [STOPPED_NOW, STOPPED_NOW]


def test_a_stop_of_one_drug_leaves_another_in_use() -> None:
    assert told(found(listed(drug=ONE), drafts=[draft(status="cancelled")])) == [IN_USE]


FILL = {
    "id": "fill",
    "resource_type": "MedicationDispense",
    "status": "completed",
    "authored_on": ago(1),
    "supply": Quantity(Decimal(5), "d"),
}
STATEMENT = {"id": "says", "resource_type": "MedicationStatement"}


@pytest.mark.parametrize("elements", [FILL, STATEMENT])
def test_fill_and_statement_are_stopped_with_the_only_order_of_their_drug(elements: dict[str, Any]) -> None:
    stop = draft(id="listed", status="cancelled")
    assert told(found(LISTED, listed(**elements), drafts=[stop])) == [STOPPED_NOW, STOPPED_NOW]


@pytest.mark.parametrize("elements", [FILL, STATEMENT])
def test_fill_and_statement_go_on_while_another_order_of_their_drug_does(elements: dict[str, Any]) -> None:
    stop = draft(id="listed", status="cancelled")
    assert told(found(LISTED, listed(id="b"), listed(**elements), drafts=[stop])) == [STOPPED_NOW, IN_USE, IN_USE]


def test_a_statement_without_any_order_is_stopped_by_its_drug() -> None:
    assert told(found(listed(**STATEMENT), drafts=[draft(status="cancelled")])) == [STOPPED_NOW]


def test_a_statement_beside_two_orders_of_which_one_is_stopped_is_unsure() -> None:
    items = found(listed(id="a"), listed(id="b"), listed(**STATEMENT, drug=OTHER_PRODUCT), drafts=[draft(status="cancelled")])
    assert told(items) == [UNSURE, UNSURE, UNSURE]


def test_a_statement_of_the_product_that_is_stopped_is_stopped_with_it() -> None:
    items = found(LISTED, listed(id="b", drug=OTHER_PRODUCT), listed(**STATEMENT), drafts=[draft(status="cancelled")])
    assert told(items) == [STOPPED_NOW, IN_USE, STOPPED_NOW]


def test_a_drug_that_is_not_known_is_stopped_only_by_name() -> None:
    stop = draft(status="cancelled", drug=Unknown("no-code"))
    assert told(found(LISTED, drafts=[stop])) == [IN_USE]


def test_a_listed_drug_that_is_not_known_can_be_stopped_by_name() -> None:
    stopped = chart([listed(drug=Unknown("no-code"))], [draft(id="listed", status="stopped")])
    items, lacks = exposures(ORDER, stopped, TODAY)
    assert (told(items), lacks) == ([STOPPED_NOW], ("medications",))


def test_a_stopped_depot_acts_on() -> None:
    items = found(listed(drug=OTHER_DEPOT), drafts=[draft(id="listed", status="cancelled")])
    assert told(items) == [("depot-may-act", "0 d")]


def test_what_ended_before_keeps_its_days_when_it_is_stopped() -> None:
    old = listed(status="completed", authored_on=ago(50), supply=Quantity(Decimal(5), "d"))
    assert told(found(old, drafts=[draft(id="listed", status="cancelled")])) == [(False, "45 to 46 d")]


def test_a_stop_keeps_what_else_is_known_of_the_listed_order() -> None:
    (item,) = found(listed(intent="proposal"), drafts=[draft(id="listed", status="cancelled")])
    assert (item["is_proposed"].value, item["days_short_of_opioid_free"].value) == (True, exactly(10, "d"))


def test_durations_of_depots_are_heeded() -> None:
    given = listed(drug=OTHER_DEPOT, resource_type="MedicationAdministration", status="completed", effective=Period(ago(20)))
    items, _ = exposures(ORDER, chart([given]), TODAY, durations={"depot": Decimal(28)})
    assert told(items) == [IN_USE]


TELLING = ConditionMatch("telling", "Telling diagnosis", "Telling name", "code")
SILENT = replace(TELLING, valueset="silent")
SIGNALS = {"telling": frozenset({"other-class"})}


def diagnosed(*matches: ConditionMatch, **elements: Any) -> ConditionRecord:  # noqa: ANN401 - any element of a condition
    return replace(ConditionRecord("c", "conditions.entry[0]", Concept(), matches or (TELLING,), "active", "confirmed"), **elements)


def diagnoses(*conditions: ConditionRecord) -> list[Mapping[str, Value]]:
    items, _ = exposures(ORDER, chart(conditions=conditions), TODAY, SIGNALS)
    return [values(item) for item in items]


def test_a_telling_diagnosis_is_an_item_without_dates() -> None:
    unknown = Unknown("diagnosis")
    assert diagnoses(diagnosed(SILENT, TELLING)) == [
        {
            "drug": frozenset({"other-class"}),
            "name": "Telling name",
            "source": frozenset({"condition"}),
            "is_current": unknown,
            "is_listed_as_active": unknown,
            "is_proposed": False,
            "days_since_last_dose": unknown,
            "days_short_of_opioid_free": unknown,
            "opioid_free_days": unknown,
        },
    ]


def test_a_diagnosis_that_is_over_says_when() -> None:
    (item,) = diagnoses(diagnosed(clinical_status="resolved", abated=ago(3)))
    assert (item["is_current"], item["is_listed_as_active"], item["is_proposed"]) == (False, False, False)
    assert item["days_since_last_dose"] == exactly(3, "d")
    assert item["opioid_free_days"] == item["days_short_of_opioid_free"] == Unknown("diagnosis")
    assert (item["source"], item["name"]) == (frozenset({"condition"}), "Telling name")


def test_a_diagnosis_that_counts_is_not_over_whatever_its_end_says() -> None:
    assert [item["is_current"] for item in diagnoses(diagnosed(abated=ago(3)))] == [Unknown("diagnosis")]


def test_the_reason_of_an_order_is_an_item_that_rests_on_the_order() -> None:
    (item,) = told_by_reason(ORDER, [SILENT, TELLING], SIGNALS)
    assert values(item) == diagnoses(diagnosed(TELLING))[0]
    assert {fact.rests_on for fact in item.values()} == {("draftOrders.entry[0]",)}


def test_a_diagnosis_without_a_name_has_the_title_of_its_value_set() -> None:
    assert [item["name"] for item in diagnoses(diagnosed(replace(TELLING, name="")))] == ["Telling diagnosis"]


def test_a_diagnosis_item_has_every_registered_attribute_and_rests_on_its_condition() -> None:
    items, _ = exposures(ORDER, chart(conditions=(diagnosed(),)), TODAY, SIGNALS)
    assert [set(item) for item in items] == [set(EXPOSURES) - ADDED_BESIDE]
    assert {fact.rests_on for fact in items[0].values()} == {("conditions.entry[0]",)}


@pytest.mark.parametrize(
    ("elements", "count"),
    [
        ({}, 1),
        ({"verification_status": "unconfirmed"}, 1),
        ({"verification_status": "refuted"}, 0),
        ({"verification_status": "entered-in-error"}, 0),
        ({"clinical_status": "resolved"}, 0),
        ({"clinical_status": "remission"}, 0),
        ({"matches": (SILENT,)}, 0),
    ],
)
def test_a_diagnosis_tells_only_while_it_counts(elements: dict[str, Any], count: int) -> None:
    assert len(diagnoses(diagnosed(**elements))) == count


@pytest.mark.parametrize(
    ("completeness", "lacks"),
    [
        (COMPLETE, ()),
        ({}, ("medications", "history", "conditions")),
        ({**COMPLETE, Kind.MEDICATIONS: Completeness.PARTIAL}, ("medications",)),
        ({**COMPLETE, Kind.HISTORY: Completeness.FAILED}, ("history",)),
        ({**COMPLETE, Kind.CONDITIONS: Completeness.MISSING}, ("conditions",)),
        ({**COMPLETE, Kind.PATIENT: Completeness.MISSING}, ()),
    ],
)
def test_what_was_not_complete_is_named(completeness: dict[Kind, Completeness], lacks: tuple[str, ...]) -> None:
    assert exposures(ORDER, chart(completeness=completeness), TODAY)[1] == lacks


@pytest.mark.parametrize("elements", [{"drug": Unknown("no-code")}, {"is_of_this_patient": False}])
def test_a_record_that_cannot_be_told_is_no_item_but_a_lack(elements: dict[str, Any]) -> None:
    beside = exposures(ORDER, chart([listed(**elements)]), TODAY)
    drafted = exposures(ORDER, chart(drafts=[draft(**elements)]), TODAY)
    assert (beside, drafted) == (((), ("medications",)), ((), ("medications",)))


def test_a_record_that_was_never_taken_is_no_lack() -> None:
    assert exposures(ORDER, chart([listed(drug=Unknown("no-code"), status="cancelled")]), TODAY) == ((), ())


@pytest.mark.parametrize(
    ("elements", "answer"),
    [
        ({}, False),
        ({"status": "active"}, False),
        ({"status": ""}, False),
        ({"status": "stopped"}, True),
        ({"status": "completed"}, True),
        ({"status": "ended"}, True),
        ({"status": "cancelled"}, True),
        ({"status": "entered-in-error"}, True),
        ({"do_not_perform": True}, True),
        ({"status": "on-hold"}, Unknown("on-hold")),
        ({"status": "on-hold", "do_not_perform": True}, True),
        ({"status": "on-hold", "id": "listed"}, True),
        ({"status": "on-hold", "prior_prescription": "MedicationRequest/listed"}, True),
    ],
)
def test_a_draft_stops_cancels_pauses_or_forbids(elements: dict[str, Any], answer: bool | Unknown) -> None:  # noqa: FBT001
    assert is_being_stopped(draft(**elements), chart([LISTED])) == answer


def test_a_draft_on_hold_without_id_is_no_listed_record() -> None:
    assert is_being_stopped(draft(id="", status="on-hold"), chart([listed(id="")])) == Unknown("on-hold")


@pytest.mark.parametrize(
    ("elements", "answer"),
    [
        ({}, True),
        ({"intent": "proposal"}, False),
        ({"intent": "option"}, False),
        ({"status": "stopped"}, False),
        ({"status": "on-hold"}, False),
    ],
)
def test_a_start_is_no_stop_no_proposal_and_no_option(elements: dict[str, Any], answer: bool) -> None:  # noqa: FBT001
    assert is_start(draft(**elements)) == answer


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("", ""),
        ("MedicationRequest/1", "MedicationRequest/1"),
        ("http://x/y/MedicationRequest/1/_history/3", "MedicationRequest/1"),
        ("#a", "#a"),
    ],
)
def test_a_reference_names_type_and_id(reference: str, name: str) -> None:
    assert referred_key(reference) == name


def test_a_record_is_named_by_type_and_id() -> None:
    assert (key(LISTED), key(listed(id=""))) == ("MedicationRequest/listed", "")


def test_unknown_drugs_are_never_the_same() -> None:
    unknown = draft(drug=Unknown("no-code"))
    assert (same_ingredient(unknown, unknown), same_ingredient(DRAFT, LISTED), same_ingredient(ORDER, LISTED)) == (False, True, False)


def test_as_needed_fills_stay_open() -> None:
    fill = listed(**{**FILL, "authored_on": ago(30), "dosages": (Dosage(is_as_needed=True),)})
    assert told(found(fill)) == [("as-needed-supply", "25 to 26 d")]
