"""Floor 7: an order as a person fills it into the page "Try it", or as a sample describes it, made into a request for the service."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from cds_service.hooks.call import HookName

FREQUENCIES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = MappingProxyType(
    {
        "": ("not given", {}),
        "daily": ("once a day", {"frequency": 1, "period": 1, "periodUnit": "d"}),
        "bedtime": ("once a day, at bedtime", {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]}),
        "morning": ("once a day, in the morning", {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["MORN"]}),
        "twice": ("twice a day", {"frequency": 2, "period": 1, "periodUnit": "d"}),
        "three-times": ("three times a day", {"frequency": 3, "period": 1, "periodUnit": "d"}),
        "every-other-day": ("every other day", {"frequency": 1, "period": 2, "periodUnit": "d"}),
        "four-weekly": ("every four weeks", {"frequency": 1, "period": 4, "periodUnit": "wk"}),
    }
)
"""How often, by its name in a form: in words, and as a FHIR Timing.repeat."""
UNITS: Final = MappingProxyType({"mg": "mg", "tablet": "{tbl}", "capsule": "{capsule}", "mL": "mL"})
"""Units of a dose by name, as UCUM writes them."""
LISTS: Final = MappingProxyType(
    {"medications": "current medicines", "history": "medicines of the past", "conditions": "the problem list", "patient": "the patient"}
)
"""What an EHR can leave out of a request, in words."""
MEDICINES: Final = 4
"""Rows of the form for medicines and problems."""
PROBLEMS: Final = 3
_SUPPLY: Final = 30
_YEARS: Final = 130
_DAYS: Final = 3650
_NUMBER: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?", re.ASCII)
_WHOLE: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
_CODE: Final = re.compile(r"[A-Z]?[0-9][0-9A-Z.]{1,17}\]", re.ASCII)
_UCUM: Final = "http://unitsofmeasure.org"
_RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
_DIAGNOSES: Final = "http://hl7.org/fhir/sid/icd-10-cm"
_PATIENT: Final = "patient-1"


@dataclass(frozen=True, slots=True)
class Product:
    """A product with its dose, as written; a code may stand in square brackets behind the name."""

    product: str = ""
    dose: str = ""
    unit: str = "mg"
    frequency: str = ""


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine that the patient takes or took: days since the last fill, days that the fill lasts."""

    taken: Product
    days: str = ""
    supply: str = ""
    is_ended: bool = False

    @classmethod
    def empty(cls) -> "Medicine":
        """Make an empty row."""
        return cls(Product())


@dataclass(frozen=True, slots=True)
class OrderForm:
    """One filled form; every value as it was written, so that the page can show it again."""

    hook: HookName = "order-sign"
    age: str = ""
    order: Product = Product()
    text: str = ""
    reason: str = ""
    problems: tuple[str, ...] = ()
    medicines: tuple[Medicine, ...] = ()
    not_sent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one field of a form, in words."""

    field: str
    label: str
    message: str


def sent_form(sent: MultiDict[str, str]) -> OrderForm:
    """Read the form of the page as a browser sends it; rows without a name are left out."""
    medicines = [_sent_medicine(sent, row) for row in range(1, MEDICINES + 1)]
    problems = [sent.get(f"problem-{row}", "").strip() for row in range(1, PROBLEMS + 1)]
    return OrderForm(
        hook="order-select" if sent.get("hook") == "order-select" else "order-sign",
        age=sent.get("age", "").strip(),
        order=_sent_product(sent, "order"),
        text=sent.get("text", "").strip(),
        reason=sent.get("reason", "").strip(),
        problems=tuple(problem for problem in problems if problem),
        medicines=tuple(medicine for medicine in medicines if medicine.taken.product),
        not_sent=frozenset(sent.getlist("not_sent")) & LISTS.keys(),
    )


def written_form(values: Mapping[str, Any]) -> OrderForm:
    """Read the form of a sample, as its file describes it."""
    return OrderForm(
        hook=values.get("hook", "order-sign"),
        age=values.get("age", ""),
        order=_written_product(values),
        text=values.get("text", ""),
        reason=values.get("reason", ""),
        problems=tuple(values.get("problems", ())),
        medicines=tuple(
            Medicine(_written_product(one), one["days"], one.get("supply", ""), one.get("ended", False))
            for one in values.get("medicines", ())
        ),
        not_sent=frozenset(values.get("not_sent", ())),
    )


def _sent_medicine(sent: MultiDict[str, str], row: int) -> Medicine:
    name = f"medicine-{row}"
    days, supply = (sent.get(f"{name}-{part}", "").strip() for part in ("days", "supply"))
    return Medicine(_sent_product(sent, name), days, supply, sent.get(f"{name}-ended") == "yes")


def _sent_product(sent: MultiDict[str, str], name: str) -> Product:
    product, dose, unit, frequency = (sent.get(f"{name}-{part}", "").strip() for part in ("product", "dose", "unit", "frequency"))
    return Product(product, dose, unit if unit in UNITS else "mg", frequency if frequency in FREQUENCIES else "")


def _written_product(values: Mapping[str, Any]) -> Product:
    return Product(values["product"], values.get("dose", ""), values.get("unit", "mg"), values.get("frequency", ""))


def mistakes(form: OrderForm) -> list[Mistake]:
    """List what keeps a form from being a request; an empty list: `request_of` can build it."""
    return [*_order_mistakes(form), *(mistake for row, one in enumerate(form.medicines, 1) for mistake in _medicine_mistakes(row, one))]


def _order_mistakes(form: OrderForm) -> Iterator[Mistake]:
    if not form.order.product:
        yield Mistake("order-product", "Drug or product", "is empty; write the name as the order would show it")
    if form.order.dose and not _NUMBER.fullmatch(form.order.dose):
        yield Mistake("order-dose", "Dose", "is no number; write digits with a point, such as 4.5")
    if form.age and not _within(form.age, _YEARS):
        yield Mistake("age", "Age", f"is no whole number of years up to {_YEARS}")


def _medicine_mistakes(row: int, medicine: Medicine) -> Iterator[Mistake]:
    name = f"medicine-{row}"
    if medicine.taken.dose and not _NUMBER.fullmatch(medicine.taken.dose):
        yield Mistake(f"{name}-dose", f"Dose of medicine {row}", "is no number; write digits with a point, such as 4.5")
    if not _within(medicine.days, _DAYS):
        yield Mistake(f"{name}-days", f"Days since the last fill of medicine {row}", f"is no whole number of days up to {_DAYS}")
    if medicine.supply and not _within(medicine.supply, _DAYS):
        yield Mistake(f"{name}-supply", f"Days that the fill of medicine {row} lasts", f"is no whole number of days up to {_DAYS}")


def _within(text: str, most: int) -> bool:
    return _WHOLE.fullmatch(text) is not None and int(text) <= most


def request_of(form: OrderForm, today: date) -> dict[str, Any]:
    """Build the request that an EHR would send for a form without mistakes, all days counted back from `today`."""
    order = _order(form, today)
    context: dict[str, Any] = {
        "userId": "Practitioner/pharmacist-1",
        "patientId": _PATIENT,
        "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]},
    }
    if form.hook == "order-select":
        context["selections"] = [f"MedicationRequest/{order['id']}"]
    return {
        "hook": form.hook,
        "hookInstance": "00000000-0000-4000-8000-000000000001",
        "context": context,
        "prefetch": {key: value for key, value in _prefetch(form, today) if value is not None},
    }


def _prefetch(form: OrderForm, today: date) -> Iterator[tuple[str, Any]]:
    """Yield each key with what the EHR sends under it, None where it sends nothing."""
    listed = [_listed(number, medicine, today) for number, medicine in enumerate(form.medicines, 1)]
    active = [one for one in listed if one["status"] == "active"]
    problems = [_problem(number, problem) for number, problem in enumerate(form.problems, 1)]
    yield "patient", None if "patient" in form.not_sent else _patient(form.age, today)
    yield "conditions", None if "conditions" in form.not_sent else _searchset(problems)
    yield "activeMedications", None if "medications" in form.not_sent else _searchset(active)
    yield "recentMedications", None if "history" in form.not_sent else _searchset(listed)


def _patient(age: str, today: date) -> dict[str, Any]:
    born = {"birthDate": f"{today.year - int(age):04}-01-01"} if age else {}
    return {"resourceType": "Patient", "id": _PATIENT, **born}


def _order(form: OrderForm, today: date) -> dict[str, Any]:
    text = {"text": form.text} if form.text else {}
    dosage = {**text, **_dosage(form.order)}
    reason = {"reasonCode": [_concept(form.reason, _DIAGNOSES)]} if form.reason else {}
    return {**_request("order-1", "draft", form.order, today), **({"dosageInstruction": [dosage]} if dosage else {}), **reason}


def _listed(number: int, medicine: Medicine, today: date) -> dict[str, Any]:
    filled = today - timedelta(days=int(medicine.days))
    dosage = _dosage(medicine.taken)
    supply = _amount(medicine.supply or str(_SUPPLY), "d")
    return {
        **_request(f"medicine-{number}", "completed" if medicine.is_ended else "active", medicine.taken, filled),
        **({"dosageInstruction": [dosage]} if dosage else {}),
        "dispenseRequest": {"expectedSupplyDuration": supply},
    }


def _request(id_: str, status: str, product: Product, written: date) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": id_,
        "status": status,
        "intent": "order",
        "subject": {"reference": f"Patient/{_PATIENT}"},
        "authoredOn": written.isoformat(),
        "medicationCodeableConcept": _concept(product.product, _RXNORM),
    }


def _dosage(product: Product) -> dict[str, Any]:
    repeat = FREQUENCIES[product.frequency][1]
    timing = {"timing": {"repeat": repeat}} if repeat else {}
    dose = {"doseAndRate": [{"doseQuantity": _amount(product.dose, UNITS[product.unit])}]} if product.dose else {}
    return {**timing, **dose}


def _amount(number: str, unit: str) -> dict[str, Any]:
    return {"value": Decimal(number), "unit": unit, "system": _UCUM, "code": unit}


def _problem(number: int, problem: str) -> dict[str, Any]:
    statuses = {"clinicalStatus": ("condition-clinical", "active"), "verificationStatus": ("condition-ver-status", "confirmed")}
    return {
        "resourceType": "Condition",
        "id": f"problem-{number}",
        "subject": {"reference": f"Patient/{_PATIENT}"},
        "code": _concept(problem, _DIAGNOSES),
        **{
            name: {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}
            for name, (system, code) in statuses.items()
        },
    }


def _concept(written: str, system: str) -> dict[str, Any]:
    """Make a CodeableConcept of a name, and of the code that may stand in brackets behind it."""
    text, code = _named_and_coded(written)
    return {"coding": [{"system": system, "code": code}], "text": text} if code else {"text": text}


def _named_and_coded(written: str) -> tuple[str, str]:
    """Part "Fibromyalgia [M79.7]" into name and code; the code is empty where none stands at the end."""
    name, _, code = written.rstrip().rpartition("[")
    return (name.rstrip(), code[:-1]) if _CODE.fullmatch(code) else (written, "")


def _searchset(resources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


def plain_name(written: str) -> str:
    """Return a name without the code behind it, for a reader."""
    return _named_and_coded(written)[0]


def dose_in_words(product: Product) -> str:
    """Say a dose in words: "1 tablet once a day"; empty where the fields say nothing."""
    number = (
        f"{product.dose} {product.unit}{'s' if product.unit in ('tablet', 'capsule') and product.dose != '1' else ''}"
        if product.dose
        else ""
    )
    often = FREQUENCIES[product.frequency][0] if product.frequency else ""
    return " ".join(filter(None, (number, often)))


def names_in(forms: Sequence[OrderForm]) -> tuple[list[str], list[str]]:
    """List the products and the diagnoses of some forms, to choose from in another."""
    products = {form.order.product for form in forms} | {one.taken.product for form in forms for one in form.medicines}
    diagnoses = {form.reason for form in forms} | {problem for form in forms for problem in form.problems}
    return sorted(products - {""}, key=str.lower), sorted(diagnoses - {""}, key=str.lower)
