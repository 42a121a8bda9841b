"""Properties of every answer over HTTP: valid by the specification, indifferent to order, never falsely calm."""

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.clinic import (
    DAILY,
    FIBROMYALGIA,
    INGREDIENT,
    LDN_CAPSULE,
    OXYCODONE,
    TRAMADOL,
    Json,
    call,
    concept,
    condition,
    dosage,
    findings,
    listed,
    order,
    told,
)

ROOT = Path(__file__).parent.parent
SCHEMA = Draft202012Validator(json.loads((ROOT / "tests/cds-hooks-answer.schema.json").read_text(encoding="utf-8")))
RECORDED = sorted((ROOT / "fixtures/calls").glob("*.json"))
STRANGE: tuple[Any, ...] = (None, "", "x", -1, 1.5, True, [], {}, [None], [{}], {"a": 1}, ["x"])
SOME = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Path_ = tuple[str | int, ...]


def conflict() -> Json:
    """A request with much to say: low dose started, fibromyalgia, an opioid in use and one that has ended."""
    return call(
        order(LDN_CAPSULE, dosage(4.5), reason=FIBROMYALGIA),
        medications=[listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30), listed(TRAMADOL, since=12, supply=10, status="completed")],
        conditions=[condition(FIBROMYALGIA)],
    )


def paths(value: Any, here: Path_ = ()) -> Iterator[Path_]:  # noqa: ANN401
    """Every place in a request, members and items, parents before children."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield (*here, key)
        yield from paths(inner, (*here, key))


def changed(request: Json, path: Path_, new: Any) -> Json:  # noqa: ANN401
    """The request with one place replaced, or removed where `new` is `...`."""
    result = copy.deepcopy(request)
    target: Any = result
    for key in path[:-1]:
        target = target[key]
    if new is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = new
    return result


def post(client: FlaskClient, request: Json, hook: str = "order-sign") -> tuple[int, Json]:
    """Status and JSON of one call."""
    response = client.post(f"/cds-services/naltrexone-{hook}", data=json.dumps(request), content_type="application/json")
    return response.status_code, response.get_json()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_requests_get_valid_answers(path: Path, answer: Callable[[Json], Json]) -> None:
    assert list(SCHEMA.iter_errors(answer(json.loads(path.read_text(encoding="utf-8"))))) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sandbox-order-sign", {("opioid-conflict", "critical"), ("dose", "warning"), ("off-label", "info")}),
        ("sandbox-order-select", {("opioid-conflict", "critical"), ("dose", "warning")}),
        ("sandbox-tab-opened", set()),
        ("sandbox-second-click", set()),
        ("epic-order-sign", {("opioid-conflict", "critical"), ("off-label", "info"), ("titration", "info")}),
    ],
)
def test_recorded_requests_get_the_right_cards(name: str, expected: set[tuple[str, str]], answer: Callable[[Json], Json]) -> None:
    assert told(answer(json.loads((ROOT / f"fixtures/calls/{name}.json").read_text(encoding="utf-8")))) == expected


def test_a_request_mutated_field_by_field_never_breaks_the_service_nor_the_specification(client: FlaskClient) -> None:
    request = conflict()
    broken = []
    for path, new in itertools.product(paths(request), (..., *STRANGE)):
        status, body = post(client, changed(request, path, new))
        if (
            status >= 500
            or (status == 200 and next(SCHEMA.iter_errors(body), None))
            or (status >= 400 and body["resourceType"] != "OperationOutcome")
        ):
            broken.append((path, new, status))
    assert broken == []


def test_removing_or_garbling_data_never_silences_the_conflict(client: FlaskClient) -> None:
    request = conflict()
    of_lists = [path for path in paths(request) if path[0] == "prefetch"]
    calm = []
    for path, new in itertools.product(of_lists, (..., 7, "x", [])):
        _, body = post(client, changed(request, path, new))
        if not {kind for kind, _ in told(body)} & {"opioid-conflict", "incomplete"}:
            calm.append((path, new))
    assert calm == []


@SOME
@given(shuffle=st.randoms(use_true_random=False))
def test_the_order_of_entries_codings_and_lines_never_matters(shuffle: Any, client: FlaskClient) -> None:  # noqa: ANN401
    request = conflict()
    draft = request["context"]["draftOrders"]["entry"][0]["resource"]
    draft["medicationCodeableConcept"] = concept("naltrexone", "7243")
    draft["medicationCodeableConcept"]["coding"].append({"system": "urn:oid:1.2.3", "code": "9", "display": "NALTREXONE CMPD"})
    draft["dosageInstruction"] = [dosage(1.5, "mg", DAILY), dosage(3)]
    _, before = post(client, request)
    for items in (
        draft["medicationCodeableConcept"]["coding"],
        draft["dosageInstruction"],
        *(request["prefetch"][key]["entry"] for key in ("activeMedications", "recentMedications")),
    ):
        shuffle.shuffle(items)
    _, after = post(client, request)
    assert findings(before) == findings(after)


@pytest.mark.parametrize("milligrams", [0.5, 1.5, 3, 4.5, 4.6, 6, 25, 49.9, 50, 50.1, 100])
def test_the_same_dose_in_any_unit_gives_the_same_class(milligrams: float, answer: Callable[[Json], Json]) -> None:
    liquid = concept("naltrexone 1 mg/mL oral liquid (compounded)")
    spellings = [
        order(INGREDIENT, dosage(milligrams)),
        order(INGREDIENT, dosage(round(milligrams * 1000), "ug")),
        order(INGREDIENT, dosage(round(milligrams / 1000, 6), "g")),
        order(liquid, dosage(milligrams, "mL")),
        order(concept(f"naltrexone {milligrams} mg capsule"), dosage(1, "{capsule}")),
    ]
    classes = set()
    for draft in spellings:
        finding = next(one for one in findings(answer(call(draft, medications=[listed(OXYCODONE)]))) if one["kind"] == "opioid-conflict")
        classes.add((finding["doseClass"], finding["dailyDoseMg"]["high"]))
    assert classes == {(_class_of(milligrams), milligrams)}


def _class_of(milligrams: float) -> str:
    return "low-dose" if milligrams <= 4.5 else "intermediate" if milligrams < 50 else "standard"


def test_the_same_request_gives_the_same_cards_byte_for_byte(client: FlaskClient) -> None:
    def stripped(body: Json) -> str:
        cards = copy.deepcopy(body["cards"])
        for card in cards:
            card.pop("uuid")
            for part in card["extension"].values():
                part.pop("decision")
            for suggestion in card.get("suggestions", []):
                suggestion.pop("uuid")
        return json.dumps(cards)

    request = conflict()
    assert stripped(post(client, request)[1]) == stripped(post(client, request)[1])
