"""What cards suggest: only what is safe, as whole and valid resources, and only what the client can take."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest

from cds_service.facts.registry import OrderFacts
from cds_service.fhir.chart import Chart, Completeness, Kind, MedicationRecord
from cds_service.fhir.elements import Concept, Dosage, Dose, Timing
from cds_service.fhir.terminology import ConditionMatch
from cds_service.hooks.answer import Action, Suggestion, as_json
from cds_service.quantities import Quantity, QuantityRange, exactly
from cds_service.rulebook.types import Finding, Severity, Status
from cds_service.unknown import Unknown
from tests.cards_floor import (
    COMPLETE,
    DRAFT,
    TODAY,
    cards,
    chart,
    condition,
    conflict,
    drug,
    exposure,
    finding,
    order_facts,
    record,
    words,
)

SECOND = "MedicationRequest/mr-2"
START = ("titration-start", "above-usual-start")
LIQUID = drug(strength=Quantity(Decimal(1), "mg/mL"))


TITRATION = "Order the usual steps"


def suggested(*findings: Finding, seen: Chart | None = None, **more: Any) -> list[Suggestion]:  # noqa: ANN401
    """The suggestions of all cards."""
    return [one for card in cards(findings, seen, **more) for one in card.suggestions]


def made(*findings: Finding, seen: Chart | None = None, **more: Any) -> list[Suggestion]:  # noqa: ANN401
    """The suggestions of all cards but whole titrations, which have tests of their own (test_cards_titration.py)."""
    return [one for one in suggested(*findings, seen=seen, **more) if not one.label.startswith(TITRATION)]


def only(suggestions: list[Suggestion]) -> tuple[Suggestion, Action]:
    """The one suggestion and its one action."""
    assert len(suggestions) == 1
    assert len(suggestions[0].actions) == 1
    return suggestions[0], suggestions[0].actions[0]


def resource(action: Action) -> dict[str, Any]:
    """The resource of an action, valid R4 when written as JSON, with the ids of the draft."""
    assert action.resource is not None
    text = json.dumps(as_json(action)["resource"], default=float)
    MedicationRequest.model_validate_json(text)
    plain: dict[str, Any] = json.loads(text)
    assert (plain["resourceType"], plain["id"], plain["status"], plain["intent"]) == ("MedicationRequest", "mr-1", "draft", "order")
    return plain


# --- removing the draft ---------------------------------------------------------------------------------------------


def test_removing_the_draft_is_recommended_for_an_opioid_in_use() -> None:
    suggestion, action = only(made(conflict()))
    assert (suggestion.label, suggestion.isRecommended) == ("Remove the naltrexone order", True)
    assert action == Action("delete", "Remove the draft order of naltrexone", resourceId="MedicationRequest/mr-1")


@pytest.mark.parametrize("says", ["started-together", "recently-ended", "long-acting-depot", "weak-opioid", "diagnosis", "not-certain"])
def test_removing_the_draft_is_only_offered_for_the_rest(says: str) -> None:
    severity = Severity.CRITICAL if says == "started-together" else Severity.WARNING
    assert [one.isRecommended for one in made(conflict(exposure(says=says, severity=severity)))] == [False]


def test_removing_the_draft_is_not_offered_for_a_proposal() -> None:
    assert made(conflict(exposure(says="proposed", severity=Severity.INFO))) == []


def test_an_uncertain_opioid_is_no_ground_for_a_recommendation() -> None:
    assert [one.isRecommended for one in made(conflict(exposure(certain=False)))] == [False]
    assert [one.isRecommended for one in made(conflict(exposure(certain=False), exposure("methadone")))] == [True]


def test_an_opioid_order_is_never_removed() -> None:
    opioid = order_facts(drug=words("opioid", "opioid-agonist"))
    assert made(finding("opioid-on-naltrexone", "in-use", opioid, [exposure("naltrexone")])) == []


@pytest.mark.parametrize(
    "classes", [("opioid",), ("naltrexone", "opioid"), ("naltrexone", "opioid-agonist"), ("naltrexone", "opioid-weak"), ()]
)
def test_a_draft_that_is_or_may_be_an_opioid_is_never_removed(classes: tuple[str, ...]) -> None:
    assert made(conflict(facts=order_facts(drug=words(*classes)))) == []


def test_a_draft_without_id_cannot_be_removed() -> None:
    draft = record({name: part for name, part in DRAFT.items() if name != "id"}, "draftOrders.entry[0]")
    assert made(conflict(facts=order_facts("draftOrders.entry[0]")), seen=chart(draft)) == []


def test_of_two_drafts_with_one_id_none_is_removed() -> None:
    twins = chart(record(), record(where="draftOrders.entry[1] MedicationRequest/mr-1"))
    assert made(conflict(), seen=twins) == []


def _two() -> tuple[tuple[Finding, Finding], Chart]:
    other = record({**DRAFT, "id": "mr-2"}, "draftOrders.entry[1] MedicationRequest/mr-2")
    return (conflict(), conflict(facts=order_facts(SECOND))), chart(record(), other)


def test_two_drafts_are_removed_together() -> None:
    findings, seen = _two()
    (suggestion,) = made(*findings, seen=seen)
    assert [action.resourceId for action in suggestion.actions] == ["MedicationRequest/mr-1", SECOND]
    assert suggestion.isRecommended


def test_two_drafts_are_removed_one_by_one_where_a_suggestion_holds_one_action() -> None:
    findings, seen = _two()
    suggestions = made(*findings, seen=seen, profile="epic")
    assert [[action.resourceId for action in one.actions] for one in suggestions] == [["MedicationRequest/mr-1"], [SECOND]]
    assert cards(findings, seen, "epic")[0].selectionBehavior == "any"
    assert len({one.uuid for one in suggestions}) == 2


def test_one_draft_that_is_not_surely_in_conflict_takes_the_recommendation_from_both() -> None:
    _, seen = _two()
    (suggestion,) = made(conflict(), conflict(exposure(certain=False), facts=order_facts(SECOND)), seen=seen)
    assert (len(suggestion.actions), suggestion.isRecommended) == (2, False)


# --- starting low ---------------------------------------------------------------------------------------------------


def start(facts: OrderFacts | None = None) -> Finding:
    """A new start at 4.5 mg."""
    return finding(*START, facts)


def test_a_low_start_replaces_a_capsule_that_cannot_deliver_it() -> None:
    suggestion, action = only(made(start()))
    assert (suggestion.label, suggestion.isRecommended) == ("Start with 1.5 mg at bedtime instead", False)
    assert action.type == "update"
    assert resource(action) == {
        "resourceType": "MedicationRequest",
        "id": "mr-1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "authoredOn": "2026-11-22",
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "7243", "display": "naltrexone"}],
            "text": "naltrexone 1.5 mg oral capsule (compounded)",
        },
        "note": [{"text": "patient prefers the pharmacy in town"}],
        "dosageInstruction": [
            {
                "text": "1.5 mg once daily at bedtime",
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]}},
                "route": {"coding": [{"system": "http://snomed.info/sct", "code": "26643006", "display": "Oral route"}]},
                "doseAndRate": [
                    {
                        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/dose-rate-type", "code": "ordered"}]},
                        "doseQuantity": {"value": 1.5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
                    }
                ],
            }
        ],
        "dispenseRequest": {"validityPeriod": {"start": "2026-11-22"}},
    }


def test_a_low_start_of_a_liquid_changes_the_dose_alone() -> None:
    concept = {"text": "naltrexone 1 mg/mL oral liquid"}
    _, action = only(made(start(), seen=chart(record({**DRAFT, "medicationCodeableConcept": concept}, drug=LIQUID))))
    changed = resource(action)
    assert changed["medicationCodeableConcept"] == concept
    assert changed["dosageInstruction"][0]["route"] == {"coding": [{"system": "http://snomed.info/sct", "code": "26643006"}]}
    assert changed["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 1.5
    assert "text" not in changed


@pytest.mark.parametrize(
    ("strength", "fact", "delivers"),
    [
        (Quantity(Decimal("1.5"), "mg/{piece}"), Unknown("no-strength"), True),
        (Quantity(Decimal("0.5"), "mg/{piece}"), Unknown("no-strength"), True),
        (Quantity(Decimal(500), "ug/{piece}"), Unknown("no-strength"), True),
        (Quantity(Decimal(1), "mg/{piece}"), Unknown("no-strength"), False),
        (Quantity(Decimal(3), "mg/{piece}"), Unknown("no-strength"), False),
        (Quantity(Decimal(50), "mg/{piece}"), Unknown("no-strength"), False),
        (Unknown("no-strength"), exactly("1.5", "mg"), True),
        (Unknown("no-strength"), exactly("4.5", "mg"), False),
        (Unknown("no-strength"), Unknown("no-strength"), False),
        (Quantity(Decimal("4.5"), "mg/{piece}"), exactly("1.5", "mg"), True),
        (Quantity(Decimal(0), "mg/{piece}"), Unknown("no-strength"), False),
        (Quantity(Decimal(10), "mg/mL"), Unknown("no-strength"), True),
        (Quantity(Decimal(50), "mg/mL"), Unknown("no-strength"), False),
        (Quantity(Decimal("0.9"), "mg/mL"), Unknown("liquid-product"), True),
    ],
)
def test_the_ordered_product_is_kept_only_where_it_can_deliver_the_dose(strength: Quantity | Unknown, fact: Any, delivers: bool) -> None:  # noqa: ANN401, FBT001
    _, action = only(made(start(order_facts(product_strength=fact)), seen=chart(record(drug=drug(strength=strength)))))
    assert (resource(action)["medicationCodeableConcept"] == DRAFT["medicationCodeableConcept"]) is delivers


def test_the_number_comes_from_the_threshold_of_the_rule() -> None:
    base = start()
    site = replace(base, limits={**base.limits, "usual_start": Quantity(Decimal(1), "mg/d")})
    suggestion, action = only(made(site))
    assert suggestion.label == "Start with 1 mg at bedtime instead"
    assert resource(action)["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 1


def test_a_reference_to_the_product_and_its_contained_resource_go_with_the_product() -> None:
    raw = {name: part for name, part in DRAFT.items() if name != "medicationCodeableConcept"}
    raw["medicationReference"] = {"reference": "#med"}
    raw["contained"] = [{"resourceType": "Medication", "id": "med"}, {"resourceType": "Practitioner", "id": "who"}]
    raw["requester"] = {"reference": "#who"}
    _, action = only(made(start(), seen=chart(record(raw))))
    changed = resource(action)
    assert "medicationReference" not in changed
    assert [one["id"] for one in changed["contained"]] == ["who"]
    raw["contained"] = raw["contained"][:1]
    del raw["requester"]
    assert "contained" not in resource(only(made(start(), seen=chart(record(raw))))[1])


def test_a_kept_product_keeps_its_reference_and_contained_resource() -> None:
    raw = {name: part for name, part in DRAFT.items() if name != "medicationCodeableConcept"}
    raw |= {"medicationReference": {"reference": "#med"}, "contained": [{"resourceType": "Medication", "id": "med"}]}
    changed = resource(only(made(start(), seen=chart(record(raw, drug=LIQUID))))[1])
    assert (changed["medicationReference"], len(changed["contained"])) == ({"reference": "#med"}, 1)


def test_what_is_empty_after_the_change_is_left_out() -> None:
    raw = {**DRAFT, "note": [{"text": "LDN 4.5 mg"}], "dispenseRequest": {"numberOfRepeatsAllowed": 3}}
    changed = resource(only(made(start(), seen=chart(record(raw))))[1])
    assert {"note", "dispenseRequest"} & set(changed) == set()


def test_the_draft_itself_is_not_touched() -> None:
    before = copy.deepcopy(DRAFT)
    made(start())
    assert before == DRAFT


BLOCKS: Mapping[str, Callable[[], list[Suggestion]]] = {
    "an opioid conflict of the same order": lambda: made(start(), conflict(exposure("tramadol", "proposed", Severity.INFO))),
    "an opioid conflict of another order": lambda: made(start(), conflict(exposure("x", "proposed", Severity.INFO), facts=order_facts(SECOND))),
    "an opioid conflict of a silent rule": lambda: made(start(), conflict(status=Status.SILENT)),
    "a dose that does not fit": lambda: made(start(), finding("dose-mismatch", "product", status=Status.SILENT)),
    "a medication list that was not sent": lambda: made(start(order_facts(data_medications=words("missing")))),
    "a history that failed": lambda: made(start(order_facts(data_history=words("failed")))),
    "a medication list that the chart calls partial": lambda: made(start(), seen=chart(completeness={**COMPLETE, Kind.MEDICATIONS: Completeness.PARTIAL})),
    "exposures that lack the list": lambda: made(start(replace(order_facts(), exposures_lack=("medications",)))),
    "completeness that nobody told": lambda: made(start(OrderFacts("MedicationRequest/mr-1", {"order.drug": order_facts().facts["order.drug"]})), seen=chart(completeness={})),
    "a draft half read": lambda: made(start(), seen=chart(record(is_readable=False))),
    "a draft with dropped elements": lambda: made(start(), seen=chart(record(dropped=("status",)))),
    "a draft without intent": lambda: made(start(), seen=chart(record({name: part for name, part in DRAFT.items() if name != "intent"}))),
    "a draft without product": lambda: made(start(), seen=chart(record({name: part for name, part in DRAFT.items() if name != "medicationCodeableConcept"}))),
    "a draft without id": lambda: made(start(order_facts("draftOrders.entry[0]")), seen=chart(record({name: part for name, part in DRAFT.items() if name != "id"}, "draftOrders.entry[0]"))),
    "a product that contradicts itself": lambda: made(start(), seen=chart(record(drug=drug(contradicts=True)))),
    "an order that contradicts itself": lambda: made(start(order_facts(agrees_with_itself=False))),
    "a dose as needed": lambda: made(start(order_facts(is_as_needed=True))),
    "a cream": lambda: made(start(order_facts(route=words("topical")))),
    "a depot": lambda: made(start(order_facts(drug=words("naltrexone", "depot")))),
    "a drug that is not known": lambda: made(start(), seen=chart(record(drug=Unknown("no-code")))),
    "a drug that is not known as a fact": lambda: made(start(order_facts(drug=Unknown("no-code")))),
    "an ingredient without a code": lambda: made(start(), seen=chart(record(drug=drug(ingredient_code="")))),
    "a client that takes no updates": lambda: made(start(), profile="epic"),
    "a start that is low already": lambda: made(finding("titration-start", "schedule")),
    "a threshold that is not there": lambda: made(replace(start(), limits={})),
}  # fmt: skip


@pytest.mark.parametrize("name", BLOCKS)
def test_no_low_start_is_offered_beside(name: str) -> None:
    assert [one for one in BLOCKS[name]() if one.label.startswith("Start")] == []


@pytest.mark.parametrize("facts", [order_facts(route=Unknown("no-route")), order_facts(is_as_needed=Unknown("x"))])
def test_what_is_merely_unknown_does_not_block_a_low_start(facts: OrderFacts) -> None:
    assert len(made(start(facts))) == 1


def test_a_liquid_needs_no_ingredient_code() -> None:
    assert len(made(start(), seen=chart(record(drug=replace(LIQUID, ingredient_code=""))))) == 1


DAILY = Timing(frequency=1, period=Decimal(1), period_unit="d")
PIECE = Dosage(timing=DAILY, doses=(Dose("", exactly(1, "{pill}")),))


def test_the_sandbox_gets_a_coded_product_with_a_name_for_one_piece_a_day() -> None:
    _, action = only(made(start(), seen=chart(record(dosages=(PIECE,))), profile="sandbox"))
    concept = resource(action)["medicationCodeableConcept"]
    assert (concept["text"], concept["coding"][0]["code"]) == ("naltrexone 1.5 mg oral capsule (compounded)", "7243")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (PIECE, PIECE),
        (replace(PIECE, doses=()),),
        (replace(PIECE, doses=(Dose("", exactly(2, "{pill}")),)),),
        (replace(PIECE, doses=(Dose("", QuantityRange(Decimal(1), Decimal(2), "{pill}")),)),),
        (replace(PIECE, doses=(Dose("", exactly(1, "{pill}")), Dose("", exactly("4.5", "mg")))),),
        (replace(PIECE, doses=(Dose("", exactly("4.5", "mg")),)),),
        (replace(PIECE, doses=(Dose("", exactly(1, "mL")),)),),
        (replace(PIECE, timing=None),),
        (replace(PIECE, timing=replace(DAILY, frequency=2)),),
        (replace(PIECE, timing=replace(DAILY, frequency_max=2)),),
        (replace(PIECE, timing=replace(DAILY, period=Decimal(2))),),
        (replace(PIECE, timing=replace(DAILY, period_unit="h")),),
        (replace(PIECE, timing=replace(DAILY, when=("MORN", "HS"))),),
        (replace(PIECE, timing=replace(DAILY, time_of_day=("08:00:00", "20:00:00"))),),
        (replace(PIECE, timing=replace(DAILY, day_of_week=("mon",))),),
        (replace(PIECE, text="1 capsule at bedtime"),),
        (replace(PIECE, patient_instruction="4.5 mg"),),
    ],
)
def test_the_sandbox_gets_no_product_whose_dose_it_would_not_change(lines: tuple[Dosage, ...]) -> None:
    assert made(start(), seen=chart(record(dosages=lines)), profile="sandbox") == []


def test_a_contradiction_or_a_slip_brings_no_corrected_dose() -> None:
    for says in ("decimal-slip", "product", "between-regimens", "standard-dose-for-low-dose-use"):
        assert made(finding("dose-mismatch", says)) == []


# --- recording the indication ---------------------------------------------------------------------------------------


def off_label(facts: OrderFacts | None = None, says: str = "fibromyalgia") -> Finding:
    """Low dose for fibromyalgia on the problem list."""
    return finding("off-label-low-dose", says, facts)


def recorded(seen: Chart, facts: OrderFacts | None = None, **more: Any) -> list[Suggestion]:  # noqa: ANN401
    return made(off_label(facts), seen=seen, **more)


def test_the_indication_on_the_list_can_be_recorded_as_the_reason() -> None:
    suggestion, action = only(recorded(chart(conditions=(condition(), condition("c-2", "hypertension")))))
    assert (suggestion.label, suggestion.isRecommended, action.type) == (
        "Record Fibromyalgia as the reason for this order",
        False,
        "update",
    )
    changed = resource(action)
    assert changed.pop("reasonReference") == [{"reference": "Condition/c-1", "display": "Fibromyalgia"}]
    assert changed == json.loads(json.dumps(DRAFT, default=float))


REASONS = (Concept(text="pain"),)
NOT_ONE: Mapping[str, tuple[Chart, OrderFacts]] = {
    "no condition": (chart(), order_facts()),
    "two conditions": (chart(conditions=(condition(), condition("c-2"))), order_facts()),
    "a condition without id": (chart(conditions=(condition(""),)), order_facts()),
    "refuted": (chart(conditions=(condition(verification_status="refuted"),)), order_facts()),
    "entered in error": (chart(conditions=(condition(verification_status="entered-in-error"),)), order_facts()),
    "inactive": (chart(conditions=(condition(clinical_status="inactive"),)), order_facts()),
    "resolved": (chart(conditions=(condition(clinical_status="resolved"),)), order_facts()),
    "in remission": (chart(conditions=(condition(clinical_status="remission"),)), order_facts()),
    "abated": (chart(conditions=(condition(abated=TODAY),)), order_facts()),
    "stated on the order": (chart(conditions=(condition(),)), order_facts(indication_source=words("order"))),
    "not the indication": (chart(conditions=(condition(),)), order_facts(indication=words("other-ldn-use"))),
    "list partial as a fact": (chart(conditions=(condition(),)), order_facts(data_conditions=words("partial"))),
    "list partial in the chart": (chart(conditions=(condition(),), completeness={**COMPLETE, Kind.CONDITIONS: Completeness.PARTIAL}), order_facts()),
    "a reason": (chart(record(reasons=REASONS), conditions=(condition(),)), order_facts()),
    "a reason reference": (chart(record(reason_references=("Condition/c-9",)), conditions=(condition(),)), order_facts()),
    "a raw reason": (chart(record({**DRAFT, "reasonCode": [{"text": "x"}]}), conditions=(condition(),)), order_facts()),
    "a raw reason reference": (chart(record({**DRAFT, "reasonReference": [{"reference": "Condition/c-9"}]}), conditions=(condition(),)), order_facts()),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_ONE)
def test_no_indication_is_recorded_where_it_is_not_surely_the_one(name: str) -> None:
    seen, facts = NOT_ONE[name]
    assert recorded(seen, facts) == []


@pytest.mark.parametrize("status", ["active", "", "relapse", "recurrence"])
def test_a_condition_that_counts_can_be_recorded(status: str) -> None:
    assert (
        len(recorded(chart(conditions=(condition(clinical_status=status, verification_status="provisional", abated=date(2027, 1, 1)),))))
        == 1
    )


def test_remission_counts_where_the_value_set_says_so() -> None:
    match = ConditionMatch("fibromyalgia", "x", "x", "code", counts_in_remission=True)
    assert len(recorded(chart(conditions=(condition(clinical_status="remission", matches=(match,)),)))) == 1


@pytest.mark.parametrize("profile", ["epic", "sandbox"])
def test_no_indication_is_recorded_where_the_client_would_drop_it(profile: Any) -> None:  # noqa: ANN401
    assert recorded(chart(conditions=(condition(),)), profile=profile) == []


def test_no_indication_is_recorded_beside_a_conflict_or_an_incomplete_list() -> None:
    seen = chart(conditions=(condition(),))
    suggested = made(off_label(), conflict(exposure("x", "proposed", Severity.INFO)), seen=seen)
    assert suggested == []
    assert recorded(seen, order_facts(data_history=words("partial"))) == []


def test_a_start_and_an_indication_stand_on_one_card_as_alternatives() -> None:
    card = cards([off_label(), start()], chart(conditions=(condition(),)))[0]
    assert [one.label for one in card.suggestions] == [
        "Start with 1.5 mg at bedtime instead",
        "Order the usual steps from 1.5 mg at bedtime as one titration",
        "Record Fibromyalgia as the reason for this order",
    ]
    assert card.selectionBehavior == "at-most-one"
    assert len({card.uuid, *(one.uuid for one in card.suggestions)}) == 4


def test_an_indication_is_offered_once_for_an_order() -> None:
    assert len(made(off_label(), off_label(says="other-condition"), seen=chart(conditions=(condition(),)))) == 1


def test_frozen_drafts_are_written_as_plain_json() -> None:
    class Frozen(dict[str, Any]):
        pass

    raw = {**DRAFT, "category": ({"text": "x"},), "subject": Frozen(reference="Patient/p1")}
    suggestion = recorded(chart(record(raw), conditions=(condition(),)))[0]
    changed = suggestion.actions[0].resource
    assert changed is not None
    assert (changed["category"], type(changed["subject"])) == ([{"text": "x"}], dict)


def test_records_are_found_by_their_place_too() -> None:
    seen: MedicationRecord = record()
    _, action = only(made(conflict(facts=order_facts(seen.where)), seen=chart(seen)))
    assert action.resourceId == "MedicationRequest/mr-1"
