"""RELIABILITY.md 4, 8 and 12 on the running service with a client registry: tokens, key sets, replay, and what is closed."""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.clients_floor import BASE, ISSUER, jwk, key_set, registry_file, token
from tests.clients_floor import SIGN as NAMED
from tests.clinic import METFORMIN, call, order
from tests.misbehaving_server import Asked, Misbehaving, body, misbehaving, send, silence
from tests.promises_floor import FEEDBACK, SIGN, Running, conflict, running
from tests.store_floor import database
from tests.test_web_trust import REFUSED

REDIS = "redis://127.0.0.1:6379/0"
OTHER = "https://other.example.org"
QUIET = call(order(METFORMIN))


def redis_address() -> str:
    try:
        redis.Redis.from_url(REDIS, socket_connect_timeout=2).ping()
    except redis.RedisError:
        pytest.skip(f"no Redis at {REDIS}")
    return REDIS


def bearer(sent: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {sent}"}


def own(path: str = SIGN, *, number: int = 2, **changed: Any) -> dict[str, str]:  # noqa: ANN401 - any claims
    """The header of a good token of the client whose tokens name the address called."""
    return bearer(token(number=number, **{"iss": OTHER, "aud": BASE + path, **changed}))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("trust")
    (folder / "other.json").write_bytes(key_set(jwk(number=2)))
    keys = key_set(
        jwk(), jwk("RS384", "r1"), jwk("RS384", "any", alg=...), jwk("ES256", "p256"), jwk("ES384", "twice", 2), jwk(kid="twice")
    )
    others = f'[[client]]\nname = "other"\nissuer = "{OTHER}"\njwks_file = "other.json"'
    file = registry_file(folder, f'audiences = ["{BASE}{NAMED}"]\ncors_origins = ["https://ehr.example.org"]', keys, others=others)
    with running(folder, CDS_CLIENTS_FILE=str(file), CDS_PUBLIC_URL=BASE) as one:
        yield one


def refused(service: Running, headers: dict[str, str]) -> tuple[bytes, str]:
    """Post a call that must get 401; return the body, and the reason in the log."""
    status, told, answered = service.ask(QUIET, headers=headers)
    assert status == 401
    [line] = [line for line in service.lines() if line["event"] == "refused" and line["request"] == answered["x-request-id"]]
    return told, line["code"]


@pytest.mark.parametrize("case", REFUSED)
def test_promise_8_each_bad_token_gets_the_one_401_and_its_reason_is_in_the_log_alone(service: Running, case: str) -> None:
    code, sent = REFUSED[case]
    one, _ = refused(service, {})
    assert refused(service, {"Authorization": sent()}) == (one, code)


def test_promise_8_discovery_calls_and_feedback_take_tokens_for_themselves_alone(service: Running) -> None:
    items = {"feedback": [{"card": str(uuid.uuid4()), "outcome": "accepted"}]}
    asked = {"/cds-services": ("GET", None), SIGN: ("POST", QUIET), FEEDBACK: ("POST", items)}
    got = {
        (path, named): service.ask(sent, path, own(named), method)[0]
        for path, (method, sent) in asked.items()
        for named in [*asked, ISSUER]
    }
    assert got == {(path, named): 200 if path == named else 401 for path in asked for named in [*asked, ISSUER]}


def test_promise_8_a_forged_token_burns_no_id(service: Running) -> None:
    jti = str(uuid.uuid4())
    forged = [own(number=3, jti=jti), own(jti=jti, aud=BASE), own(jti=jti, exp=1, iat=0)]
    assert [service.ask(QUIET, headers=one)[0] for one in [*forged, own(jti=jti), own(jti=jti)]] == [401, 401, 401, 200, 401]


def test_promise_8_the_host_header_makes_no_address(service: Running) -> None:
    headers = {"Host": "evil.example.org", "X-Forwarded-Host": "evil.example.org"}
    assert service.ask(QUIET, headers=headers | own(aud=f"https://evil.example.org{SIGN}"))[0] == 401
    assert service.ask(QUIET, headers=headers | own())[0] == 200


def test_promise_8_a_stranger_gets_the_401_before_a_byte_of_the_body_is_sent(service: Running) -> None:
    head = f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {1 << 26}\r\n\r\n"
    started = time.monotonic()
    with ExitStack() as opened:
        strangers = [opened.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10)) for _ in range(100)]
        for one in strangers:
            one.sendall(head.encode())
        assert {one.recv(100).split()[1] for one in strangers} == {b"401"}
    assert time.monotonic() - started < 5


# used tokens, across processes


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "redis"])
def test_promise_8_a_token_is_good_once_across_processes(tmp_path: Path, kind: str) -> None:
    file = registry_file(tmp_path)
    sent = [bearer(token(aud=BASE + SIGN)) for _ in range(10)]
    with ExitStack() as opened:
        used, kept = (redis_address(), "sqlite") if kind == "redis" else ("", kind)
        address = opened.enter_context(database(kept, tmp_path))
        service = opened.enter_context(
            running(
                tmp_path,
                CDS_CLIENTS_FILE=str(file),
                CDS_PUBLIC_URL=BASE,
                CDS_WORKERS="3",
                CDS_DATABASE_URL=address,
                CDS_REPLAY_REDIS_URL=used,
            )
        )
        with ThreadPoolExecutor(30) as threads:
            got = list(threads.map(lambda number: service.ask(QUIET, headers=sent[number % 10])[0], range(120)))
    assert [sorted(got[number::10]) for number in range(10)] == [[200, *[401] * 11]] * 10


# key servers


def asked_of(server: Misbehaving, file: Path, folder: Path) -> str:
    """Write a registry with a client whose keys that server has, beside one whose keys lie in a file."""
    address = f"http://127.0.0.1:{server.port}/jwks"
    registry_file(folder, others=f'[[client]]\nname = "remote"\nissuer = "{OTHER}"\njwks_url = "{address}"')
    return str(file)


def good_keys(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
    send(connection, key_set(jwk(number=2)))


def test_promise_8_unknown_key_ids_do_not_fetch_the_key_set_each_time(tmp_path: Path) -> None:
    with (
        misbehaving(good_keys) as server,
        running(tmp_path, CDS_CLIENTS_FILE=asked_of(server, tmp_path / "clients.toml", tmp_path), CDS_PUBLIC_URL=BASE) as service,
    ):
        assert service.ask(QUIET, headers=own())[0] == 200
        with ThreadPoolExecutor(20) as threads:
            forged = [bearer(token({"kid": f"k{number}"}, number=2, iss=OTHER, aud=BASE + SIGN)) for number in range(100, 300)]
            assert set(threads.map(lambda one: service.ask(QUIET, headers=one)[0], forged)) == {401}
        assert service.ask(QUIET, headers=own())[0] == 200
        assert len(server.asked) == 2


def test_promise_8_a_slow_key_server_holds_up_its_own_client_for_a_second_and_nobody_else(tmp_path: Path) -> None:
    with (
        misbehaving(silence) as server,
        running(tmp_path, CDS_CLIENTS_FILE=asked_of(server, tmp_path / "clients.toml", tmp_path), CDS_PUBLIC_URL=BASE) as service,
        ThreadPoolExecutor(30) as threads,
    ):
        started = time.monotonic()
        waiting = [threads.submit(service.ask, QUIET, SIGN, own()) for _ in range(30)]
        for _ in range(5):
            assert service.ask(QUIET, headers=bearer(token(aud=BASE + SIGN)))[0] == 200
        assert time.monotonic() - started < 2
        assert {one.result()[0] for one in waiting} == {401}
        assert time.monotonic() - started < 4


def test_promise_4_no_token_and_no_key_server_leads_elsewhere(tmp_path: Path) -> None:
    with misbehaving(body(key_set(jwk(number=3)))) as stranger:
        elsewhere = f"http://127.0.0.1:{stranger.port}/jwks"

        def redirect(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
            send(connection, b"", "302 Found", Location=elsewhere)

        with (
            misbehaving(redirect) as server,
            running(tmp_path, CDS_CLIENTS_FILE=asked_of(server, tmp_path / "clients.toml", tmp_path), CDS_PUBLIC_URL=BASE) as service,
        ):
            leading = {"jku": elsewhere, "x5u": elsewhere, "jwk": jwk(number=3), "kid": elsewhere}
            forged = [{**leading, "kid": "k1"}, leading, {**leading, "kid": "../../k1"}]
            for header in forged:
                for issuer in (ISSUER, OTHER):
                    sent = bearer(token(header, number=3, iss=issuer, aud=BASE + SIGN))
                    assert service.ask(QUIET, headers=sent)[0] == 401
            assert stranger.connections == 0


def test_promise_4_a_call_reads_from_the_servers_of_its_own_client_alone(tmp_path: Path) -> None:
    def empty(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
        send(connection, {"resourceType": "Bundle", "type": "searchset", "total": 0})

    with misbehaving(empty) as listed, misbehaving(empty) as stranger:
        (tmp_path / "other.json").write_bytes(key_set(jwk(number=2)))
        others = f'[[client]]\nname = "other"\nissuer = "{OTHER}"\njwks_file = "other.json"\nfhir_servers = ["{listed.base}"]'
        file = registry_file(tmp_path, others=others)
        access = {"fhirAuthorization": {"access_token": "secret-token", "token_type": "Bearer", "scope": "s", "subject": "x"}}
        with running(tmp_path, CDS_CLIENTS_FILE=str(file), CDS_PUBLIC_URL=BASE) as service:

            def ask(base: str, headers: dict[str, str]) -> None:
                request = {**conflict(), "prefetch": {}, "fhirServer": base, **access}
                status, told, _ = service.ask(request, headers=headers)
                assert (status, bool(json.loads(told)["cards"])) == (200, True)

            for base in (
                stranger.base,
                f"{listed.base}/../x",
                f"{listed.base}evil",
                f"{listed.base}@127.0.0.1:{stranger.port}",
                "file:///etc",
            ):
                ask(base, own())
            ask(listed.base, bearer(token(aud=BASE + SIGN)))
            assert (listed.connections, stranger.connections) == (0, 0)
            ask(listed.base, own())
            assert (listed.connections > 0, stranger.connections) == (True, 0)
            assert {one.headers["authorization"] for one in listed.asked} == {"Bearer secret-token"}


# what is closed


@pytest.mark.parametrize(
    "path",
    [
        "/", "//", "/workbench", "/workbench/", "//workbench", "/workbench/rules", "/static/x.css", "/openapi.json", "/openapi.json/",
        "//evil.example.org", "/%2fworkbench", "/./workbench", "/healthy", "/health/../workbench", "/index.html",
        "/cds-servicesx", "/favicon.ico", "/.git/config", "/workbench%00", "/WORKBENCH", "/%77orkbench",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_promise_12_every_page_but_the_api_is_not_there_and_nothing_redirects(service: Running, path: str, method: str) -> None:
    for headers in ({}, own(path)):
        status, told, answered = service.ask(QUIET if method == "POST" else None, path, headers, method)
        assert (status, "location" in answered, answered["cache-control"]) == (404, False, "no-store")
        assert method == "HEAD" or json.loads(told)["issue"][0]["details"]["coding"] == [{"code": "HTTP-404"}]


def test_promise_12_with_a_registry_only_pages_of_its_clients_may_call(service: Running) -> None:
    origins = [
        "https://ehr.example.org",
        "https://sandbox.cds-hooks.org",
        "http://localhost:3000",
        "null",
        "https://ehr.example.org.evil",
        "*",
    ]
    for headers in ({}, own()):
        allowed = [service.ask(QUIET, headers={"Origin": origin} | headers)[2].get("access-control-allow-origin") for origin in origins]
        assert allowed == ["https://ehr.example.org", *[None] * 5]


def test_promise_11_nothing_of_a_token_is_in_the_log(service: Running) -> None:
    told = service.log.read_text(encoding="utf-8")
    assert [word for word in ("Bearer", "eyJ", OTHER, ISSUER, os.sep + "other.json") if word in told] == []


def test_promise_8_nothing_of_all_this_was_an_error_inside(service: Running) -> None:
    assert [line for line in service.lines() if line["event"] == "error" or line.get("status", 0) >= 500] == []
