"""The shapes in which EHRs send one and the same order and chart, paired with cases of practice: the shape never changes the advice."""

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clinic import (
    ALCOHOL,
    CONTRAVE,
    CROHN,
    DAILY,
    EVERY_OTHER_DAY,
    FIBROMYALGIA,
    INGREDIENT,
    LDN_CAPSULE,
    LDN_LIQUID,
    LDN_START,
    LONG_TERM_OPIOID,
    METFORMIN,
    METHADONE,
    OXYCODONE,
    TABLET_50,
    VIVITROL,
    Json,
    call,
    condition,
    dosage,
    findings,
    listed,
    order,
    told,
)

Answer = Callable[[Json], Json]
Change = Callable[[Json], None]
FIBRO, AUD = [condition(FIBROMYALGIA)], [condition(ALCOHOL)]
LOW = listed(LDN_CAPSULE, dosage(4.5), since=60, supply=90)

CASES: dict[str, Json] = {
    "50 mg for alcohol dependence": call(order(TABLET_50, dosage(1, "{tbl}", DAILY)), conditions=AUD),
    "50 mg for fibromyalgia": call(order(TABLET_50, dosage(1, "{tbl}", DAILY)), conditions=FIBRO),
    "50 mg for fibromyalgia, stated on the order": call(order(TABLET_50, dosage(50, "mg", DAILY), reason=FIBROMYALGIA), conditions=AUD),
    "100 mg every other day": call(order(TABLET_50, dosage(100, "mg", EVERY_OTHER_DAY)), conditions=AUD),
    "low dose renewed": call(order(LDN_CAPSULE, dosage(4.5)), medications=[LOW], conditions=FIBRO),
    "low dose started": call(order(LDN_START, dosage(1, "{capsule}")), conditions=FIBRO),
    "low dose, a liquid, Crohn's disease": call(order(LDN_LIQUID, dosage(4.5, "mL"), reason=CROHN), medications=[LOW]),
    "a slip": call(order(INGREDIENT, dosage(45)), conditions=FIBRO),
    "an opioid in use": call(order(TABLET_50, dosage(1, "{tbl}", DAILY)), medications=[listed(OXYCODONE, supply=30)], conditions=AUD),
    "methadone ended twelve days ago": call(
        order(LDN_CAPSULE, dosage(4.5)), medications=[LOW, listed(METHADONE, since=17, supply=5, status="completed")], conditions=FIBRO
    ),
    "long-term opioid use by diagnosis": call(order(CONTRAVE, dosage(1, "{tbl}", DAILY)), conditions=[condition(LONG_TERM_OPIOID)]),
    "an opioid ordered on the injection": call(order(OXYCODONE, dosage(5)), medications=[listed(VIVITROL, since=10)]),
    "both in one signing": call(order(TABLET_50, dosage(1, "{tbl}", DAILY)), order(OXYCODONE, dosage(5)), conditions=AUD),
    "another drug": call(order(METFORMIN, dosage(500)), medications=[listed(OXYCODONE, supply=30)], conditions=FIBRO),
    "while drafting, the naltrexone selected": call(
        order(TABLET_50, dosage(1, "{tbl}", DAILY)), medications=[listed(OXYCODONE, supply=30)], conditions=AUD, hook="order-select"
    ),
}  # fmt: skip


def drafts(request: Json) -> list[Json]:
    return [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]


def bundles(request: Json) -> list[Json]:
    return [value for value in request["prefetch"].values() if value["resourceType"] == "Bundle"]


def resources(request: Json, kind: str = "") -> Iterator[Json]:
    """Every resource of the drafts and of the lists, each once."""
    listed_ones = (entry["resource"] for bundle in bundles(request) for entry in bundle["entry"])
    unique = {id(one): one for one in (*drafts(request), *listed_ones)}
    return (one for one in unique.values() if kind in ("", one["resourceType"]))


def codings(value: Any) -> Iterator[Json]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        yield from value.get("coding", ())
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from codings(inner)


def each(kind: str, change: Change) -> Change:
    """Change every resource of a type."""

    def apply(request: Json) -> None:
        for one in list(resources(request, kind)):
            change(one)

    return apply


OIDS = {
    "http://www.nlm.nih.gov/research/umls/rxnorm": "urn:oid:2.16.840.1.113883.6.88",
    "http://snomed.info/sct": "urn:oid:2.16.840.1.113883.6.96",
    "http://hl7.org/fhir/sid/icd-10-cm": "urn:oid:2.16.840.1.113883.6.90",
}


def with_oids(one: Json) -> None:
    for coding in codings(one):
        coding["system"] = OIDS.get(coding.get("system", ""), coding.get("system"))


def with_local_codings(one: Json) -> None:
    for name in ("medicationCodeableConcept", "code"):
        if name in one:
            local = [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.698288", "code": "5504", "display": "local"}, {}]
            one[name]["coding"] = [*local, *one[name].get("coding", ()), {"system": "urn:oid:2.16.840.1.113883.6.68", "code": "9340003000"}]


def contained(one: Json) -> None:
    one["contained"] = [{"resourceType": "Medication", "id": "med", "code": one.pop("medicationCodeableConcept")}]
    one["medicationReference"] = {"reference": "#med"}


def beside(address: str, full_url: str, named: str) -> Change:
    """Name each draft's product by a Medication entry beside it."""

    def apply(request: Json) -> None:
        entries = request["context"]["draftOrders"]["entry"]
        for number, draft in enumerate(drafts(request)):
            product = {"resourceType": "Medication", "id": f"med{number}", "code": draft.pop("medicationCodeableConcept")}
            draft["medicationReference"] = {"reference": address.format(n=number), "display": named}
            entries.append({"fullUrl": full_url.format(n=number), "resource": product})

    return apply


def display_alone(one: Json) -> None:
    if "coding" not in one["medicationCodeableConcept"]:
        one["medicationReference"] = {"reference": "Medication/elsewhere", "display": one.pop("medicationCodeableConcept")["text"]}


def r5(one: Json) -> None:
    one["medication"] = {"concept": one.pop("medicationCodeableConcept")}
    if "reasonCode" in one:
        one["reason"] = [{"concept": reason} for reason in one.pop("reasonCode")]


def stu3(one: Json) -> None:
    for line in one.get("dosageInstruction", ()):
        line["doseQuantity"] = line.pop("doseAndRate")[0]["doseQuantity"]


def objects(one: Json) -> None:
    one["category"] = {"coding": [{"code": "community"}]}
    for name in ("reasonCode", "dosageInstruction"):
        if len(one.get(name, ())) == 1:
            one[name] = one[name][0]
    for line in [one["dosageInstruction"]] if isinstance(one.get("dosageInstruction"), dict) else []:
        line["doseAndRate"] = line["doseAndRate"][0]


def three_doses(one: Json) -> None:
    for line in one.get("dosageInstruction", ()):
        dose = line["doseAndRate"][0]["doseQuantity"]
        line["doseAndRate"] = [{"type": {"text": kind}, "doseQuantity": dose} for kind in ("calculated", "admin-amount", "ordered")]


def long_ids(request: Json) -> None:
    text = json.dumps(request)
    for number, old in enumerate(sorted({one["id"] for one in resources(request)} | {"p1"}, key=len, reverse=True)):
        text = text.replace(f'"{old}"', f'"{number}{"eAb.C" * 40}"').replace(f'/{old}"', f'/{number}{"eAb.C" * 40}"')
    request.update(json.loads(text))


def extended(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Extensions and unknown members at every level."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    for one in inner:
        extended(one)
    if isinstance(value, dict) and "resourceType" not in value and not {"draftOrders", "patient"} & set(value):
        value["extension"] = [{"url": "https://ehr.example.org/x", "valueString": "y"}]
        value["id"] = value.get("id", "i")


def renamed(request: Json) -> None:
    names = {"patient": "-pt", "conditions": "problemList", "activeMedications": "-activeMeds", "recentMedications": "med-history"}
    request["prefetch"] = {names[key]: value for key, value in request["prefetch"].items()}


def one_list(request: Json) -> None:
    del request["prefetch"]["activeMedications"]
    both = request["prefetch"].pop("recentMedications")
    request["prefetch"]["meds"] = {**both, "link": [{"relation": "self", "url": "https://e/R4/MedicationRequest?patient=p1"}]}


def outcomes(request: Json) -> None:
    for bundle in bundles(request):
        issue = [{"severity": "warning", "code": "informational"}]
        bundle["entry"] = [
            *bundle["entry"],
            {"resource": {"resourceType": "OperationOutcome", "issue": issue}, "search": {"mode": "outcome"}},
        ]


def stripped_bundles(request: Json) -> None:
    request["context"]["draftOrders"].pop("type")
    for bundle in bundles(request):
        bundle.pop("type")
        if not bundle["entry"]:
            del bundle["entry"]
            bundle["total"] = 0


def reversed_lists(request: Json) -> None:
    for bundle in (request["context"]["draftOrders"], *bundles(request)):
        bundle["entry"] = bundle["entry"][::-1]


def texts(value: Json) -> str:
    return json.dumps(value)


def as_text(request: Json) -> None:
    for entry in request["context"]["draftOrders"]["entry"]:
        entry["resource"] = texts(entry["resource"])


def with_members(**more: Any) -> Change:  # noqa: ANN401
    return lambda one: one.update(more)


def without(*names: str) -> Change:
    def apply(one: Json) -> None:
        for name in names:
            one.pop(name, None)

    return apply


def statuses_in_words(one: Json) -> None:
    for name in ("clinicalStatus", "verificationStatus"):
        one[name] = one[name]["coding"][0]["code"]


SHAPES: dict[str, Change] = {
    "code systems as OIDs": each("", with_oids),
    "local codings around ours": each("", with_local_codings),
    "the product contained": each("MedicationRequest", contained),
    "the product beside the draft": beside("Medication/med{n}", "https://ehr.example.org/R4/Medication/med{n}", ""),
    "the product beside the draft, by an absolute reference": beside("https://e.example/R4/Medication/med{n}", "https://e.example/R4/Medication/med{n}", "x"),
    "the product beside the draft, by a urn": beside("urn:uuid:11111111-1111-4111-8111-11111111111{n}", "urn:uuid:11111111-1111-4111-8111-11111111111{n}", ""),
    "the product by its display alone": each("MedicationRequest", display_alone),
    "FHIR R5": each("MedicationRequest", r5),
    "FHIR STU3 doses": each("MedicationRequest", stu3),
    "objects where FHIR has arrays": each("MedicationRequest", objects),
    "three doses of one line": each("MedicationRequest", three_doses),
    "ids of 200 letters with dots": long_ids,
    "extensions everywhere": extended,
    "other prefetch keys": renamed,
    "one list of medications": one_list,
    "outcomes of the search": outcomes,
    "Bundles without type, and without entry": stripped_bundles,
    "everything in another order": reversed_lists,
    "drafts as JSON text": as_text,
    "no intent": each("MedicationRequest", without("intent")),
    "subjects by absolute reference": each("", with_members(subject={"reference": "https://e.example/R4/Patient/p1"})),
    "subjects by a version": each("", with_members(subject={"reference": "Patient/p1/_history/7"})),
    "subjects by identifier": each("", with_members(subject={"identifier": {"value": "1"}, "display": "x"})),
    "requester unknown": each("MedicationRequest", with_members(requester={"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]})),
    "days as moments": each("MedicationRequest", lambda one: one.update(authoredOn=f"{one['authoredOn']}T12:00:00.123+13:45")),
    "encounter diagnoses": each("Condition", with_members(category=[{"coding": [{"code": "encounter-diagnosis"}]}])),
    "statuses of conditions as words": each("Condition", statuses_in_words),
    "context.patientId with its type": lambda request: request["context"].update(patientId="Patient/p1"),
    "members that nobody knows": lambda request: (request.update(x=[None]), request["context"].update(y={}), request["prefetch"].update(user="123", z=None))[0],
    "a FHIR server that is not listed": lambda request: request.update(fhirServer="https://fhir.example.org/r4"),
}  # fmt: skip
PAIRS = list(itertools.product(SHAPES, CASES))


def said(answer: Json) -> set[str]:
    """What is told, with the dose that was read."""
    return {json.dumps([one["rule"], one["severity"], one["dailyDoseMg"], one["doseClass"]]) for one in findings(answer)}


@pytest.mark.parametrize(("shape", "name"), PAIRS, ids=[f"{shape}: {name}" for shape, name in PAIRS])
def test_a_shape_never_changes_the_advice(shape: str, name: str, answer: Answer) -> None:
    plain = copy.deepcopy(CASES[name])
    changed = copy.deepcopy(plain)
    SHAPES[shape](changed)
    assert said(answer(changed)) == said(answer(plain))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_another_than_the_plain_one(shape: str) -> None:
    changed = {name: copy.deepcopy(request) for name, request in CASES.items()}
    for request in changed.values():
        SHAPES[shape](request)
    assert any(changed[name] != CASES[name] for name in CASES)


def test_the_cases_tell_every_kind_of_finding(answer: Answer) -> None:
    kinds = {kind for request in CASES.values() for kind, _ in told(answer(request))}
    assert kinds == {"off-label", "dose", "titration", "opioid-conflict"}
