"""https, Unix sockets and their refusals at the start; what the running server does over both."""

import json
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPSConnection
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cds_service.cli.listening import check_certificate, check_listening, check_network, clear_socket
from cds_service.errors import SettingsRefused
from cds_service.settings import Settings
from tests.clients_floor import BASE, registry_file
from tests.promises_floor import conflict, running
from tests.test_serve import environment, free_port

PKCS8 = serialization.PrivateFormat.PKCS8
OPEN_SSL = serialization.PrivateFormat.TraditionalOpenSSL


def certificate(folder: Path, name: str = "one", form: serialization.PrivateFormat = PKCS8) -> dict[str, Path]:
    """Write a certificate of this machine and its key; return the settings that name them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return {"tls_certificate_file": folder / f"{name}.pem", "tls_key_file": folder / f"{name}.key"}


def settings_of(given: dict[str, Path]) -> Settings:
    return Settings(tls_certificate_file=given.get("tls_certificate_file"), tls_key_file=given.get("tls_key_file"))


def told(settings: Settings) -> str:
    with pytest.raises(SettingsRefused) as refused:
        check_listening(settings)
    return str(refused.value)


def test_a_certificate_and_its_key_are_taken(tmp_path: Path) -> None:
    check_certificate(settings_of(certificate(tmp_path)))


@pytest.mark.parametrize("left_out", ["tls_certificate_file", "tls_key_file"])
def test_half_of_what_https_needs_is_refused_by_the_name_of_the_other_half(tmp_path: Path, left_out: str) -> None:
    given = {name: path for name, path in certificate(tmp_path).items() if name != left_out}
    assert told(settings_of(given)) == f"SET-006 CDS_{left_out.upper()}: found nothing; expected both files, or neither"


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(tmp_path: Path) -> None:
    given = certificate(tmp_path) | {"tls_key_file": certificate(tmp_path, "two")["tls_key_file"]}
    assert "cannot be used together (KEY_VALUES_MISMATCH)" in told(settings_of(given))


def test_a_key_of_another_form_is_refused_with_the_command_that_helps(tmp_path: Path) -> None:
    assert "openssl pkcs8 -topk8 -nocrypt -in one.key" in told(settings_of(certificate(tmp_path, form=OPEN_SSL)))


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    given = certificate(tmp_path)
    given["tls_certificate_file"].write_text("nothing")
    assert told(settings_of(given)).startswith(
        "SET-006 CDS_TLS_CERTIFICATE_FILE, CDS_TLS_KEY_FILE: found files that cannot be used together"
    )


def test_a_unix_socket_needs_no_registry_and_looks_at_no_port(tmp_path: Path) -> None:
    settings = Settings(host="0.0.0.0", port=1, unix_socket=tmp_path / "cds.sock")  # noqa: S104 - not listened to
    check_network(settings)
    check_listening(settings)


@contextmanager
def listening(path: Path) -> Iterator[None]:
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        server.listen()
        yield


def test_a_socket_that_a_killed_service_left_is_removed_and_nothing_else_is(tmp_path: Path) -> None:
    left = tmp_path / "left.sock"
    with listening(left):
        assert "where another program listens" in told(Settings(unix_socket=left))
    assert left.exists()
    clear_socket(left)
    assert not left.exists()
    (tmp_path / "file").write_text("x")
    assert "is no socket" in told(Settings(unix_socket=tmp_path / "file"))


def test_the_service_answers_over_https_and_not_over_http(tmp_path: Path) -> None:
    names = certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(names["tls_certificate_file"]))
    paths = {name: str(path) for name, path in names.items()}
    with running(tmp_path, CDS_TLS_CERTIFICATE_FILE=paths["tls_certificate_file"], CDS_TLS_KEY_FILE=paths["tls_key_file"]) as service:
        with closing(HTTPSConnection("localhost", service.port, timeout=20, context=trusting)) as connection:
            connection.request("GET", "/cds-services")
            assert connection.getresponse().status == 200
            assert isinstance(connection.sock, ssl.SSLSocket)
            assert connection.sock.version() == "TLSv1.3"
        old = ssl.create_default_context(cafile=str(names["tls_certificate_file"]))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with closing(HTTPSConnection("localhost", service.port, timeout=20, context=old)) as connection:
            connection.request("GET", "/health")
            assert connection.getresponse().status == 200
        assert b"200 OK" not in service.raw(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (tmp_path / "err").read_text().splitlines()[0] == f"Listening on https://127.0.0.1:{service.port} (Ctrl+C stops)"


def listens(path: Path) -> bool:
    """Tell whether somebody takes connections on a socket: its file is there a moment earlier."""
    with closing(socket.socket(socket.AF_UNIX)) as tried:
        return tried.connect_ex(str(path)) == 0


class _Unix(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def test_the_service_answers_over_a_unix_socket_and_on_no_port_and_takes_the_socket_away(tmp_path: Path) -> None:
    path, port = tmp_path / "cds.sock", free_port()
    with running(tmp_path, port=port, is_up=lambda: listens(path), CDS_UNIX_SOCKET=str(path)):
        with closing(_Unix(path)) as connection:
            connection.request("POST", "/cds-services/naltrexone-order-sign", json.dumps(conflict()), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert (answer.status, b"oxycodone" in answer.read()) == (200, True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=1)
    assert not path.exists()
    said = (tmp_path / "err").read_text().splitlines()
    assert said[:2] == [f"Listening on unix:{path} (Ctrl+C stops)", f"Try:     curl --unix-socket {path} http://localhost/cds-services"]


@pytest.mark.parametrize(("proxies", "status"), [("127.0.0.1", 200), ("10.9.9.0/24,unix", 404)])
def test_a_running_service_believes_who_is_signed_in_from_named_addresses_alone(proxies: str, status: int, tmp_path: Path) -> None:
    registry = str(registry_file(tmp_path))
    with running(tmp_path, CDS_CLIENTS_FILE=registry, CDS_PUBLIC_URL=BASE, CDS_TRUSTED_PROXIES=proxies) as service:
        signed_in = service.ask(path="/workbench", method="GET", headers={"X-Forwarded-User": "ann", "X-Forwarded-Host": "cds.example.org"})
        assert (signed_in[0], service.ask(path="/workbench", method="GET")[0]) == (status, 404)


def test_half_of_https_ends_the_start_before_anything_listens(tmp_path: Path) -> None:
    names = certificate(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-m", "cds_service", "serve"],
        env=environment(CDS_TLS_KEY_FILE=str(names["tls_key_file"])),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr.splitlines()) == (
        2,
        ["SET-006 CDS_TLS_CERTIFICATE_FILE: found nothing; expected both files, or neither"],
    )


def test_clients_that_begin_a_handshake_and_fall_silent_stop_nobody(tmp_path: Path) -> None:
    names = certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(names["tls_certificate_file"]))
    paths = {name: str(path) for name, path in names.items()}
    with (
        running(tmp_path, CDS_TLS_CERTIFICATE_FILE=paths["tls_certificate_file"], CDS_TLS_KEY_FILE=paths["tls_key_file"]) as service,
        ExitStack() as opened,
    ):
        silent = [opened.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10)) for _ in range(200)]
        for one in silent[:100]:
            one.sendall(b"\x16\x03\x01\x02\x00")
        started = time.monotonic()
        with closing(HTTPSConnection("localhost", service.port, timeout=20, context=trusting)) as connection:
            connection.request("GET", "/health")
            assert connection.getresponse().status == 200
        assert time.monotonic() - started < 3
