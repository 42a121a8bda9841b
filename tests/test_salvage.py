"""Salvaging: what is invalid is dropped, and nothing else; known shapes of other FHIR versions are mended."""

import copy
from typing import Any

import pytest

from cds_service.fhir.salvage import MODELS, Salvaged, build_validators, pruned, salvage

Json = dict[str, Any]

ORDER: Json = {
    "resourceType": "MedicationRequest",
    "id": "r1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
    "medicationCodeableConcept": {"text": "drug a"},
    "authoredOn": "2026-11-22",
}
STATEMENT: Json = {
    "resourceType": "MedicationStatement",
    "status": "active",
    "subject": {"reference": "Patient/p1"},
    "medicationCodeableConcept": {"text": "drug a"},
}


def salvaged(**changes: object) -> Salvaged:
    return salvage({**ORDER, **changes})


def with_line(**line: object) -> Salvaged:
    return salvaged(dosageInstruction=[line])


def test_a_valid_resource_comes_back_equal_and_whole() -> None:
    assert salvage(ORDER) == Salvaged(ORDER)


@pytest.mark.parametrize(
    ("sent", "mended"),
    [
        ({"category": {"text": "x"}}, {"category": [{"text": "x"}]}),
        ({"reasonCode": {"text": "x"}}, {"reasonCode": [{"text": "x"}]}),
        ({"dosageInstruction": {"text": "x"}}, {"dosageInstruction": [{"text": "x"}]}),
        ({"dosageInstruction": "x"}, {"dosageInstruction": [{"text": "x"}]}),
        ({"dosageInstruction": ["x"]}, {"dosageInstruction": [{"text": "x"}]}),
        (
            {"dosageInstruction": [{"doseAndRate": {"doseQuantity": {"value": 1}}}]},
            {"dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1}}]}]},
        ),
        (
            {"dosageInstruction": [{"doseQuantity": {"value": 1}}]},
            {"dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1}}]}]},
        ),
        (
            {"dosageInstruction": [{"doseSimpleQuantity": {"value": 1}}]},
            {"dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1}}]}]},
        ),
        (
            {"dosageInstruction": [{"doseRange": {"low": {"value": 1}}}]},
            {"dosageInstruction": [{"doseAndRate": [{"doseRange": {"low": {"value": 1}}}]}]},
        ),
        (
            {"dosageInstruction": [{"doseQuantity": {"value": 1}, "doseAndRate": [{"doseQuantity": {"value": 2}}]}]},
            {"dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 2}}]}]},
        ),
        ({"dosageInstruction": [{"asNeeded": True}]}, {"dosageInstruction": [{"asNeededBoolean": True}]}),
        (
            {"dosageInstruction": [{"asNeededFor": [{"text": "pain"}]}]},
            {"dosageInstruction": [{"asNeededCodeableConcept": {"text": "pain"}}]},
        ),
        (
            {"dosageInstruction": [{"asNeededBoolean": True, "asNeededCodeableConcept": {"text": "pain"}}]},
            {"dosageInstruction": [{"asNeededCodeableConcept": {"text": "pain"}}]},
        ),
        (
            {"dosageInstruction": [{"maxDosePerPeriod": [{"numerator": {"value": 1}, "denominator": {"value": 1}}]}]},
            {"dosageInstruction": [{"maxDosePerPeriod": {"numerator": {"value": 1}, "denominator": {"value": 1}}}]},
        ),
        (
            {"dosageInstruction": [{"timing": {"repeat": {"when": "HS"}}}]},
            {"dosageInstruction": [{"timing": {"repeat": {"when": ["HS"]}}}]},
        ),
        (
            {"dosageInstruction": [{"timing": {"repeat": {"timeOfDay": ["22:00"]}}}]},
            {"dosageInstruction": [{"timing": {"repeat": {"timeOfDay": ["22:00:00"]}}}]},
        ),
        ({"authoredOn": "2026-11-22T10:00:00"}, {"authoredOn": "2026-11-22"}),
        ({"authoredOn": "2026-11-22T10:00Z"}, {"authoredOn": "2026-11-22T10:00:00Z"}),
        ({"authoredOn": " 2026-11 "}, {"authoredOn": "2026-11"}),
        ({"subject": "Patient/p1"}, {"subject": {"reference": "Patient/p1"}}),
        ({"note": None, "category": [None, {}], "extension": []}, {}),
        ({"reported": True}, {"reportedBoolean": True}),
        ({"reason": [{"concept": {"text": "x"}}]}, {"reasonCode": [{"text": "x"}]}),
        ({"reason": [{"reference": {"reference": "Condition/1"}}]}, {"reasonReference": [{"reference": "Condition/1"}]}),
        ({"medicationCodeableConcept": "drug a"}, {}),
        ({"medicationCodeableConcept": [{"text": "drug a"}]}, {}),
        ({"medicationReference": {"reference": "Medication/1"}}, {}),
        ({"reportedBoolean": False, "reportedReference": {"reference": "Patient/p1"}}, {"reportedReference": {"reference": "Patient/p1"}}),
        ({"contained": {"resourceType": "Medication", "id": "m"}}, {"contained": [{"resourceType": "Medication", "id": "m"}]}),
    ],
)
def test_a_known_shape_is_mended_and_counts_as_no_loss(sent: Json, mended: Json) -> None:
    assert salvaged(**sent) == Salvaged({**ORDER, **mended})


@pytest.mark.parametrize(
    ("medication", "mended"),
    [
        ({"concept": {"text": "drug a"}}, {"medicationCodeableConcept": {"text": "drug a"}}),
        ({"reference": {"reference": "Medication/1"}}, {"medicationReference": {"reference": "Medication/1"}}),
        ({"reference": "Medication/1", "display": "a"}, {"medicationReference": {"reference": "Medication/1", "display": "a"}}),
        ({"coding": [{"code": "1"}]}, {"medicationCodeableConcept": {"coding": [{"code": "1"}]}}),
        ({"text": "drug a"}, {"medicationCodeableConcept": {"text": "drug a"}}),
    ],
)
def test_the_medication_of_r5_gets_its_r4_name(medication: Json, mended: Json) -> None:
    order = {name: value for name, value in ORDER.items() if name != "medicationCodeableConcept"}
    assert salvage({**order, "medication": medication}) == Salvaged({**order, **mended})


def test_a_bare_reference_to_the_medication_becomes_a_reference() -> None:
    order = {name: value for name, value in ORDER.items() if name != "medicationCodeableConcept"}
    assert salvage({**order, "medicationReference": "Medication/1"}).raw["medicationReference"] == {"reference": "Medication/1"}


def test_the_patient_of_dstu2_is_the_subject() -> None:
    order = {name: value for name, value in ORDER.items() if name != "subject"}
    assert salvage({**order, "patient": {"reference": "Patient/p1"}}).raw["subject"] == {"reference": "Patient/p1"}
    assert salvage({**ORDER, "patient": {"reference": "Patient/p2"}}).raw["subject"] == {"reference": "Patient/p1"}


def test_what_was_not_taken_by_stu3_has_the_status_of_r4() -> None:
    assert salvage({**STATEMENT, "taken": "n"}).raw["status"] == "not-taken"
    assert salvage({**STATEMENT, "taken": "y"}).raw["status"] == "active"


@pytest.mark.parametrize("name", ["clinicalStatus", "verificationStatus"])
def test_a_bare_status_of_a_condition_becomes_a_concept(name: str) -> None:
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/p1"}, name: "active"}
    assert salvage(condition).raw[name] == {"coding": [{"code": "active"}]}


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"status": 5}, ("status",)),
        ({"doNotPerform": "perhaps"}, ("doNotPerform",)),
        ({"authoredOn": "2026-02-30"}, ("authoredOn",)),
        ({"authoredOn": "yesterday"}, ("authoredOn",)),
        ({"colour": "red"}, ("colour",)),
        ({"priority": " "}, ("priority",)),
        ({"extension": [{"url": "http://x", "valueColour": 1}]}, ("extension", 0, "valueColour")),
        ({"identifier": [{"value": "a"}, {"value": 1}]}, ("identifier", 1, "value")),
        ({"dispenseRequest": {"numberOfRepeatsAllowed": "some"}}, ("dispenseRequest", "numberOfRepeatsAllowed")),
        ({"dispenseRequest": 5}, ("dispenseRequest",)),
        ({"_status": 5}, ("_status",)),
        ({"dosageInstruction": 5}, ("dosageInstruction", 0)),
        ({"contained": [{"resourceType": "Medication", "id": "m", "code": 5}]}, ("contained", 0, "code")),
    ],
)
def test_the_smallest_invalid_element_is_dropped_with_its_place(sent: Json, place: tuple[str | int, ...]) -> None:
    found = salvaged(**sent)
    assert (found.dropped, found.is_valid) == ((place,), True)


def test_the_object_that_lacks_a_required_member_is_dropped() -> None:
    found = salvaged(note=[{"authorString": "me"}, {"text": "kept"}])
    assert (found.raw["note"], found.dropped) == ([{"text": "kept"}], (("note", 0),))


def test_several_invalid_items_of_one_array_are_all_dropped() -> None:
    found = salvaged(identifier=[{"value": 1, "use": "usual"}, {"use": "old"}], note=[5, {"text": "kept"}, 6])
    assert (found.raw["note"], found.raw["identifier"]) == ([{"text": "kept"}], [{"use": "usual"}, {"use": "old"}])


def test_an_invalid_line_leaves_an_empty_object_so_that_the_others_keep_their_index() -> None:
    found = salvaged(dosageInstruction=[{"text": "a"}, 5, {"text": "c"}])
    assert (found.raw["dosageInstruction"], found.dropped) == ([{"text": "a"}, {}, {"text": "c"}], (("dosageInstruction", 1),))


def test_two_doses_in_one_entry_contradict_each_other_and_the_entry_goes() -> None:
    found = with_line(doseAndRate=[{"doseQuantity": {"value": 1}, "doseRange": {"low": {"value": 1}}}])
    assert found.dropped == (("dosageInstruction", 0, "doseAndRate", 0),)


def test_several_rounds_of_errors_are_mended_one_after_the_other() -> None:
    found = salvaged(category={"coding": {"code": 5}}, dosageInstruction={"doseAndRate": {"doseQuantity": {"value": "a lot"}}})
    assert found.is_valid
    assert set(found.dropped) == {("category", 0, "coding", 0, "code"), ("dosageInstruction", 0, "doseAndRate", 0, "doseQuantity", "value")}


@pytest.mark.parametrize("name", ["status", "intent", "subject", "medicationCodeableConcept", "id"])
def test_a_missing_required_member_is_no_reason_to_give_up(name: str) -> None:
    sent = {key: value for key, value in ORDER.items() if key != name}
    assert salvage(sent) == Salvaged(sent)


@pytest.mark.parametrize("sent_id", ["a" * 65, "a.b-c", "a" * 256])
def test_ids_that_a_real_ehr_sends_are_kept(sent_id: str) -> None:
    assert salvaged(id=sent_id) == Salvaged({**ORDER, "id": sent_id})


@pytest.mark.parametrize("sent_id", ["a" * 257, "a_b", "../x", "", {}])
def test_other_ids_are_left_out(sent_id: object) -> None:
    assert "id" not in salvaged(id=sent_id).raw


@pytest.mark.parametrize("kind", ["Unheard", 5, None, {"a": 1}])
def test_a_contained_resource_of_no_known_type_is_left_out(kind: object) -> None:
    found = salvaged(contained=[{"resourceType": "Medication", "id": "m"}, {"resourceType": kind, "id": "x"}])
    assert found.is_valid
    assert found.raw["contained"][0] == {"resourceType": "Medication", "id": "m"}


def test_nesting_beyond_any_use_is_cut_before_the_library_sees_it() -> None:
    deep: Json = {"url": "http://x"}
    for _ in range(180):
        deep = {"url": "http://x", "extension": [deep]}
    assert salvaged(extension=[deep]).is_valid


def test_a_resource_larger_than_any_order_is_not_given_to_the_library() -> None:
    huge = salvaged(note=[{"text": "x"}] * 10_001)
    assert (huge.is_valid, huge.raw["id"]) == (False, "r1")
    assert salvaged(note=[{"text": "x"}] * 100).is_valid


def test_a_resource_that_stays_invalid_round_after_round_is_given_up() -> None:
    nested: Any = {"reference": "Patient/p1"}
    for _ in range(8):
        nested = [nested]
    found = salvaged(encounter=nested)
    assert (found.is_valid, found.raw["id"], found.raw["status"]) == (False, "r1", "draft")


def test_a_resource_that_the_library_cannot_look_at_is_given_up() -> None:
    inside = {"resourceType": "Medication", "id": "m", "contained": [{"resourceType": "Unheard"}]}
    found = salvaged(contained=[inside], category={"text": "x"})
    assert (found.is_valid, found.raw["id"]) == (False, "r1")


def test_an_administration_has_one_dosage_object() -> None:
    sent = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": "drug a"},
        "effectiveDateTime": "2026-11-22",
        "dosage": {"text": "x"},
    }
    assert salvage(sent) == Salvaged(sent)


def test_an_unknown_type_or_one_that_need_not_be_validated_is_only_reshaped() -> None:
    assert salvage({"resourceType": "Other", "colour": 5}) == Salvaged({"resourceType": "Other", "colour": 5})
    assert salvage({**ORDER, "colour": 5}, is_validated=False) == Salvaged({**ORDER, "colour": 5})


def test_what_was_sent_is_never_changed() -> None:
    sent = {**ORDER, "category": {"text": 5}, "dosageInstruction": [{"doseQuantity": {"value": 1}, "text": 5}, 5]}
    before = copy.deepcopy(sent)
    salvage(sent)
    assert sent == before


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"a": None, "b": "", "c": [], "d": {}, "e": [{}]}, {}),
        ({"a": 0, "b": False, "c": [0, False]}, {"a": 0, "b": False, "c": [0, False]}),
        ({"a": [None, "x", {"b": None}]}, {"a": ["x"]}),
    ],
)
def test_pruning_leaves_out_nothings_and_keeps_zero_and_false(sent: Json, kept: Json) -> None:
    assert pruned(sent) == kept


def test_pruning_cuts_at_24_levels() -> None:
    deep: Any = "x"
    for _ in range(24):
        deep = [deep]
    assert pruned(deep) == deep
    assert pruned([deep]) == []


def test_the_validators_are_built_before_the_first_call() -> None:
    build_validators()
    assert [name for name, model in MODELS.items() if not model.__pydantic_complete__] == []


def test_white_space_around_a_code_is_no_loss() -> None:
    found = salvaged(status=" draft", medicationCodeableConcept={"coding": [{"system": "http://x.example", "code": "7243 "}]})
    assert (found.raw["status"], found.raw["medicationCodeableConcept"]["coding"][0]["code"], found.dropped) == ("draft", "7243", ())
    assert salvaged(status="  ").dropped == (("status",),)
