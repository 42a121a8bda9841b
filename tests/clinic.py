"""Builders of orders, charts and calls for tests: small words for what a clinician would write."""

import copy
import itertools
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

TODAY = date(2026, 11, 22)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"
Json = dict[str, Any]

_numbers = itertools.count(1)


def ago(days: int) -> str:
    """The day so many days before today, as FHIR writes it."""
    return (TODAY - timedelta(days=days)).isoformat()


def concept(text: str = "", code: str = "", system: str = RXNORM, display: str = "") -> Json:
    """A CodeableConcept."""
    coding = {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]} if code else {}
    return {**coding, **({"text": text} if text else {})}


TABLET_50 = concept("naltrexone hydrochloride 50 MG Oral Tablet", "1483744")
INGREDIENT = concept("naltrexone", "7243")
LDN_CAPSULE = concept("NALTREXONE (LDN) 4.5 MG CAP - COMPOUND")
LDN_START = concept("naltrexone 1.5 mg capsule (compounded)")
LDN_LIQUID = concept("naltrexone 1 mg/mL oral liquid (compounded)")
VIVITROL = concept("naltrexone 380 MG Injection [Vivitrol]", "637216")
CONTRAVE = concept("Contrave", "1551474")
EMBEDA = concept("Embeda", "863849")
TRAMADOL = concept("tramadol hydrochloride 50 MG Oral Tablet", "835603")
OXYCODONE = concept("oxycodone", "7804")
METHADONE = concept("methadone", "6813")
SUBOXONE = concept("Suboxone 8 mg/2 mg film")
SUBLOCADE = concept("Sublocade", "1996189")
LOMOTIL = concept("diphenoxylate-atropine (Lomotil) 2.5 mg tablet")
LOPERAMIDE = concept("loperamide 2 mg capsule", "6468")
METHYLNALTREXONE = concept("methylnaltrexone 150 mg tablet", "29899")
NALOXONE_KIT = concept("naloxone 4 mg nasal spray", "7242")
METFORMIN = concept("metformin 500 mg tablet", "860975")
APOMORPHINE = concept("apomorphine 10 mg/mL injection")

FIBROMYALGIA = concept("Fibromyalgia", "M79.7", ICD10)
ALCOHOL = concept("Alcohol dependence", "F10.20", ICD10)
ALCOHOL_REMISSION = concept("Alcohol dependence, in remission", "F10.21", ICD10)
OPIOID_USE_DISORDER = concept("Opioid dependence", "F11.20", ICD10)
CROHN = concept("Crohn's disease", "K50.90", ICD10)
PRURITUS = concept("Pruritus", "L29.9", ICD10)
LONG_TERM_OPIOID = concept("Long term (current) use of opiate analgesic", "Z79.891", ICD10)
AGONIST_THERAPY = concept("Opioid dependence, on agonist therapy", "1081000119105", SNOMED)
HYPERTENSION = concept("Hypertension", "I10", ICD10)

DAILY: Json = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
BEDTIME: Json = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]}}
MORNING: Json = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["MORN"]}}
EVERY_OTHER_DAY: Json = {"repeat": {"frequency": 1, "period": 2, "periodUnit": "d"}}


def amount(value: float, unit: str = "mg") -> Json:
    """A Quantity with a UCUM unit."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def dosage(value: float | None, unit: str = "mg", timing: Json | None = None, **more: Any) -> Json:  # noqa: ANN401
    """One dosageInstruction."""
    dose = {} if value is None else {"doseAndRate": [{"doseQuantity": amount(value, unit)}]}
    return {"timing": copy.deepcopy(BEDTIME if timing is None else timing), **dose, **more}


def order(medication: Json, *dosages: Json, reason: Json | None = None, **more: Any) -> Json:  # noqa: ANN401
    """A MedicationRequest; a draft unless `status` says otherwise."""
    made: Json = {
        "resourceType": "MedicationRequest",
        "id": f"mr-{next(_numbers)}",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "authoredOn": TODAY.isoformat(),
        "medicationCodeableConcept": copy.deepcopy(medication),
        **({"dosageInstruction": list(dosages)} if dosages else {}),
        **({"reasonCode": [reason]} if reason else {}),
    }
    made.update(more)
    return {name: value for name, value in made.items() if value is not None}


def listed(medication: Json, *dosages: Json, since: int = 20, supply: int | None = None, status: str = "active", **more: Any) -> Json:  # noqa: ANN401
    """An order on the list: authored so many days ago, with a supply of so many days."""
    dispense = (
        {"dispenseRequest": {"expectedSupplyDuration": {"value": supply, "unit": "d", "system": UCUM, "code": "d"}}} if supply else {}
    )
    return order(medication, *dosages, **{"status": status, "authoredOn": ago(since), **dispense, **more})


def condition(code: Json, clinical: str | None = "active", verification: str | None = "confirmed", **more: Any) -> Json:  # noqa: ANN401
    """A Condition of the problem list."""
    made: Json = {
        "resourceType": "Condition",
        "id": f"c-{next(_numbers)}",
        "subject": {"reference": "Patient/p1"},
        "code": copy.deepcopy(code),
    }
    if clinical:
        made["clinicalStatus"] = concept("", clinical, "http://terminology.hl7.org/CodeSystem/condition-clinical")
    if verification:
        made["verificationStatus"] = concept("", verification, "http://terminology.hl7.org/CodeSystem/condition-ver-status")
    return {**made, **more}


def bundle(resources: Sequence[Mapping[str, Any]], kind: str = "searchset") -> Json:
    """A Bundle of these resources."""
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": resource} for resource in resources]}


PATIENT: Json = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-05-05", "gender": "female"}


def call(
    *drafts: Json,
    medications: Sequence[Json] = (),
    conditions: Sequence[Json] = (),
    hook: str = "order-sign",
    selections: Sequence[str] | None = None,
    prefetch: Mapping[str, Any] | None = None,
) -> Json:
    """A whole request with a full prefetch; `prefetch` replaces single keys (the value `...` leaves a key out)."""
    full: Json = {
        "patient": copy.deepcopy(PATIENT),
        "conditions": bundle(conditions),
        "activeMedications": bundle([one for one in medications if one.get("status") in {"active", "on-hold", "unknown"}]),
        "recentMedications": bundle(medications),
    }
    full.update(prefetch or {})
    context: Json = {"userId": "Practitioner/u1", "patientId": "p1", "draftOrders": bundle(drafts, "collection")}
    if hook == "order-select":
        context["selections"] = [f"MedicationRequest/{draft['id']}" for draft in drafts] if selections is None else list(selections)
    return {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": context,
        "prefetch": {key: value for key, value in full.items() if value is not ...},
    }


def findings(answer: Mapping[str, Any]) -> list[Json]:
    """All machine-readable findings of an answer."""
    return [finding for card in answer["cards"] for part in card["extension"].values() for finding in part["findings"]]


def told(answer: Mapping[str, Any]) -> set[tuple[str, str]]:
    """What an answer says: (kind, severity) of each finding."""
    return {(finding["kind"], finding["severity"]) for finding in findings(answer)}
