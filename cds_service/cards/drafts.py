"""Changed copies of a clinician's draft: the whole resource, with only what is advised changed (FHIR R4 MedicationRequest)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from cds_service.fhir.elements import RawResource
from cds_service.hooks.answer import Coding

Draft = dict[str, Any]
_REQUIRED: Final = ("resourceType", "id", "status", "intent", "subject")
_PRODUCTS: Final = ("medicationCodeableConcept", "medicationReference")
_SUPPLY: Final = ("quantity", "expectedSupplyDuration", "numberOfRepeatsAllowed", "initialFill", "dispenseInterval")
_UCUM: Final = "http://unitsofmeasure.org"


@dataclass(frozen=True, slots=True)
class NightlyDose:
    """Once daily at bedtime: the amount in mg, the words for it, and for how many days (0: until further notice)."""

    mg: Decimal
    sig: str
    days: int = 0


@dataclass(frozen=True, slots=True)
class Product:
    """A product that no code names: the code of its ingredient and the text that says what it is."""

    text: str
    coding: Coding
    route: Coding | None


def is_complete(raw: RawResource) -> bool:
    """Tell whether the draft has all that FHIR requires of it, so that an update of it is a whole resource."""
    return all(raw.get(name) for name in _REQUIRED) and any(raw.get(name) for name in _PRODUCTS)


def with_reason(raw: RawResource, condition_id: str, name: str) -> Draft:
    """Return the draft with a reference to a Condition as its reason."""
    return {**_copy(raw), "reasonReference": [{"reference": f"Condition/{condition_id}", "display": name}]}


def with_doses(raw: RawResource, doses: Sequence[NightlyDose], note: str = "") -> Draft:
    """Return the draft with dosage lines of the new doses, one after the other, and a note of its own.

    What spoke of the old dose (narrative, supply, counted notes) is removed.
    """
    draft = _copy(raw)
    route = next((line["route"] for line in draft.get("dosageInstruction", ()) if line.get("route")), None)
    for name in ("text", "dosageInstruction"):
        draft.pop(name, None)
        draft.pop(f"_{name}", None)
    lines = [_line(dose, route) for dose in doses]
    numbered = [{"sequence": number, **line} for number, line in enumerate(lines, 1)] if len(lines) > 1 else lines
    changed = _without_supply(_without_counted_notes({**draft, "dosageInstruction": numbered}))
    return {**changed, "note": [*changed.get("note", ()), {"text": note}]} if note else changed


def with_product(raw: RawResource, doses: Sequence[NightlyDose], product: Product, note: str = "") -> Draft:
    """Return the draft with the product replaced and the new doses of it."""
    draft = with_doses(raw, doses, note)
    reference = draft.pop("medicationReference", None)
    own = str(reference.get("reference", "")) if isinstance(reference, dict) else ""
    kept = [one for one in draft.pop("contained", ()) if own != f"#{one.get('id')}"]
    route = {"route": {"coding": [_coding(product.route)]}} if product.route else {}
    return {
        **draft,
        **({"contained": kept} if kept else {}),
        "medicationCodeableConcept": {"coding": [_coding(product.coding)], "text": product.text},
        "dosageInstruction": [
            {**{name: part for name, part in line.items() if name != "route"}, **route} for line in draft["dosageInstruction"]
        ],
    }


def _line(dose: NightlyDose, route: object) -> dict[str, Any]:
    amount = {"value": _number(dose.mg), "unit": "mg", "system": _UCUM, "code": "mg"}
    ordered = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/dose-rate-type", "code": "ordered"}]}
    return {
        "text": dose.sig,
        "timing": {"repeat": {**_for_days(dose.days), "frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]}},
        **({"route": route} if route else {}),
        "doseAndRate": [{"type": ordered, "doseQuantity": amount}],
    }


def _for_days(days: int) -> dict[str, Any]:
    return {"boundsDuration": {"value": days, "unit": "day", "system": _UCUM, "code": "d"}} if days else {}


def _without_supply(draft: Draft) -> Draft:
    """Quantity, supply and refills were counted for the old dose."""
    request = draft.pop("dispenseRequest", None)
    gone = {*_SUPPLY, *(f"_{name}" for name in _SUPPLY)}
    kept = {name: part for name, part in request.items() if name not in gone} if isinstance(request, dict) else {}
    return {**draft, **({"dispenseRequest": kept} if kept else {})}


def _without_counted_notes(draft: Draft) -> Draft:
    """A note that holds a number may state the old strength or dose; the others are the clinician's and stay."""
    notes = draft.pop("note", ())
    kept = [note for note in notes if not any(letter.isdigit() for letter in str(note.get("text", "")))]
    return {**draft, **({"note": kept} if kept else {})}


def _coding(coding: Coding) -> dict[str, str]:
    parts = {"system": coding.system, "code": coding.code, "display": coding.display}
    return {name: part for name, part in parts.items() if part}


def _number(value: Decimal) -> int | Decimal:
    return int(value) if value == value.to_integral_value() else Decimal(f"{value:f}".rstrip("0"))


def _copy(raw: RawResource) -> Draft:
    return {name: _plain(part) for name, part in raw.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
