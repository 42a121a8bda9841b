"""All facts of one draft order: every registered one is there, typed as the registry says."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cds_service.facts.dose_class import DoseClasses
from cds_service.facts.order import FactContext, order_facts
from cds_service.facts.registry import EXPOSURES, FACTS, Fact, OrderFacts, Value
from cds_service.fhir.chart import Chart, Completeness, ConditionRecord, Kind, MedicationRecord
from cds_service.fhir.elements import Bounds, Concept, Dosage, Dose, Medication, Period, Timing
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.quantities import Quantity, QuantityRange, exactly, range_in
from cds_service.unknown import Unknown

TODAY = date(2026, 11, 22)
COMPLETE = dict.fromkeys(Kind, Completeness.COMPLETE)
STRENGTH = Quantity(Decimal("4.5"), "mg/{piece}")
DRUG = DrugMatch(frozenset({"some-class"}), "some-drug", "Some drug", "code", STRENGTH, Unknown("no-interval"))
DEPOT = replace(DRUG, classes=frozenset({"some-class", "depot"}))
ACHE = ConditionMatch("ache", "Aches", "An ache", "code")
CLASSES = DoseClasses("some-class", frozenset({"combined"}), "standard", (("low-dose", Decimal(4), True), ("standard", None, False)))
CAPSULE = Dosage(
    timing=Timing(frequency=1, period=Decimal(1), period_unit="d", when=("HS",)),
    doses=(Dose("ordered", QuantityRange(Decimal(1), Decimal(1), "{capsule}")),),
)
ORDER = MedicationRecord(
    "MedicationRequest",
    "1",
    "draftOrders.entry[0]",
    Medication(Concept()),
    DRUG,
    is_draft=True,
    status="draft",
    intent="order",
    dosages=(CAPSULE,),
)
PROBLEM = ConditionRecord("c", "conditions.entry[0]", Concept(text="ache"), (ACHE,), "active", "confirmed")


class Index:
    """Finds aches."""

    def find(self, concept: Concept) -> tuple[ConditionMatch, ...]:
        return (ACHE,) if concept.text == "ache" else ()


CONTEXT = FactContext(Index(), CLASSES)


def order(**elements: Any) -> MedicationRecord:  # noqa: ANN401 - any element of a record
    return replace(ORDER, **elements)


def of(draft: MedicationRecord, context: FactContext = CONTEXT, **elements: Any) -> OrderFacts:  # noqa: ANN401 - any element of a chart
    chart = Chart(**{"orders": (draft,), "selected": frozenset({0}), "completeness": COMPLETE, **elements})
    return order_facts(0, chart, context, TODAY)


def value(draft: MedicationRecord, name: str, **elements: Any) -> Value:  # noqa: ANN401 - any element of a chart
    return of(draft, **elements).facts[name].value


def test_a_plain_order_is_told_in_full() -> None:
    facts = {name: fact.value for name, fact in of(ORDER, conditions=(PROBLEM,)).facts.items() if not isinstance(fact.value, Unknown)}
    assert (
        facts.items()
        >= {
            "order.drug": frozenset({"some-class"}),
            "order.name": "Some drug",
            "order.drug_is_known": True,
            "order.daily_dose": exactly("4.5", "mg/d"),
            "order.dose_class": frozenset({"standard"}),
            "order.indication": frozenset({"ache"}),
            "order.indication_source": frozenset({"problem-list"}),
            "order.is_first": True,
            "order.is_being_stopped": False,
            "order.is_proposal": False,
            "order.is_readable": True,
            "order.is_at_bedtime": True,
            "data.conditions": frozenset({"complete"}),
            "patient.conditions": frozenset({"ache"}),
        }.items()
    )


SHAPES: Mapping[str, MedicationRecord] = {
    "plain": ORDER,
    "nothing but a place": MedicationRecord("MedicationRequest", "", "draftOrders.entry[0]", Medication(Concept()), Unknown("no-code")),
    "a depot": order(drug=DEPOT),
    "not readable": order(is_readable=False, dosages=()),
    "without dosage": order(dosages=()),
    "text": order(dosages=(Dosage(text="as told"),)),
    "a titration": order(dosages=(replace(CAPSULE, sequence=1, timing=Timing(bounds=Bounds(TODAY, TODAY))), replace(CAPSULE, sequence=2))),
    "stopped": order(status="stopped"),
    "a proposal": order(intent="proposal"),
    "forbidden": order(do_not_perform=True),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("completeness", [COMPLETE, {}])
def test_every_registered_fact_is_there_and_of_its_type(name: str, completeness: Mapping[Kind, Completeness]) -> None:
    found = of(SHAPES[name], completeness=completeness)
    assert set(found.facts) == set(FACTS)
    assert [fact for fact, told in found.facts.items() if not _is_of_type(told.value, fact)] == []


def _is_of_type(found: Value, name: str) -> bool:
    kind = FACTS[name]
    if isinstance(found, QuantityRange):
        return kind.type == "quantity" and range_in(found, kind.unit) == found
    if isinstance(found, frozenset):
        return kind.type == "words" and (not kind.words or found <= set(kind.words))
    types: Mapping[type, str] = {bool: "truth", str: "text"}
    return isinstance(found, Unknown) or types[type(found)] == kind.type


@pytest.mark.parametrize("name", SHAPES)
def test_every_fact_of_the_order_rests_on_something(name: str) -> None:
    facts = of(SHAPES[name]).facts
    assert [fact for fact, told in facts.items() if fact.startswith("order.") and not _indication(fact) and not told.rests_on] == []


def _indication(name: str) -> bool:
    return name.startswith("order.indication")


@pytest.mark.parametrize(
    ("elements", "name"),
    [({}, "MedicationRequest/1"), ({"id": ""}, "draftOrders.entry[0]"), ({"resource_type": "MedicationOrder"}, "MedicationOrder/1")],
)
def test_the_order_is_named_by_its_id_else_by_its_place(elements: dict[str, Any], name: str) -> None:
    assert of(order(**elements)).order == name


def test_the_order_judged_is_the_one_of_the_index() -> None:
    chart = Chart(orders=(ORDER, order(id="2", drug=DEPOT)), completeness=COMPLETE)
    found = order_facts(1, chart, CONTEXT, TODAY)
    assert (found.order, found.facts["order.drug"].value) == ("MedicationRequest/2", DEPOT.classes)


def test_an_unknown_drug_is_unknown_throughout() -> None:
    unknown = Unknown("no-code")
    found = of(order(drug=unknown)).facts
    told = [found[f"order.{name}"].value for name in ("drug", "name", "drug_is_known", "dose_class")]
    assert told == [unknown, unknown, False, frozenset({"unknown"})]


@pytest.mark.parametrize(
    ("elements", "answer"),
    [
        ({}, True),
        ({"is_readable": False}, False),
        ({"is_of_this_patient": False}, False),
        ({"dropped": ("status",)}, False),
        ({"dosages": (CAPSULE, replace(CAPSULE, dropped=("timing",)))}, False),
    ],
)
def test_an_order_is_readable_where_nothing_was_dropped(elements: dict[str, Any], answer: bool) -> None:  # noqa: FBT001
    assert value(order(**elements), "order.is_readable") is answer


@pytest.mark.parametrize(("intent", "answer"), [("order", False), ("", False), ("plan", False), ("proposal", True)])
def test_only_a_proposal_is_a_proposal(intent: str, answer: bool) -> None:  # noqa: FBT001
    assert value(order(intent=intent), "order.is_proposal") is answer


@pytest.mark.parametrize(("status", "answer"), [("draft", False), ("stopped", True), ("on-hold", Unknown("on-hold"))])
def test_an_order_that_stops_its_drug_says_so(status: str, answer: Value) -> None:
    assert value(order(status=status), "order.is_being_stopped") == answer


@pytest.mark.parametrize(
    ("drug", "dose_class"),
    [
        (DRUG, "standard"),
        (replace(DRUG, strength=Quantity(Decimal(4), "mg/{piece}")), "low-dose"),
        (replace(DRUG, strength=Unknown("no-strength")), "unknown"),
        (replace(DRUG, classes=frozenset({"some-class", "combined"})), "not-applicable"),
        (DEPOT, "standard"),
    ],
)
def test_the_daily_dose_is_classed_by_the_bounds_of_the_pack(drug: DrugMatch, dose_class: str) -> None:
    assert value(order(drug=drug), "order.dose_class") == frozenset({dose_class})


def test_the_dose_class_rests_on_what_the_dose_rests_on() -> None:
    facts = of(ORDER).facts
    assert facts["order.dose_class"].rests_on == facts["order.daily_dose"].rests_on


@pytest.mark.parametrize("kind", Kind)
def test_completeness_is_told_for_each_kind_of_data(kind: Kind) -> None:
    states = {**COMPLETE, kind: Completeness.PARTIAL}
    assert value(ORDER, f"data.{kind.value}", completeness=states) == frozenset({"partial"})
    assert value(ORDER, f"data.{kind.value}", completeness={}) == frozenset({"missing"})
    assert value(ORDER, f"data.{kind.value}") == frozenset({"complete"})


def test_exposures_and_their_lacks_come_with_the_facts() -> None:
    listed = order(id="2", status="active", where="medications.entry[0]")
    found = of(ORDER, medications=(listed,), completeness={**COMPLETE, Kind.HISTORY: Completeness.FAILED})
    assert ([set(item) for item in found.exposures], found.exposures_lack) == ([set(EXPOSURES)], ("history",))


def test_signals_durations_and_indications_are_data_of_the_pack() -> None:
    given = order(id="2", drug=DEPOT, resource_type="MedicationAdministration", status="completed", effective=Period(date(2026, 11, 1)))
    context = FactContext(Index(), CLASSES, {"ache": frozenset({"told"})}, {"depot": Decimal(28)}, frozenset({"another"}))
    found = of(order(drug=DEPOT), context, medications=(given,), conditions=(PROBLEM,))
    assert [item["is_current"].value for item in found.exposures] == [True, Unknown("diagnosis")]
    assert [found.facts[f"order.{name}"].value for name in ("indication", "is_first")] == [frozenset(), False]


def test_own_reasons_are_looked_up_in_the_value_sets_of_the_pack() -> None:
    assert value(order(reasons=(Concept(text="ache"),)), "order.indication_source") == frozenset({"order"})


def test_facts_are_told_the_same_twice() -> None:
    assert of(ORDER, conditions=(PROBLEM,)) == of(ORDER, conditions=(PROBLEM,))
    assert isinstance(of(ORDER).facts["order.name"], Fact)
