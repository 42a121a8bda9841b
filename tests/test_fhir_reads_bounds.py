"""The bounds of reads by themselves: deadline, breaker, bulkhead, allowance, and the cut of a TLS handshake that hangs."""

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_httpserver import HTTPServer

from cds_service.app import reads_for
from cds_service.errors import SettingsRefused
from cds_service.fhir_reads.bounds import Allowance, Breaker, Bulkhead, Deadline, Fault, ReadFailed
from cds_service.fhir_reads.pool import Cut, FhirPool, Reading
from cds_service.fhir_reads.targets import parse_base
from cds_service.settings import Settings
from tests.misbehaving_server import empty_bundle


def reading(address: str, seconds: float = 2.0) -> Reading:
    base = parse_base(address)
    assert base is not None
    return Reading(base, Deadline(time.monotonic() + seconds), Allowance(1000))


def fault_of(pool: FhirPool, target: str, given: Reading) -> Fault:
    with pytest.raises(ReadFailed) as failed:
        pool.get(target, given)
    return failed.value.fault


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer("localhost", ssl_context=context) as server:
        server.expect_request("/fhir/Condition").respond_with_json(empty_bundle())
        yield server


def test_a_server_is_trusted_by_the_authorities_of_the_setting_alone(secure: HTTPServer, certificate: Path) -> None:
    base = f"https://localhost:{secure.port}/fhir"
    assert FhirPool(certificate).get("/fhir/Condition", reading(base)) == empty_bundle()
    assert fault_of(FhirPool(), "/fhir/Condition", reading(base)) is Fault.TLS
    other_name = reading(f"https://127.0.0.1:{secure.port}/fhir")
    assert fault_of(FhirPool(certificate), "/fhir/Condition", other_name) is Fault.TLS


def test_a_connection_is_used_again_for_the_next_call(secure: HTTPServer, certificate: Path) -> None:
    pool = FhirPool(certificate)
    for _ in range(3):
        assert pool.get("/fhir/Condition", reading(f"https://localhost:{secure.port}/fhir")) == empty_bundle()
    connections = pool._manager.connection_from_host("localhost", secure.port, "https")  # noqa: SLF001 - what is pooled shows nowhere else
    assert connections.num_requests == 3


def test_a_certificate_file_that_holds_none_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsRefused, match="CDS_FHIR_CA_FILE"):
        reads_for(Settings(fhir_ca_file=tmp_path / "ca.pem"))


@pytest.mark.parametrize("address", ["https://127.0.0.1:{}/fhir", "http://127.0.0.1:{}/fhir"])
def test_a_cut_ends_a_hanging_read_at_once(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_accepting:
        given = reading(address.format(never_accepting.getsockname()[1]), 5)
        cutting = threading.Timer(0.2, given.cut.now)
        start = time.monotonic()
        cutting.start()
        assert fault_of(FhirPool(), "/fhir/Condition", given) in (Fault.CONNECT, Fault.BROKEN_OFF, Fault.TLS)
        cutting.join()
    assert time.monotonic() - start < 2


def test_a_cut_ends_what_is_opened_after_it_and_leaves_what_was_released() -> None:
    cut = Cut()
    kept, other = socket.socketpair()
    with kept, other:
        cut.hold(kept)
        cut.release()
        cut.now()
        other.sendall(b"x")
        assert kept.recv(1) == b"x"
        cut.hold(kept)
        assert kept.recv(1) == b""
        cut.release()


def test_a_bulkhead_lets_some_in_some_wait_and_sends_the_rest_on() -> None:
    bulkhead = Bulkhead(1)
    waited: list[bool] = []

    def wait_for_a_place() -> None:
        with bulkhead.place(5):
            waited.append(True)

    with bulkhead.place(0):
        waiting = threading.Thread(target=wait_for_a_place)
        waiting.start()
        time.sleep(0.1)
        with pytest.raises(ReadFailed, match="busy"), bulkhead.place(5):
            pass
    waiting.join(5)
    assert waited == [True]
    with bulkhead.place(0):
        start = time.monotonic()
        with pytest.raises(ReadFailed, match="busy"), bulkhead.place(0.05):
            pass
        assert 0.04 < time.monotonic() - start < 1


def test_a_breaker_opens_after_so_many_in_a_row_and_closes_after_a_success() -> None:
    now = [0.0]
    breaker = Breaker(failures=2, pause=5, clock=lambda: now[0])
    breaker.leave("a", ran_out=True)
    breaker.leave("a", ran_out=False)
    breaker.leave("a", ran_out=True)
    breaker.enter("a")
    breaker.leave("a", ran_out=True)
    breaker.enter("b")
    with pytest.raises(ReadFailed, match="circuit-open"):
        breaker.enter("a")
    now[0] = 4.9
    with pytest.raises(ReadFailed, match="circuit-open"):
        breaker.enter("a")
    now[0] = 5.0
    breaker.enter("a")
    with pytest.raises(ReadFailed, match="circuit-open"):
        breaker.enter("a")  # one call tries, the others wait for what it finds
    breaker.leave("a", ran_out=None)
    breaker.enter("a")
    breaker.leave("a", ran_out=True)
    with pytest.raises(ReadFailed, match="circuit-open"):
        breaker.enter("a")
    now[0] = 10.0
    breaker.enter("a")
    breaker.leave("a", ran_out=False)
    breaker.enter("a")
    breaker.leave("a", ran_out=True)
    breaker.enter("a")


def test_a_breaker_remembers_so_many_servers_and_no_more() -> None:
    breaker = Breaker(failures=1)
    for number in range(Breaker.MOST_SERVERS + 1):
        breaker.leave(number, ran_out=True)
    breaker.enter(0)
    with pytest.raises(ReadFailed):
        breaker.enter(1)


def test_an_allowance_is_spent_to_the_last_byte_and_no_further() -> None:
    allowance = Allowance(10)
    allowance.spend(10)
    with pytest.raises(ReadFailed, match="too-large"):
        allowance.spend(1)


def test_a_deadline_counts_down_to_nothing() -> None:
    now = [0.0]
    deadline = Deadline(2.0, lambda: now[0])
    assert deadline.remaining() == 2.0
    deadline.check()
    now[0] = 3.0
    assert deadline.remaining() == 0.0
    with pytest.raises(ReadFailed, match="timeout"):
        deadline.check()
