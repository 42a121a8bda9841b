"""Floor 8: where the service may listen: refused where it would be unsafe, or where nothing can listen."""

import socket

from cds_service.errors import SettingsRefused
from cds_service.settings import Settings, is_loopback


def check_network(settings: Settings) -> None:
    """Refuse to listen to the network while nothing checks who calls, unless the setting that names this risk is on."""
    if is_loopback(settings.host) or settings.clients_file or settings.serve_without_authentication:
        return
    raise SettingsRefused(
        f"SET-002 CDS_HOST: found {settings.host!r}; expected a loopback address (127.0.0.1), because nothing checks who calls: "
        "anybody who reaches the port would get answers. Name the clients in CDS_CLIENTS_FILE, or set CDS_SERVE_WITHOUT_AUTHENTICATION=true if something else guards the port."
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
