"""docs/specification.md tells the truth, and what of the specification no other test shows is shown here."""

import ast
import copy
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient

from cds_service.advisor import PackAdvisor
from cds_service.service import Pack, Wishes
from tests import specification
from tests.clinic import FIBROMYALGIA, LDN_CAPSULE, METFORMIN, TABLET_50, TRAMADOL, Json, call, condition, dosage, listed, order, told
from tests.specification import BALLOT, PUBLISHED

ROOT = Path(__file__).parent.parent
RECORDED = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "fixtures/calls").glob("*.json"))]
EVERY = (*PUBLISHED, *BALLOT)
NUMBERS = (
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 16 27 29 34 36 52 54 55 56 57 58 59 60 61 74 75 77 83 85 87 88 90 93 95 100 127-135 136 147 168 177 "
    "195 201 203 208 210 211 219"
)
"""The requirements of Inferno's set that concern a service and can be told by their number."""
Answer = Callable[[Json], Json]


@cache
def _tests_of(file: str) -> frozenset[str]:
    path = ROOT / "tests" / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def test_every_test_that_a_requirement_names_exists() -> None:
    named = [shown for one in EVERY for shown in one.shown_by]
    assert [shown for shown in named if shown.partition("::")[2] not in _tests_of(shown.partition("::")[0])] == []


def test_every_requirement_has_a_test_or_says_why_it_is_not_kept() -> None:
    assert [one.text for one in EVERY if not one.shown_by and one.state in {"yes", "in part"}] == []
    assert [one.text for one in EVERY if one.state != "yes" and not one.remark] == []


def test_no_requirement_of_the_set_is_left_out() -> None:
    listed_ones = {number.strip() for one in PUBLISHED for number in one.ids.removeprefix("library").split(",") if "library" not in one.ids}
    assert listed_ones - {""} == set(NUMBERS.split())


def test_the_page_is_what_the_tests_say() -> None:
    assert (ROOT / "docs/specification.md").read_text(encoding="utf-8") == specification.page()


def test_no_requirement_that_is_a_must_is_left_undone() -> None:
    assert [one.text for one in EVERY if one.word == "shall" and one.state in {"no", "not used"}] == []


def conflict() -> Json:
    return call(
        order(TABLET_50, dosage(50), reason=FIBROMYALGIA),
        medications=[listed(TRAMADOL, dosage(50), supply=30)],
        conditions=[condition(FIBROMYALGIA)],
    )


def test_an_order_that_no_rule_concerns_gets_an_empty_list(answer: Answer) -> None:
    assert answer(call(order(METFORMIN, dosage(500)))) == {"cards": []}


def test_usage_requirements_say_what_happens_without_data(client: FlaskClient) -> None:
    services = client.get("/cds-services").get_json()["services"]
    assert [("with status 200" in one["usageRequirements"], "412" in one["usageRequirements"]) for one in services] == [(True, False)] * 2


def test_usage_requirements_say_that_a_site_answers_412_without_data(pack: Pack) -> None:
    services = PackAdvisor(pack, UTC, Wishes(), refuses_without_data=True).services()
    assert ["status 412 with an OperationOutcome" in one.usage_requirements for one in services] == [True, True]


def test_the_hook_version_is_that_of_the_published_definitions(client: FlaskClient) -> None:
    services = client.get("/cds-services").get_json()["services"]
    assert [(service["hook"], service["hookVersion"]) for service in services] == [("order-sign", "1.0"), ("order-select", "1.0")]


@pytest.mark.parametrize("key", ["conditions", "activeMedications", "recentMedications"])
def test_null_and_an_empty_bundle_mean_the_same(key: str, answer: Answer) -> None:
    empty: tuple[Any, ...] = (
        None,
        {"resourceType": "Bundle", "type": "searchset", "total": 0},
        {"resourceType": "Bundle", "type": "searchset", "entry": []},
    )
    draft = order(LDN_CAPSULE, dosage(4.5), reason=FIBROMYALGIA)
    kinds = [told(answer(call(draft, prefetch={key: value}))) for value in empty]
    assert kinds[0] == kinds[1] == kinds[2]
    assert "incomplete" not in {kind for kind, _ in kinds[0]}


def test_recorded_requests_are_answered_well_within_500_ms(client: FlaskClient) -> None:
    def seconds(request: Json) -> float:
        started = time.perf_counter()
        client.post(f"/cds-services/naltrexone-{request['hook']}", json=request)
        return time.perf_counter() - started

    for request in RECORDED:
        seconds(request)
    bare = [{name: value for name, value in request.items() if name != "fhirServer"} for request in RECORDED]
    assert statistics.median(seconds(request) for request in bare * 4) < 0.1


def actions(answered: Json) -> Iterator[Json]:
    for card in answered["cards"]:
        for suggestion in card.get("suggestions", ()):
            yield from suggestion["actions"]


def test_the_actions_of_an_answer_carry_what_their_type_asks(answer: Answer) -> None:
    requests = [
        conflict(),
        call(order(TABLET_50, dosage(50), reason=FIBROMYALGIA)),
        call(order(LDN_CAPSULE, dosage(4.5)), conditions=[condition(FIBROMYALGIA)]),
    ]
    found = [action for request in requests for action in actions(answer(request))]
    assert {action["type"] for action in found} >= {"update", "delete"}
    for action in found:
        if action["type"] == "delete":
            assert action["resourceId"].startswith("MedicationRequest/")
        else:
            get_fhir_model_class(action["resource"]["resourceType"]).model_validate(copy.deepcopy(action["resource"]))


def test_at_most_one_suggestion_is_recommended_where_one_can_be_taken(answer: Answer) -> None:
    cards = [card for request in [conflict(), *RECORDED] for card in answer(request)["cards"]]
    recommended = [
        (card["selectionBehavior"], sum("isRecommended" in one for one in card["suggestions"])) for card in cards if "suggestions" in card
    ]
    assert recommended
    assert [behaviour for behaviour, number in recommended if behaviour == "at-most-one" and number > 1] == []


@pytest.mark.parametrize("scope", ["patient/*.read", "patient/*.rs", "com.example.anything", 5, None])
def test_scopes_are_not_interpreted(scope: object, answer: Answer) -> None:
    authorization = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": scope, "subject": "s"}
    plain, scoped = answer(conflict()), answer({**conflict(), "fhirAuthorization": authorization})
    assert told(scoped) == told(plain)
