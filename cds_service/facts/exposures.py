"""Floor 3: what else the patient takes or took: other drafts, listed drugs and telling diagnoses, as items for the rules."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal

from cds_service.facts.coverage import (
    DEPOT,
    LISTED_BUT_ENDED,
    NO_COURSES,
    NO_DURATIONS,
    Courses,
    Coverage,
    Durations,
    coverage,
    is_proposed,
)
from cds_service.facts.indications import counts, ended_on
from cds_service.facts.registry import Fact, Item, Value, Words
from cds_service.fhir.chart import Chart, Completeness, ConditionRecord, Kind, MedicationRecord
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.quantities import QuantityRange, exactly
from cds_service.unknown import Unknown

Signals = Mapping[str, Words]
"""Value sets of conditions that tell of a drug in use, and the drug classes that they tell of; from the manifest."""

NO_SIGNALS: Final[Signals] = MappingProxyType({})
_STOPS: Final = frozenset(["stopped", "completed", "ended"])
_WITHDRAWS: Final = frozenset(["cancelled", "entered-in-error"])
_KINDS: Final = (Kind.MEDICATIONS, Kind.HISTORY, Kind.CONDITIONS)
_NOW: Final = exactly(0, "d")


def exposures(
    order: MedicationRecord,
    chart: Chart,
    today: date,
    signals: Signals = NO_SIGNALS,
    durations: Durations = NO_DURATIONS,
    courses: Courses = NO_COURSES,
) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    """List what stands beside a draft order, and the kinds of data that were not complete, so that a quiet list proves nothing.

    The order itself, its echo on the medication list and what was never taken are left out. What a draft of this signing
    stops counts as ended today. A record whose drug cannot be told, or of another patient, is no item but makes its list incomplete.
    """
    beside = [draft for draft in chart.orders if draft is not order]
    known = [coverage(record, today, durations, courses) for record in chart.medications]
    pairs = zip(chart.medications, _after_signing(chart, known), strict=True)
    listed = [(record, covered) for record, covered in pairs if covered.is_exposure and not is_same(record, order)]
    items = (
        *(_draft_item(draft) for draft in beside if _is_told(draft) and _is_exposure(draft)),
        *(_item(record, "listed", covered) for record, covered in listed if _is_told(record)),
        *_diagnoses(chart.conditions, signals, today),
    )
    return items, _lacks(chart, [*beside, *(record for record, _ in listed)])


def is_being_stopped(draft: MedicationRecord, chart: Chart) -> bool | Unknown:
    """Tell whether a draft stops, cancels, pauses or forbids its drug; a draft on hold that is nowhere in use may yet start it."""
    if draft.status != "on-hold" or draft.do_not_perform:
        return _is_stop(draft)
    return True if _keys(draft) & {key(record) for record in chart.medications} else Unknown("on-hold")


def is_same(record: MedicationRecord, order: MedicationRecord) -> bool:
    """Tell whether a listed record is the order itself, echoed on the list."""
    is_one_drug = same_ingredient(record, order) or not (_ingredient(record) and _ingredient(order))
    return bool(order.id) and key(record) == key(order) and is_one_drug


def key(record: MedicationRecord) -> str:
    """Name a record as references do: type and id; empty where it has no id."""
    return f"{record.resource_type}/{record.id}" if record.id else ""


def referred_key(reference: str) -> str:
    """Read the key out of a reference, relative or absolute, versioned or not."""
    return "/".join(reference.partition("/_history/")[0].split("/")[-2:])


def same_ingredient(one: MedicationRecord, other: MedicationRecord) -> bool:
    """Tell whether two records are of the same drug, as far as the drug is known."""
    return _ingredient(one) != "" and _ingredient(one) == _ingredient(other)


def _ingredient(record: MedicationRecord) -> str:
    """Name the ingredient; empty where the drug is not known."""
    return record.drug.ingredient if isinstance(record.drug, DrugMatch) else ""


def is_start(draft: MedicationRecord) -> bool:
    """Tell whether a draft starts or goes on with its drug, and is more than a proposal."""
    return not _is_stop(draft) and not is_proposed(draft) and draft.intent != "option"


def _is_stop(draft: MedicationRecord) -> bool:
    """Tell whether a draft ends, pauses or forbids something instead of starting it."""
    return draft.do_not_perform or draft.status in _STOPS | _WITHDRAWS | {"on-hold"}


def _is_exposure(draft: MedicationRecord) -> bool:
    """Tell whether a draft says that the drug is or was taken; withdrawn and forbidden ones do not, nor one option of several."""
    return not draft.do_not_perform and draft.status not in _WITHDRAWS and draft.intent != "option"


def _is_told(record: MedicationRecord) -> bool:
    """Tell whether it is known which drug a record is about, and that it is this patient's."""
    return isinstance(record.drug, DrugMatch) and record.is_of_this_patient


def _keys(draft: MedicationRecord) -> set[str]:
    """Keys of the listed records that a draft can be a new version of, or that it names as the prescription before it."""
    return {key(draft), referred_key(draft.prior_prescription)} - {""}


def _after_signing(chart: Chart, known: Sequence[Coverage]) -> Iterator[Coverage]:
    """Find the coverage of each listed record after this signing, in which drafts may stop it."""
    stops = [draft for draft in chart.orders if _is_stop(draft)]
    named = {name for draft in stops for name in _keys(draft)}
    by_drug = _stops_by_drug(chart, known, stops, named)
    for record, covered in zip(chart.medications, known, strict=True):
        drug_stop = by_drug.get(_ingredient(record))
        stopped = True if key(record) in named else (drug_stop.stopped(record) if drug_stop else None)
        yield _stopped_today(record, covered, stopped) if stopped and covered.is_current is not False else covered


def _stopped_today(record: MedicationRecord, covered: Coverage, stopped: Literal[True] | Unknown) -> Coverage:
    """Let a coverage end today; a depot acts on, and of several orders it may not have been this one."""
    is_depot = isinstance(record.drug, DrugMatch) and DEPOT in record.drug.classes
    is_current = Unknown("depot-may-act") if is_depot else (stopped if isinstance(stopped, Unknown) else False)
    return replace(covered, is_current=is_current, days_since_last_dose=_NOW)


@dataclass(frozen=True, slots=True)
class _DrugStop:
    """What drafts stop of one drug without naming an order: how many, against how many orders in force that none names.

    `meant` holds the products stopped of which one order is in force, so that there is no doubt which.
    """

    unnamed: int
    left: int
    is_forbidden: bool
    meant: frozenset[DrugMatch]

    def stopped(self, record: MedicationRecord) -> Literal[True] | Unknown | None:
        """Tell whether a record that no draft names is stopped: with every order of its drug, or as the only one of its product."""
        if self.unnamed == 0 and (self.left or record.resource_type == "MedicationRequest"):
            return None
        if self.is_forbidden or self.left <= self.unnamed or record.drug in self.meant:
            return True
        return Unknown("one-of-several-stopped") if len(self.meant) < self.unnamed else None


def _stops_by_drug(
    chart: Chart, known: Sequence[Coverage], stops: Iterable[MedicationRecord], named: Container[str]
) -> Mapping[str, _DrugStop]:
    """Sum up by ingredient what drafts stop; a draft that was entered in error stops only what it names."""
    listed = {key(record) for record in chart.medications}
    drugs: dict[str, list[MedicationRecord]] = {}
    for draft in stops:
        if draft.status != "entered-in-error" and _ingredient(draft):
            drugs.setdefault(_ingredient(draft), []).append(draft)
    left = _requests_left(chart, known, named)
    unnamed = {drug: [draft for draft in drafts if not _keys(draft) & listed] for drug, drafts in drugs.items()}
    return {drug: _drug_stop(drafts, left.get(drug, [])) for drug, drafts in unnamed.items()}


def _drug_stop(unnamed: Sequence[MedicationRecord], left: Sequence[DrugMatch]) -> _DrugStop:
    """Sum up the drafts that stop one drug without naming an order."""
    in_force = Counter(left)
    meant = frozenset(draft.drug for draft in unnamed if isinstance(draft.drug, DrugMatch) and in_force[draft.drug] == 1)
    return _DrugStop(len(unnamed), len(left), any(draft.do_not_perform for draft in unnamed), meant)


def _requests_left(chart: Chart, known: Sequence[Coverage], named: Container[str]) -> Mapping[str, list[DrugMatch]]:
    """Find, by ingredient, the products of the listed orders that may be in force and that no draft names."""
    left: dict[str, list[DrugMatch]] = {}
    for record, covered in zip(chart.medications, known, strict=True):
        is_live = covered.is_exposure and covered.is_current is not False
        if is_live and record.resource_type == "MedicationRequest" and key(record) not in named and isinstance(record.drug, DrugMatch):
            left.setdefault(record.drug.ingredient, []).append(record.drug)
    return left


def _draft_item(draft: MedicationRecord) -> Item:
    """Describe another draft: in use from this signing on, or ended today where it stops or pauses the drug."""
    covered = Coverage(Unknown("draft"), Unknown("draft"), not _is_stop(draft), _NOW, is_proposed=is_proposed(draft))
    return _item(draft, "draft", covered)


def _item(record: MedicationRecord, source: str, covered: Coverage) -> Item:
    """Write down the attributes of one known drug, each resting on its record."""
    assert isinstance(record.drug, DrugMatch)  # noqa: S101 - chosen by _is_told
    free = record.drug.opioid_free_days
    values: Mapping[str, Value] = {
        "drug": record.drug.classes,
        "name": record.drug.name,
        "source": frozenset([source]),
        "is_current": covered.is_current,
        "is_listed_as_active": covered.is_current in (True, LISTED_BUT_ENDED),
        "is_proposed": covered.is_proposed,
        "days_since_last_dose": covered.days_since_last_dose,
        "days_short_of_opioid_free": days_short(free, covered.days_since_last_dose),
        "opioid_free_days": free if isinstance(free, Unknown) else exactly(free, "d"),
    }
    return _resting_on(record.where, values)


def days_short(free: Decimal | Unknown, since: QuantityRange | Unknown) -> QuantityRange | Unknown:
    """Subtract the days since the last dose from the opioid-free days asked for; above 0 means too early."""
    if isinstance(free, Unknown):
        return free
    if isinstance(since, Unknown):
        return since
    return QuantityRange(free - since.high, free - since.low, "d")


def _diagnoses(conditions: Iterable[ConditionRecord], signals: Signals, today: date) -> Iterator[Item]:
    """Describe the drugs that conditions tell of: of those that the patient has nothing is known, of a bygone one when it was over."""
    for condition in conditions:
        for match in condition.matches:
            if match.valueset not in signals:
                continue
            if counts(condition, match, today):
                yield _diagnosis(condition.where, match, signals[match.valueset], None)
            elif over := ended_on(condition, today):
                yield _diagnosis(condition.where, match, signals[match.valueset], exactly((today - over).days, "d"))


def told_by_reason(order: MedicationRecord, stated: Iterable[ConditionMatch], signals: Signals) -> tuple[Item, ...]:
    """Describe the drugs that the reason of an order tells of, found in value sets as `stated`."""
    return tuple(_diagnosis(order.where, match, signals[match.valueset], None) for match in stated if match.valueset in signals)


def _diagnosis(where: str, match: ConditionMatch, classes: Words, since: QuantityRange | None) -> Item:
    """Describe the drug that a diagnosis tells of, over `since` so many days where that is known."""
    unknown = Unknown("diagnosis")
    values: Mapping[str, Value] = {
        "drug": classes,
        "name": match.name or match.title,
        "source": frozenset(["condition"]),
        "is_current": False if since else unknown,
        "is_listed_as_active": False if since else unknown,
        "is_proposed": False,
        "days_since_last_dose": since or unknown,
        "days_short_of_opioid_free": unknown,
        "opioid_free_days": unknown,
    }
    return _resting_on(where, values)


def _resting_on(where: str, values: Mapping[str, Value]) -> Item:
    """Make facts of values that all rest on one resource."""
    return MappingProxyType({name: Fact(value, (where,)) for name, value in values.items()})


def _lacks(chart: Chart, records: Iterable[MedicationRecord]) -> tuple[str, ...]:
    """Name the kinds of data that were not complete, or that hold a drug which could not be told."""
    incomplete = {kind for kind in _KINDS if chart.completeness.get(kind, Completeness.MISSING) is not Completeness.COMPLETE}
    if not all(_is_told(record) for record in records):
        incomplete.add(Kind.MEDICATIONS)
    return tuple(kind.value for kind in _KINDS if kind in incomplete)
