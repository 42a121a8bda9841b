"""Floor 8: where the service may listen, and with which certificate: refused where it would be unsafe or cannot work."""

import socket
import ssl
from contextlib import closing
from pathlib import Path

from cds_service.errors import SettingsRefused
from cds_service.settings import Settings, is_loopback

_PKCS8 = b"-----BEGIN PRIVATE KEY-----"


def check_listening(settings: Settings) -> None:
    """Refuse whatever would keep the service from listening as the settings say; raises SettingsRefused."""
    check_network(settings)
    check_certificate(settings)
    if settings.unix_socket:
        clear_socket(settings.unix_socket)
    else:
        check_port(settings)


def check_network(settings: Settings) -> None:
    """Refuse to listen to the network while nothing checks who calls, unless the setting that names this risk is on."""
    is_open = not (settings.unix_socket or is_loopback(settings.host))
    if not is_open or settings.clients_file or settings.serve_without_authentication:
        return
    raise SettingsRefused(
        f"SET-002 CDS_HOST: found {settings.host!r}; expected a loopback address (127.0.0.1), because nothing checks who calls: "
        "anybody who reaches the port would get answers. Name the clients in CDS_CLIENTS_FILE, or set CDS_SERVE_WITHOUT_AUTHENTICATION=true if something else guards the port."
    )


def check_certificate(settings: Settings) -> None:
    """Refuse half of what https needs, a key that does not belong to the certificate, and a form of key that the server cannot read."""
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        missing = "CDS_TLS_CERTIFICATE_FILE" if certificate is None else "CDS_TLS_KEY_FILE"
        raise SettingsRefused(f"SET-006 {missing}: found nothing; expected both files, or neither")
    try:
        is_readable = key.read_bytes().lstrip().startswith(_PKCS8)
        if is_readable:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "no PEM"
        raise SettingsRefused(
            f"SET-006 CDS_TLS_CERTIFICATE_FILE, CDS_TLS_KEY_FILE: found files that cannot be used together ({reason}); expected a certificate and its key"
        ) from None
    if not is_readable:
        raise SettingsRefused(
            f"SET-006 CDS_TLS_KEY_FILE: found another form of key; expected PKCS #8 without password: openssl pkcs8 -topk8 -nocrypt -in {key.name} -out new.pem"
        )


def check_port(settings: Settings) -> None:
    """Refuse a port that is taken: the server shares ports between processes, so that two services would answer in turn."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        place = f"{settings.host} port {settings.port}"
        raise SettingsRefused(
            f"SET-004 CDS_PORT: found {place}, where nothing can listen ({error.strerror}); expected a free port"
        ) from None


def clear_socket(path: Path) -> None:
    """Remove the socket that a killed service left behind; refuse one that somebody answers on, and any other kind of file."""
    if not path.exists():
        return
    if not path.is_socket():
        raise SettingsRefused(f"SET-004 CDS_UNIX_SOCKET: found {path}, which is no socket; expected a path where nothing is")
    with closing(socket.socket(socket.AF_UNIX)) as tried:
        try:
            tried.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise SettingsRefused(f"SET-004 CDS_UNIX_SOCKET: found {path}, where another program listens; expected a path where nothing is")
