"""Writes the synthetic patients of fixtures/patients as FHIR transactions: `python -m tests.sample_patients`. Nobody real."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clinic import (
    AGONIST_THERAPY,
    ALCOHOL,
    DAILY,
    FIBROMYALGIA,
    LDN_CAPSULE,
    METHADONE,
    OPIOID_USE_DISORDER,
    TABLET_50,
    TRAMADOL,
    condition,
    dosage,
    listed,
)

ROOT = Path(__file__).parent.parent
Resources = Sequence[Mapping[str, Any]]

PATIENTS: Mapping[str, Resources] = {
    "fibromyalgia": [condition(FIBROMYALGIA)],
    "fibromyalgia-on-low-dose": [condition(FIBROMYALGIA), listed(LDN_CAPSULE, dosage(1, "{capsule}"), since=60, supply=90)],
    "fibromyalgia-on-tramadol": [condition(FIBROMYALGIA), listed(TRAMADOL, dosage(1, "{tbl}", DAILY), since=7, supply=30)],
    "alcohol-dependence": [condition(ALCOHOL), listed(TABLET_50, dosage(1, "{tbl}", DAILY), since=30, supply=30)],
    "agonist-treatment": [
        condition(OPIOID_USE_DISORDER),
        condition(AGONIST_THERAPY),
        listed(METHADONE, dosage(60, "mg", DAILY), since=200),
    ],
}


def patient_text(name: str) -> str:
    """One patient with the problem list and the medications, as a transaction that a FHIR server can load."""
    patient = {"resourceType": "Patient", "id": name, "birthDate": "1975-06-15", "gender": "female"}
    told = [_renamed(resource, name, number) for number, resource in enumerate(PATIENTS[name], start=1)]
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in (patient, *told)]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}, indent=1) + "\n"


def _renamed(resource: Mapping[str, Any], patient: str, number: int) -> dict[str, Any]:
    """Give a resource an id that does not change, and its patient."""
    return {**resource, "id": f"{patient}-{number}", "subject": {"reference": f"Patient/{patient}"}}


def main() -> None:
    """Write all patients anew."""
    for name in PATIENTS:
        (ROOT / "fixtures/patients" / f"{name}.json").write_text(patient_text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
