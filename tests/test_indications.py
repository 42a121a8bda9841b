"""Why a drug is ordered: the order's own reasons, else the problem list."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.facts.indications import counts, ended_on, in_sentence, indication_facts, spoken_list, stated_reasons
from cds_service.facts.registry import Fact
from cds_service.fhir.chart import Chart, Completeness, ConditionRecord, Kind, MedicationRecord
from cds_service.fhir.elements import Concept, Dosage, Medication
from cds_service.fhir.terminology import ConditionMatch
from cds_service.unknown import Unknown

TODAY = date(2026, 11, 22)
COMPLETE = {Kind.CONDITIONS: Completeness.COMPLETE}
ACHE = ConditionMatch("ache", "Aches", "An ache", "code")
REMITTING = ConditionMatch("remitting", "Remitting ones", "A remitting one", "name", counts_in_remission=True)
ORDER = MedicationRecord("MedicationRequest", "1", "draftOrders.entry[0]", Medication(Concept()), Unknown("no-code"))


class Index:
    """Finds "ache", "both" and "remitting" by their text."""

    def find(self, concept: Concept) -> tuple[ConditionMatch, ...]:
        table = {"ache": (ACHE,), "remitting": (REMITTING,), "both": (REMITTING, ACHE)}
        return table.get(concept.text, ())


def condition(*matches: ConditionMatch, **elements: Any) -> ConditionRecord:  # noqa: ANN401 - any element of a condition
    return replace(
        ConditionRecord("c1", "conditions.entry[0]", Concept(text="chart text"), matches or (ACHE,), "active", "confirmed"), **elements
    )


def facts(
    *reasons: str,
    conditions: Sequence[ConditionRecord] = (),
    completeness: Mapping[Kind, Completeness] = COMPLETE,
    indications: frozenset[str] = frozenset(),
    **elements: Any,  # noqa: ANN401 - any element of an order
) -> Mapping[str, Fact]:
    order = replace(ORDER, reasons=tuple(Concept(text=reason) for reason in reasons), **elements)
    chart = Chart(orders=(order,), conditions=tuple(conditions), completeness=completeness)
    return indication_facts(order, chart, Index(), TODAY, indications)


def told(found: Mapping[str, Fact]) -> tuple[object, ...]:
    """Indication, source and names, as plain sorted lists."""
    values = [found[f"order.{name}"].value for name in ("indication", "indication_source", "indication_names")]
    return tuple(sorted(value) if isinstance(value, frozenset) else value for value in values)


def words(fact: Fact) -> object:
    return sorted(fact.value) if isinstance(fact.value, frozenset) else fact.value


def test_all_four_facts_are_there() -> None:
    assert set(facts()) == {"order.indication", "order.indication_source", "order.indication_names", "patient.conditions"}


def test_the_reason_of_the_order_outranks_the_problem_list() -> None:
    found = facts("ache", conditions=[condition(REMITTING)])
    assert told(found) == (["ache"], ["order"], "an ache")
    assert found["order.indication"].rests_on == ("draftOrders.entry[0]",)
    assert words(found["patient.conditions"]) == ["remitting"]


def test_a_reason_in_no_list_is_a_reason_all_the_same() -> None:
    assert told(facts("something else", conditions=[condition()])) == ([], ["order"], "")


def test_an_empty_reason_is_no_reason() -> None:
    assert told(facts("", conditions=[condition()])) == (["ache"], ["problem-list"], "an ache")


def test_several_reasons_add_up() -> None:
    assert told(facts("ache", "something else", "remitting")) == (["ache", "remitting"], ["order"], "A remitting one and an ache")


def test_without_a_reason_the_problem_list_tells() -> None:
    found = facts(conditions=[condition(), condition(REMITTING, where="conditions.entry[1]")])
    assert told(found) == (["ache", "remitting"], ["problem-list"], "A remitting one and an ache")
    assert found["order.indication"].rests_on == ("conditions.entry[0]", "conditions.entry[1]")


def test_a_condition_in_two_value_sets_rests_on_one_record() -> None:
    assert facts(conditions=[condition(ACHE, REMITTING)])["patient.conditions"].rests_on == ("conditions.entry[0]",)


def test_no_reason_anywhere_is_said() -> None:
    found = facts()
    assert told(found) == ([], ["none"], "")
    assert words(found["patient.conditions"]) == []


def test_a_match_without_a_name_is_called_by_its_title() -> None:
    assert told(facts(conditions=[condition(replace(ACHE, name=""))]))[2] == "aches"


def test_only_value_sets_that_can_be_a_reason_are_taken_from_the_problem_list() -> None:
    found = facts(conditions=[condition(ACHE), condition(REMITTING)], indications=frozenset({"remitting"}))
    assert told(found) == (["remitting"], ["problem-list"], "A remitting one")
    assert words(found["patient.conditions"]) == ["ache", "remitting"]


def test_a_problem_list_without_such_a_value_set_gives_no_reason() -> None:
    found = facts(conditions=[condition(ACHE)], indications=frozenset({"remitting"}))
    assert (told(found), found["order.indication"].rests_on) == (([], ["none"], ""), ())


def test_the_order_may_name_any_value_set_as_its_reason() -> None:
    assert told(facts("ache", indications=frozenset({"remitting"})))[0] == ["ache"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (Completeness.MISSING, "no-problem-list"),
        (Completeness.FAILED, "no-problem-list"),
        (Completeness.PARTIAL, "partial-problem-list"),
        (None, "no-problem-list"),
    ],
)
def test_an_unread_problem_list_proves_nothing(state: Completeness | None, reason: str) -> None:
    completeness = {Kind.CONDITIONS: state} if state else {}
    unknown = Unknown(reason, missing="conditions")
    found = facts(completeness=completeness)
    assert [fact.value for fact in found.values()] == [unknown] * 4


@pytest.mark.parametrize("state", [Completeness.MISSING, Completeness.FAILED, Completeness.PARTIAL])
def test_what_was_found_stands_however_little_was_read(state: Completeness) -> None:
    found = facts(conditions=[condition()], completeness={Kind.CONDITIONS: state})
    assert (told(found), words(found["patient.conditions"])) == ((["ache"], ["problem-list"], "an ache"), ["ache"])


def test_the_reason_of_the_order_needs_no_problem_list() -> None:
    found = facts("ache", completeness={})
    assert told(found) == (["ache"], ["order"], "an ache")
    assert found["patient.conditions"].value == Unknown("no-problem-list", missing="conditions")


def test_on_a_partial_list_the_patient_may_have_what_is_no_reason() -> None:
    found = facts(conditions=[condition()], completeness={Kind.CONDITIONS: Completeness.PARTIAL}, indications=frozenset({"remitting"}))
    assert told(found)[0] == Unknown("partial-problem-list", missing="conditions")
    assert words(found["patient.conditions"]) == ["ache"]


@pytest.mark.parametrize(
    ("as_needed_for", "reasons", "expected"),
    [
        ("ache", (), (["ache"], ["order"], "an ache")),
        ("something", (), (["remitting"], ["problem-list"], "A remitting one")),
        ("ache", ("something",), (["ache"], ["order"], "an ache")),
        ("something", ("ache",), (["ache"], ["order"], "an ache")),
    ],
)
def test_what_it_is_taken_for_as_needed_counts_where_it_is_known(as_needed_for: str, reasons: tuple[str, ...], expected: object) -> None:
    dosages = (Dosage(), Dosage(as_needed_for=Concept(text=as_needed_for)))
    assert told(facts(*reasons, conditions=[condition(REMITTING)], dosages=dosages)) == expected


@pytest.mark.parametrize("reference", ["Condition/c1", "https://ehr.example/fhir/Condition/c1"])
def test_a_reason_can_be_a_condition_of_the_list(reference: str) -> None:
    beside = condition(REMITTING, id="c2")
    assert told(facts(conditions=[condition(), beside], reason_references=(reference,))) == (["ache"], ["order"], "an ache")


def test_a_condition_in_no_value_set_is_a_reason_all_the_same() -> None:
    found = facts(conditions=[condition(matches=()), condition(REMITTING, id="c2")], reason_references=("Condition/c1",))
    assert told(found) == ([], ["order"], "")


def test_a_condition_that_the_order_names_is_looked_up_by_its_concept_too() -> None:
    silent = condition(matches=(), concept=Concept(text="ache"))
    assert told(facts("ache", conditions=[silent], reason_references=("Condition/c1",))) == (["ache"], ["order"], "an ache")


@pytest.mark.parametrize("reference", ["Condition/unheard-of", "#contained", "Observation/c1", "Condition/", "c1"])
def test_a_reason_that_leads_nowhere_leaves_the_problem_list(reference: str) -> None:
    conditions = [condition(), condition(REMITTING, id="")]
    assert told(facts(conditions=conditions, reason_references=(reference,)))[1] == ["problem-list"]


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_a_reason_that_was_refuted_is_none(verification: str) -> None:
    refuted = condition(verification_status=verification, concept=Concept(text="ache"))
    found = facts("ache", conditions=[refuted, condition(REMITTING, id="c2")], reason_references=("Condition/c1",))
    assert told(found) == (["remitting"], ["problem-list"], "A remitting one")


def test_a_resolved_condition_that_the_order_names_is_its_reason() -> None:
    assert told(facts(conditions=[condition(clinical_status="resolved")], reason_references=("Condition/c1",)))[:2] == (["ache"], ["order"])


@pytest.mark.parametrize(
    ("elements", "match", "answer"),
    [
        ({}, ACHE, True),
        ({"clinical_status": "recurrence"}, ACHE, True),
        ({"clinical_status": "relapse"}, ACHE, True),
        ({"clinical_status": ""}, ACHE, True),
        ({"clinical_status": "inactive"}, ACHE, False),
        ({"clinical_status": "resolved"}, ACHE, False),
        ({"clinical_status": "remission"}, ACHE, False),
        ({"clinical_status": "remission"}, REMITTING, True),
        ({"clinical_status": "resolved"}, REMITTING, False),
        ({"clinical_status": "of another system"}, ACHE, True),
        ({"verification_status": ""}, ACHE, True),
        ({"verification_status": "provisional"}, ACHE, True),
        ({"verification_status": "differential"}, ACHE, True),
        ({"verification_status": "unconfirmed"}, ACHE, True),
        ({"verification_status": "refuted"}, ACHE, False),
        ({"verification_status": "entered-in-error"}, ACHE, False),
        ({"verification_status": "refuted", "clinical_status": "remission"}, REMITTING, False),
        ({"clinical_status": "", "abated": TODAY - timedelta(1)}, ACHE, False),
        ({"clinical_status": "", "abated": TODAY}, ACHE, True),
        ({"clinical_status": "", "abated": TODAY + timedelta(1)}, ACHE, True),
        ({"clinical_status": "active", "abated": TODAY - timedelta(1)}, ACHE, True),
    ],
)
def test_a_condition_counts_by_its_statuses(elements: dict[str, Any], match: ConditionMatch, answer: bool) -> None:  # noqa: FBT001
    assert counts(condition(**elements), match, TODAY) is answer


@pytest.mark.parametrize(
    ("elements", "answer"),
    [
        ({"abated": TODAY - timedelta(3)}, TODAY - timedelta(3)),
        ({"abated": TODAY - timedelta(0)}, TODAY - timedelta(0)),
        ({"abated": TODAY - timedelta(-1)}, None),
        ({}, None),
        ({"abated": TODAY - timedelta(3), "verification_status": "refuted"}, None),
        ({"abated": TODAY - timedelta(3), "verification_status": "entered-in-error"}, None),
    ],
)
def test_a_condition_ended_on_a_day_that_is_told_and_past(elements: dict[str, Any], answer: date | None) -> None:
    assert ended_on(condition(**elements), TODAY) == answer


def test_the_reasons_that_an_order_states_are_those_that_the_chart_does_not_refute() -> None:
    stated = [Concept(text="one"), Concept(), Concept(text="two")]
    order = replace(ORDER, reasons=tuple(stated), reason_references=("Condition/c",))
    refuted = condition(id="c", concept=stated[2], verification_status="refuted")
    assert stated_reasons(order, Chart(conditions=(refuted,))) == stated[:1]
    assert stated_reasons(order, Chart(conditions=(replace(refuted, id="d"),))) == [stated[0], stated[2]]


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["B"], "B"), (["B", "A"], "A and B"), (["C", "A", "B"], "A, B and C"), (["A", "A"], "A")],
)
def test_names_are_joined_as_in_a_sentence(names: list[str], text: str) -> None:
    assert spoken_list(names) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Fibromyalgia", "fibromyalgia"),
        ("Post COVID-19 condition", "post COVID-19 condition"),
        ("Opioid-related disorder", "opioid-related disorder"),
        ("Crohn's disease", "Crohn's disease"),
        ("ME/CFS", "ME/CFS"),
        ("POTS", "POTS"),
        ("HIV-related pain", "HIV-related pain"),
        ("long covid", "long covid"),
        ("", ""),
    ],
)
def test_a_name_stands_inside_a_sentence_as_common_words_do(name: str, text: str) -> None:
    assert in_sentence(name) == text
