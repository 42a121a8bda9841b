"""Key sets: what is read of them, how often, and that a bad key server holds nobody up."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cds_service.clients import keys as keys_module
from cds_service.clients.fetch import fetch, read_source
from cds_service.clients.keys import LARGEST_KEY_SET, KeySetRefused, KeySets, read_key_set
from cds_service.clients.registry import Client
from tests.clients_floor import BASE, ISSUER, SIGN, jwk, key_set, private_key, token
from tests.web_floor import CALL, client_with

CLIENT = Client("ehr", ISSUER, jwks_url="https://ehr.example.org/jwks")


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(KeySetRefused) as refused:
        read()
    return str(refused.value)


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (jwk(), ["ES384"]),
        (jwk(alg=...), ["ES384"]),
        (jwk("ES256"), ["ES256"]),
        (jwk("ES512"), ["ES512"]),
        (jwk("RS384"), ["RS384"]),
        (jwk("RS384", alg=...), ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]),
        (jwk("RS384", alg="PS512"), ["PS512"]),
        (jwk(use=...), ["ES384"]),
        (jwk(key_ops=["verify"]), ["ES384"]),
        (jwk(x5c=["x"], x5t="x"), ["ES384"]),
        (jwk(use="enc"), []),
        (jwk(key_ops=["encrypt"]), []),
        (jwk(key_ops="verify"), []),
        (jwk(kid=...), []),
        (jwk(kid=""), []),
        (jwk(kid=1), []),
        (jwk(alg="RS384"), []),
        (jwk(alg="HS256"), []),
        (jwk(alg="none"), []),
        (jwk(alg=None), []),
        (jwk("RS384", alg="ES384"), []),
        (jwk("RS384", alg="HS384"), []),
        (jwk("RS384", size=1024), []),
        (jwk(crv="P-256"), []),
        (jwk(crv="secp256k1"), []),
        (jwk(crv=["P-384"]), []),
        (jwk(crv=...), []),
        (jwk(kty=...), []),
        (jwk(kty=["EC"]), []),
        (jwk(kty="OKP"), []),
        (jwk(x="AAAA"), []),
        (jwk(x="\u00e9"), []),
        (jwk(y=...), []),
        (jwk(y=1), []),
        (jwk("RS384", n=...), []),
        (jwk("RS384", n="\u00e9"), []),
        (jwk("RS384", e=3), []),
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "k1", "alg": "HS256"}, []),
        ({"kty": "EC", "kid": "k1"}, []),
        ({}, []),
        ("x", []),
        (None, []),
    ],
)
def test_a_key_verifies_what_it_was_made_for(one: Any, found: list[str]) -> None:  # noqa: ANN401 - any JSON value
    assert sorted(algorithm for _, algorithm in read_key_set(json.dumps({"keys": [one]}).encode())) == found


def test_a_key_that_cannot_be_used_does_not_spoil_the_others() -> None:
    assert set(read_key_set(key_set(jwk(x="A"), jwk(kid="good")))) == {("good", "ES384")}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":"x"}',
        b'{"keys":[],"keys":[]}',
        b"\xff",
        b"[" * 10_000,
        b'{"keys":[' + b"1," * 100 + b"1]}",
    ],
)
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    assert refusal(lambda: read_key_set(text)).startswith("CLIENT-020")


def test_an_empty_key_set_is_one() -> None:
    assert read_key_set(b'{"keys":[]}') == {}


class Source:
    """A key server: what it gives, how often it was asked, and a hold that makes it hang."""

    def __init__(self) -> None:
        self.text: bytes | None = key_set()
        self.asked = 0
        self.hold = threading.Event()
        self.hold.set()
        self.now = 1000.0
        self.others = frozenset(threading.enumerate())
        """Threads of other tests, which may still be at work."""

    def read(self, _: Client) -> bytes:
        self.asked += 1
        self.hold.wait(10)
        if self.text is None:
            raise KeySetRefused("CLIENT-021 away")
        return self.text

    def clock(self) -> float:
        return self.now


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    yield source
    source.hold.set()


@pytest.fixture
def sets(source: Source) -> KeySets:
    return KeySets(source.read, 600.0, source.clock)


def has(sets: KeySets, kid: str = "k1", algorithm: str = "ES384") -> bool:
    return bool(sets.keys(CLIENT, kid, algorithm))


def settled(source: Source, asked: int) -> None:
    """Wait until a refresh beside the calls has come to its end."""
    for _ in range(500):
        reading = [thread for thread in threading.enumerate() if thread.name == "key-set" and thread not in source.others]
        if source.asked == asked and not reading:
            return
        time.sleep(0.01)
    pytest.fail(f"asked {source.asked} times")


def test_a_key_set_is_read_once_for_many_calls(sets: KeySets, source: Source) -> None:
    assert ([has(sets) for _ in range(10)], source.asked) == ([True] * 10, 1)


def test_a_key_is_found_by_id_and_algorithm_together(sets: KeySets, source: Source) -> None:
    source.text = key_set(jwk(), jwk("RS384", "r1"))
    assert [has(sets, *pair) for pair in (("r1", "RS384"), ("r1", "ES384"), ("k1", "RS384"))] == [True, False, False]


def test_an_old_set_is_read_again_beside_the_calls(sets: KeySets, source: Source) -> None:
    assert has(sets)
    source.now += 601
    source.text = key_set(jwk(kid="k2"))
    source.hold.clear()
    assert has(sets)
    source.hold.set()
    settled(source, 2)
    assert (has(sets, "k2"), has(sets, "k1")) == (True, False)


def test_a_very_old_set_is_waited_for(sets: KeySets, source: Source) -> None:
    assert has(sets)
    source.now += 1201
    source.text = key_set(jwk(kid="k2"))
    assert (has(sets, "k1"), source.asked) == (False, 2)


def test_a_new_key_id_is_taken_up_at_once(sets: KeySets, source: Source) -> None:
    assert has(sets)
    source.text = key_set(jwk(kid="k2"))
    assert (has(sets, "k2"), source.asked) == (True, 2)


def test_unknown_key_ids_do_not_read_the_set_each_time(sets: KeySets, source: Source) -> None:
    assert has(sets)
    assert not any(has(sets, f"strange{number}") for number in range(50))
    assert source.asked == 2
    source.now += 59
    assert (has(sets, "strange"), source.asked) == (False, 2)
    source.now += 1
    assert (has(sets, "strange"), source.asked) == (False, 3)


def test_a_server_that_is_away_leaves_the_last_keys_in_use_for_a_day(sets: KeySets, source: Source) -> None:
    assert has(sets)
    source.text = None
    source.now += keys_module.STALE_SECONDS
    assert has(sets)
    settled(source, 2)
    source.now += 1
    assert not has(sets)


def test_garbage_leaves_the_last_keys_in_use(sets: KeySets, source: Source) -> None:
    assert has(sets)
    source.text = b"<html>"
    source.now += 601
    assert has(sets)
    settled(source, 2)
    assert has(sets)


def test_a_server_that_fails_is_asked_less_and_less_often(sets: KeySets, source: Source) -> None:
    source.text = None
    asked = []
    for _ in range(200):
        has(sets)
        settled(source, source.asked)
        asked.append(source.asked)
        source.now += 1
    assert [asked.index(number) for number in range(1, asked[-1] + 1)] == [0, 5, 15, 35, 75, 135, 195]


def test_a_server_that_comes_back_is_heard(sets: KeySets, source: Source) -> None:
    source.text = None
    assert not has(sets)
    source.text = key_set()
    source.now += 5
    has(sets)
    settled(source, 2)
    assert has(sets)


def test_a_server_that_hangs_holds_the_first_calls_up_for_a_second_and_no_others(source: Source) -> None:
    sets = KeySets(source.read, 600.0)
    source.hold.clear()
    started = time.monotonic()
    threads = [threading.Thread(target=has, args=(sets,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.9 < time.monotonic() - started < 1.5
    started = time.monotonic()
    assert ([has(sets) for _ in range(10)], source.asked) == ([False] * 10, 1)
    assert time.monotonic() - started < 0.3
    source.hold.set()
    settled(source, 1)
    assert has(sets)


def test_a_server_that_hangs_does_not_hold_up_known_keys(source: Source) -> None:
    sets = KeySets(source.read, 600.0)
    assert has(sets)
    source.hold.clear()
    strange = threading.Thread(target=has, args=(sets, "strange"))
    strange.start()
    time.sleep(0.05)
    started = time.monotonic()
    assert all(has(sets) for _ in range(10))
    assert time.monotonic() - started < 0.3
    strange.join()


def test_a_second_try_holds_nobody_up(sets: KeySets, source: Source) -> None:
    source.text = None
    assert not has(sets)
    source.now += 5
    source.hold.clear()
    started = time.monotonic()
    assert not any(has(sets) for _ in range(5))
    assert (time.monotonic() - started < 0.3, source.asked) == (True, 2)


def test_a_server_that_just_failed_is_not_asked_for_unknown_key_ids(sets: KeySets, source: Source) -> None:
    assert has(sets)
    source.text = None
    source.now += 601
    assert has(sets)
    settled(source, 2)
    assert (has(sets, "strange"), source.asked) == (False, 2)


def test_many_at_once_read_the_set_once(sets: KeySets, source: Source) -> None:
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(has(sets))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, source.asked) == ([True] * 30, 1)


# Over HTTP, with a key server that behaves and misbehaves.


@pytest.fixture
def service(tmp_path: Path, httpserver: HTTPServer) -> FlaskClient:
    file = tmp_path / "clients.toml"
    file.write_text(f'[[client]]\nname = "ehr"\nissuer = "{ISSUER}"\njwks_url = "{httpserver.url_for("/jwks")}"')
    return client_with(clients_file=file, public_url=BASE)


def call(service: FlaskClient, sent: str = "") -> int:
    headers = {"Authorization": "Bearer " + (sent or token())}
    return service.post(SIGN, data=CALL, content_type="application/json", headers=headers).status_code


def test_keys_come_from_the_address_in_the_registry_and_no_other(service: FlaskClient, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/jwks").respond_with_data(key_set())
    elsewhere = httpserver.url_for("/evil")
    assert [call(service, token({"jku": elsewhere, "x5u": elsewhere})), call(service, token({"jku": elsewhere}, number=2))] == [200, 401]
    assert [request.path for request, _ in httpserver.log] == ["/jwks"]


def test_a_rotated_key_is_taken_up_at_once(service: FlaskClient, httpserver: HTTPServer) -> None:
    texts = [key_set(), key_set(jwk(kid="k2", number=2))]
    httpserver.expect_request("/jwks").respond_with_handler(lambda _: Response(texts.pop(0)))
    assert call(service) == 200
    assert [call(service, token({"kid": "k2"}, number=2)), call(service)] == [200, 401]


def test_strange_key_ids_do_not_hammer_the_key_server(service: FlaskClient, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/jwks").respond_with_data(key_set())
    assert {call(service, token({"kid": f"k{number}"})) for number in range(2, 40)} == {401}
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Response("no", 500),
        Response("no", 404),
        Response("", 204),
        Response("", 302, {"Location": "/good"}),
        Response("", 307, {"Location": "/good"}),
        Response("<html>", 200, {"Content-Type": "text/html"}),
        Response(b"\x1f\x8b", 200, {"Content-Encoding": "gzip"}),
        Response(key_set() + b" " * LARGEST_KEY_SET),
        Response("[" * 100_000),
    ],
)
def test_a_key_server_that_misbehaves_lets_nobody_in(service: FlaskClient, httpserver: HTTPServer, answer: Response) -> None:
    httpserver.expect_request("/good").respond_with_data(key_set())
    httpserver.expect_request("/jwks").respond_with_response(answer)
    assert [call(service), call(service)] == [401, 401]
    assert {request.path for request, _ in httpserver.log} == {"/jwks"}


def test_a_key_server_that_is_slow_does_not_hang_the_callers(service: FlaskClient, httpserver: HTTPServer) -> None:
    def slow(_: Request) -> Response:
        time.sleep(2)
        return Response(key_set())

    httpserver.expect_request("/jwks").respond_with_handler(slow)
    started = time.monotonic()
    assert [call(service) for _ in range(5)] == [401] * 5
    assert time.monotonic() - started < 1.5
    time.sleep(max(0.0, started + 2.3 - time.monotonic()))
    assert call(service) == 200


def test_a_key_server_that_is_not_there_is_told_in_plain_words() -> None:
    assert refusal(lambda: fetch("http://127.0.0.1:1/jwks")).startswith("CLIENT-021 the key server gave no answer")


def test_a_key_server_that_breaks_off_is_refused(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/jwks").respond_with_handler(lambda _: Response(key_set()[:-1], headers={"Content-Length": "9999"}))
    assert refusal(lambda: read_key_set(fetch(httpserver.url_for("/jwks")))).startswith("CLIENT-02")


def test_a_key_server_that_drips_is_cut_off(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(40):
            time.sleep(0.05)
            yield b" "

    monkeypatch.setattr("cds_service.clients.fetch._SECONDS_IN_ALL", 0.2)
    httpserver.expect_request("/jwks").respond_with_handler(lambda _: Response(drip()))
    started = time.monotonic()
    assert refusal(lambda: fetch(httpserver.url_for("/jwks"))) == "CLIENT-021 the key server was too slow"
    assert time.monotonic() - started < 1


def own_certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for this machine that nobody but itself vouches for."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    key, begins = private_key("ES256"), datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=9)).add_extension(addresses, critical=False)
    file = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_key_server_with_a_certificate_of_nobody_is_refused(tmp_path: Path) -> None:
    with HTTPServer(host="127.0.0.1", ssl_context=own_certificate(tmp_path)) as server:
        server.expect_request("/jwks").respond_with_data(key_set())
        assert refusal(lambda: fetch(server.url_for("/jwks"))) == "CLIENT-021 the key server gave no answer (SSLError)"


def test_a_key_server_with_a_certificate_of_the_site_is_read_where_the_environment_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(host="127.0.0.1", ssl_context=own_certificate(tmp_path)) as server:
        server.expect_request("/jwks").respond_with_data(key_set())
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        assert read_key_set(fetch(server.url_for("/jwks")))


def test_a_key_set_file_is_read_within_bounds(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    client = Client("ehr", ISSUER, jwks_file=file)
    assert refusal(lambda: read_source(client)).startswith("CLIENT-020 the key set file cannot be read")
    file.write_bytes(b" " * LARGEST_KEY_SET)
    assert len(read_source(client)) == LARGEST_KEY_SET
    file.write_bytes(b" " * (LARGEST_KEY_SET + 1))
    assert refusal(lambda: read_source(client)).startswith("CLIENT-020 the key set has more than")


def test_a_changed_key_set_file_is_taken_up(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(key_set())
    registry = tmp_path / "clients.toml"
    registry.write_text(f'[[client]]\nname = "ehr"\nissuer = "{ISSUER}"\njwks_file = "keys.json"')
    service = client_with(clients_file=registry, public_url=BASE)
    assert call(service) == 200
    file.write_bytes(key_set(jwk(kid="k2", number=2)))
    assert call(service, token({"kid": "k2"}, number=2)) == 200
