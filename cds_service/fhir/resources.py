"""Floor 2: readers of single resources: raw FHIR JSON → medication, record, condition; one resource at a time.

Triage (`ordered_medication`) reads raw JSON and is cheap; only what concerns a rule is salvaged and read in full.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from types import MappingProxyType
from typing import Any, Final

from cds_service.fhir.chart import ConditionRecord, MedicationRecord
from cds_service.fhir.dosages import Losses, dosages, or_lost
from cds_service.fhir.elements import Coding, Concept, Ingredient, Medication, Period, RawResource
from cds_service.fhir.salvage import LINES, Path, Salvaged, pruned, salvage
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.fhir.values import (
    concept,
    day,
    days_long,
    fhir_id,
    listed,
    local_reference,
    members,
    period,
    quantity,
    ratio,
    reference,
    single,
    text_of,
    whole,
)
from cds_service.unknown import Unknown

Resolve = Callable[[str], RawResource | None]
"""Finds the resource that a reference of the call leads to, within the call."""

MEDICATION_TYPES: Final = frozenset(
    ["MedicationRequest", "MedicationOrder", "MedicationStatement", "MedicationDispense", "MedicationAdministration"],
)
MOST_LINES: Final = 200
"""Dosage lines of one record that are read: no titration has more steps."""
MOST_REASONS: Final = 100
"""Reasons of one record that are read, codes and references each."""
DSTU2_ORDER: Final = "MedicationOrder"

_STATUSES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        name: frozenset(codes.split())
        for name, codes in {
            "MedicationRequest": "active on-hold ended stopped completed cancelled entered-in-error draft unknown",
            "MedicationOrder": "active on-hold completed entered-in-error stopped draft",
            "MedicationStatement": "active completed entered-in-error intended stopped on-hold unknown not-taken recorded draft",
            "MedicationDispense": "preparation in-progress cancelled on-hold completed entered-in-error stopped declined unknown",
            "MedicationAdministration": "in-progress not-done on-hold completed entered-in-error stopped unknown",
        }.items()
    },
)
"""Status codes of R4, with the few that R5 added (ended, recorded, draft); fhir.resources does not check them."""
_INTENTS: Final = frozenset(["proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order", "option"])
_CLINICAL: Final = frozenset(["active", "recurrence", "relapse", "inactive", "remission", "resolved"])
_VERIFICATION: Final = frozenset(["unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error", "unknown"])
_NOT_READ: Final = frozenset(
    ["extension", "modifierExtension", "id", "userSelected", "version", "fhir_comments", "contentType", "assigner", "identifier", "type"]
)
_READ: Final[Mapping[str, str]] = MappingProxyType(
    {
        "status": "status", "intent": "intent", "doNotPerform": "doNotPerform", "authoredOn": "authoredOn", "dateAsserted": "dateAsserted",
        "medicationCodeableConcept": "medication", "medicationReference": "medication", "effectivePeriod": "effective",
        "effectiveDateTime": "effective", "whenHandedOver": "whenHandedOver", "whenPrepared": "whenPrepared", "daysSupply": "daysSupply",
        "dispenseRequest": "dispenseRequest", "subject": "subject", "dosageInstruction": "dosageInstruction", "dosage": "dosage",
    },
)  # fmt: skip
"""Top members that a rule reads, with the name that a loss goes by."""
_READ_OF_SUPPLY: Final = frozenset(["validityPeriod", "expectedSupplyDuration", "numberOfRepeatsAllowed"])
_READ_OF_MEDICATION: Final = frozenset(["code", "form", "ingredient"])
_READ_OF_CONDITION: Final = (
    "code", "clinicalStatus", "verificationStatus", "subject", "onsetDateTime", "onsetPeriod", "abatementDateTime", "abatementPeriod",
    "recordedDate",
)  # fmt: skip
_NOT_THE_CASE: Final = frozenset(["refuted", "entered-in-error"])


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the readers need beside the resource: the day, the site's time zone, the patient and the way to referred resources."""

    today: date
    zone: tzinfo
    patient_id: str
    resolve: Resolve
    most_lines: int = MOST_LINES
    """Dosage lines of one record that are read."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A medication resource that triage found to concern a rule, with its place in the call."""

    raw: RawResource
    where: str
    medication: Medication
    drug: DrugMatch | Unknown


def is_of_other_patient(raw: RawResource, patient_id: str) -> bool:
    """Tell whether the subject is surely another patient; one that is absent, or no reference to a Patient, is accepted."""
    subject = raw.get("subject") if "subject" in raw else raw.get("patient")
    kind, _, subject_id = local_reference(reference(subject)).partition("/")
    return kind == "Patient" and bool(patient_id) and subject_id != patient_id


def ordered_medication(raw: RawResource, resolve: Resolve) -> Medication | None:
    """Read what is ordered, dispensed or taken, from concept and reference together; `None` where nothing is named."""
    r5 = members(raw.get("medication"))
    own_concept = raw.get("medicationCodeableConcept") or r5.get("concept") or (r5 if "coding" in r5 or "text" in r5 else None)
    own_reference = raw.get("medicationReference") or (r5 if isinstance(r5.get("reference"), str) else r5.get("reference"))
    if not pruned({"concept": own_concept, "reference": own_reference}):
        return None
    contained = _contained(raw)
    address = reference(own_reference)
    resource = _found(address, contained, resolve)
    said = concept(own_concept)
    display = text_of(members(own_reference).get("display"))
    product = members(resource)
    inside = {**contained, **_contained(product)}
    merged = _merged(said, concept(product.get("code")), display)
    return Medication(
        concept=merged,
        form=concept(product.get("form") or product.get("doseForm")),
        ingredients=tuple(_ingredient(one, inside, resolve) for one in listed(product.get("ingredient"))),
        is_resolved=resource is not None or said != Concept(),
    )


def _contained(raw: RawResource) -> Mapping[str, RawResource]:
    """Return the contained resources by id."""
    found = (one for one in listed(raw.get("contained")) if isinstance(one, Mapping))
    return {text_of(one.get("id")).removeprefix("#"): one for one in found}


def _found(address: str, contained: Mapping[str, RawResource], resolve: Resolve) -> RawResource | None:
    """Follow a reference: into the resource itself ("#id"), else elsewhere in the call."""
    if not address:
        return None
    inside = contained.get(address.removeprefix("#"))
    return inside if inside is not None or address.startswith("#") else resolve(address)


def _merged(own: Concept, product: Concept, display: str) -> Concept:
    """Lay the order's own concept, the product's and the reference's display together; further names become codings."""
    names = list(dict.fromkeys(name for name in (own.text, product.text, display) if name))
    further = tuple(Coding("", "", name) for name in names[1:])
    return Concept(own.codings + product.codings + further, names[0] if names else "")


def _ingredient(value: Any, contained: Mapping[str, RawResource], resolve: Resolve) -> Ingredient:  # noqa: ANN401 - any JSON value
    """Read one ingredient of a Medication, its item as a concept or as a reference."""
    sent = members(value)
    item = members(sent.get("item"))
    item_reference = sent.get("itemReference") or item.get("reference")
    referred = members(_found(reference(item_reference), contained, resolve))
    merged = _merged(
        concept(sent.get("itemCodeableConcept") or item.get("concept")),
        concept(referred.get("code")),
        text_of(members(item_reference).get("display")),
    )
    return Ingredient(merged, ratio(sent.get("strength") or sent.get("strengthRatio")))


def medication_record(seen: Sighting, around: Surroundings, *, is_draft: bool = False, is_validated: bool = True) -> MedicationRecord:
    """Read one request, statement, dispense or administration; what is invalid is dropped and named where a rule reads it."""
    resource_type = text_of(seen.raw.get("resourceType"))
    is_old = resource_type == DSTU2_ORDER
    found = salvage(seen.raw, is_validated=is_validated and not is_old)
    raw, lost = found.raw, _losses(found)
    status = _code(raw, "status", _STATUSES[resource_type], lost)
    dates = _dates(raw, around, lost)
    contents = {} if is_old else _contents(raw, around, lost)
    told = () if is_old else dosages(raw, found.dropped, around.zone, around.most_lines)
    lost.extend(f"{name}[{index}]" for index, line in enumerate(told) for name in LINES if name in line.dropped)
    return MedicationRecord(
        resource_type=resource_type,
        id=fhir_id(raw.get("id")),
        where=seen.where,
        medication=seen.medication,
        drug=seen.drug,
        is_draft=is_draft,
        status=status,
        **dates,
        **contents,
        dosages=told,
        dropped=tuple(dict.fromkeys(lost)),
        is_of_this_patient=not is_of_other_patient(raw, around.patient_id),
        is_readable=found.is_valid and not is_old,
        raw=MappingProxyType(_sendable(raw, lost, around.patient_id) if is_draft else raw),
    )


def _sendable(raw: dict[str, Any], lost: Losses, patient_id: str) -> dict[str, Any]:
    """Give a draft what R4 requires and the sandbox leaves out, so that a suggestion can return the draft."""
    kept = {name: value for name, value in pruned(raw).items() if name not in lost}
    required: dict[str, Any] = {"status": "draft", "intent": "order"}
    if patient_id:
        required["subject"] = {"reference": f"Patient/{patient_id}"}
    return kept | {name: value for name, value in required.items() if name not in kept and f"_{name}" not in kept}


def _dates(raw: RawResource, around: Surroundings, lost: Losses) -> dict[str, Any]:
    """Read when a record was written, when it holds and how long its supply lasts."""
    request = members(raw.get("dispenseRequest"))
    written = next((name for name in ("authoredOn", "dateWritten", "dateAsserted") if name in raw), "authoredOn")
    validity = request.get("validityPeriod") or ({"end": raw["dateEnded"]} if "dateEnded" in raw else None)
    supply = request.get("expectedSupplyDuration")
    days_supply = raw.get("daysSupply")
    return {
        "authored_on": _latest(raw, written, around, lost),
        "validity": or_lost(period(single(validity), around.zone), validity, "validityPeriod", lost),
        "supply": or_lost(days_long(supply), supply, "expectedSupplyDuration", lost)
        or or_lost(days_long(days_supply, assumed_unit="d"), days_supply, "daysSupply", lost),
        "effective": _effective(raw, around, lost),
    }


def _contents(raw: RawResource, around: Surroundings, lost: Losses) -> dict[str, Any]:
    """Read what makes an order an order: intent, reasons, repeats, quantity, what came before."""
    request = members(raw.get("dispenseRequest"))
    repeats = request.get("numberOfRepeatsAllowed")
    return {
        "intent": _code(raw, "intent", _INTENTS, lost),
        "do_not_perform": _is_true(raw, "doNotPerform", lost),
        "is_reported": raw.get("reportedBoolean") is True or "reportedReference" in raw,
        "reasons": _reasons(raw, around.resolve, lost),
        "reason_references": tuple(local_reference(reference(one)) for one in _most(raw, "reasonReference") if reference(one)),
        "repeats_allowed": or_lost(whole(repeats, 0), repeats, "numberOfRepeatsAllowed", lost),
        "quantity": quantity(request.get("quantity") or raw.get("quantity")),
        "prior_prescription": local_reference(reference(raw.get("priorPrescription"))),
    }


def _code(raw: RawResource, name: str, allowed: frozenset[str], lost: Losses) -> str:
    """Read a code of a closed list; one that is not in it is lost, an absent one (also with a reason) is empty."""
    sent = text_of(single(raw.get(name))).lower()
    if sent in allowed:
        return sent
    if name in raw:
        lost.append(name)
    return ""


def _is_true(raw: RawResource, name: str, lost: Losses) -> bool:
    """Read a boolean whose absence means no."""
    sent = raw.get(name)
    if sent is not None and not isinstance(sent, bool):
        lost.append(name)
    return sent is True


def _latest(raw: RawResource, name: str, around: Surroundings, lost: Losses) -> date | None:
    """Read the day on which something happened; of a month or a year, the last day that can be meant up to today.

    What began later lasts longer and was taken more recently: the error is on the safe side.
    """
    sent = raw.get(name)
    found = or_lost(day(sent, around.zone), sent, name, lost)
    return max(found.first, min(found.last, around.today)) if found else None


def _effective(raw: RawResource, around: Surroundings, lost: Losses) -> Period | None:
    """Read when a drug was taken, given or handed over; a single moment of a statement has no end."""
    for name in ("whenHandedOver", "whenPrepared"):
        if name in raw and (handed := _latest(raw, name, around, lost)):
            return Period(handed)
    sent_period, moment = raw.get("effectivePeriod"), raw.get("effectiveDateTime")
    if sent_period is not None:
        return or_lost(period(single(sent_period), around.zone), sent_period, "effective", lost)
    found = or_lost(day(moment, around.zone), moment, "effective", lost)
    if found is None:
        return None
    is_moment = raw.get("resourceType") == "MedicationAdministration"
    return Period(found.first, found.last if is_moment else None)


def _most(raw: RawResource, name: str) -> Sequence[Any]:
    """Return the items of a list of reasons, not more than any order has."""
    return listed(raw.get(name))[:MOST_REASONS]


def _reasons(raw: RawResource, resolve: Resolve, lost: Losses) -> tuple[Concept, ...]:
    """Read the reasons of an order: its own concepts, and those of the Conditions that it refers to."""
    contained = _contained(raw)
    lost.extend(name for name in ("reasonCode", "reasonReference") if len(listed(raw.get(name))) > MOST_REASONS)
    named = [concept(one) for one in _most(raw, "reasonCode")]
    for one in _most(raw, "reasonReference"):
        referred = members(_found(reference(one), contained, resolve))
        said = _merged(Concept(), concept(referred.get("code")), text_of(members(one).get("display")))
        if _first_code(referred.get("verificationStatus"), _NOT_THE_CASE) is None:
            named.append(said)
    return tuple(reason for reason in named if reason != Concept())


def _first_code(value: Any, allowed: frozenset[str]) -> str | None:  # noqa: ANN401 - any JSON value
    """Return the first code of a list that a concept holds, in its codings or as its text."""
    sent = concept(value)
    codes = (code.lower() for code in (*(coding.code for coding in sent.codings), sent.text))
    return next((code for code in codes if code in allowed), None)


def _losses(found: Salvaged) -> Losses:
    """Name the elements that a rule reads among those that salvaging dropped outside the dosage lines."""
    return [name for name in (_loss(path, found.raw) for path in found.dropped) if name]


def _loss(path: Path, raw: RawResource) -> str:
    """Name the element that a dropped place belongs to, or nothing where no rule reads it."""
    top, second = str(path[0]), str(path[1]) if len(path) > 1 else ""
    is_irrelevant = any(str(part) in _NOT_READ or str(part).startswith("_") for part in path)
    if is_irrelevant or (top in LINES and second):
        return ""
    if top == "contained":
        return "medication" if len(path) > len(("contained", "index")) and _is_of_product(raw, path) else ""
    if top == "dispenseRequest" and second:
        return second if second in _READ_OF_SUPPLY else ""
    if top == "subject" and second not in ("", "reference"):
        return ""
    return _READ.get(top, "")


def _is_of_product(raw: RawResource, path: Path) -> bool:
    """Tell whether a place inside a contained resource is one that tells a drug."""
    resource = next(iter(listed(raw.get("contained"))[int(path[1]) :]), None)
    return members(resource).get("resourceType") == "Medication" and path[2] in _READ_OF_MEDICATION


def condition_record(
    raw: RawResource, where: str, matches: tuple[ConditionMatch, ...], around: Surroundings, *, is_validated: bool = True
) -> tuple[ConditionRecord, bool]:
    """Read one Condition that belongs to a value set; also tell whether all that a rule reads of it was readable."""
    found = salvage(raw, is_validated=is_validated)
    clean = found.raw
    lost: Losses = [str(path[0]) for path in found.dropped if str(path[0]) in _READ_OF_CONDITION and not _NOT_READ & set(map(str, path))]
    onset, abatement = members(clean.get("onsetPeriod")).get("start"), members(clean.get("abatementPeriod")).get("end")
    recorded = next((name for name in ("recordedDate", "assertedDate", "dateRecorded") if name in clean), "recordedDate")
    began = _day_of(clean.get("onsetDateTime", onset), around.zone, "onset", lost)
    ended = _day_of(clean.get("abatementDateTime", abatement), around.zone, "abatement", lost)
    noted = _day_of(clean.get(recorded), around.zone, recorded, lost)
    record = ConditionRecord(
        id=fhir_id(clean.get("id")),
        where=where,
        concept=concept(raw.get("code")),
        matches=matches,
        clinical_status=_condition_status(clean, "clinicalStatus", _CLINICAL, lost),
        verification_status=_condition_status(clean, "verificationStatus", _VERIFICATION, lost),
        onset=began[0],
        abated=ended[1],
        recorded=noted[0],
    )
    return record, found.is_valid and not lost


def _day_of(value: Any, zone: tzinfo, name: str, lost: Losses) -> tuple[date | None, date | None]:  # noqa: ANN401 - any JSON value
    """Read a date as its first and its last possible day."""
    found = or_lost(day(value, zone), value, name, lost)
    return (found.first, found.last) if found else (None, None)


def _condition_status(raw: RawResource, name: str, allowed: frozenset[str], lost: Losses) -> str:
    """Read the bare code of a Condition's status; empty where it was not sent, or is lost."""
    found = _first_code(raw.get(name), allowed)
    if found is None and concept(raw.get(name)) != Concept():
        lost.append(name)
    return found or ""


def birth_date(raw: RawResource, around: Surroundings) -> tuple[date | None, bool]:
    """Read a Patient's day of birth, of a year the last one possible; also tell whether it was readable (absent is)."""
    lost: Losses = []
    clean = salvage({"resourceType": "Patient", "birthDate": raw.get("birthDate")})
    sent = clean.raw.get("birthDate")
    found = or_lost(day(sent, around.zone), sent, "birthDate", lost)
    is_sound = not lost and not clean.dropped and (found is None or found.first <= around.today)
    return (found.last if found and is_sound else None), is_sound


def referable(resources: Iterable[tuple[str, RawResource]]) -> dict[str, RawResource]:
    """Index resources, each with the full address of its entry, by that address and by `Type/id`; the first one counts."""
    index: dict[str, RawResource] = {}
    for full_url, raw in resources:
        named = f"{text_of(raw.get('resourceType'))}/{text_of(raw.get('id'))}"
        for address in (full_url, local_reference(full_url), named):
            if address:
                index.setdefault(address, raw)
    return index
