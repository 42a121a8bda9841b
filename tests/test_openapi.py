"""The service describes itself at /openapi.json, and keeps to it whatever is sent."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode, checks

from cds_service.advisor import PackAdvisor
from cds_service.app import create_app
from cds_service.service import Pack, Wishes
from cds_service.settings import Settings
from cds_service.web.openapi import openapi_document
from tests.clients_floor import registry_file
from tests.clinic import Json
from tests.conftest import NOON, ZONE
from tests.web_floor import SELECT, SIGN, FakeAdvisor, client_with

ROOT = Path(__file__).parent.parent
RECORDED = sorted((ROOT / "fixtures/calls").glob("*.json"))
FEEDBACK = sorted((ROOT / "fixtures/feedback").glob("*.json"))


class Everything:
    """A store that keeps nothing."""

    def keep(self, items: object, **_: object) -> None:
        """Take whatever comes."""


@pytest.fixture(scope="module")
def app(pack: Pack) -> Flask:
    return create_app(Settings(), PackAdvisor(pack, ZONE, Wishes(), lambda: NOON), None, Everything())


@pytest.fixture(scope="module")
def api(app: Flask) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


PROMISES = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
OPERATIONS = [
    ("/cds-services", "GET"),
    ("/health", "GET"),
    *((f"/cds-services/naltrexone-{hook}{more}", "POST") for hook in ("order-sign", "order-select") for more in ("", "/feedback")),
]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_sent_gets_an_answer_that_the_document_describes(path: str, method: str, api: schemathesis.BaseSchema) -> None:
    operation = api[path][method]

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=st.one_of(operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)))
    def holds(case: "schemathesis.Case[Any]") -> None:
        case.call_and_validate(checks=PROMISES)

    holds()


def _part(name: str, document: Json) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


def test_every_route_of_the_service_is_described(app: Flask) -> None:
    described = set(app.test_client().get("/openapi.json").get_json()["paths"])
    ids = [service["id"] for service in app.test_client().get("/cds-services").get_json()["services"]]
    routes = {re.sub("<service_id>", one, rule.rule) for rule in app.url_map.iter_rules() for one in ids}
    assert {path for path in routes if path.startswith("/cds-services")} <= described
    assert described <= routes


def test_discovery_is_as_described(app: Flask) -> None:
    client = app.test_client()
    assert list(_part("Discovery", client.get("/openapi.json").get_json()).iter_errors(client.get("/cds-services").get_json())) == []


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_requests_and_their_answers_are_as_described(path: Path, app: Flask) -> None:
    client, request = app.test_client(), json.loads(path.read_text(encoding="utf-8"))
    document = client.get("/openapi.json").get_json()
    address = f"/cds-services/naltrexone-{request['hook']}"
    body = document["paths"][address]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert list(Draft202012Validator(body).iter_errors(request)) == []
    assert list(_part("Answer", document).iter_errors(client.post(address, json=request).get_json())) == []


@pytest.mark.parametrize("path", FEEDBACK, ids=lambda path: path.stem)
def test_recorded_feedback_is_as_described(path: Path) -> None:
    document = openapi_document([SIGN, SELECT])
    assert list(_part("Feedback", document).iter_errors(json.loads(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [("/cds-services/some-order-sign", b"{"), ("/cds-services/x", b"{}"), ("/cds-services/some-order-sign/feedback", b"{}")],
)
def test_refusals_are_as_described(path: str, body: bytes) -> None:
    client = client_with()
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.status_code in {400, 404}
    assert list(_part("OperationOutcome", openapi_document([SIGN])).iter_errors(answer.get_json())) == []


def test_a_service_that_does_not_exist_is_not_described() -> None:
    assert [path for path in openapi_document([SIGN])["paths"] if "some" in path] == [
        "/cds-services/some-order-sign",
        "/cds-services/some-order-sign/feedback",
    ]


def test_the_document_is_valid_by_the_schema_of_its_own_references() -> None:
    document = openapi_document([SIGN, SELECT])
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert named == set(document["components"]["schemas"])
    for part in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(part)


def test_beside_a_registry_the_document_is_not_served(tmp_path: Path) -> None:
    client: FlaskClient = client_with(FakeAdvisor(), clients_file=registry_file(tmp_path), public_url="https://cds.example.org")
    assert client.get("/openapi.json").status_code == 404
