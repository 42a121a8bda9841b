"""Reading a whole call into a Chart: triage, references, selections, lists, completeness, other patients, size."""

import copy
import json
import time
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.fhir.chart import Chart, Completeness, Kind, MedicationRecord
from cds_service.fhir.elements import Concept, Dosage, Dose, Medication
from cds_service.fhir.reading import (
    LEAST_JUDGED,
    LEAST_LINES,
    MOST_LINES_TOGETHER,
    MOST_LISTED,
    MOST_ORDERS,
    MOST_PAIRS,
    MOST_VALIDATED,
    Source,
    read_chart,
)
from cds_service.fhir.resources import MOST_LINES
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.quantities import exactly
from cds_service.unknown import Unknown

Json = dict[str, Any]
TODAY = date(2026, 11, 22)
PATIENT: Json = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-05-05"}
RECORDED = Path(__file__).parent.parent / "fixtures" / "calls"


class Drugs:
    """Knows drugs whose name begins with "drug"; a code or a name it has never heard of is no rule's concern."""

    def find(self, medication: Medication) -> DrugMatch | Unknown | None:
        names = [medication.concept.text, *(coding.display for coding in medication.concept.codings)]
        known = next((name for name in names if name.startswith(("drug", "Naltrexone", "NALTREXONE", "tramadol", "oxyCODONE"))), None)
        if known:
            return DrugMatch(frozenset([known]), known, known, "name", Unknown("no-strength"), Unknown("no-interval"))
        return None if any(names) else Unknown("no-drug")

    def nearly_named(self, medication: Medication) -> str:
        return "drug" if medication.concept.text.startswith("drig") else ""


class Problems:
    """Knows conditions whose name begins with "known"."""

    def find(self, concept: Concept) -> tuple[ConditionMatch, ...]:
        return (ConditionMatch("known", "Known", concept.text, "name"),) if concept.text.startswith("known") else ()


def order(resource_id: str | None = "r1", name: str | None = "drug a", **more: object) -> Json:
    sent = {
        "resourceType": "MedicationRequest",
        "id": resource_id,
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": name} if name else None,
        **more,
    }
    return {key: value for key, value in sent.items() if value is not None}


def condition(name: str | None = "known a", resource_id: str | None = "c1", **more: object) -> Json:
    sent = {
        "resourceType": "Condition",
        "id": resource_id,
        "subject": {"reference": "Patient/p1"},
        "code": {"text": name} if name else None,
    }
    return {key: value for key, value in {**sent, **more}.items() if value is not None}


def bundle(*resources: object) -> Json:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}


DRAFT = order("d1", status="draft")
UNTOLD: Json = {"medicationCodeableConcept": {"coding": [{"system": "urn:local", "code": "7"}]}}


def chart(
    drafts: Sequence[object] | Json = (DRAFT,),
    prefetch: Json | None = None,
    selections: Sequence[str] | None = None,
    patient_id: str = "p1",
) -> Chart:
    sent = drafts if isinstance(drafts, dict) else bundle(*drafts)
    source = Source(patient_id, sent, None if selections is None else tuple(selections), prefetch)
    return read_chart(source, Drugs(), Problems(), today=TODAY, zone=ZoneInfo("Asia/Kathmandu"), history_days=Decimal(60))


def names(records: Sequence[MedicationRecord]) -> list[str]:
    return [one.drug.name if isinstance(one.drug, DrugMatch) else "unknown" for one in records]


def full(*listed: object, **more: object) -> Json:
    return {"patient": PATIENT, "conditions": bundle(), "medications": bundle(*listed), **more}


def states(found: Chart) -> dict[str, str]:
    return {kind.value: state.value for kind, state in found.completeness.items() if state is not Completeness.COMPLETE}


# --- drafts ---------------------------------------------------------------------------------------------------------


def test_a_draft_that_concerns_a_rule_is_read_in_full() -> None:
    (found,) = chart().orders
    assert (found.where, found.id, found.is_draft, found.status) == ("draftOrders.entry[0] MedicationRequest/d1", "d1", True, "draft")


@pytest.mark.parametrize(
    "draft",
    [
        order(name="other"),
        order(name=None),
        order(medicationCodeableConcept={"coding": [{}]}),
        {"resourceType": "ServiceRequest", "code": {"coding": [{}]}, "medicationCodeableConcept": {"text": "drug a"}},
        {"resourceType": "MedicationStatement", "medicationCodeableConcept": {"text": "drug a"}},
        {"resourceType": "Medication", "code": {"text": "drug a"}},
        {},
        None,
    ],
)
def test_a_draft_that_concerns_no_rule_gives_an_empty_chart_whatever_the_prefetch(draft: object) -> None:
    unlisted = (Medication(Concept(text="other")),) if draft == order(name="other") else ()
    assert chart([draft], {"medications": bundle(order(), {"resourceType": "MedicationRequest"}), "patient": 5}) == Chart(unlisted=unlisted)


@pytest.mark.parametrize(
    "draft", [5, "naltrexone", True, [[]], {"resource": 5}, {"resource": "{}"}, {"resource": ["x"]}, {"resource": {"id": "1"}}]
)
def test_a_draft_that_is_no_resource_is_an_order_of_which_nothing_was_read(draft: object) -> None:
    (found,) = chart({"entry": [draft]}).orders
    assert (found.where, found.drug, found.dosages) == ("draftOrders.entry[0]", Unknown("no-drug"), ())


def test_a_draft_without_a_type_that_names_a_medication_is_an_order() -> None:
    sent = {name: value for name, value in order("drug a").items() if name != "resourceType"}
    (found,) = chart([sent]).orders
    assert isinstance(found.drug, DrugMatch)
    assert found.resource_type == "MedicationRequest"


@pytest.mark.parametrize("sent", [{}, {"entry": None}, {"entry": {}}, {"resourceType": "OperationOutcome"}])
def test_drafts_in_no_shape_are_no_drafts(sent: Json) -> None:
    assert chart(sent) == Chart()


@pytest.mark.parametrize(
    ("drafts", "listed", "judged"),
    [(3, 0, 3), (3, 100, 3), (44, 0, 44), (45, 0, 44), (100, 0, 20), (9, 3_000, 5), (600, 0, 5)],
)
def test_what_no_signing_holds_is_told_as_not_checked(drafts: int, listed: int, judged: int) -> None:
    lists = {"activeMedications": bundle(*(order(f"m{number}") for number in range(listed)))}
    found = chart([order(f"d{number}") for number in range(drafts)], lists)
    assert judged == min(drafts, max(LEAST_JUDGED, MOST_PAIRS // (min(drafts, MOST_ORDERS) + listed)))
    names = [found.orders[number].where.partition(" ")[0] for number in sorted(found.selected)]
    rest = [f"draftOrders.entry[{judged}]"] if judged < drafts else []
    assert names == [*(f"draftOrders.entry[{number}]" for number in range(judged)), *rest]
    assert [one.drug == Unknown("no-drug") for one in found.orders] == [False] * min(drafts, MOST_ORDERS) + [True] * len(rest)


@pytest.mark.parametrize(("drafts", "each"), [(1, 200), (10, 200), (11, 181), (100, 20), (400, 5), (401, 5)])
def test_dosage_lines_that_no_order_has_are_not_read_and_told(drafts: int, each: int) -> None:
    assert each == min(MOST_LINES, max(LEAST_LINES, MOST_LINES_TOGETHER // drafts))
    lines = [{"text": f"take {number} tablets"} for number in range(each)]
    whole = [order(f"d{number}") | {"dosageInstruction": lines} for number in range(drafts)]
    longer = [one | {"dosageInstruction": [*lines, {"text": "one"}, {"text": "more"}]} for one in whole]
    read, cut = chart(whole).orders[0], chart(longer).orders[0]
    assert (len(read.dosages), read.dropped) == (each, ())
    assert cut.dosages == (*read.dosages, Dosage(dropped=("dosageInstruction",)))
    assert cut.dropped == (f"dosageInstruction[{each}]",)


def test_a_listed_record_with_lines_that_no_order_has_is_not_whole() -> None:
    listed = order("m1") | {"dosageInstruction": [{"text": "take 1 tablet"}] * (MOST_LINES + 1)}
    found = chart(prefetch=full(listed))
    assert len(found.medications[0].dosages) == MOST_LINES + 1
    assert states(found)["medications"] == "partial"


def test_a_selection_behind_many_drafts_is_judged() -> None:
    sent = [order(f"d{number}") for number in range(80)]
    found = chart(sent, selections=["MedicationRequest/d70"])
    assert [found.orders[number].id for number in found.selected] == ["d70"]


def test_no_drafts_at_all_are_an_empty_chart() -> None:
    source = Source("p1")
    assert read_chart(source, Drugs(), Problems(), today=TODAY, zone=ZoneInfo("UTC"), history_days=Decimal(0)) == Chart()


@pytest.mark.parametrize("lost", [UNTOLD, {"medicationReference": {"reference": "Medication/404"}}, {"medicationCodeableConcept": 5}])
def test_a_draft_whose_drug_cannot_be_told_is_kept_as_unknown(lost: Json) -> None:
    draft = {key: value for key, value in DRAFT.items() if key != "medicationCodeableConcept"}
    (found,) = chart([{**draft, **lost}]).orders
    assert found.drug == Unknown("no-drug")


def test_the_orders_of_concern_are_kept_in_the_order_sent() -> None:
    found = chart([order("1", "drug b"), order("2", "other"), order("3", "drug a"), order("4", **UNTOLD, name=None)])
    assert names(found.orders) == ["drug b", "drug a", "unknown"]


REFERRING: Json = {"resourceType": "MedicationRequest", "id": "d1", "medicationReference": {"reference": "Medication/m1"}}
PRODUCT: Json = {"resourceType": "Medication", "id": "m1", "code": {"text": "drug a"}}


@pytest.mark.parametrize(
    ("address", "beside", "prefetch"),
    [
        ("Medication/m1", [{"resource": PRODUCT}], None),
        ("https://ehr/fhir/Medication/m1/_history/1", [{"resource": PRODUCT}], None),
        ("urn:uuid:7", [{"fullUrl": "urn:uuid:7", "resource": {**PRODUCT, "id": "other"}}], None),
        ("https://ehr/fhir/Medication/x", [{"fullUrl": "https://ehr/fhir/Medication/x", "resource": PRODUCT}], None),
        (
            "Medication/x",
            [{"fullUrl": "https://ehr/fhir/Medication/x", "resource": {"resourceType": "Medication", "code": {"text": "drug a"}}}],
            None,
        ),
        ("Medication/m1", [], {"k": bundle(PRODUCT)}),
        ("Medication/m1", [], {"k": PRODUCT}),
        ("Medication/m1", [], {"k": "x", "l": None, "m": bundle(5, PRODUCT)}),
        ("Medication/m1", [{"resource": PRODUCT}], {"k": {**PRODUCT, "code": {"text": "other"}}}),
    ],
)
def test_a_draft_is_told_by_the_product_that_it_refers_to(address: str, beside: list[Json], prefetch: Json | None) -> None:
    draft = {**REFERRING, "medicationReference": {"reference": address}}
    found = chart({"entry": [{"resource": draft}, *beside]}, prefetch)
    assert names(found.orders) == ["drug a"]
    assert found.orders[0].medication.is_resolved


def test_a_draft_with_a_display_alone_is_told_by_it() -> None:
    (found,) = chart([{**REFERRING, "medicationReference": {"reference": "Medication/404", "display": "drug z"}}]).orders
    assert (names([found]), found.medication.is_resolved) == (["drug z"], False)


def test_a_draft_for_another_patient_is_kept_and_says_so() -> None:
    assert [one.is_of_this_patient for one in chart([order(subject={"reference": "Patient/p2"}), DRAFT]).orders] == [False, True]


def test_a_patient_id_with_its_type_is_the_same_patient() -> None:
    found = chart(patient_id="Patient/p1", prefetch=full(order("2")))
    assert ([one.is_of_this_patient for one in found.orders], states(found)) == ([True], {})


def test_a_dstu2_order_is_kept_and_not_readable() -> None:
    (found,) = chart([{"resourceType": "MedicationOrder", "id": "o", "medicationCodeableConcept": {"text": "drug a"}}]).orders
    assert (found.is_readable, names([found])) == (False, ["drug a"])


def test_the_reason_of_a_draft_may_stand_among_the_drafts_or_in_the_prefetch() -> None:
    draft = {**DRAFT, "reasonReference": [{"reference": "Condition/c1"}, {"reference": "Condition/c2"}]}
    found = chart([draft, condition("known a", "c1")], {"k": bundle(condition("known b", "c2"))})
    assert found.orders[0].reasons == (Concept((), "known a"), Concept((), "known b"))


@pytest.mark.parametrize(
    ("selections", "chosen"),
    [
        (None, {0, 1}),
        ([], {0, 1}),
        (["MedicationRequest/2"], {0}),
        (["https://ehr/fhir/MedicationRequest/3"], {1}),
        (["3"], {1}),
        (["urn:uuid:3"], {1}),
        (["MedicationRequest/2", "MedicationRequest/3"], {0, 1}),
        (["MedicationRequest/1"], set()),
        (["ServiceRequest/9"], set()),
        (["MedicationRequest/404"], {0, 1}),
        (["MedicationRequest/404", "MedicationRequest/2"], {0}),
        ([""], {0, 1}),
    ],
)
def test_the_selections_name_the_orders_to_advise_on(selections: list[str] | None, chosen: set[int]) -> None:
    entries = [
        {"resource": order("1", "other")},
        {"resource": order("2", "drug a")},
        {"fullUrl": "urn:uuid:3", "resource": order("3", "drug b")},
        {"resource": {"resourceType": "ServiceRequest", "id": "9"}},
        {"resource": {"resourceType": "ServiceRequest"}},
        {},
    ]
    assert chart({"entry": entries}, selections=selections).selected == chosen


# --- listed medications ---------------------------------------------------------------------------------------------


def test_records_of_every_kind_are_read_from_any_key() -> None:
    kinds = ["MedicationRequest", "MedicationStatement", "MedicationDispense", "MedicationAdministration", "MedicationOrder"]
    found = chart(prefetch={f"k{kind}": bundle(order("r", f"drug {kind}", resourceType=kind)) for kind in kinds})
    assert names(found.medications) == [f"drug {kind}" for kind in kinds]


def test_a_single_resource_under_a_key_is_read() -> None:
    found = chart(prefetch={"k": order("r")})
    assert [one.where for one in found.medications] == ["prefetch.k MedicationRequest/r"]


def test_one_order_in_two_lists_is_read_once() -> None:
    found = chart(prefetch={"a": bundle(order("r"), order("s")), "b": bundle(order("r"), order("t"))})
    assert [one.id for one in found.medications] == ["r", "s", "t"]


def test_orders_without_an_id_are_never_taken_for_one_another() -> None:
    assert len(chart([order(None)], full(order(None), order(None))).medications) == 2


def test_the_draft_echoed_in_the_list_is_left_out() -> None:
    found = chart(prefetch=full(order("d1"), order("d2"), order("d1", resourceType="MedicationStatement")))
    assert [(one.resource_type, one.id) for one in found.medications] == [("MedicationRequest", "d2"), ("MedicationStatement", "d1")]


def test_the_echo_of_a_draft_whose_drug_cannot_be_told_spoils_nothing() -> None:
    lost = order("d1", name=None, **UNTOLD)
    assert states(chart([lost], full(lost))) == {}
    assert states(chart([DRAFT], full(order("d9", name=None, **UNTOLD)))) == {"medications": "partial", "history": "partial"}


def test_a_listed_order_with_the_id_of_a_draft_of_no_concern_is_kept() -> None:
    assert names(chart([DRAFT, order("r", "other")], full(order("r", "drug b"))).medications) == ["drug b"]


def test_unrelated_drugs_are_neither_kept_nor_validated() -> None:
    found = chart(prefetch=full(order("r", "other", colour=1, status=5)))
    assert (found.medications, states(found)) == ((), {})


@pytest.mark.parametrize(
    ("entry", "lost"),
    [
        (order(name=None), {"medications": "partial", "history": "partial"}),
        (order(name=None, **UNTOLD), {"medications": "partial", "history": "partial"}),
        (order(subject={"reference": "Patient/p2"}), {"medications": "partial", "history": "partial"}),
        (order(name="other", subject={"reference": "Patient/p2"}), {"medications": "partial", "history": "partial"}),
        (order(status="bogus"), {"medications": "partial", "history": "partial"}),
        (order(dosageInstruction=[{"timing": 5}]), {"medications": "partial", "history": "partial"}),
        (order(resourceType="MedicationOrder"), {"medications": "partial", "history": "partial"}),
        (None, {"medications": "partial", "history": "partial"}),
        ({"id": "x"}, {"medications": "partial", "history": "partial"}),
        (order(name=None, status="entered-in-error"), {}),
        (order(name=None, status="Cancelled"), {}),
        (order(name=None, status="not-taken", resourceType="MedicationStatement"), {}),
        (order(name=None, status="not-done", resourceType="MedicationAdministration"), {}),
        (order(name=None, status="declined", resourceType="MedicationDispense"), {}),
        (order(name=None, status="stopped"), {"medications": "partial", "history": "partial"}),
        (order(colour=1, category={"text": "x"}), {}),
        ({"resourceType": "Observation"}, {}),
        ({"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]}, {}),
    ],
)
def test_an_entry_spoils_the_lists_only_where_a_rule_could_have_needed_it(entry: Json | None, lost: dict[str, str]) -> None:
    assert states(chart(prefetch=full(order("r2"), entry))) == lost


def test_an_entry_spoils_only_the_list_that_it_stands_in() -> None:
    recent = {"activeMedications": bundle(order("r")), "recentMedications": bundle(order(name=None)), "conditions": bundle(None)}
    assert states(chart(prefetch={**recent, "patient": PATIENT})) == {"history": "partial", "conditions": "partial"}
    assert states(chart(prefetch=full(statements=bundle(order(name=None, resourceType="MedicationStatement"))))) == {
        "medications": "partial"
    }


def test_an_unreadable_order_in_two_lists_spoils_both() -> None:
    sent = {"activeMedications": bundle(order("r", status="bogus")), "recentMedications": bundle(order("r", status="bogus"))}
    found = chart(prefetch={**sent, "patient": PATIENT, "conditions": bundle()})
    assert states(found) == {"medications": "partial", "history": "partial"}


def test_records_of_another_patient_are_left_out() -> None:
    found = chart(prefetch=full(order("r", subject={"reference": "Patient/p2"}), order("s")))
    assert [one.id for one in found.medications] == ["s"]


# --- conditions and patient -----------------------------------------------------------------------------------------


def test_conditions_of_a_value_set_are_kept_once_and_the_rest_dropped() -> None:
    sent = bundle(
        condition("known a", "1"),
        condition("known a", "1"),
        condition("other", "2"),
        condition("known b", None),
        condition("known b", None),
    )
    found = chart(prefetch=full(conditions=sent))
    assert [(one.id, one.concept.text) for one in found.conditions] == [("1", "known a"), ("", "known b"), ("", "known b")]
    assert found.conditions[0].where == "prefetch.conditions.entry[0] Condition/1"
    assert states(found) == {}


@pytest.mark.parametrize(
    ("entry", "is_spoilt"),
    [
        (condition(None), True),
        (condition(code={"coding": [{"system": "urn:x"}]}), True),
        (condition(subject={"reference": "Patient/p2"}), True),
        (condition(clinicalStatus={"coding": [{"code": "bogus"}]}), True),
        (condition("other", clinicalStatus={"coding": [{"code": "bogus"}]}), False),
        (condition(severity=5), False),
        (None, True),
        ({"resourceType": "Observation"}, False),
    ],
)
def test_a_condition_spoils_the_list_only_where_it_cannot_be_told(entry: Json | None, *, is_spoilt: bool) -> None:
    found = chart(prefetch=full(conditions=bundle(condition("known z", "z"), entry)))
    assert states(found) == ({"conditions": "partial"} if is_spoilt else {})


def test_a_condition_of_another_patient_is_left_out() -> None:
    assert chart(prefetch=full(conditions=bundle(condition(subject={"reference": "Patient/p2"})))).conditions == ()


def test_a_condition_sound_after_an_unsound_one_does_not_mend_the_list() -> None:
    sent = bundle(condition(clinicalStatus=5, resource_id="1"), condition(resource_id="2"))
    assert states(chart(prefetch=full(conditions=sent))) == {"conditions": "partial"}


@pytest.mark.parametrize(
    ("patient", "born", "lost"),
    [
        (PATIENT, date(1980, 5, 5), {}),
        ({"resourceType": "Patient", "birthDate": "1980-05-05"}, date(1980, 5, 5), {}),
        ({"resourceType": "Patient", "id": "p1"}, None, {}),
        ({**PATIENT, "birthDate": "x"}, None, {"patient": "partial"}),
        ({**PATIENT, "id": "p2"}, None, {"patient": "partial"}),
        (bundle({**PATIENT, "id": "p2"}, PATIENT), date(1980, 5, 5), {"patient": "partial"}),
        (None, None, {"patient": "missing"}),
        ("123", None, {"patient": "failed"}),
    ],
)
def test_the_day_of_birth_is_that_of_this_patient(patient: object, born: date | None, lost: dict[str, str]) -> None:
    found = chart(prefetch=full(patient=patient))
    assert (found.birth_date, states(found)) == (born, lost)


def test_without_a_patient_id_any_patient_is_taken() -> None:
    found = chart(prefetch=full(order("r", subject={"reference": "Patient/p2"})), patient_id="")
    assert (found.birth_date, len(found.medications), states(found)) == (date(1980, 5, 5), 1, {})


def test_what_is_not_sent_is_missing() -> None:
    assert states(chart()) == dict.fromkeys(("patient", "conditions", "medications", "history"), "missing")


# --- places, size, whole calls --------------------------------------------------------------------------------------


def test_ids_and_keys_are_inert_in_places() -> None:
    found = chart([order("<b>\n" + "x" * 300)], {"a/b ü": bundle(order("**c**"))})
    assert found.orders[0].where == "draftOrders.entry[0] MedicationRequest/_b__" + "x" * 76
    assert (found.orders[0].id, found.medications[0].where) == ("", "prefetch.a_b__.entry[0] MedicationRequest/__c__")
    assert chart([order(None)]).orders[0].where == "draftOrders.entry[0] MedicationRequest"


def test_beyond_the_number_that_is_validated_the_same_is_read() -> None:
    odd: Json = {"colour": 1, "dosageInstruction": {"doseQuantity": {"value": 5, "unit": "mg"}}, "authoredOn": "2026-11-01T08:00"}
    found = chart(prefetch=full(*[order(f"r{number}", **odd) for number in range(MOST_VALIDATED + 2)]))
    first, last = found.medications[0], found.medications[-1]
    assert (last.dosages, last.authored_on, last.dropped) == (first.dosages, date(2026, 11, 1), ())
    assert last.dosages[0].doses == (Dose("", exactly(5, "mg")),)
    assert ("colour" in first.raw, "colour" in last.raw) == (False, True)
    assert states(found) == {}


@pytest.mark.parametrize("name", ["other", "drug a"])
def test_ten_thousand_entries_are_read_in_bounded_time(name: str) -> None:
    many = full(
        *[order(f"r{number}", name) for number in range(10_000)], conditions=bundle(*[condition("known", str(n)) for n in range(1000)])
    )
    began = time.process_time()
    found = chart(prefetch=many)
    assert time.process_time() - began < 10
    assert (len(found.medications), len(found.conditions)) == (MOST_LISTED if name == "drug a" else 0, 1000)


@pytest.mark.parametrize(
    ("number", "expected"), [(MOST_LISTED, {}), (MOST_LISTED + 1, dict.fromkeys(("medications", "history"), "partial"))]
)
def test_a_list_that_is_not_read_to_its_end_is_told_as_partial(number: int, expected: dict[str, str]) -> None:
    assert states(chart(prefetch=full(*[order(f"r{number}") for number in range(number)]))) == expected


@pytest.mark.parametrize("name", ["sandbox-order-sign.json", "sandbox-order-select.json", "epic-order-sign.json"])
def test_a_recorded_call_is_read_right_and_completely(name: str) -> None:
    sent = json.loads((RECORDED / name).read_text(), parse_float=Decimal)
    sent = sent.get("body", sent)
    found = chart(sent["context"]["draftOrders"], sent["prefetch"], sent["context"].get("selections"), sent["context"]["patientId"])
    (draft,) = found.orders
    assert (draft.dropped, [line.dropped for line in draft.dosages], draft.is_readable, draft.is_of_this_patient) == ((), [()], True, True)
    assert (found.selected, states(found)) == (frozenset([0]), {})


@pytest.mark.parametrize("name", ["sandbox-tab-opened.json", "sandbox-second-click.json"])
def test_a_recorded_call_without_an_order_is_an_empty_chart(name: str) -> None:
    sent = json.loads((RECORDED / name).read_text(), parse_float=Decimal)
    sent = sent.get("body", sent)
    assert chart(sent["context"].get("draftOrders") or {}, sent["prefetch"]) == Chart()


WHOLE: Json = {
    "drafts": {
        "resourceType": "Bundle",
        "entry": [
            {
                "fullUrl": "https://ehr/MedicationRequest/d1",
                "resource": {
                    **DRAFT,
                    "medicationReference": {"reference": "Medication/m1", "display": "drug a"},
                    "reasonReference": [{"reference": "Condition/c1"}],
                    "dosageInstruction": [{"timing": {"repeat": {"frequency": 1}}, "doseAndRate": [{"doseQuantity": {"value": 1}}]}],
                },
            },
            {"resource": {**PRODUCT, "ingredient": [{"itemReference": {"reference": "#i"}}]}},
        ],
    },
    "prefetch": {
        "patient": PATIENT,
        "conditions": {
            **bundle(condition(clinicalStatus={"coding": [{"code": "active"}]})),
            "link": [{"relation": "self", "url": "x/Condition?a=b"}],
        },
        "medications": {**bundle(order("r"), order("s", resourceType="MedicationDispense", daysSupply={"value": 5})), "total": 2},
        "recentMedications": {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]},
    },
}
JUNK: tuple[Any, ...] = (
    None, "", [], {}, True, 5, -1, Decimal("1e900"), 10**400, "x", "\ud800", "9999-12-31", [[]], [None], [{}], {"a": 1}, ["x"], {"reference": []},
    {"coding": {"code": []}}, {"value": {}, "comparator": "<"}, {"resourceType": "Bogus"}, {"resourceType": ["x"]}, [{"resourceType": {}}],
)  # fmt: skip


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:  # noqa: ANN401
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in below for place in places(one, (*path, key)))]


@given(
    place=st.sampled_from([place for place in places(WHOLE) if len(place) > 1]),
    junk=st.sampled_from(JUNK),
)
@settings(max_examples=150, deadline=None)
def test_junk_anywhere_never_stops_the_reading_nor_changes_what_was_sent(place: tuple[str | int, ...], junk: object) -> None:
    sent = copy.deepcopy(WHOLE)
    parent: Any = sent
    for part in place[:-1]:
        parent = parent[part]
    parent[place[-1]] = junk
    before = copy.deepcopy(sent)
    found = chart(sent["drafts"] if isinstance(sent["drafts"], dict) else {}, sent["prefetch"])
    assert sent == before
    assert not found.orders or set(found.completeness) == set(Kind)
