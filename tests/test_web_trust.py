"""With a client registry only its clients get in, by a token for the address called; everybody else gets one and the same 401."""

import base64
import hmac
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any, Never

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.advisor import PackAdvisor
from cds_service.app import advisor_for, create_app
from cds_service.hooks.call import HookCall
from cds_service.observe import LOG, write_log_to
from cds_service.service import ClientWishes, Pack, Wishes
from cds_service.settings import Settings
from tests.clients_floor import BASE, ISSUER, SIGN, claims, jwk, key_set, pem, private_key, registry_file, signed, token, unsigned
from tests.clinic import OXYCODONE, TABLET_50, call, dosage, listed, order
from tests.conftest import ROOT, ZONE
from tests.web_floor import CALL, FakeAdvisor, client_with

NOT_JSON = b"\xff{"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registry")
    keys = key_set(
        jwk(), jwk("RS384", "r1"), jwk("RS384", "any", alg=...), jwk("ES256", "p256"), jwk("ES384", "twice", 2), jwk(kid="twice")
    )
    registry_file(folder, 'cors_origins = ["https://ehr.example.org"]\nlanguage = "es"', keys)
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> FlaskClient:
    return client_with(clients_file=folder / "clients.toml", public_url=BASE)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before = (LOG.handlers[:], LOG.propagate, LOG.level)
    stream = io.StringIO()
    write_log_to(stream)
    yield stream
    LOG.handlers[:], LOG.propagate = before[:2]
    LOG.setLevel(before[2])


def post(service: FlaskClient, sent: str, path: str = SIGN, body: bytes = CALL, headers: dict[str, str] | None = None) -> TestResponse:
    return service.post(path, data=body, content_type="application/json", headers={"Authorization": sent, **(headers or {})})


def refusals(log: io.StringIO) -> list[str]:
    return [line["code"] for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "refused"]


def now(seconds: float = 0) -> int:
    return int(time.time() + seconds)


@pytest.mark.parametrize(
    "sent",
    [
        token,
        lambda: token(aud=[BASE + SIGN]),
        lambda: token(aud=["https://elsewhere.example.org", BASE + SIGN]),
        lambda: token({"typ": "jwt"}),
        lambda: token({"kid": "r1"}, algorithm="RS384"),
        lambda: token({"kid": "any"}, algorithm="RS384"),
        lambda: token({"kid": "twice"}),
        lambda: token({"jku": "https://evil.example.org/jwks", "jwk": jwk(number=3), "x5u": "https://evil.example.org", "x5c": ["x"]}),
        lambda: token(exp=now(300) + 0.5, iat=float(now())),
        lambda: token(exp=now(-30), iat=now(-300)),
        lambda: token(iat=now(40), exp=now(340)),
        lambda: token(nbf=now(40)),
        lambda: token(exp=now(3600), iat=now()),
        lambda: token(jti="x" * 256),
        lambda: token(sub="x", nbf=now(-300), tenant="t", kid=1),
    ],
)
def test_a_good_token_lets_its_client_in(service: FlaskClient, sent: Callable[[], str]) -> None:
    assert post(service, "Bearer " + sent()).status_code == 200


def test_the_scheme_is_read_in_any_case(service: FlaskClient) -> None:
    assert [post(service, f"{scheme}{token()}").status_code for scheme in ("bearer ", "BEARER  ")] == [200, 200]


def hmac_of(header: dict[str, Any], payload: dict[str, Any], secret: bytes) -> str:
    parts = unsigned(header, payload, b"").rpartition(".")[0].encode()
    return unsigned(header, payload, hmac.digest(secret, parts, "sha384" if header["alg"] == "HS384" else "sha256"))


def bearer(**changed: Any) -> str:  # noqa: ANN401 - any claims
    return "Bearer " + token(**changed)


HEAD = {"typ": "JWT", "kid": "k1", "alg": "ES384"}
REFUSED: dict[str, tuple[str, Callable[[], str]]] = {
    "nothing": ("TOKEN-001", lambda: ""),
    "another scheme": ("TOKEN-002", lambda: "Basic dTpw"),
    "no token": ("TOKEN-002", lambda: "Bearer "),
    "no blank": ("TOKEN-002", lambda: "Bearer" + token()),
    "two parts": ("TOKEN-002", lambda: "Bearer " + token().rpartition(".")[0]),
    "four parts": ("TOKEN-002", lambda: f"Bearer {token()}.x"),
    "two tokens": ("TOKEN-002", lambda: f"Bearer {token()}, Bearer {token()}"),
    "too long": ("TOKEN-002", lambda: "Bearer " + token(x="x" * 8000)),
    "unsigned": ("TOKEN-002", lambda: "Bearer " + unsigned({**HEAD, "alg": "none"}, claims(), b"")),
    "header no JSON": ("TOKEN-003", lambda: "Bearer " + signed(b"{", claims())),
    "header no UTF-8": ("TOKEN-003", lambda: "Bearer " + signed(NOT_JSON, claims())),
    "header a list": ("TOKEN-003", lambda: "Bearer " + signed([HEAD], claims())),
    "header twice": ("TOKEN-003", lambda: "Bearer " + signed(b'{"typ":"JWT","kid":"k1","alg":"none","alg":"ES384"}', claims())),
    "claims no JSON": ("TOKEN-003", lambda: "Bearer " + signed(HEAD, b"\x00")),
    "claims a text": ("TOKEN-003", lambda: "Bearer " + signed(HEAD, "x")),
    "claims twice": ("TOKEN-003", lambda: "Bearer " + signed(HEAD, json.dumps(claims()).encode()[:-1] + b',"iss":"x"}')),
    "claims deep": ("TOKEN-003", lambda: "Bearer " + signed(HEAD, b'{"iss":' + b"[" * 1000 + b"]" * 1000 + b"}")),
    "NaN": ("TOKEN-003", lambda: "Bearer " + signed(HEAD, {**claims(), "exp": float("nan")})),
    "no alg": ("TOKEN-003", lambda: "Bearer " + token({"alg": ...})),
    "alg a list": ("TOKEN-003", lambda: "Bearer " + token({"alg": ["ES384"]})),
    "no typ": ("TOKEN-003", lambda: "Bearer " + token({"typ": ...})),
    "typ": ("TOKEN-003", lambda: "Bearer " + token({"typ": "at+jwt"})),
    "no kid": ("TOKEN-003", lambda: "Bearer " + token({"kid": ...})),
    "empty kid": ("TOKEN-003", lambda: "Bearer " + token({"kid": ""})),
    "long kid": ("TOKEN-003", lambda: "Bearer " + token({"kid": "k" * 257})),
    "kid a number": ("TOKEN-003", lambda: "Bearer " + token({"kid": 1})),
    "crit": ("TOKEN-003", lambda: "Bearer " + token({"crit": ["x"], "x": 1})),
    "b64": ("TOKEN-003", lambda: "Bearer " + token({"b64": True})),
    "alg none": ("TOKEN-004", lambda: "Bearer " + unsigned({**HEAD, "alg": "none"}, claims(), b"x")),
    "alg NONE": ("TOKEN-004", lambda: "Bearer " + unsigned({**HEAD, "alg": "NonE"}, claims(), b"x")),
    "HS256 with the public key": ("TOKEN-004", lambda: "Bearer " + hmac_of({**HEAD, "alg": "HS256"}, claims(), pem())),
    "HS384 with the JWK": ("TOKEN-004", lambda: "Bearer " + hmac_of({**HEAD, "alg": "HS384"}, claims(), json.dumps(jwk()).encode())),
    "alg not given to the client": ("TOKEN-004", lambda: "Bearer " + token({"kid": "p256"}, algorithm="ES256")),
    "alg in another case": ("TOKEN-004", lambda: "Bearer " + token({"alg": "es384"})),
    "no iss": ("TOKEN-005", lambda: "Bearer " + token(iss=...)),
    "iss of a stranger": ("TOKEN-005", lambda: "Bearer " + token(iss="https://evil.example.org")),
    "iss with a slash": ("TOKEN-005", lambda: "Bearer " + token(iss=ISSUER + "/")),
    "iss in capitals": ("TOKEN-005", lambda: "Bearer " + token(iss=ISSUER.upper())),
    "iss a list": ("TOKEN-005", lambda: "Bearer " + token(iss=[ISSUER])),
    "unknown kid": ("TOKEN-006", lambda: "Bearer " + token({"kid": "k2"})),
    "EC key, RS384 header": ("TOKEN-006", lambda: "Bearer " + token({"alg": "RS384"})),
    "RSA key, ES384 header": ("TOKEN-006", lambda: "Bearer " + token({"kid": "r1"})),
    "key of another pair": ("TOKEN-007", lambda: "Bearer " + token(number=2)),
    "signature cut": ("TOKEN-007", lambda: "Bearer " + token()[:-4]),
    "signature of zeros": ("TOKEN-007", lambda: "Bearer " + unsigned(HEAD, claims(), b"\0" * 96)),
    "other claims": ("TOKEN-007", lambda: "Bearer " + swapped()),
    "no aud": ("TOKEN-008", lambda: "Bearer " + token(aud=...)),
    "aud of discovery": ("TOKEN-008", lambda: "Bearer " + token(aud=BASE + "/cds-services")),
    "aud of another service": ("TOKEN-008", lambda: "Bearer " + token(aud=BASE + "/cds-services/some-order-select")),
    "aud of the feedback": ("TOKEN-008", lambda: "Bearer " + token(aud=f"{BASE}{SIGN}/feedback")),
    "aud of the base": ("TOKEN-008", lambda: "Bearer " + token(aud=BASE)),
    "aud with a slash": ("TOKEN-008", lambda: "Bearer " + token(aud=f"{BASE}{SIGN}/")),
    "aud of the Host header": ("TOKEN-008", lambda: "Bearer " + token(aud=f"http://localhost{SIGN}")),
    "aud empty": ("TOKEN-008", lambda: "Bearer " + token(aud=[])),
    "aud a number": ("TOKEN-008", lambda: "Bearer " + token(aud=1)),
    "aud with a number": ("TOKEN-008", lambda: "Bearer " + token(aud=[BASE + SIGN, 1])),
    "aud an object": ("TOKEN-008", lambda: "Bearer " + token(aud={BASE + SIGN: 1})),
    **{
        f"{claim} {name}": ("TOKEN-009", partial(bearer, **{claim: value}))
        for claim in ("exp", "iat")
        for name, value in {
            "missing": ...,
            "text": str(now(100)),
            "true": True,
            "null": None,
            "list": [1],
            "below": -1,
            "huge": 10**400,
        }.items()
    },
    "nbf text": ("TOKEN-009", lambda: "Bearer " + token(nbf=str(now()))),
    "nbf null": ("TOKEN-009", lambda: "Bearer " + token(nbf=None)),
    "expired": ("TOKEN-010", lambda: "Bearer " + token(exp=now(-61), iat=now(-300))),
    "iat in the future": ("TOKEN-011", lambda: "Bearer " + token(iat=now(70), exp=now(300))),
    "nbf in the future": ("TOKEN-011", lambda: "Bearer " + token(nbf=now(70))),
    "life too long": ("TOKEN-012", lambda: "Bearer " + token(iat=now(-1), exp=now(-1) + 3601)),
    "exp before iat": ("TOKEN-012", lambda: "Bearer " + token(iat=now(30), exp=now(20))),
    "no jti": ("TOKEN-013", lambda: "Bearer " + token(jti=...)),
    "empty jti": ("TOKEN-013", lambda: "Bearer " + token(jti="")),
    "long jti": ("TOKEN-013", lambda: "Bearer " + token(jti="x" * 257)),
    "jti a number": ("TOKEN-013", lambda: "Bearer " + token(jti=1)),
}


def swapped() -> str:
    """A token whose claims were changed after it was signed."""
    header, _, signature = token().split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode()
    return f"{header}.{payload}.{signature}"


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_token_is_refused_for_its_reason_which_the_log_alone_tells(service: FlaskClient, log: io.StringIO, case: str) -> None:
    code, sent = REFUSED[case]
    answer = post(service, sent())
    assert (answer.status_code, refusals(log)) == (401, [code])
    assert ("ehr" in log.getvalue()) == (code >= "TOKEN-008")


def test_every_refusal_is_one_and_the_same_answer(service: FlaskClient) -> None:
    answers = [post(service, sent()) for _, sent in REFUSED.values()]
    told = {
        (one.get_data(), tuple(sorted((name, value) for name, value in one.headers if name not in {"X-Request-Id", "Date"})))
        for one in answers
    }
    assert len(told) == 1
    [(body, headers)] = told
    assert json.loads(body)["issue"][0]["details"]["coding"] == [{"code": "HTTP-401"}]
    assert (dict(headers)["WWW-Authenticate"], dict(headers)["Cache-Control"]) == ("Bearer", "no-store")


def test_the_log_of_a_refusal_holds_nothing_of_the_token(service: FlaskClient, log: io.StringIO) -> None:
    post(service, "Bearer " + token(jti="Jane", iss="Jane\nforged"))
    assert ("Jane" in log.getvalue(), len(log.getvalue().splitlines())) == (False, 2)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/cds-services"),
        ("HEAD", "/cds-services"),
        ("POST", SIGN),
        ("POST", SIGN + "/feedback"),
        ("PUT", SIGN),
        ("GET", "/cds-services/x"),
    ],
)
def test_discovery_calls_and_feedback_are_closed_alike(service: FlaskClient, method: str, path: str) -> None:
    assert service.open(path, method=method).status_code == 401
    assert service.open(path, method=method, headers={"Authorization": "Bearer " + token(aud=BASE + SIGN + "x")}).status_code == 401


def test_each_address_takes_tokens_for_itself(service: FlaskClient) -> None:
    assert service.get("/cds-services", headers={"Authorization": "Bearer " + token(aud=BASE + "/cds-services")}).status_code == 200
    assert service.get("/cds-services/x", headers={"Authorization": "Bearer " + token(aud=BASE + "/cds-services/x")}).status_code in {
        404,
        405,
    }
    assert post(service, "Bearer " + token(aud=f"{BASE}{SIGN}/feedback"), f"{SIGN}/feedback").status_code != 401


@pytest.mark.parametrize("path", ["/cds-services//some-order-sign", "/cds-services/some-order-sign/"])
def test_a_careless_address_is_that_of_its_token(service: FlaskClient, path: str) -> None:
    assert [post(service, "Bearer " + token(aud=BASE + aud), path).status_code for aud in (path, SIGN, SIGN + "/x")] == [200, 200, 401]


@pytest.mark.parametrize("host", ["evil.example.org", "localhost"])
def test_the_host_header_does_not_matter(service: FlaskClient, host: str) -> None:
    headers = {"Host": host, "X-Forwarded-Host": host, "X-Forwarded-Proto": "http"}
    assert post(service, "Bearer " + token(), headers=headers).status_code == 200
    assert post(service, "Bearer " + token(aud=f"http://{host}{SIGN}"), headers=headers).status_code == 401


def test_a_token_is_good_once(service: FlaskClient) -> None:
    sent = "Bearer " + token()
    assert [post(service, sent).status_code for _ in range(3)] == [200, 401, 401]


def test_a_token_id_is_good_once_also_in_another_token(service: FlaskClient) -> None:
    assert [post(service, "Bearer " + token(jti="same", nbf=number)).status_code for number in (1, 2)] == [200, 401]


def test_of_twenty_at_once_exactly_one_gets_in(folder: Path) -> None:
    app = client_with(clients_file=folder / "clients.toml", public_url=BASE).application
    sent = "Bearer " + token()
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: post(app.test_client(), sent).status_code, range(20)))
    assert sorted(statuses) == [200, *[401] * 19]


@pytest.mark.parametrize("changed", [{"aud": BASE}, {"exp": 1}, {"iat": "x"}])
def test_a_refused_token_does_not_use_up_its_id(service: FlaskClient, changed: dict[str, Any]) -> None:
    jti = claims()["jti"]
    assert post(service, "Bearer " + token(**{"jti": jti, **changed})).status_code == 401
    assert post(service, "Bearer " + token(number=2, jti=jti)).status_code == 401
    assert post(service, "Bearer " + token(jti=jti)).status_code == 200


def test_a_refused_request_does_not_give_its_token_back(service: FlaskClient) -> None:
    sent = "Bearer " + token()
    assert [post(service, sent, body=b"{").status_code, post(service, sent).status_code] == [400, 401]


class Untouchable(io.RawIOBase):
    """A body that nobody may read."""

    def readable(self) -> bool:
        return True

    def readinto(self, _: object) -> Never:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("is_terminated", [False, True])
def test_nothing_of_the_body_is_read_before_the_token_is_checked(service: FlaskClient, is_terminated: bool) -> None:  # noqa: FBT001
    environ: dict[str, Any] = {"wsgi.input_terminated": True} if is_terminated else {}
    answer = service.post(
        SIGN,
        content_type="text/html",
        headers={"Content-Length": str(10**12), "Content-Encoding": "gzip"},
        environ_overrides={"wsgi.input": Untouchable(), **environ},
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path", ["/", "/workbench", "/openapi.json", "/docs/x", "/cds-servicesx", "/healthy", "/%2e%2e/cds-services", "//evil.example.org"]
)
@pytest.mark.parametrize("sent", ["", "Bearer x"])
def test_every_page_but_the_api_health_and_metrics_is_not_there(service: FlaskClient, path: str, sent: str) -> None:
    answer = service.get(path, headers={"Authorization": sent})
    assert (answer.status_code, answer.headers.get("Location")) == (404, None)


def test_health_needs_no_token(service: FlaskClient) -> None:
    assert service.get("/health").status_code == 200


def test_only_pages_of_the_clients_may_call(service: FlaskClient) -> None:
    origins = ["https://ehr.example.org", "https://sandbox.cds-hooks.org", "http://localhost:3000", "null"]
    answers = [service.options(SIGN, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}) for origin in origins]
    assert [answer.status_code for answer in answers] == [204] * 4
    assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == ["https://ehr.example.org", None, None, None]


def test_a_page_of_a_client_can_read_the_refusal(service: FlaskClient) -> None:
    assert (
        post(service, "", headers={"Origin": "https://ehr.example.org"}).headers["Access-Control-Allow-Origin"] == "https://ehr.example.org"
    )


def test_without_a_registry_tokens_are_not_looked_at() -> None:
    advisor = FakeAdvisor()
    service = client_with(advisor)
    assert [post(service, sent).status_code for sent in ("", "Bearer x", "Bearer " + token())] == [200] * 3
    assert {(one.name, one.fhir_servers, one.site, one.profile) for one in advisor.clients} == {("", "loopback-only", "", None)}


def test_the_wishes_of_the_client_reach_the_advice(tmp_path: Path) -> None:
    more = 'fhir_servers = ["https://fhir.example.org/r4/"]\nprofile = "epic"\nsite = "north"\nlanguage = "es"'
    advisor = FakeAdvisor()
    service = client_with(advisor, clients_file=registry_file(tmp_path, more), public_url=BASE)
    assert post(service, "Bearer " + token(), headers={"Accept-Language": "de"}).status_code == 200
    [wishes] = advisor.clients
    assert (wishes.name, wishes.languages, wishes.profile, wishes.site) == ("ehr", ("es",), "epic", "north")
    assert wishes.fhir_servers == ("https://fhir.example.org/r4",)


@pytest.mark.parametrize(
    ("sent", "languages"),
    [("", ()), ("es-MX, de;q=0.5, en;q=0", ("es-MX", "de")), ("de;q=0.5,es", ("es", "de")), ("x" * 257, ()), (",;=,", ())],
)
def test_without_a_language_of_the_client_that_of_the_page_counts(sent: str, languages: tuple[str, ...]) -> None:
    advisor = FakeAdvisor()
    post(client_with(advisor), "", headers={"Accept-Language": sent})
    assert advisor.clients[0].languages == languages


def test_listed_audiences_stand_in_place_of_the_address(tmp_path: Path) -> None:
    file = registry_file(tmp_path, 'audiences = ["sand_man", "https://old.example.org"]')
    service = client_with(clients_file=file, public_url=BASE)
    statuses = [
        post(service, "Bearer " + token(aud=aud)).status_code for aud in ("sand_man", ["https://old.example.org"], BASE + SIGN, "sand")
    ]
    assert statuses == [200, 200, 401, 401]


@pytest.mark.parametrize(("leeway", "status"), [(5, 401), (120, 200)])
def test_the_leeway_is_a_setting(tmp_path: Path, leeway: int, status: int) -> None:
    service = client_with(clients_file=registry_file(tmp_path), public_url=BASE, token_leeway_seconds=leeway)
    assert post(service, "Bearer " + token(exp=now(-20), iat=now(-300))).status_code == status


def test_the_tokens_of_the_public_sandbox_pass(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    (tmp_path / "keys.json").write_bytes(key_set(jwk(kid="44823f3d")))
    file.write_text('[[client]]\nname = "sandbox"\nissuer = "https://sandbox.cds-hooks.org"\njwks_file = "keys.json"\nprofile = "sandbox"')
    service = client_with(clients_file=file, public_url="http://127.0.0.1:8091")
    header = {"kid": "44823f3d", "jku": "https://sandbox.cds-hooks.org/.well-known/jwks.json"}
    for path in ("/cds-services", SIGN, SIGN + "/feedback"):
        sent = token(header, iss="https://sandbox.cds-hooks.org", aud="http://127.0.0.1:8091" + path, exp=now(300), iat=now())
        answer = service.open(path, method="GET" if path == "/cds-services" else "POST", headers={"Authorization": "Bearer " + sent})
        assert answer.status_code != 401


def test_the_tokens_of_epic_pass(tmp_path: Path) -> None:
    issuer = "https://fhir.hospital.example.org/api/FHIR/R4"
    file = tmp_path / "clients.toml"
    (tmp_path / "keys.json").write_bytes(key_set(jwk("RS384", "e1", alg=...)))
    file.write_text(f'[[client]]\nname = "epic"\nissuer = "{issuer}"\njwks_file = "keys.json"\nalgorithms = ["RS384"]')
    service = client_with(clients_file=file, public_url=BASE)
    sent: dict[str, Any] = {"iss": issuer, "sub": "client-id", "nbf": now(-300), "iat": now(), "exp": now(300)}
    assert post(service, "Bearer " + token({"kid": "e1", "jku": issuer}, algorithm="RS384", **sent)).status_code == 200
    assert post(service, "Bearer " + token({"kid": "e1"}, algorithm="ES384", **sent)).status_code == 401


def test_clients_do_not_get_in_with_the_keys_of_others(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_bytes(key_set(jwk(number=2)))
    other = '[[client]]\nname = "other"\nissuer = "https://other.example.org"\njwks_file = "other.json"'
    service = client_with(clients_file=registry_file(tmp_path, others=other), public_url=BASE)
    statuses = [
        post(service, "Bearer " + token(number=number, iss=issuer)).status_code
        for number in (1, 2)
        for issuer in (ISSUER, "https://other.example.org")
    ]
    assert statuses == [200, 401, 401, 200]


def test_a_token_id_belongs_to_its_issuer(tmp_path: Path) -> None:
    other = '[[client]]\nname = "other"\nissuer = "https://other.example.org"\njwks_file = "keys.json"'
    service = client_with(clients_file=registry_file(tmp_path, others=other), public_url=BASE)
    issuers = (ISSUER, "https://other.example.org", ISSUER)
    assert [post(service, "Bearer " + token(jti="same", iss=issuer)).status_code for issuer in issuers] == [200, 200, 401]


def test_the_private_half_of_a_published_key_changes_nothing(tmp_path: Path) -> None:
    numbers = private_key().private_numbers()
    secret = base64.urlsafe_b64encode(numbers.private_value.to_bytes(48, "big")).rstrip(b"=").decode()
    service = client_with(clients_file=registry_file(tmp_path, keys=key_set(jwk(d=secret))), public_url=BASE)
    assert post(service, "Bearer " + token()).status_code == 200


def test_each_client_is_answered_by_the_rules_of_its_own_site_and_profile(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    copytree(ROOT / "rules", rules)
    (rules / "sites").mkdir(exist_ok=True)
    (rules / "sites" / "north.yaml").write_text("site: north\nrules:\n  opioid-conflict: {status: silent, why: a test}\n")
    north = '[[client]]\nname = "north"\nissuer = "https://north.example.org"\njwks_file = "keys.json"\nsite = "north"'
    epic = '[[client]]\nname = "epic"\nissuer = "https://epic.example.org"\njwks_file = "keys.json"\nprofile = "epic"'
    settings = Settings(clients_file=registry_file(tmp_path, others=f"{north}\n{epic}"), public_url=BASE, rules_dir=rules)
    service = create_app(settings, advisor_for(settings)).test_client()
    path = "/cds-services/naltrexone-order-sign"
    body = json.dumps(call(order(TABLET_50, dosage(50)), medications=[listed(OXYCODONE)])).encode()

    def answer(issuer: str) -> dict[str, Any]:
        answered = post(service, "Bearer " + token(iss=issuer, aud=BASE + path), path, body)
        assert answered.status_code == 200
        return dict(answered.get_json())

    own, norths, epics = (answer(issuer) for issuer in (ISSUER, "https://north.example.org", "https://epic.example.org"))
    assert "critical" in {card["indicator"] for card in own["cards"]}
    assert "critical" not in {card["indicator"] for card in norths["cards"]}
    assert {card.get("selectionBehavior", "any") for card in epics["cards"]} == {"any"}
    assert "at-most-one" in {card.get("selectionBehavior") for card in own["cards"]}


def test_the_language_of_the_client_is_that_of_its_cards(pack: Pack) -> None:
    spoken = replace(pack, cards=replace(pack.cards, words={**pack.cards.words, "es": pack.cards.words["en"]}))
    asked: list[str] = []

    class Listening(PackAdvisor):
        def advise(self, call: HookCall, client: ClientWishes) -> Mapping[str, Any]:
            asked.append(self._wishes(self.pack, client).language)
            return PackAdvisor.advise(self, call, client)

    service = create_app(Settings(), Listening(spoken, ZONE, Wishes())).test_client()
    body = json.dumps(call()).encode()
    for sent in ("es-MX,de", "de, en;q=0.1", "de", ""):
        assert post(service, "", "/cds-services/naltrexone-order-sign", body, {"Accept-Language": sent}).status_code == 200
    assert asked == ["es", "en", "en", "en"]


def test_tokens_of_two_sites_that_share_an_issuer_are_told_apart_by_tenant(tmp_path: Path) -> None:
    (tmp_path / "south.json").write_bytes(key_set(jwk(kid="k1", number=2)))
    south = f'[[client]]\nname = "south"\nissuer = "{ISSUER}"\ntenants = ["s"]\njwks_file = "south.json"'
    file = registry_file(tmp_path, 'tenants = ["n"]', others=south)
    advisor = FakeAdvisor()
    service = client_with(advisor, clients_file=file, public_url=BASE)
    good = [bearer(tenant="n"), "Bearer " + token(number=2, tenant="s")]
    bad = [bearer(), bearer(tenant="s"), bearer(tenant=["n"]), bearer(tenant="x"), "Bearer " + token(number=2, tenant="n")]
    assert [post(service, one).status_code for one in good + bad] == [200, 200, 401, 401, 401, 401, 401]
    assert [client.name for client in advisor.clients] == ["ehr", "south"]
