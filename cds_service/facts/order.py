"""Floor 3: all facts about one draft order, put together from their readers: what the rules of floor 4 rest on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from cds_service.facts.beside import beside_facts
from cds_service.facts.coverage import NO_COURSES, NO_DURATIONS, Courses, Durations
from cds_service.facts.dose import dose_facts
from cds_service.facts.dose_class import DoseClasses
from cds_service.facts.exposures import NO_SIGNALS, Signals, exposures, is_being_stopped, key, told_by_reason
from cds_service.facts.history import continuation, first_day, history_facts
from cds_service.facts.indications import indication_facts, stated_reasons
from cds_service.facts.registry import Fact, OrderFacts, Value, Words
from cds_service.fhir.chart import Chart, Completeness, Kind, MedicationRecord
from cds_service.fhir.terminology import ConditionIndex, DrugMatch
from cds_service.quantities import exactly
from cds_service.unknown import Unknown


@dataclass(frozen=True, slots=True)
class FactContext:
    """What the rule pack says for reading charts, all of it data: value sets, dose classes, telling diagnoses, depots.

    `signals`: value sets that tell of a drug in use, with its drug classes. `durations`: days that one injection of a depot
    acts, by drug class or ingredient. `drug_words`: lower-case words of drug names, which a dosing text may hold. `indications`: value sets that can be the reason for a drug; empty means all.
    `courses`: days that an order without any end covers at most, by the status that says that it is over.
    """

    conditions: ConditionIndex
    dose_classes: DoseClasses
    signals: Signals = field(default_factory=lambda: NO_SIGNALS)
    durations: Durations = field(default_factory=lambda: NO_DURATIONS)
    indications: Words = frozenset()
    drug_words: Words = frozenset()
    courses: Courses = field(default_factory=lambda: NO_COURSES)


def order_facts(order_index: int, chart: Chart, context: FactContext, today: date) -> OrderFacts:
    """Work out every registered fact about the draft `chart.orders[order_index]`, with what stands beside it.

    `today` is the day in the site's time zone. A fact without a value is there as `Unknown`; none is ever left out.
    """
    order = chart.orders[order_index]
    doses = dose_facts(order, today)
    stated = [match for reason in stated_reasons(order, chart) for match in context.conditions.find(reason)]
    items, lacks = exposures(order, chart, today, context.signals, context.durations, context.courses)
    items = (*items, *told_by_reason(order, stated, context.signals))
    facts = {
        **_own_facts(order, chart),
        **doses,
        "order.dose_class": _dose_class(order, doses["order.daily_dose"], context.dose_classes),
        **indication_facts(order, chart, context.conditions, today, context.indications),
        "order.is_continued": continuation(order, chart, today),
        **history_facts(order, chart, today, context.durations, context.courses),
        "order.begins": Fact(first_day(order, today).isoformat(), (order.where,)),
        "patient.age": _age(chart, today),
        **_data_facts(chart),
    }
    told = beside_facts(order, chart, items, today, context.dose_classes)
    return OrderFacts(key(order) or order.where, MappingProxyType(facts), told, lacks)


def _own_facts(order: MedicationRecord, chart: Chart) -> Mapping[str, Fact]:
    """State the facts that the order tells by itself: its drug, its status and how well it was read."""
    drug = order.drug
    values: Mapping[str, Value] = {
        "order.drug": drug.classes if isinstance(drug, DrugMatch) else drug,
        "order.name": drug.name if isinstance(drug, DrugMatch) else drug,
        "order.drug_is_known": isinstance(drug, DrugMatch),
        "order.is_being_stopped": is_being_stopped(order, chart),
        "order.is_proposal": order.intent == "proposal",
        "order.is_readable": order.is_readable and order.is_of_this_patient and not _dropped(order),
    }
    return {name: Fact(value, (order.where,)) for name, value in values.items()}


def _dropped(order: MedicationRecord) -> bool:
    """Tell whether an element that a rule reads was invalid and dropped, in the order or in one of its dosage lines."""
    return bool(order.dropped) or any(line.dropped for line in order.dosages)


def _dose_class(order: MedicationRecord, daily: Fact, classes: DoseClasses) -> Fact:
    """Class the daily dose by the bounds of the manifest."""
    drug = order.drug.classes if isinstance(order.drug, DrugMatch) else order.drug
    dose = daily.value if not isinstance(daily.value, bool | str | frozenset) else Unknown("no-dose")
    return Fact(frozenset([classes.classify(dose, drug)]), daily.rests_on)


def _data_facts(chart: Chart) -> Mapping[str, Fact]:
    """State how complete each kind of data is; a kind that the chart does not speak of is missing."""
    return {f"data.{kind.value}": Fact(frozenset([chart.completeness.get(kind, Completeness.MISSING).value])) for kind in Kind}


def _age(chart: Chart, today: date) -> Fact:
    """Count the whole years since the patient's day of birth; a day that is not sent is an attribute that is unknown."""
    born = chart.birth_date
    if born is None or born > today:
        return Fact(Unknown("no-birth-date"))
    had_birthday = (today.month, today.day) >= (born.month, born.day)
    return Fact(exactly(today.year - born.year - (0 if had_birthday else 1), "a"))
