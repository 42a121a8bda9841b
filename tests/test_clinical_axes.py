"""The axes of written doses, exposure, label and language over HTTP, each with each: none may change what is due for another."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.service import Pack, Wishes
from tests.clinic import (
    FIBROMYALGIA,
    ICD10,
    INGREDIENT,
    LDN_CAPSULE,
    LDN_LIQUID,
    OXYCODONE,
    PATIENT,
    SNOMED,
    SUBLOCADE,
    TABLET_50,
    Json,
    ago,
    call,
    concept,
    condition,
    dosage,
    findings,
    listed,
    order,
    told,
)
from tests.conftest import service_client

Said = frozenset[tuple[str, str]]
Answer = Callable[[Json], Json]
BEFORE = listed(LDN_CAPSULE, dosage(4.5), since=60, supply=90)
"""Low-dose naltrexone in use, so that no order here is a start."""


def said(*pairs: str) -> Said:
    """Write findings as "kind severity"."""
    return frozenset((kind, severity) for kind, severity in (pair.split() for pair in pairs))


NOTHING = said()
OFF_LABEL = said("off-label info")


@dataclass(frozen=True)
class Writing:
    """A way to write an order for fibromyalgia: the daily dose in mg that a pharmacist reads, `unknown` where it cannot be told."""

    draft: Json
    says: Said
    dose: object


def mg(low: float, high: float | None = None) -> Json:
    return {"low": low, "high": low if high is None else high}


def words(medication: Json, text: str, **more: Any) -> Json:  # noqa: ANN401 - elements of the order
    return order(medication, {"text": text}, **more)


WRITINGS: Mapping[str, Writing] = {
    "elements": Writing(order(LDN_CAPSULE, dosage(4.5)), OFF_LABEL, mg(4.5)),
    "text alone": Writing(words(LDN_CAPSULE, "Take 1 capsule by mouth at bedtime"), OFF_LABEL, mg(4.5)),
    "shorthand": Writing(words(INGREDIENT, "LDN 4.5mg po qhs"), OFF_LABEL, mg(4.5)),
    "decimal comma": Writing(words(INGREDIENT, "naltrexone 4,5 mg nightly"), OFF_LABEL, mg(4.5)),
    "a liquid": Writing(words(LDN_LIQUID, "4.5 mL by mouth nightly"), OFF_LABEL, mg(4.5)),
    "micrograms": Writing(order(INGREDIENT, dosage(4500, "ug")), OFF_LABEL, mg(4.5)),
    "strength in the note": Writing(
        words(INGREDIENT, "one capsule at bedtime", note=[{"text": "NALTREXONE (LDN) 4.5 MG CAP - COMPOUND"}]), OFF_LABEL, mg(4.5)
    ),
    "steps in words": Writing(
        words(
            concept("naltrexone 1.5 mg capsule"), "1 cap at bedtime for 2 weeks, then 2 caps at bedtime for 2 weeks, then 3 caps at bedtime"
        ),
        OFF_LABEL,
        mg(1.5, 4.5),
    ),
    "a text that cannot be told": Writing(words(LDN_CAPSULE, "use as directed"), OFF_LABEL | said("incomplete warning"), "unknown"),
    "text against elements": Writing(
        order(LDN_CAPSULE, {**dosage(4.5), "text": "Take 3 capsules by mouth twice daily"}), OFF_LABEL | said("dose warning"), mg(4.5)
    ),
    "50 mg in words": Writing(words(TABLET_50, "1 tab po daily"), OFF_LABEL | said("dose warning"), mg(50)),
}


@dataclass(frozen=True)
class Taken:
    """What the patient takes or took besides, and what is due for it whatever the order."""

    medications: Sequence[Json]
    says: Said


def record(kind: str, status: str, medication: Json, **more: object) -> Json:
    reference = {"subject": {"reference": "Patient/p1"}}
    return {"resourceType": kind, "id": f"{kind.lower()}-1", "status": status, "medicationCodeableConcept": medication, **reference, **more}


CRITICAL, WARNING = said("opioid-conflict critical"), said("opioid-conflict warning")
DAYS_30: Json = {"value": 30, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"}
TAKEN: Mapping[str, Taken] = {
    "nothing": Taken([], NOTHING),
    "an order in use": Taken([listed(OXYCODONE, supply=30)], CRITICAL),
    "an order with validity alone": Taken(
        [listed(OXYCODONE, since=30, status="completed", dispenseRequest={"validityPeriod": {"start": ago(30), "end": ago(3)}})], WARNING
    ),
    "repeats that reach to today": Taken(
        [
            listed(
                OXYCODONE,
                since=50,
                supply=30,
                status="completed",
                dispenseRequest={"numberOfRepeatsAllowed": 1, "expectedSupplyDuration": DAYS_30},
            )
        ],
        WARNING,
    ),
    "a supply that ended long ago": Taken([listed(OXYCODONE, since=90, supply=5, status="completed")], NOTHING),
    "a dispense that lasts until today": Taken(
        [record("MedicationDispense", "completed", OXYCODONE, daysSupply=DAYS_30, whenHandedOver=ago(7))], CRITICAL
    ),
    "a dispense that lasted until last week": Taken(
        [record("MedicationDispense", "completed", OXYCODONE, daysSupply=DAYS_30, whenHandedOver=ago(35))], WARNING
    ),
    "a dispense that was never made": Taken(
        [record("MedicationDispense", "cancelled", OXYCODONE, daysSupply=DAYS_30, whenHandedOver=ago(7))], NOTHING
    ),
    "a statement": Taken([record("MedicationStatement", "active", OXYCODONE)], CRITICAL),
    "a statement of not taking it": Taken([record("MedicationStatement", "not-taken", OXYCODONE)], NOTHING),
    "a dose given yesterday": Taken([record("MedicationAdministration", "completed", OXYCODONE, effectiveDateTime=ago(1))], WARNING),
    "a dose not given": Taken([record("MedicationAdministration", "not-done", OXYCODONE, effectiveDateTime=ago(1))], NOTHING),
    "a depot of last month": Taken([listed(SUBLOCADE, since=40, status="completed")], WARNING),
    "an order on hold": Taken([listed(OXYCODONE, status="on-hold")], WARNING),
    "as needed": Taken([listed(OXYCODONE, {**dosage(5), "asNeededBoolean": True})], CRITICAL),
    "not to be given": Taken([listed(OXYCODONE, doNotPerform=True)], NOTHING),
}


@dataclass(frozen=True)
class Patient:
    """Who the patient is, and what the label asks to be said of it whatever is ordered."""

    conditions: Sequence[Json]
    born: str
    says: Said


ADULT = PATIENT["birthDate"]
OTHER, OTHER_WARNING = said("other info"), said("other warning")
PATIENTS: Mapping[str, Patient] = {
    "nothing of note": Patient([], ADULT, NOTHING),
    "liver failure": Patient([condition(concept("Hepatic failure", "K72.90", ICD10))], ADULT, OTHER_WARNING),
    "cirrhosis": Patient([condition(concept("Alcoholic cirrhosis of liver", "K70.30", ICD10))], ADULT, OTHER),
    "pregnant": Patient([condition(concept("Pregnant", "77386006", SNOMED))], ADULT, OTHER),
    "a child": Patient([], "2012-05-05", OTHER),
    "liver failure that was refuted": Patient(
        [condition(concept("Hepatic failure", "K72.90", ICD10), verification="refuted")], ADULT, NOTHING
    ),
}
EACH = list(itertools.product(WRITINGS, TAKEN, PATIENTS))


def request_of(writing: str, taken: str, patient: str, hook: str = "order-sign") -> Json:
    who = PATIENTS[patient]
    return call(
        WRITINGS[writing].draft,
        medications=[BEFORE, *TAKEN[taken].medications],
        conditions=[condition(FIBROMYALGIA), *who.conditions],
        prefetch={"patient": {**PATIENT, "birthDate": who.born}},
        hook=hook,
    )


@pytest.mark.parametrize(("writing", "taken", "patient"), EACH, ids=[f"{w}; {t}; {p}" for w, t, p in EACH])
def test_writing_exposure_and_patient_are_judged_each_by_itself(writing: str, taken: str, patient: str, answer: Answer) -> None:
    body = answer(request_of(writing, taken, patient))
    assert told(body) == WRITINGS[writing].says | TAKEN[taken].says | PATIENTS[patient].says
    assert {str(one["dailyDoseMg"]) for one in findings(body)} == {str(WRITINGS[writing].dose)}


@pytest.mark.parametrize(("taken", "patient"), list(itertools.product(TAKEN, PATIENTS)))
def test_while_drafting_warnings_are_told_and_information_waits(taken: str, patient: str, answer: Answer) -> None:
    body = answer(request_of("text alone", taken, patient, hook="order-select"))
    due = TAKEN[taken].says | PATIENTS[patient].says
    assert told(body) == {one for one in due if one[1] != "info"}


@pytest.fixture(scope="module", params=["standard", "epic", "sandbox"])
def client_of_profile(pack: Pack, request: pytest.FixtureRequest) -> FlaskClient:
    return service_client(pack, Wishes(profile=request.param))


@pytest.mark.parametrize("language", ["", "es", "fr, es;q=0.5", "de"])
@pytest.mark.parametrize("taken", ["nothing", "a statement", "an order on hold"])
@pytest.mark.parametrize("writing", ["text alone", "steps in words", "50 mg in words"])
def test_language_and_client_profile_change_words_and_suggestions_alone(
    language: str, writing: str, taken: str, client_of_profile: FlaskClient, answer: Answer
) -> None:
    asked = request_of(writing, taken, "cirrhosis")
    plain = answer(asked)["cards"]
    assert told({"cards": plain}) == WRITINGS[writing].says | TAKEN[taken].says | OTHER
    answered = client_of_profile.post("/cds-services/naltrexone-order-sign", json=asked, headers={"Accept-Language": language})
    cards = answered.get_json()["cards"]
    assert [card["indicator"] for card in cards] == [card["indicator"] for card in plain]
    is_same = [card["summary"] == other["summary"] for card, other in zip(cards, plain, strict=True)]
    is_conflict = [card["indicator"] == "critical" or "opioid" in card["summary"].lower() for card in plain]
    assert is_same == [not ("es" in language and told_in_spanish) for told_in_spanish in is_conflict]
