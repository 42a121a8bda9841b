"""Suggestions can be signed: each is applied on a real FHIR server as a client would, read back, validated, and sent again as the next draft."""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest
from flask.testing import FlaskClient

from cds_service.advisor import PackAdvisor
from cds_service.app import create_app
from cds_service.cards.profiles import ProfileName
from cds_service.service import Pack, Wishes
from cds_service.settings import Settings
from tests.clinic import (
    CROHN,
    FIBROMYALGIA,
    INGREDIENT,
    LDN_CAPSULE,
    LDN_LIQUID,
    LDN_START,
    MORNING,
    OXYCODONE,
    PRURITUS,
    RXNORM,
    TABLET_50,
    UCUM,
    Json,
    amount,
    call,
    concept,
    condition,
    dosage,
    findings,
    listed,
    order,
    told,
)
from tests.conftest import ZONE
from tests.test_clinical_cases import CASES
from tests.test_clinical_pairs import BESIDE, INDICATIONS, REGIMENS, Beside
from tests.test_fhir_reads_running import exchange, real_fhir_server

ROOT = Path(__file__).parent.parent
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)
FIBRO = [condition(FIBROMYALGIA)]
OVER = listed(LDN_CAPSULE, dosage(1, "{capsule}"), since=200, supply=90, status="completed")
MADE_UP = {
    "resourceType": "Medication",
    "id": "made-up",
    "code": {"text": "naltrexone compound"},
    "ingredient": [
        {
            "itemCodeableConcept": concept("naltrexone", "7243"),
            "strength": {"numerator": amount(4.5), "denominator": amount(1, "{capsule}")},
        }
    ],
}


def loaded(medication: Json, *dosages: Json, **more: Any) -> Json:  # noqa: ANN401
    """A draft with everything that an EHR may have put into it."""
    return order(
        medication,
        *(
            {
                "text": "take 1 capsule at bedtime",
                "patientInstruction": "4.5 mg before sleep",
                "additionalInstruction": [{"text": "with water"}],
                "site": {"text": "mouth"},
                **one,
            }
            for one in dosages
        ),
        **{
            "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">LDN 4.5 mg</div>'},
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:5b2f7b1e-27d3-4a6c-9d7e-7c9d1b1d0a11"}],
            "category": [concept("", "community", "http://terminology.hl7.org/CodeSystem/medicationrequest-category")],
            "priority": "routine",
            "encounter": {"reference": "Encounter/e1"},
            "requester": {"reference": "Practitioner/u1", "display": "Dr. A"},
            "note": [{"text": "4.5 mg please"}, {"text": "no lactose"}],
            "dispenseRequest": {
                "quantity": amount(30, "{capsule}"),
                "numberOfRepeatsAllowed": 3,
                "expectedSupplyDuration": amount(30, "d"),
                "validityPeriod": {"start": "2026-11-22"},
                "performer": {"reference": "Organization/pharmacy"},
            },
            "substitution": {"allowedBoolean": False},
            "extension": [{"url": "https://example.org/route", "valueString": "x"}],
            **more,
        },
    )


SHAPES: dict[str, Json] = {
    "capsule by count": call(order(LDN_CAPSULE, dosage(1, "{capsule}")), conditions=FIBRO),
    "capsule by weight": call(order(LDN_CAPSULE, dosage(4.5)), conditions=FIBRO),
    "everything": call(loaded(LDN_CAPSULE, dosage(1, "{capsule}")), conditions=FIBRO),
    "everything, a liquid": call(loaded(LDN_LIQUID, dosage(4.5, "mL")), conditions=FIBRO),
    "everything, by ingredient": call(loaded(INGREDIENT, dosage(4.5)), conditions=FIBRO),
    "a strong liquid": call(order(concept("naltrexone 4.5 mg/5 mL oral suspension"), dosage(5, "mL")), conditions=FIBRO),
    "a small capsule": call(order(concept("naltrexone 0.5 mg capsule"), dosage(9, "{capsule}")), conditions=FIBRO),
    "three small capsules": call(order(LDN_START, dosage(3, "{capsule}")), conditions=FIBRO),
    "first order at the usual start": call(order(LDN_START, dosage(1, "{capsule}")), conditions=FIBRO),
    "morning": call(order(LDN_CAPSULE, dosage(4.5, "mg", MORNING)), conditions=FIBRO),
    "words alone": call(order(LDN_CAPSULE, {"text": "take 1 capsule by mouth at bedtime"}), conditions=FIBRO),
    "a contained compound": call(
        order(
            LDN_CAPSULE,
            dosage(1, "{capsule}"),
            medicationCodeableConcept=None,
            medicationReference={"reference": "#made-up"},
            contained=[MADE_UP],
        ),
        conditions=FIBRO,
    ),
    "another reason": call(order(LDN_CAPSULE, dosage(4.5), reason=CROHN)),
    "another disease on the list": call(order(LDN_CAPSULE, dosage(4.5)), conditions=[condition(CROHN)]),
    "itching": call(order(TABLET_50, dosage(1, "{tbl}")), conditions=[condition(PRURITUS)]),
    "restart": call(order(LDN_CAPSULE, dosage(4.5)), medications=[OVER], conditions=FIBRO),
    "two sequenced lines": call(order(INGREDIENT, dosage(3, sequence=1), dosage(4.5, sequence=2)), conditions=FIBRO),
    "authored in the future": call(order(LDN_CAPSULE, dosage(4.5), authoredOn="2026-12-01"), conditions=FIBRO),
    "drug of the sandbox": call(
        order(concept("Naltrexone 4.5 MG Oral Capsule", "7243"), dosage(1, "{pill}", {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}})),
        conditions=FIBRO,
    ),
    "two drafts beside an opioid": call(
        order(LDN_CAPSULE, dosage(4.5)), order(TABLET_50, dosage(1, "{tbl}")), medications=[listed(OXYCODONE, supply=30)], conditions=FIBRO
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggested:
    """A suggestion with the request and the profile that brought it."""

    name: str
    profile: ProfileName
    request: Json
    before: Json
    suggestion: Json

    @property
    def actions(self) -> list[Json]:
        found: list[Json] = self.suggestion["actions"]
        return found


def client_for(pack: Pack, profile: ProfileName) -> FlaskClient:
    noon_there = datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)
    return create_app(Settings(), PackAdvisor(pack, ZONE, Wishes(profile=profile), lambda: noon_there)).test_client()


def ask(client: FlaskClient, request: Json) -> Json:
    response = client.post(f"/cds-services/naltrexone-{request['hook']}", json=request)
    assert response.status_code == 200
    body: Json = response.get_json()
    return body


def requests(besides: Sequence[Beside]) -> Iterator[tuple[str, Json]]:
    yield from SHAPES.items()
    yield from ((name, request) for name, (request, _) in CASES.items())
    for path in sorted((ROOT / "fixtures/calls").glob("*.json")):
        yield path.stem, json.loads(path.read_text())
    for regimen in REGIMENS:
        for indication, problems in INDICATIONS.items():
            for beside in besides:
                made = call(regimen.draft(), medications=[*regimen.before, *beside.medications], conditions=[*problems, *beside.conditions])
                yield f"{regimen.name}, {indication}, beside {beside.name}", made


@pytest.fixture(scope="module")
def suggested(pack: Pack) -> tuple[Suggested, ...]:
    """Every suggestion that any case brings in any profile; of the pairs each sort once."""
    found: dict[tuple[str, ...], Suggested] = {}
    for profile in PROFILES:
        client = client_for(pack, profile)
        for name, request in requests(BESIDE if profile == "standard" else BESIDE[:3]):
            answer = ask(client, request)
            for card in answer["cards"]:
                for one in card.get("suggestions", ()):
                    found.setdefault((profile, name.partition(", beside")[0], one["label"]), Suggested(name, profile, request, answer, one))
    return tuple(found.values())


def drafts(request: Json) -> list[Json]:
    return [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]


def plain(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name != "meta"}


def target(action: Json) -> str:
    return str(action["resourceId"] if action["type"] == "delete" else f"MedicationRequest/{action['resource']['id']}")


def transaction(actions: list[Json]) -> Json:
    """The actions of a suggestion as the one transaction that the specification speaks of."""
    methods = {"delete": "DELETE", "update": "PUT"}
    entries = [
        {
            **({"resource": one["resource"]} if "resource" in one else {}),
            "request": {"method": methods[one["type"]], "url": target(one)},
        }
        for one in actions
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def with_short_ids(value: Json) -> Json:
    """The same resource with ids that FHIR allows: some EHRs send longer ones, which no other server takes."""
    short: Json = json.loads(re.sub(r"[A-Za-z0-9.\\-]{65,}", lambda found: found[0][-64:], json.dumps(value)))
    return short


def is_gone(port: int, path: str) -> bool:
    try:
        exchange(port, "GET", path)
    except AssertionError:
        return True
    return False


@pytest.fixture(scope="module")
def fhir_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real FHIR server."""
    with real_fhir_server(tmp_path_factory.mktemp("fhir")) as base:
        yield int(base.split(":")[2].partition("/")[0])


def test_every_kind_of_suggestion_is_tried_in_every_profile_that_has_it(suggested: tuple[Suggested, ...]) -> None:
    kinds = {(one.profile, one.suggestion["label"].split()[0]) for one in suggested}
    assert kinds == {
        ("standard", "Remove"), ("standard", "Start"), ("standard", "Order"), ("standard", "Record"),
        ("epic", "Remove"),
        ("sandbox", "Remove"), ("sandbox", "Start"),
    }  # fmt: skip


def test_every_suggestion_is_applied_and_read_back_as_it_was_sent(suggested: tuple[Suggested, ...], fhir_server: int) -> None:
    for one in suggested:
        for draft in drafts(one.request):
            if any(target(action) == f"MedicationRequest/{draft['id']}" for action in one.actions):
                known = with_short_ids({"status": "draft", "intent": "order", **draft})
                exchange(fhir_server, "PUT", f"/fhir/MedicationRequest/{known['id']}", known)
        actions = [with_short_ids(action) for action in one.actions]
        exchange(fhir_server, "POST", "/fhir", transaction(actions))
        for action in actions:
            if action["type"] == "delete":
                assert is_gone(fhir_server, f"/fhir/{target(action)}"), one.name
            else:
                assert plain(exchange(fhir_server, "GET", f"/fhir/{target(action)}")) == plain(action["resource"]), one.name


def test_every_resource_is_valid_and_of_this_patient(suggested: tuple[Suggested, ...]) -> None:
    for one in suggested:
        for action in one.actions:
            if "resource" in action:
                MedicationRequest.model_validate_json(json.dumps(action["resource"]))
                patient = one.request["context"]["patientId"]
                assert action["resource"]["subject"] == {"reference": f"Patient/{patient}"}, one.name


def test_only_drafts_of_the_signing_are_touched_and_never_an_opioid(suggested: tuple[Suggested, ...]) -> None:
    for one in suggested:
        named = {f"MedicationRequest/{draft['id']}": draft for draft in drafts(one.request)}
        for action in one.actions:
            assert target(action) in named, one.name
            assert "oxycodone" not in json.dumps(named[target(action)]).lower(), one.name


def accepted(one: Suggested) -> Json:
    """The request that follows when a clinician takes the suggestion: of an update the sandbox takes name and first code alone."""
    request = copy.deepcopy(one.request)
    changes = {target(action): action for action in one.actions}
    entries = []
    for draft in drafts(request):
        action = changes.get(f"MedicationRequest/{draft['id']}")
        if action is None:
            entries.append({"resource": draft})
        elif action["type"] == "update":
            entries.append({"resource": _applied(one.profile, draft, action["resource"])})
    request["context"]["draftOrders"]["entry"] = entries
    return request


def _applied(profile: ProfileName, draft: Json, update: Json) -> Json:
    if profile != "sandbox":
        return update
    product = update["medicationCodeableConcept"]
    kept = {name: value for name, value in draft.items() if name not in ("medicationReference", "contained")}
    return {**kept, "medicationCodeableConcept": {"text": product["text"], "coding": product["coding"][:1]}}


def doses(answer: Mapping[str, Any], draft_id: str) -> set[str]:
    return {json.dumps(one["dailyDoseMg"]) for one in findings(answer) if one["order"] == f"MedicationRequest/{draft_id}"}


def test_an_accepted_order_is_computed_as_the_card_promised(suggested: tuple[Suggested, ...], client: FlaskClient) -> None:
    promised: Mapping[str, Callable[[float], Json]] = {
        "Start": lambda first: {"low": first, "high": first},
        "Order": lambda first: {"low": first, "high": 4.5},
    }
    for one in suggested:
        verb = one.suggestion["label"].split()[0]
        if verb in promised:
            answer = ask(client, accepted(one))
            number = re.search(r"([0-9.]+) mg", one.suggestion["label"])
            assert number, one.name
            assert doses(answer, one.actions[0]["resource"]["id"]) == {json.dumps(promised[verb](float(number[1])))}, (
                one.profile,
                one.name,
            )


def test_an_accepted_order_brings_no_word_about_its_dose(suggested: tuple[Suggested, ...], client: FlaskClient) -> None:
    for one in suggested:
        if one.suggestion["label"].split()[0] in ("Start", "Order"):
            rules = {found["rule"] for found in findings(ask(client, accepted(one)))}
            assert not rules & {"dose-mismatch", "dose-unknown", "titration-step", "titration-ceiling", "titration-bedtime"}, one.name


def test_a_recorded_reason_changes_nothing_but_the_reason(suggested: tuple[Suggested, ...], client: FlaskClient) -> None:
    for one in suggested:
        if one.suggestion["label"].startswith("Record"):
            after = ask(client, accepted(one))
            assert told(after) == told(one.before), one.name
            assert not any("Record" in each["label"] for card in after["cards"] for each in card.get("suggestions", ())), one.name
            draft = next(draft for draft in drafts(one.request) if draft["id"] == one.actions[0]["resource"]["id"])
            assert {name: value for name, value in one.actions[0]["resource"].items() if name != "reasonReference"} == draft, one.name


def test_removing_what_conflicts_leaves_no_conflict(suggested: tuple[Suggested, ...], client: FlaskClient) -> None:
    for one in suggested:
        if one.suggestion["label"].startswith("Remove") and one.profile != "epic":
            assert "opioid-conflict" not in {kind for kind, _ in told(ask(client, accepted(one)))}, one.name


def test_an_update_states_the_old_dose_nowhere(suggested: tuple[Suggested, ...]) -> None:
    """What spoke of 4.5 mg as the one dose is gone: narrative, instruction, note, supply; the clinician's other words stay."""
    for one in suggested:
        if one.name.startswith("everything") and one.suggestion["label"].startswith("Start"):
            resource = one.actions[0]["resource"]
            assert "4.5" not in json.dumps(resource), one.name
            assert "patientInstruction" not in json.dumps(resource)
            assert resource["note"] == [{"text": "no lactose"}]
            assert resource["dispenseRequest"] == {
                "validityPeriod": {"start": "2026-11-22"},
                "performer": {"reference": "Organization/pharmacy"},
            }
            kept = ("identifier", "category", "priority", "encounter", "requester", "substitution", "extension", "authoredOn")
            (draft,) = drafts(one.request)
            assert [resource[name] for name in kept] == [draft[name] for name in kept]


def test_a_titration_says_that_it_is_compounded_and_is_in_sequence(suggested: tuple[Suggested, ...]) -> None:
    orders = [one.actions[0]["resource"] for one in suggested if one.suggestion["label"].startswith("Order")]
    assert orders
    for resource in orders:
        lines = resource["dosageInstruction"]
        assert [line["sequence"] for line in lines] == [1, 2, 3]
        assert [line["doseAndRate"][0]["doseQuantity"] for line in lines] == [
            {"value": dose, "unit": "mg", "system": UCUM, "code": "mg"} for dose in (1.5, 3, 4.5)
        ]
        assert [line["timing"]["repeat"].get("boundsDuration", {}).get("value") for line in lines] == [14, 14, None]
        assert "compounded" in resource["note"][-1]["text"]


def test_words_promise_no_more_than_the_client_applies(suggested: tuple[Suggested, ...]) -> None:
    words = {
        (one.profile, text)
        for one in suggested
        if one.suggestion["label"].startswith("Start")
        for text in (one.suggestion["label"], one.actions[0]["description"])
    }
    assert words == {
        ("standard", "Start with 1.5 mg at bedtime instead"),
        (
            "standard",
            "Change the draft to naltrexone 1.5 mg once daily at bedtime; quantity, supply and refills of the old dose are removed",
        ),
        ("sandbox", "Start with 1.5 mg instead"),
        (
            "sandbox",
            "Put naltrexone 1.5 mg capsules (compounded) in place of the product; timing, quantity and refills stay as they are, please check them",
        ),
    }


def test_a_new_product_is_its_ingredient_code_and_a_text(suggested: tuple[Suggested, ...]) -> None:
    products = [
        one.actions[0]["resource"]["medicationCodeableConcept"]
        for one in suggested
        if one.suggestion["label"].startswith("Start") and one.name == "capsule by count"
    ]
    assert products == [
        {"coding": [{"system": RXNORM, "code": "7243", "display": "naltrexone"}], "text": "naltrexone 1.5 mg oral capsule (compounded)"}
    ] * len(products)
    assert products
