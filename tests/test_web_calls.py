"""POST /cds-services/<id>: what arrives at the advisor, what goes back, and what is refused."""

import io
import json
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.hooks.call import HookCall
from tests.web_floor import CALL, CARD, FakeAdvisor, client_with

SIGN = "/cds-services/some-order-sign"
Json = Any
JSON_TYPE = {"Content-Type": "application/json"}


def post(
    client: FlaskClient, body: bytes = CALL, path: str = SIGN, headers: Mapping[str, str] = JSON_TYPE, environ: dict[str, str] | None = None
) -> TestResponse:
    return client.post(path, data=body, headers=dict(headers), environ_overrides=environ)


def outcome(answer: TestResponse) -> tuple[int, str, str]:
    """Status, code and FHIR issue type of an error, after checking its shape."""
    assert answer.content_type == "application/json"
    body = json.loads(answer.get_data())
    [issue] = body["issue"]
    assert (body["resourceType"], issue["severity"], set(issue)) == ("OperationOutcome", "error", {"severity", "code", "details"})
    assert issue["details"]["text"].startswith("Found ")
    assert "; expected " in issue["details"]["text"]
    return answer.status_code, issue["details"]["coding"][0]["code"], issue["code"]


def test_a_call_is_answered_with_the_cards_of_the_advisor() -> None:
    answer = post(client_with())
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.get_json() == {"cards": [{**CARD, "detail": "order-sign"}]}


def test_the_advisor_gets_the_call_as_it_was_read() -> None:
    advisor = FakeAdvisor()
    post(client_with(advisor))
    assert advisor.asked == [HookCall("order-sign", "", "p1")]


def test_each_address_serves_its_own_hook() -> None:
    body = b'{"hook":"order-select","context":{}}'
    client = client_with()
    assert post(client, body, "/cds-services/some-order-select").get_json()["cards"][0]["detail"] == "order-select"
    assert outcome(post(client, body)) == (400, "REQ-005", "value")


def test_numbers_of_a_draft_come_back_with_their_own_digits() -> None:
    client = client_with(FakeAdvisor(lambda call: {"cards": [{"resource": call.draft_orders}]}))
    body = b'{"hook":"order-sign","context":{"draftOrders":{"a":4.50,"b":1.0,"c":10}}}'
    assert post(client, body).get_data() == b'{"cards":[{"resource":{"a":4.50,"b":1.0,"c":10}}]}'


@pytest.mark.parametrize(
    "path",
    [
        "//cds-services/some-order-sign", "/cds-services//some-order-sign", "/cds-services/some-order-sign/", "/cds-services///some-order-sign//",
    ],
)  # fmt: skip
def test_careless_slashes_lead_to_the_service_without_a_redirect(path: str) -> None:
    assert post(client_with(), path="/", environ={"PATH_INFO": path}).status_code == 200


@pytest.mark.parametrize("path", ["/cds-services/", "//cds-services"])
def test_discovery_is_found_with_careless_slashes(path: str) -> None:
    assert client_with().get("/", environ_overrides={"PATH_INFO": path}).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", "application/fhir+json"],
)
def test_json_is_accepted_under_its_names(content_type: str) -> None:
    assert post(client_with(), headers={"Content-Type": content_type}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/xml"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "identity, gzip"},
    ],
)
def test_another_content_type_or_a_compressed_body_gets_415(headers: dict[str, str]) -> None:
    advisor = FakeAdvisor()
    assert outcome(post(client_with(advisor), headers=headers)) == (415, "HTTP-415", "not-supported")
    assert advisor.asked == []


def test_a_content_coding_of_identity_is_no_coding() -> None:
    assert post(client_with(), headers={**JSON_TYPE, "Content-Encoding": "Identity"}).status_code == 200


def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_gets_413() -> None:
    client = client_with(max_body_bytes=1024)
    assert post(client, CALL.ljust(1024)).status_code == 200
    answer = post(client, CALL.ljust(1025))
    assert outcome(answer) == (413, "HTTP-413", "too-long")
    assert "1024 bytes" in answer.get_data(as_text=True)


@pytest.mark.parametrize(("length", "status"), [(1024, 200), (1025, 413), (5000, 413)])
def test_the_limit_holds_for_a_body_of_unknown_length(length: int, status: int) -> None:
    environ = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(CALL.ljust(length)), "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = client_with(max_body_bytes=1024).post(SIGN, headers=JSON_TYPE, environ_overrides=environ)
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/cds-services/other", "/nothing", "/cds-services/other/feedback", "/cds-services/%00", "/%ff%fe"])
def test_an_unknown_address_gets_404_as_json(path: str) -> None:
    assert outcome(post(client_with(), path=path)) == (404, "HTTP-404", "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", SIGN, {"POST", "OPTIONS"}),
        ("PUT", SIGN, {"POST", "OPTIONS"}),
        ("DELETE", SIGN, {"POST", "OPTIONS"}),
        ("BREW", SIGN, {"POST", "OPTIONS"}),
        ("POST", "/cds-services", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/health", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_another_method_gets_405_with_those_that_are_allowed(method: str, path: str, allowed: set[str]) -> None:
    answer = client_with().open(path, method=method)
    assert outcome(answer) == (405, "HTTP-405", "not-supported")
    assert {one.strip() for one in answer.headers["Allow"].split(",")} == allowed


@pytest.mark.parametrize(
    "error", [RuntimeError("Jane Doe 1968-11-20"), KeyError("Jane Doe"), RecursionError("Jane Doe"), ValueError("Jane Doe")]
)
def test_an_unforeseen_error_gets_500_that_tells_nothing_of_the_inside(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: HookCall) -> dict[str, Any]:
        raise error

    answer = post(client_with(FakeAdvisor(fail)))
    assert outcome(answer) == (500, "HTTP-500", "exception")
    said = answer.get_data(as_text=True) + caplog.text
    assert [word for word in ("Jane", type(error).__name__, "Traceback", ".py") if word in answer.get_data(as_text=True)] == []
    assert "Jane" not in said


def test_an_answer_that_is_no_json_gets_500() -> None:
    answer = post(client_with(FakeAdvisor(lambda _: {"cards": [Decimal("NaN")]})))
    assert outcome(answer) == (500, "HTTP-500", "exception")


def test_health_and_the_bare_address_answer_in_json() -> None:
    client = client_with()
    assert client.get("/health").get_json()["status"] == "ok"
    assert client.get("/").get_json()["discovery"] == "/cds-services"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/cds-services"), ("POST", SIGN), ("GET", "/health"), ("GET", "/nothing"), ("PUT", SIGN)]
)
def test_every_answer_stays_out_of_caches_and_frames(method: str, path: str) -> None:
    answer = client_with().open(path, method=method, data=CALL, headers=JSON_TYPE)
    sent = {
        name: answer.headers[name] for name in ("Cache-Control", "X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy")
    }
    assert sent == {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }


def test_each_answer_carries_an_id_of_its_own() -> None:
    client = client_with()
    ids = {post(client).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3


MUTANTS: list[Json] = [None, "", "x", 0, -1, 1.5, True, [], {}, [[]], [None], {"a": None}, "Patient/../x", "\u0000", "x" * 300, 10**40]


def places(value: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


def mutated(value: Json, place: tuple[Any, ...], mutant: Json) -> Json:
    if not place:
        return mutant
    copy = value.copy()
    copy[place[0]] = mutated(value[place[0]], place[1:], mutant)
    return copy


WHOLE = {
    "hook": "order-sign",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "fhirServer": "https://ehr.example.org/fhir",
    "fhirAuthorization": {"access_token": "t", "scope": "s"},
    "context": {"userId": "Practitioner/1", "patientId": "1", "encounterId": "2", "draftOrders": {"entry": [{"resource": {}}]}, "selections": ["a"]},
    "prefetch": {"patient": {"resourceType": "Patient"}},
    "extension": {"com.example": {}},
}  # fmt: skip


@pytest.mark.parametrize("place", places(WHOLE))
def test_no_member_whatever_its_value_brings_an_error_of_the_server(place: tuple[Any, ...]) -> None:
    client = client_with()
    statuses = {post(client, json.dumps(mutated(WHOLE, place, mutant)).encode()).status_code for mutant in MUTANTS}
    assert statuses <= {200, 400}


def test_no_damaged_body_brings_an_error_of_the_server() -> None:
    client, body = client_with(), json.dumps(WHOLE).encode()
    chance = random.Random(7)  # noqa: S311 - damage, not secrets
    statuses = set()
    for _ in range(300):
        damaged = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        statuses.add(post(client, bytes(damaged[: chance.randint(1, len(damaged))])).status_code)
    assert statuses <= {200, 400}
