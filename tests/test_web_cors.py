"""Browser pages of listed origins may call, others may not; a preflight is answered wherever it asks."""

import pytest
from werkzeug.test import TestResponse

from tests.web_floor import CALL, client_with

SANDBOX = "https://sandbox.cds-hooks.org"
PATHS = [
    "/",
    "/health",
    "/cds-services",
    "/cds-services/some-order-sign",
    "/cds-services/some-order-sign/feedback",
    "/cds-services//id",
    "/x",
]


def preflight(
    path: str, origin: str, headers: str = "authorization,content-type", method: str = "POST", origins: str = f"{SANDBOX},loopback"
) -> TestResponse:
    sent = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client_with(cors_origins=origins).options(path, headers=sent)


def names(answer: TestResponse, header: str) -> set[str]:
    return {name.strip().lower() for name in answer.headers.get(header, "").split(",") if name.strip()}


@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_of_the_sandbox_passes_on_every_path(path: str) -> None:
    answer = preflight(path, SANDBOX)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == SANDBOX
    assert names(answer, "Access-Control-Allow-Headers") == {"authorization", "content-type"}
    assert names(answer, "Access-Control-Allow-Methods") == {"get", "post", "options"}
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    assert "Content-Type" not in answer.headers


def test_a_preflight_that_names_no_headers_is_told_them_all_the_same() -> None:
    answer = client_with().options("/cds-services", headers={"Origin": SANDBOX})
    assert names(answer, "Access-Control-Allow-Headers") == {"authorization", "content-type"}
    assert names(answer, "Access-Control-Allow-Methods") == {"get", "post", "options"}


def test_a_header_that_is_not_listed_is_not_allowed() -> None:
    assert names(preflight("/cds-services", SANDBOX, "authorization,x-strange"), "Access-Control-Allow-Headers") == {"authorization"}


@pytest.mark.parametrize(
    "origin",
    [
        SANDBOX,
        "http://localhost",
        "http://localhost:3000",
        "https://localhost:8443",
        "http://127.0.0.1:33323",
        "http://[::1]:8000",
        "http://[::1]",
    ],
)
def test_the_sandbox_and_pages_of_this_machine_may_read_answers(origin: str) -> None:
    answer = client_with().get("/cds-services", headers={"Origin": origin})
    assert answer.headers.getlist("Access-Control-Allow-Origin") == [origin]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "https://sandbox.cds-hooks.org.evil.example.org",
        "https://sandboxxcds-hooks.org",
        "http://sandbox.cds-hooks.org",
        "https://sandbox.cds-hooks.org:8443",
        "https://sandbox.cds-hooks.org/",
        "http://localhost.evil.example.org",
        "http://localhost:80@evil.example.org",
        "http://127.0.0.1.evil.example.org",
        "http://127.0.0.2:80",
        "http://evil.example.org#http://localhost",
        "ftp://localhost",
        "null",
        "*",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_strange_origin_is_never_reflected(origin: str, method: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = client_with().open("/cds-services", method=method, headers=headers)
    assert [name for name in answer.headers.keys() if name.lower().startswith("access-control")] == []  # noqa: SIM118 - not a dict
    assert answer.status_code in {200, 204}


def test_without_an_origin_no_cors_header_is_sent() -> None:
    assert "Access-Control-Allow-Origin" not in client_with().get("/cds-services").headers


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("GET", "/nothing", b"", "", 404),
        ("PUT", "/cds-services", b"", "", 405),
        ("POST", "/cds-services/some-order-sign", b"{", "application/json", 400),
        ("POST", "/cds-services/some-order-sign", CALL, "text/plain", 415),
        ("POST", "/cds-services/some-order-sign", CALL.ljust(2000), "application/json", 413),
        ("POST", "/cds-services/some-order-sign/feedback", b"{}", "application/json", 400),
        ("POST", "/cds-services/some-order-sign", CALL, "application/json", 200),
    ],
)
def test_errors_can_be_read_by_listed_pages_too(method: str, path: str, body: bytes, content_type: str, status: int) -> None:
    headers = {"Origin": SANDBOX, "Content-Type": content_type}
    answer = client_with(max_body_bytes=1024).open(path, method=method, data=body, headers=headers)
    assert (answer.status_code, answer.headers.getlist("Access-Control-Allow-Origin")) == (status, [SANDBOX])


@pytest.mark.parametrize("origin", [SANDBOX, "https://evil.example.org", None])
def test_caches_are_told_that_answers_differ_by_origin(origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    assert client_with().get("/cds-services", headers=headers).headers.getlist("Vary") == ["Origin"]


def test_the_list_of_origins_is_a_setting() -> None:
    client = client_with(cors_origins="https://ehr.example.org")
    allowed = [
        origin
        for origin in ("https://ehr.example.org", SANDBOX, "http://localhost", "https://ehrxexample.org")
        if "Access-Control-Allow-Origin" in client.get("/health", headers={"Origin": origin}).headers
    ]
    assert allowed == ["https://ehr.example.org"]


def test_an_empty_list_allows_nobody() -> None:
    assert "Access-Control-Allow-Origin" not in preflight("/cds-services", SANDBOX, origins="").headers


def test_credentials_are_never_allowed() -> None:
    assert "Access-Control-Allow-Credentials" not in preflight("/cds-services", SANDBOX).headers
