"""Floor 2: reads one call's drafts and prefetch into a Chart, of which only what concerns a rule is kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo
from decimal import Decimal
from functools import cache
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from cds_service.fhir.chart import Chart, ConditionRecord, Kind, MedicationRecord
from cds_service.fhir.elements import Concept, Medication, RawResource
from cds_service.fhir.prefetch import Entry, Portion, bundle_entries, completeness, portions
from cds_service.fhir.resources import (
    DSTU2_ORDER,
    MEDICATION_TYPES,
    MOST_LINES,
    Resolve,
    Sighting,
    Surroundings,
    birth_date,
    condition_record,
    is_of_other_patient,
    medication_record,
    ordered_medication,
    referable,
)
from cds_service.fhir.terminology import ConditionIndex, ConditionMatch, DrugIndex, DrugMatch
from cds_service.fhir.values import concept, listed, local_reference, members, safe_word, text_of
from cds_service.quantities import Quantity
from cds_service.unknown import Unknown

MOST_VALIDATED: Final = 100
"""Of each list no more are given to fhir.resources (about 0.5 ms each); the readers check what a rule reads by themselves."""

LONGEST_NOTE: Final = 200
"""Characters; a longer note is no name of a product."""

MOST_ORDERS: Final = 500
MOST_LISTED: Final = 2_000
MOST_PAIRS: Final = 2_000
LEAST_JUDGED: Final = 5
"""Drafts and listed records that are read, pairs of a draft and a record, and drafts that are judged at least: no signing and no list of a
patient holds more that concerns a rule. The rest is told as not checked."""

MOST_LINES_TOGETHER: Final = 2_000
LEAST_LINES: Final = 5
MOST_UNLISTED: Final = 200
"""Dosage lines that are read of all drafts (or of a list) together, and of one record at least. `resources.MOST_LINES` are read of one record at most."""

NO_STRENGTH: Final = Unknown("no-strength")
NO_DRUG: Final = Unknown("no-drug")
NOTHING_READ: Final[RawResource] = MappingProxyType({"resourceType": "MedicationRequest"})
"""What stands for a draft that is no resource at all: an order of which nothing could be read."""
_MEDICATION: Final = frozenset(["medicationCodeableConcept", "medicationReference"])
_DRAFT_TYPES: Final = frozenset(["MedicationRequest", DSTU2_ORDER])
_REFERRED_TYPES: Final = frozenset(["Medication", "Substance", "Condition"])
_NEVER_TAKEN: Final = frozenset(["entered-in-error", "cancelled", "not-taken", "not-done", "declined"])
"""What was never taken is not missed where its drug cannot be told."""

_ENDS: Final = frozenset(["stopped", "completed", "ended", "cancelled", "on-hold"])
"""Statuses of a draft that ends or pauses an order: the list tells what was taken until then, so its copy stays."""

_NOT_OF_LISTS: Final = frozenset([Kind.PATIENT, Kind.CONDITIONS])
"""Kinds that an unreadable medication leaves as they are."""

FindCondition = Callable[[Concept], tuple[ConditionMatch, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """What a call brings, as raw JSON: the bare id of the patient, the drafts, the client's selections and the prefetch."""

    patient_id: str
    draft_orders: Mapping[str, Any] | None = None
    selections: tuple[str, ...] | None = None
    prefetch: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Drugs:
    """Finds the drugs of one call, each product once, and knows afterwards which were none that a rule concerns."""

    index: DrugIndex
    _found: dict[Medication, DrugMatch | Unknown | None] = field(default_factory=dict)

    def find(self, medication: Medication) -> DrugMatch | Unknown | None:
        """Find the drug of a product."""
        if medication not in self._found:
            self._found[medication] = self.index.find(medication)
        return self._found[medication]

    def unlisted(self) -> tuple[Medication, ...]:
        """Return the products so far that no rule concerns."""
        return tuple(islice((medication for medication, drug in self._found.items() if drug is None), MOST_UNLISTED))


@dataclass(frozen=True, slots=True)
class _Listed:
    """What was read of the prefetch lists, and the kinds that something unreadable in them leaves partial."""

    records: tuple[MedicationRecord, ...] = ()
    conditions: tuple[ConditionRecord, ...] = ()
    spoilt: frozenset[Kind] = frozenset()


def read_chart(source: Source, drugs: DrugIndex, conditions: ConditionIndex, *, today: date, zone: tzinfo, history_days: Decimal) -> Chart:
    """Read the chart for `service.decide`; where no draft concerns a rule, at once and without the lists.

    `today` is the day in `zone`, the site's time zone; `history_days` the longest opioid-free interval in force.
    """
    drafts = bundle_entries(source.draft_orders, "draftOrders")
    around = Surroundings(today, zone, source.patient_id.removeprefix("Patient/"), _resolver(drafts, source.prefetch))
    known = _Drugs(drugs)
    found = tuple(_concerning(drafts, known, around.resolve))
    if not found:
        return Chart(unlisted=known.unlisted())
    read = portions(source.prefetch, today=today, history_days=history_days)
    sharing = replace(around, most_lines=_most_lines(len(found[:MOST_ORDERS])))
    orders = tuple(
        medication_record(seen, sharing, is_draft=True, is_validated=number < MOST_VALIDATED)
        for number, (_, seen) in enumerate(found[:MOST_ORDERS])
    )
    own = frozenset(_echo(seen) for _, seen in found if _identity(seen.raw) and not _is_ending(seen.raw))
    medications = _medications(read, own, known, around)
    problems = _conditions(read, cache(conditions.find), around)
    born, spoilt_patient = _birth_date(read, around)
    selected = _selected(source.selections, drafts, [index for index, _ in found])
    judged = _judged(selected, len(orders), len(orders) + len(medications.records))
    left_over = sorted(selected - judged)
    unread = [Sighting(NOTHING_READ, drafts[found[number][0]].place, Medication(Concept()), NO_DRUG) for number in left_over[:1]]
    return Chart(
        orders=(*orders, *(medication_record(one, around, is_draft=True) for one in unread)),
        selected=judged | frozenset(range(len(orders), len(orders) + len(unread))),
        medications=medications.records,
        unlisted=known.unlisted(),
        conditions=problems.conditions,
        birth_date=born,
        completeness=completeness(read, medications.spoilt | problems.spoilt | spoilt_patient),
    )


def _most_lines(records: int) -> int:
    """Return how many dosage lines are read of each of so many records: a line costs a rule more to judge than a record."""
    return min(MOST_LINES, max(LEAST_LINES, MOST_LINES_TOGETHER // max(1, records)))


def _judged(selected: frozenset[int], orders: int, records: int) -> frozenset[int]:
    """Return which of the selected orders are judged: each is held against every record, and an answer must come in time."""
    most = max(LEAST_JUDGED, MOST_PAIRS // records)
    return frozenset(sorted(number for number in selected if number < orders)[:most])


def _resolver(drafts: Iterable[Entry], prefetch: Mapping[str, Any] | None) -> Resolve:
    """Return the way from a reference to its resource: among the drafts, else in the prefetch, which is looked through once, if at all."""
    beside = _referable(drafts)

    @cache
    def listed() -> Mapping[str, RawResource]:
        return _referable(entry for key, value in (prefetch or {}).items() for entry in _all_entries(key, value))

    def resolve(address: str) -> RawResource | None:
        bare = local_reference(address)
        return beside.get(address) or beside.get(bare) or listed().get(address) or listed().get(bare)

    return resolve


def _all_entries(key: str, value: Any) -> Iterable[Entry]:  # noqa: ANN401 - any JSON value
    """Return the resources of one prefetch value: a Bundle's entries, or the value itself."""
    is_resource = isinstance(value, Mapping) and "entry" not in value
    return (Entry(key, value),) if is_resource else bundle_entries(value, key)


def _referable(entries: Iterable[Entry]) -> Mapping[str, RawResource]:
    """Index the resources that an order can refer to."""
    return referable((entry.full_url, entry.raw) for entry in entries if entry.raw is not None and entry.resource_type in _REFERRED_TYPES)


def _concerning(drafts: Iterable[Entry], drugs: _Drugs, resolve: Resolve) -> Iterator[tuple[int, Sighting]]:
    """Find the drafts whose drug concerns a rule or cannot be told, with their index among all drafts."""
    for index, entry in enumerate(drafts):
        raw = _as_order(entry)
        if raw is None:
            continue
        medication = ordered_medication(raw, resolve)
        drug = _told_drug(raw, medication, drugs) if medication is not None else None
        if medication is not None and drug is not None:
            yield index, Sighting(raw, _where(entry), medication, drug)
        elif raw is NOTHING_READ:
            yield index, Sighting(raw, entry.place, Medication(Concept()), NO_DRUG)


def _as_order(entry: Entry) -> RawResource | None:
    """Return a draft that is an order, or could be one: what has no type is an order where it names a medication, else nothing read of one."""
    raw = entry.raw
    if raw is None:
        return NOTHING_READ if entry.is_unreadable else None
    if "resourceType" not in raw:
        return {**raw, "resourceType": "MedicationRequest"} if _MEDICATION & set(raw) else NOTHING_READ
    return raw if entry.resource_type in _DRAFT_TYPES else None


def _told_drug(raw: RawResource, medication: Medication, drugs: _Drugs) -> DrugMatch | Unknown | None:
    """Find the drug of an order; the note of a compound may name it, or its strength, where the product does not."""
    drug = drugs.find(medication)
    lacks_strength = isinstance(drug, DrugMatch) and drug.strength == NO_STRENGTH
    note = _note(raw) if lacks_strength or isinstance(drug, Unknown) else ""
    noted = drugs.index.find(Medication(Concept(text=note))) if note else None
    if not isinstance(noted, DrugMatch) or noted.contradicts:
        return drug
    if isinstance(drug, DrugMatch):
        is_same = (noted.ingredient, noted.classes) == (drug.ingredient, drug.classes)
        return replace(drug, strength=noted.strength) if is_same else drug
    return noted if isinstance(noted.strength, Quantity) else drug  # a drug without a strength is a remark, not a product


def _note(raw: RawResource) -> str:
    """Return the text of an order's only note; several are a conversation, not a product."""
    notes = [text_of(members(note).get("text")) for note in listed(raw.get("note"))]
    return notes[0] if len(notes) == 1 and len(notes[0]) <= LONGEST_NOTE else ""


def _where(entry: Entry) -> str:
    """Name the place of a resource for traces, inert whatever its id says."""
    resource_id = text_of(entry.raw.get("id")) if entry.raw is not None else ""
    return f"{entry.place} {entry.resource_type}" + (f"/{safe_word(resource_id)}" if resource_id else "")


def _identity(raw: RawResource | None) -> str:
    """Return `Type/id` as sent, empty for a resource without an id, which is never taken for another one."""
    resource_id = text_of(raw.get("id")) if raw is not None else ""
    return f"{text_of(raw.get('resourceType'))}/{resource_id}" if raw is not None and resource_id else ""


def _echo(seen: Sighting) -> tuple[str, str]:
    """Tell one order from another: by its name and its drug, since an id that comes twice must not hide a second drug."""
    return _identity(seen.raw), seen.drug.ingredient if isinstance(seen.drug, DrugMatch) else ""


def _is_ending(draft: RawResource) -> bool:
    """Tell whether a draft is a new version of an order in use, which it ends, pauses or forbids."""
    return text_of(draft.get("status")).lower() in _ENDS or draft.get("doNotPerform") is True


def _selected(selections: tuple[str, ...] | None, drafts: Iterable[Entry], found: Iterable[int]) -> frozenset[int]:
    """Return which of the orders found the selections name; all of them where no selection names any draft at all."""
    wanted = {address for sent in selections or () for address in (sent, local_reference(sent))}
    chosen = frozenset(index for index, entry in enumerate(drafts) if wanted & _addresses(entry))
    orders = tuple(found)
    return frozenset(number for number, index in enumerate(orders) if index in chosen or not chosen)


def _addresses(entry: Entry) -> frozenset[str]:
    """Return the names that a selection can have for a draft."""
    if entry.raw is None:
        return frozenset()
    resource_id = text_of(entry.raw.get("id"))
    return frozenset([_identity(entry.raw), resource_id, entry.full_url, local_reference(entry.full_url)]) - {""}


def _medications(read: Iterable[Portion], own: frozenset[tuple[str, str]], drugs: _Drugs, around: Surroundings) -> _Listed:
    """Read the listed medications that concern a rule, each once and none that is also a draft which starts it or goes on with it."""
    spoilt: set[Kind] = set()
    sightings: dict[tuple[str, str], tuple[Sighting, frozenset[Kind]]] = {}
    own_ids = frozenset(identity for identity, _ in own)
    for portion in read:
        for entry in portion.entries:
            seen, is_lost = _sighting(entry, drugs, around)
            if _identity(entry.raw) in own_ids and (seen is None or _echo(seen) in own):
                continue
            if is_lost:
                spoilt |= portion.concerns - (_NOT_OF_LISTS if entry.resource_type else frozenset())
            elif seen is not None:
                key = _echo(seen) if _identity(seen.raw) else (entry.place, "")
                earlier, kinds = sightings.get(key, (seen, frozenset()))
                sightings[key] = (earlier, kinds | portion.concerns)
    kept = tuple(sightings.values())[:MOST_LISTED]
    sharing = replace(around, most_lines=_most_lines(len(kept)))
    records = [medication_record(seen, sharing, is_validated=number < MOST_VALIDATED) for number, (seen, _) in enumerate(kept)]
    left_out = (kinds for _, kinds in tuple(sightings.values())[MOST_LISTED:])
    unsound = (kinds for record, (_, kinds) in zip(records, kept, strict=True) if not _is_whole(record))
    spoilt |= frozenset().union(*left_out, *unsound) - _NOT_OF_LISTS
    return _Listed(records=tuple(records), spoilt=frozenset(spoilt))


def _is_whole(record: MedicationRecord) -> bool:
    """Tell whether all that a rule reads of a record was readable."""
    return record.is_readable and not record.dropped and not any(line.dropped for line in record.dosages)


def _sighting(entry: Entry, drugs: _Drugs, around: Surroundings) -> tuple[Sighting | None, bool]:
    """Look at one entry: the medication that concerns a rule, if it is one, and whether something unreadable was lost."""
    raw = entry.raw
    if raw is None or not entry.resource_type:
        return None, True
    if entry.resource_type not in MEDICATION_TYPES:
        return None, False
    if is_of_other_patient(raw, around.patient_id):
        return None, True
    medication = ordered_medication(raw, around.resolve)
    drug = _told_drug(raw, medication, drugs) if medication is not None else NO_DRUG
    if isinstance(drug, Unknown) or medication is None:
        return None, text_of(raw.get("status")).lower() not in _NEVER_TAKEN
    return (Sighting(raw, _where(entry), medication, drug), False) if drug is not None else (None, False)


def _conditions(read: Iterable[Portion], find: FindCondition, around: Surroundings) -> _Listed:
    """Read the Conditions that belong to a value set, each once."""
    records: dict[str, ConditionRecord] = {}
    is_spoilt = False
    for portion in read:
        for entry in portion.entries:
            if entry.raw is None or entry.resource_type != "Condition":
                continue
            named = concept(entry.raw.get("code"))
            key = _identity(entry.raw) or entry.place
            if is_of_other_patient(entry.raw, around.patient_id) or named == Concept():
                is_spoilt = True
            elif key not in records and (matches := find(named)):
                is_validated = len(records) < MOST_VALIDATED
                records[key], is_sound = condition_record(entry.raw, _where(entry), matches, around, is_validated=is_validated)
                is_spoilt = is_spoilt or not is_sound
    return _Listed(conditions=tuple(records.values()), spoilt=frozenset([Kind.CONDITIONS] if is_spoilt else ()))


def _birth_date(read: Iterable[Portion], around: Surroundings) -> tuple[date | None, frozenset[Kind]]:
    """Read the day of birth of this patient; a Patient resource of another one makes the kind partial."""
    patients = [entry.raw for portion in read for entry in portion.entries if entry.raw is not None and entry.resource_type == "Patient"]
    own = [raw for raw in patients if not around.patient_id or text_of(raw.get("id")) in ("", around.patient_id)]
    if not own:
        return None, frozenset([Kind.PATIENT] if patients else ())
    born, is_sound = birth_date(own[0], around)
    return born, frozenset() if is_sound and len(own) == len(patients) else frozenset([Kind.PATIENT])
