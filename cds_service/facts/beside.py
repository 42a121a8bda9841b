"""Floor 3: what else is in use of the ordered ingredient, held against the draft: another regimen, replaced by it, or the same twice."""

from collections.abc import Mapping
from datetime import date
from itertools import islice
from types import MappingProxyType
from typing import Final

from cds_service.facts.dose_class import DoseClasses
from cds_service.facts.exposures import is_same, is_start, key, referred_key, same_ingredient
from cds_service.facts.history import first_day, same_drug
from cds_service.facts.registry import Fact, Item, Value
from cds_service.facts.steps import lines_of, steps, why_unreadable
from cds_service.fhir.chart import Chart, MedicationRecord
from cds_service.fhir.terminology import DrugMatch
from cds_service.unknown import Unknown

_LOOKED_AT: Final = 100
"""Records whose doses are worked out, so that a list of thousands does not cost the deadline."""
_ANOTHER: Final[Mapping[str, Value]] = MappingProxyType(
    {"dose_class": Unknown("another-drug"), "is_replaced": False, "repeats_order": False}
)


def beside_facts(order: MedicationRecord, chart: Chart, items: tuple[Item, ...], today: date, classes: DoseClasses) -> tuple[Item, ...]:
    """Add to each exposure what it is to the draft; of another ingredient it neither has a dose class here nor repeats anything."""
    same = (record for record in (*chart.orders, *chart.medications) if record is not order and same_ingredient(record, order))
    by_place = {record.where: record for record in islice(same, _LOOKED_AT)}
    return tuple(_told(item, by_place.get(_place(item)), order, today, classes) for item in items)


def _place(item: Item) -> str:
    """Name the place in the call of the resource that an exposure rests on."""
    return next(iter(item["name"].rests_on), "")


def _told(item: Item, record: MedicationRecord | None, order: MedicationRecord, today: date, classes: DoseClasses) -> Item:
    """Add the three facts to one exposure."""
    values = _ANOTHER if record is None else _values(record, order, today, classes)
    return MappingProxyType({**item, **{name: Fact(value, item["name"].rests_on) for name, value in values.items()}})


def _values(record: MedicationRecord, order: MedicationRecord, today: date, classes: DoseClasses) -> Mapping[str, Value]:
    """Hold one record of the ordered ingredient against the draft."""
    drug = record.drug.classes if isinstance(record.drug, DrugMatch) else record.drug
    return {
        "dose_class": frozenset([classes.classify(steps(record, today)[-1].daily, drug)]),
        "is_replaced": bool(record.id) and key(record) == referred_key(order.prior_prescription),
        "repeats_order": _repeats(record, order, today),
    }


def _repeats(record: MedicationRecord, order: MedicationRecord, today: date) -> bool | Unknown:
    """Tell whether two drafts order the same twice; a later day, another time of day or another dose is a plan and no slip."""
    if not (record.is_draft and is_start(record) and is_start(order) and same_drug(record, order)) or is_same(record, order):
        return False
    if first_day(record, today) != first_day(order, today):
        return False
    if why_unreadable(record) or why_unreadable(order):
        return Unknown("no-dose")
    if record.drug == order.drug and record.dosages == order.dosages:
        return True
    if _times(record) != _times(order):
        return False
    return _same_doses(record, order, today)


def _times(record: MedicationRecord) -> frozenset[tuple[int | None, frozenset[str], frozenset[str]]]:
    """Collect the places in a sequence, times of day and weekdays of an order's lines."""
    return frozenset((line.dosage.sequence, line.schedule.moments, line.schedule.days) for line in lines_of(record))


def _same_doses(record: MedicationRecord, order: MedicationRecord, today: date) -> bool | Unknown:
    """Compare the doses of two orders step by step; the dose at a time stands in for one a day that cannot be told (a depot)."""
    own, other = ([(step.daily, step.single_dose, step.length) for step in steps(one, today)] for one in (record, order))
    if any(isinstance(single, Unknown) for _, single, _ in (*own, *other)):
        return Unknown("no-dose")
    return own == other
