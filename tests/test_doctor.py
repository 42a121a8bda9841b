"""`cds-service doctor` finds what an EHR would stumble over, and `cds-service call` reads cards out."""

import copy
import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cds_service.cli.call import recorded_request
from cds_service.cli.main import commands
from cds_service.clients.registry import read_registry
from cds_service.doctor.answers import complaints, remarks
from cds_service.doctor.examination import Wish, base_of, examine
from cds_service.doctor.port import Ehr, Finding, Reply
from cds_service.doctor.sample import request_for
from cds_service.doctor.trust import Signer, misused_tokens
from cds_service.settings import Settings
from tests.clients_floor import BASE, ISSUER, key_set, private_key, registry_file
from tests.clinic import Json
from tests.web_floor import FakeAdvisor, client_with

ROOT = Path(__file__).parent.parent
ORDER = recorded_request("sandbox-order-sign")
PAGE = "https://sandbox.cds-hooks.org"
CARD: Json = {"uuid": "4b2e0b6a-2d39-4d3f-9d9c-0f6f3ba3b0a1", "summary": "S", "indicator": "info", "source": {"label": "L"}}
SERVICE: Json = {"hook": "order-sign", "title": "T", "description": "D", "id": "x"}
ALLOWED = {"access-control-allow-origin": PAGE, "access-control-allow-headers": "authorization, content-type"}
Value = Any


@dataclass
class Served:
    """The application of this project as the doctor's port, without a network."""

    client: FlaskClient

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        answer = self.client.open(url.removeprefix(BASE), method=method, headers=dict(headers), data=body)
        return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.data)


@dataclass
class Played:
    """Some other service, answering from a table: (method, last part of the address, kind of body) → reply; faultless but for what is changed."""

    changed: Mapping[str, Reply]

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        key = self._key(method, url.removeprefix(BASE), headers, body or b"")
        return self.changed.get(key) or FAULTLESS[key]

    @staticmethod
    def _key(method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
        if method == "OPTIONS":
            return "preflight"
        if path == "/cds-services":
            token = headers.get("Authorization", "")
            return "discovery" if not token else "garbage" if token.endswith("not-a-token") else "unsigned"
        if path.startswith("/cds-services/no-such"):
            return "unknown"
        return (
            "feedback" if path.endswith("/feedback") else "slash" if path.endswith("/") else "malformed" if body == b'{"hook":' else "call"
        )


def said(value: object, status: int = 200, ms: float = 1.0, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, {"content-type": "application/json", **named}, json.dumps(value).encode(), ms)


OUTCOME = {"resourceType": "OperationOutcome", "issue": []}
FAULTLESS = {
    "preflight": Reply(204, ALLOWED),
    "discovery": said({"services": [SERVICE]}),
    "garbage": said(OUTCOME, 401),
    "unsigned": said(OUTCOME, 401),
    "call": said({"cards": [{**CARD, "source": {"label": "L", "topic": {"system": "https://x.example", "code": "t"}}}]}),
    "feedback": said({}),
    "slash": said({"cards": []}),
    "unknown": said(OUTCOME, 404),
    "malformed": said(OUTCOME, 400),
}


def examined(changed: Mapping[str, Reply], wish: Wish | None = None) -> list[Finding]:
    return list(examine(Ehr(Played(changed), lambda _: "", PAGE), BASE, ORDER, wish or Wish()))


def not_ok(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.level, finding.says) for finding in findings if finding.level != "ok"]


def ehr_of(client: FlaskClient, authorize: Callable[[str], str] = lambda _: "") -> Ehr:
    return Ehr(Served(client), authorize, PAGE)


def test_this_service_has_nothing_to_stumble_over(client: FlaskClient) -> None:
    findings = list(examine(ehr_of(client), BASE, ORDER, Wish(with_feedback=False)))
    assert [finding for finding in findings if finding.level == "problem"] == []
    assert {finding.check.split()[0] for finding in findings} == {
        "discovery",
        "preflight",
        "tokens",
        "call",
        "slash",
        "unknown",
        "malformed",
    }
    signed = next(finding for finding in findings if finding.check == "call naltrexone-order-sign")
    assert signed.says.startswith("[critical] ")
    assert "not fully checked" not in signed.says


def test_a_faultless_service_of_somebody_else_has_nothing_either() -> None:
    findings = examined({})
    assert not_ok(findings) == []
    assert [finding.check for finding in findings] == [
        "discovery",
        "preflight GET …/cds-services",
        "tokens",
        "preflight POST …/cds-services/x",
        "call x",
        "feedback",
        "slash at the end",
        "unknown service",
        "malformed body",
    ]


HTML = Reply(200, {"content-type": "text/html"}, b"<html>")
MOVED = Reply(308, {"location": "/elsewhere"})


@pytest.mark.parametrize(
    ("part", "reply", "level", "words"),
    [
        ("discovery", Reply(0, trouble="NewConnectionError"), "problem", "no answer (NewConnectionError)"),
        ("discovery", MOVED, "problem", "a redirect to /elsewhere"),
        ("discovery", HTML, "problem", "no JSON"),
        ("discovery", said([]), "problem", "no array 'services'"),
        ("discovery", said({"services": {}}), "problem", "no array 'services'"),
        ("discovery", said({"services": []}), "problem", "no service is offered"),
        ("discovery", said({"services": [SERVICE]}, content_type="text/plain"), "problem", "Content-Type is 'text/plain'"),
        ("discovery", said({"services": [SERVICE, "x"]}), "problem", "services[1] is no object"),
        ("discovery", said({"services": [SERVICE]}, ms=900), "note", "took 900 ms"),
        ("discovery", said({"services": [{**SERVICE, "hook": "patient-view"}]}), "note", "no service for order-sign"),
        ("preflight", MOVED, "problem", "a browser then never sends the call"),
        ("preflight", Reply(405), "problem", "status 405"),
        ("preflight", Reply(204), "note", "may not call"),
        ("preflight", Reply(204, {**ALLOWED, "access-control-allow-origin": "https://other.example"}), "note", "may not call"),
        ("preflight", Reply(204, {**ALLOWED, "access-control-allow-headers": "*"}), "problem", "does not name authorization"),
        ("preflight", Reply(204, {**ALLOWED, "access-control-allow-headers": "Authorization"}), "problem", "does not name content-type"),
        ("garbage", said(OUTCOME, 403), "problem", "bad ones get status 403 and status 401"),
        ("garbage", said({}, 200), "problem", "bad ones get status 200 and status 401"),
        ("unsigned", said({"reason": "alg"}, 401), "problem", "refusals differ by reason"),
        ("call", said({}, 500), "problem", "the EHR shows no advice at all"),
        ("call", MOVED, "problem", "a redirect"),
        ("call", HTML, "problem", "no JSON"),
        ("call", said({}), "problem", "no array 'cards'"),
        ("call", said({"cards": []}, ms=6000), "problem", "took 6000 ms"),
        ("feedback", Reply(404), "note", "takes none"),
        ("feedback", Reply(500), "problem", "expected 2xx"),
        ("slash", MOVED, "problem", "browsers refuse it"),
        ("slash", Reply(404), "note", "type the address without it"),
        ("unknown", said({"cards": []}), "problem", "expected 4xx"),
        ("unknown", Reply(404, {}, b"<html>"), "note", "not in JSON"),
        ("unknown", said(OUTCOME, 400), "note", "404 would say more"),
        ("malformed", Reply(500), "problem", "expected 4xx"),
        ("malformed", said({"error": "x"}, 400), "note", "without an OperationOutcome"),
    ],
)
def test_each_fault_is_told_in_plain_words(part: str, reply: Reply, level: str, words: str) -> None:
    found = not_ok(examined({part: reply}))
    assert [one for one in found if one[0] == level and words in one[1]] != [], found


def test_a_service_that_looks_at_no_token_is_remarked() -> None:
    found = not_ok(examined({"garbage": said({"services": []}), "unsigned": said({"services": []})}))
    assert found == [("note", "are not looked at: whoever reaches the service gets answers")]


def test_a_browser_page_that_must_be_able_to_call_makes_its_refusal_a_problem() -> None:
    assert {level for level, _ in not_ok(examined({"preflight": Reply(204)}, Wish(is_browser_needed=True)))} == {"problem"}


def test_after_no_answer_nothing_more_is_asked() -> None:
    assert len(examined({"discovery": Reply(0, trouble="x")})) == 1


def test_feedback_is_left_out_on_wish() -> None:
    assert "feedback" not in {finding.check for finding in examined({}, Wish(with_feedback=False))}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hook": ...}, "'hook' is missing or no text"),
        ({"description": ...}, "'description' is missing or no text"),
        ({"id": 5}, "'id' is missing or no text"),
        ({"id": "a/b"}, "'id' does not fit into an address"),
        ({"title": ...}, "no 'title'"),
        ({"usageRequirements": ""}, "'usageRequirements' is empty"),
        ({"prefetch": []}, "'prefetch' is"),
        ({"prefetch": {"a": 5}}, "is no text"),
        ({"prefetch": {"a": "https://x.example/Patient/1"}}, "no relative FHIR address"),
        ({"prefetch": {"a": "/Patient/{{context.patientId}}"}}, "no relative FHIR address"),
        ({"prefetch": {"a": "Patient/{context.patientId}"}}, "a brace that opens no token"),
        ({"prefetch": {"a": "Patient/{{patient}}"}}, "none that the specification names"),
        (
            {"prefetch": {"a": "MedicationRequest?_id={{context.draftOrders.MedicationRequest.id}}"}},
            "not allowed in templates of order hooks",
        ),
        ({"prefetch": {"a": "Encounter/{{context.encounterId}}"}}, "needs an encounter"),
        ({"prefetch": {"a": "Observation?date=ge{{today() - 90 days}}"}}, "one of CDS Hooks 3.0"),
        ({"prefetch": {"a": "Observation?date=ge2020&date=le2021"}}, "a parameter twice"),
        ({"prefetch": {"a": "MedicationRequest?_include=MedicationRequest:medication"}}, "outside the recommended subset"),
        ({"prefetch": {"a": "Condition?code:not=x"}}, "modifier :not"),
    ],
)
def test_each_fault_of_a_service_description_is_told(change: Json, words: str) -> None:
    service = {name: value for name, value in {**SERVICE, **change}.items() if value is not ...}
    found = not_ok(examined({"discovery": said({"services": [service]})}))
    assert [says for _, says in found if words in says] != [], found


@pytest.mark.parametrize(
    "query", ["Patient/{{context.patientId}}", "{{context.userId}}", "Condition?patient={{context.patientId}}&code:in=x"]
)
def test_right_templates_pass(query: str) -> None:
    assert not_ok(examined({"discovery": said({"services": [{**SERVICE, "prefetch": {"a": query}}]})})) == []


FULL: Json = {
    **CARD,
    "detail": "D",
    "source": {"label": "L", "url": "https://x.example", "icon": "https://x.example/i.png", "topic": {"system": "s", "code": "c"}},
    "suggestions": [
        {
            "label": "L",
            "uuid": "u",
            "isRecommended": True,
            "actions": [
                {"type": "create", "description": "D", "resource": {"resourceType": "MedicationRequest", "x": None}},
                {"type": "delete", "description": "D", "resourceId": "MedicationRequest/1"},
            ],
        },
        {"label": "L2", "uuid": "u2"},
    ],
    "selectionBehavior": "any",
    "overrideReasons": [{"system": "s", "code": "c", "display": "D"}],
    "links": [{"label": "L", "url": "https://x.example", "type": "smart", "appContext": "a", "autolaunchable": False}],
    "extension": {"org.x": {"anything": None}},
}


def test_a_card_with_every_member_is_valid() -> None:
    assert list(complaints({"cards": [FULL], "systemActions": [FULL["suggestions"][0]["actions"][0]]})) == []


def changed(path: str, value: Value) -> Json:
    """The full card with one place replaced, or removed where the value is `...`."""
    card: Value = copy.deepcopy(FULL)
    parts = [int(part) if part.isdigit() else part for part in path.split(".")]
    holder = card
    for part in parts[:-1]:
        holder = holder[part]
    if value is ...:
        del holder[parts[-1]]
    else:
        holder[parts[-1]] = value
    made: Json = card
    return made


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("summary", ..., ".summary is missing"),
        ("summary", "x" * 140, ".summary: expected a sentence of fewer than 140"),
        ("indicator", "hard-stop", ".indicator: expected info"),
        ("indicator", ..., ".indicator is missing"),
        ("source", ..., ".source is missing"),
        ("source.label", ..., ".source.label is missing"),
        ("source.url", "guide.html", ".source.url: expected an absolute"),
        ("source.topic.code", 5, ".source.topic.code: expected a text"),
        ("source.title", "x", ".source.title is no member"),
        ("detail", None, ".detail is empty"),
        ("detail", "", ".detail is empty"),
        ("uuid", 5, ".uuid: expected a text"),
        ("links", [], ".links is empty"),
        ("links", "x", ".links: expected a list"),
        ("links.0.url", "/x", ".links[0].url: expected an absolute"),
        ("links.0.type", "app", ".links[0].type: expected absolute or smart"),
        ("links.0.type", "absolute", ".links[0].appContext is for smart links alone"),
        ("links.0", "x", ".links[0] is no object"),
        ("selectionBehavior", ..., ".selectionBehavior is missing beside suggestions"),
        ("selectionBehavior", "one", ".selectionBehavior: expected at-most-one or any"),
        ("suggestions.0.label", ..., ".suggestions[0].label is missing"),
        ("suggestions.0.isRecommended", "yes", ".suggestions[0].isRecommended: expected true or false"),
        ("suggestions.0.actions", [], ".suggestions[0].actions is empty"),
        ("suggestions.0.actions.0.description", ..., ".actions[0].description is missing"),
        ("suggestions.0.actions.0.type", "replace", ".actions[0].type: expected create"),
        ("suggestions.0.actions.0.resource", ..., ".actions[0].resource: expected the whole resource"),
        ("suggestions.0.actions.1.resourceId", ..., ".actions[1].resourceId: expected a relative reference"),
        ("suggestions.0.actions.1.resourceId", "1", ".actions[1].resourceId: expected a relative reference"),
        ("overrideReasons.0.display", ..., ".overrideReasons[0].display is missing"),
        ("extension", {}, ".extension is empty"),
        ("colour", "red", ".colour is no member"),
    ],
)
def test_each_fault_of_a_card_is_told_with_its_place(path: str, value: Value, words: str) -> None:
    found = list(complaints({"cards": [changed(path, value)]}))
    assert [one for one in found if words in one] != [], found
    assert all(one.startswith("cards[0]") for one in found)


def test_two_recommendations_under_at_most_one_contradict_each_other() -> None:
    card = changed("suggestions.1.isRecommended", value=True) | {"selectionBehavior": "at-most-one"}
    assert [one for one in complaints({"cards": [card]}) if "several are recommended" in one] != []


@pytest.mark.parametrize("answer", [None, [], {}, {"cards": None}, {"cards": {}}])
def test_an_answer_without_cards_is_none(answer: Value) -> None:
    assert list(complaints(answer)) == ["the answer has no array 'cards'"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("uuid", ..., "no way to dismiss"),
        ("suggestions.0.uuid", ..., "suggestion without uuid"),
        ("detail", "ALT <ULN", "swallow"),
        ("source.topic", ..., "Epic then forgets"),
        ("selectionBehavior", "at-most-one", "Epic takes 'any' alone"),
        ("suggestions.0.actions.0.type", "update", "Epic cannot update"),
        ("detail", "x", "several actions"),
    ],
)
def test_what_single_ehrs_do_with_right_answers_is_remarked(path: str, value: Value, words: str) -> None:
    assert [one for one in remarks([changed(path, value)]) if words in one] != []


def test_the_request_fits_hook_and_prefetch_of_the_service() -> None:
    prefetch = {"p": "Patient/{{context.patientId}}", "m": "MedicationRequest?patient=1", "none": "Procedure?patient=1"}
    request = request_for({**SERVICE, "hook": "order-select", "prefetch": prefetch}, ORDER)
    assert request["context"]["selections"] == ["MedicationRequest/request-123"]
    assert sorted(request["prefetch"]) == ["m", "p"]
    assert "fhirServer" not in request
    assert "link" not in request["prefetch"]["m"]
    assert sorted(request_for({**SERVICE, "hook": "patient-view"}, ORDER)["context"]) == ["patientId", "userId"]


@pytest.mark.parametrize("url", [BASE, f"{BASE}/", f"{BASE}/cds-services", f"{BASE}/cds-services//"])
def test_the_address_is_taken_as_people_type_it(url: str) -> None:
    assert base_of(url) == BASE


def key_file(folder: Path) -> Path:
    file = folder / "key.pem"
    file.write_bytes(private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


def trusting(folder: Path) -> FlaskClient:
    return client_with(FakeAdvisor(), clients_file=registry_file(folder), public_url=BASE)


def test_a_service_that_asks_for_tokens_is_examined_with_those_of_a_client(tmp_path: Path) -> None:
    signer = Signer(key_file(tmp_path).read_text(), ISSUER, "k1")
    findings = list(examine(ehr_of(trusting(tmp_path), signer), BASE, ORDER, Wish()))
    assert [finding.says for finding in findings if finding.check == "tokens"] == ["bad ones get 401, with one and the same answer"]
    assert [finding.level for finding in findings if finding.check.startswith("call")] == ["ok", "note", "note", "ok", "note", "note"]


def test_the_tokens_of_a_client_are_misused_and_refused(tmp_path: Path) -> None:
    signer = Signer(key_file(tmp_path).read_text(), ISSUER, "k1")
    findings = list(examine(ehr_of(trusting(tmp_path), signer), BASE, ORDER, Wish()))
    assert [finding.level for finding in findings if finding.check == "tokens misused"] == ["ok"]


def test_a_service_that_takes_every_token_with_a_signature_is_told_each_misuse(tmp_path: Path) -> None:
    signer = Signer(key_file(tmp_path).read_text(), ISSUER, "k1")
    findings = list(misused_tokens(Ehr(Played({"unsigned": said({"services": [SERVICE]})}), signer, PAGE), f"{BASE}/cds-services"))
    assert [finding.says.partition(" is taken")[0] for finding in findings] == [
        "a token that was used before",
        "a token for another address",
        "a token that expired an hour ago",
    ]


def test_the_tenant_stands_in_the_token(tmp_path: Path) -> None:
    sent = Signer(key_file(tmp_path).read_text(), ISSUER, "k1", tenant="north")(BASE).removeprefix("Bearer ")
    assert jwt.decode(sent, options={"verify_signature": False})["tenant"] == "north"


def test_without_a_token_the_doctor_says_what_it_needs(tmp_path: Path) -> None:
    findings = list(examine(ehr_of(trusting(tmp_path)), BASE, ORDER, Wish()))
    assert findings[-1].says.endswith("give --key, --issuer and --kid of a client that it knows to go on")


def test_where_the_token_is_refused_the_doctor_says_where_the_reason_stands(tmp_path: Path) -> None:
    signer = Signer(key_file(tmp_path).read_text(), ISSUER, "k2")
    findings = list(examine(ehr_of(trusting(tmp_path), signer), BASE, ORDER, Wish()))
    assert findings[-1].says.startswith("the token of --key is refused; the caller is not told why. This service's log has the reason")


@pytest.fixture
def played(httpserver: HTTPServer) -> Iterator[str]:
    """A faultless service on a port of its own."""

    def answer(request: Request) -> Response:
        reply = Played({}).send(request.method, f"{BASE}{request.path}", dict(request.headers), request.get_data())
        return Response(reply.body, reply.status, {**reply.headers, "X-Path": request.path})

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    yield httpserver.url_for("/").rstrip("/")
    httpserver.check()


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_command_tells_each_finding_and_ends_with_the_sum(played: str) -> None:
    code, output = run("doctor", f"{played}/cds-services/")
    assert code == 0
    assert "ok      call x: [info] S (" in output
    assert output.endswith("Nothing found that an EHR would stumble over.\n")


def test_the_command_ends_with_1_where_something_is_wrong() -> None:
    code, output = run("doctor", "http://127.0.0.1:9")
    assert code == 1
    assert output.startswith("PROBLEM discovery: no answer (no connection: is the address right, does it run")


def test_the_report_can_be_had_as_json(played: str) -> None:
    report = json.loads(run("doctor", played, "--json", "--no-feedback")[1])
    assert report["problems"] == 0
    assert {"level", "check", "says", "ms"} == set(report["findings"][0])


def test_a_key_needs_a_name(tmp_path: Path, played: str) -> None:
    code, output = run("doctor", played, "--key", str(key_file(tmp_path)))
    assert (code, "--key needs --issuer and --kid" in output) == (2, True)


def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/cds-services").respond_with_response(Response("", 307, {"Location": "/other"}))
    code, output = run("doctor", httpserver.url_for("/"))
    assert (code, "a redirect to /other" in output) == (1, True)
    assert [request.path for request, _ in httpserver.log if request.path == "/other"] == []


def test_the_cards_of_a_shipped_request_are_read_out(played: str) -> None:
    code, output = run("call", "--fixture", "sandbox-order-sign", "--url", played)
    assert (code, output) == (0, "[info] S\n\n  Source: L\n\n")


def test_a_full_card_is_read_out(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/cds-services/x").respond_with_json({"cards": [FULL]})
    _, output = run("call", "--fixture", "sandbox-order-sign", "--url", httpserver.url_for("/cds-services/x"))
    assert output.splitlines() == [
        "[info] S",
        "",
        "D",
        "",
        "  -> L (recommended)",
        "  -> L2",
        "  Override: D",
        "  Read: L <https://x.example>",
        "  Source: L",
        "",
    ]


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({"cards": []}, 0, "No card: the EHR shows nothing."),
        ({"cards": [{}]}, 1, "No valid answer:"),
        ([], 1, "No valid answer:"),
    ],
)
def test_an_answer_without_cards_to_read_is_told(answer: Value, code: int, words: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/cds-services/x").respond_with_json(answer)
    ended, output = run("call", "--fixture", "sandbox-order-sign", "--url", httpserver.url_for("/cds-services/x"))
    assert (ended, output.startswith(words)) == (code, True)


def test_a_refusal_is_told_with_its_reason(httpserver: HTTPServer) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"details": {"text": "Found x; expected y."}}]}
    httpserver.expect_request("/cds-services/x").respond_with_json(outcome, status=400)
    assert run("call", "--fixture", "sandbox-order-sign", "--url", httpserver.url_for("/cds-services/x")) == (
        1,
        "No advice: status 400.\nFound x; expected y.\n\n",
    )


def test_an_unknown_request_is_answered_with_the_shipped_ones() -> None:
    result = CliRunner().invoke(commands, ["call", "--fixture", "sandbox-order-sing", "--url", "http://127.0.0.1:9"])
    assert "REQ-102" in str(result.exception)
    assert "did you mean 'sandbox-order-sign'?" in str(result.exception)


@pytest.mark.parametrize("content", ["{", "[]", '{"hook":"order-sign"}'])
def test_a_file_that_is_no_request_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    result = CliRunner().invoke(commands, ["call", "--fixture", str(tmp_path / "x.json"), "--url", "http://127.0.0.1:9"])
    assert "REQ-102: found a file that is no CDS Hooks request" in str(result.exception)


def test_a_service_for_the_hook_must_be_there(played: str) -> None:
    result = CliRunner().invoke(commands, ["call", "--fixture", "sandbox-order-select", "--url", played])
    assert "REQ-103: found no service for the hook 'order-select'" in str(result.exception)


def test_a_call_to_an_address_where_nothing_answers_says_so() -> None:
    result = CliRunner().invoke(commands, ["call", "--fixture", "sandbox-order-select", "--url", "http://127.0.0.1:9"])
    assert "REQ-103: found no answer (no connection: is the address right" in str(result.exception)


def test_a_call_to_a_service_that_wants_a_token_says_so(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/cds-services").respond_with_data("", 401)
    result = CliRunner().invoke(commands, ["call", "--fixture", "sandbox-order-select", "--url", httpserver.url_for("/")])
    assert (
        "found status 401 from" in str(result.exception),
        "expected tokens of a client that it knows: --key" in str(result.exception),
    ) == (
        True,
        True,
    )


def test_a_call_is_signed_for_each_address(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/cds-services").respond_with_json({"services": [SERVICE]})
    httpserver.expect_request("/cds-services/x").respond_with_json({"cards": []})
    url = httpserver.url_for("/")
    key = ("--key", str(key_file(tmp_path)), "--issuer", ISSUER, "--kid", "k1")
    assert run("call", "--fixture", "sandbox-order-sign", "--url", url, *key) == (0, "No card: the EHR shows nothing.\n")
    sent = [request.headers["Authorization"].removeprefix("Bearer ") for request, _ in httpserver.log]
    audiences = [jwt.decode(one, options={"verify_signature": False})["aud"] for one in sent]
    assert audiences == [f"{url}cds-services", f"{url}cds-services/x"]


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://[1", "cds.example.org/cds-services"])
@pytest.mark.parametrize("command", [("doctor",), ("call", "--fixture", "sandbox-order-sign", "--url")])
def test_what_is_no_address_is_refused_in_plain_words(command: tuple[str, ...], url: str) -> None:
    code, output = run(*command, url)
    assert (code, "expected an address that begins with http:// or https://" in output) == (2, True)


@pytest.mark.parametrize(("file", "algorithm"), [("README.md", "ES384"), ("key.pem", "RS384")])
def test_a_key_that_signs_nothing_is_refused_in_plain_words(file: str, algorithm: str, tmp_path: Path, played: str) -> None:
    key_file(tmp_path)
    path = tmp_path / file if file == "key.pem" else ROOT / file
    code, output = run("doctor", played, "--key", str(path), "--issuer", ISSUER, "--kid", "k1", "--algorithm", algorithm)
    assert (code, f"found no private key for {algorithm}" in output) == (2, True)


def test_the_command_signs_its_calls_with_the_key(tmp_path: Path, played: str) -> None:
    code, output = run("doctor", played, "--key", str(key_file(tmp_path)), "--issuer", ISSUER, "--kid", "k1")
    assert (code, "tokens: bad ones get 401" in output) == (1, True)  # the played service takes no token at all


def test_what_a_service_says_does_not_steer_the_terminal(httpserver: HTTPServer) -> None:
    card = {**CARD, "summary": "a\x1b[2Jb\u202ec\rd"}
    httpserver.expect_request("/cds-services/x").respond_with_json({"cards": [card]})
    _, output = run("call", "--fixture", "sandbox-order-sign", "--url", httpserver.url_for("/cds-services/x"))
    assert output.startswith("[info] a [2Jb c d\n")


SHIPPED = sorted(path.stem for path in (ROOT / "fixtures/calls").glob("*.json"))


@pytest.mark.parametrize("name", SHIPPED)
def test_any_shipped_request_can_be_played_with(name: str, client: FlaskClient) -> None:
    findings = list(examine(ehr_of(client), BASE, recorded_request(name), Wish(with_feedback=False)))
    assert [finding for finding in findings if finding.level == "problem"] == []


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FULL, *SERVICE, "prefetch", "cards", "actions", "type"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None, database=None)
@given(value=json_values, part=st.sampled_from(sorted(FAULTLESS)), place=st.sampled_from(["summary", "source", "suggestions", "links"]))
def test_whatever_a_service_answers_the_report_comes_to_its_end(value: Value, part: str, place: str) -> None:
    assert examined({part: said(value)})
    assert examined({"discovery": said({"services": [{**SERVICE, "prefetch": value}, value]})})
    assert examined({"call": said({"cards": [{**FULL, place: value}, value], "systemActions": value})})


@given(value=json_values)
@settings(max_examples=50, deadline=None, database=None)
def test_whatever_a_recorded_request_holds_it_can_be_shaped(value: Value) -> None:
    context = {"draftOrders": value, "patientId": "p"}
    assert request_for({**SERVICE, "prefetch": {"a": "Patient/1"}}, {"context": context, "prefetch": {"a": value}})["hook"] == "order-sign"
    assert request_for({**SERVICE, "hook": "order-select"}, {"context": context, "prefetch": value})["context"]["selections"] is not None


CONNECT = sorted((ROOT / "docs/connect").glob("*.md"))
SECTIONS = ["What to type in", "Scopes", "Prefetch", "The first request to expect"]


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(one) for one in found]


@pytest.mark.parametrize("page", CONNECT, ids=lambda page: page.stem)
def test_each_connection_pack_says_what_an_integrator_needs(page: Path, client: FlaskClient) -> None:
    text = page.read_text(encoding="utf-8")
    assert [section for section in SECTIONS if f"\n## {section}\n" not in text] == []
    assert page.stem == "sandbox" or "\n## Unproven\n" in text
    table = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|$", text, re.MULTILINE))
    services = client.get("/cds-services").get_json()["services"]
    assert table == services[0]["prefetch"]
    named = set(re.findall(r"/cds-services/([\w-]+)", text))
    assert named <= {service["id"] for service in services}
    assert set(re.findall(r"CDS_[A-Z_]+", text)) <= {f"CDS_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("page", CONNECT, ids=lambda page: page.stem)
def test_each_registry_of_a_connection_pack_can_be_read(page: Path, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(key_set())
    for number, block in enumerate(blocks(page, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        assert read_registry(file).clients


@pytest.mark.parametrize("line", [line for page in CONNECT for block in blocks(page, "sh") for line in block.splitlines()])
def test_each_command_of_a_connection_pack_is_one(line: str, played: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line, comments=True)
    if words[:1] != ["cds-service"]:
        return
    monkeypatch.chdir(ROOT)
    if words[1] == "call" and "sandbox-order-sign" in words:
        assert run(*words[1:-1], played)[0] == 0
    elif words[1] == "evaluate":
        assert run(*words[1:])[0] == 0
    else:  # needs files or addresses of a site: its options at least must be right
        arguments = [word if not word.endswith(".pem") else str(ROOT / "README.md") for word in words[2:]]
        command: Value = commands.get_command(click.Context(commands), words[1])
        while isinstance(command, click.Group):
            command = command.get_command(click.Context(command), arguments.pop(0))
        assert command.make_context(words[1], arguments)
