"""What stands beside an order of the same ingredient: regimen, replacement and repetition; and the patient's age."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cds_service.facts.order import order_facts
from cds_service.facts.registry import EXPOSURES, Value
from cds_service.fhir.chart import Chart, MedicationRecord
from cds_service.fhir.elements import Bounds, Dosage, Timing
from cds_service.quantities import exactly
from cds_service.unknown import Unknown
from tests.test_order_facts import CAPSULE, COMPLETE, CONTEXT, DEPOT, DRUG, ORDER, TODAY

NAMES = ("dose_class", "is_replaced", "repeats_order")
DRAFT = replace(ORDER, id="2", where="draftOrders.entry[1]")
LISTED = replace(ORDER, id="9", where="medications.entry[0]", is_draft=False, status="active", authored_on=TODAY)


def beside(*others: MedicationRecord, order: MedicationRecord = ORDER) -> list[tuple[Value, ...]]:
    """The three facts of each exposure."""
    drafts = tuple(one for one in others if one.is_draft)
    chart = Chart((order, *drafts), frozenset({0}), tuple(one for one in others if not one.is_draft), completeness=COMPLETE)
    items = order_facts(0, chart, CONTEXT, TODAY).exposures
    assert all(set(item) == set(EXPOSURES) for item in items)
    return [tuple(item[name].value for name in NAMES) for item in items]


def repeats(other: MedicationRecord, order: MedicationRecord = ORDER) -> object:
    """Whether a draft repeats the order; the reason where that cannot be told."""
    (facts,) = beside(other, order=order)
    found = facts[2]
    return found.reason if isinstance(found, Unknown) else found


def test_a_listed_order_has_a_dose_class_and_repeats_nothing() -> None:
    assert beside(LISTED) == [(frozenset({"standard"}), False, False)]


def test_another_ingredient_has_no_class_here() -> None:
    other = replace(LISTED, drug=replace(DEPOT, ingredient="another"))
    assert beside(other) == [(Unknown("another-drug"), False, False)]


def test_the_prescription_that_a_draft_names_is_replaced() -> None:
    named = replace(ORDER, prior_prescription="https://ehr.example/MedicationRequest/9/_history/2")
    assert [facts[1] for facts in beside(LISTED, order=named)] == [True]
    assert [facts[1] for facts in beside(replace(LISTED, id=""), order=named)] == [False]
    assert [facts[1] for facts in beside(replace(LISTED, id=""))] == [False]


SCHEDULED = replace(CAPSULE, timing=replace(CAPSULE.timing or Timing(), when=("MORN",)))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"id": "1"}, False),
        ({"id": ""}, True),
        ({"status": "stopped"}, False),
        ({"intent": "proposal"}, False),
        ({"do_not_perform": True}, None),
        ({"authored_on": date(2026, 12, 1)}, False),
        ({"drug": DEPOT}, False),
        ({"dosages": (replace(CAPSULE, text="the same in other words"),)}, True),
        ({"drug": replace(DRUG, classes=DRUG.classes | {"fixed"})}, False),
        ({"dosages": (replace(CAPSULE, doses=(replace(CAPSULE.doses[0], amount=exactly(2, "{capsule}")),)),)}, False),
        ({"dosages": (SCHEDULED,)}, False),
        ({"dosages": (replace(CAPSULE, doses=()),)}, "no-dose"),
        ({"dosages": ()}, "no-dose"),
        ({"dosages": (CAPSULE, replace(SCHEDULED, timing=Timing(bounds=Bounds(TODAY))))}, False),
    ],
)
def test_a_draft_repeats_the_order_where_nothing_tells_them_apart(changes: Mapping[str, Any], expected: object) -> None:
    other = replace(DRAFT, **changes)
    if other.id == ORDER.id or expected is None:
        assert [facts[2] for facts in beside(other) if facts[2] is not False] == []
    else:
        assert repeats(other) == expected


def test_two_products_without_strength_are_not_called_the_same() -> None:
    weak = replace(DRUG, strength=Unknown("no-strength"))
    assert repeats(replace(DRAFT, drug=weak), replace(ORDER, drug=weak)) is True
    assert repeats(replace(DRAFT, drug=replace(weak, name="Another product")), replace(ORDER, drug=weak)) == "no-dose"


def test_an_order_that_is_stopped_repeats_nothing() -> None:
    assert repeats(DRAFT, replace(ORDER, status="stopped")) is False


def test_of_very_many_records_the_first_hundred_are_looked_at() -> None:
    many = [replace(LISTED, id=str(number), where=f"medications.entry[{number}]") for number in range(10, 130)]
    classes = [facts[0] for facts in beside(*many)]
    assert (classes[:100], classes[100:]) == ([frozenset({"standard"})] * 100, [Unknown("another-drug")] * 20)


@pytest.mark.parametrize(
    ("born", "age"),
    [
        (date(2008, 11, 23), exactly(17, "a")),
        (date(2008, 11, 22), exactly(18, "a")),
        (date(2008, 12, 1), exactly(17, "a")),
        (date(2008, 10, 30), exactly(18, "a")),
        (date(2026, 11, 22), exactly(0, "a")),
        (date(2026, 11, 23), Unknown("no-birth-date")),
        (None, Unknown("no-birth-date")),
    ],
)
def test_age_counts_whole_years(born: date | None, age: Value) -> None:
    chart = Chart((ORDER,), frozenset({0}), birth_date=born, completeness=COMPLETE)
    assert order_facts(0, chart, CONTEXT, TODAY).facts["patient.age"].value == age


def test_an_order_begins_as_it_says_else_when_it_was_written_else_today() -> None:
    dated = replace(ORDER, dosages=(Dosage(timing=Timing(bounds=Bounds(date(2026, 12, 1)))),), authored_on=date(2026, 11, 1))
    begins = [
        order_facts(0, Chart((one,), frozenset({0})), CONTEXT, TODAY).facts["order.begins"].value
        for one in (dated, replace(ORDER, authored_on=date(2026, 11, 1)), ORDER)
    ]
    assert begins == ["2026-12-01", "2026-11-01", TODAY.isoformat()]
