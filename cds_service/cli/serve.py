"""Floor 8: `cds-service serve`, the production server."""

import os
from collections.abc import Callable
from typing import Final

import click
from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import MPServer

from cds_service.app import from_environment, settle_memory
from cds_service.cli.listening import check_network, check_port
from cds_service.settings import Settings, is_loopback, read_settings, unknown_variables

_STOP_SECONDS: Final = 10
"""How long a stopping process may finish what it has begun."""
_SERVER_LOG: Final = {
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"},
        "access": {"class": "logging.NullHandler"},
    },
}
"""The server's own words go to standard error, so that standard output holds nothing but the lines of the log."""


@click.command()
@click.option("--host", help="Address to listen on.  [CDS_HOST; 127.0.0.1]")
@click.option("--port", help="Port to listen on.  [CDS_PORT; 8000]")
def serve(host: str | None, port: str | None) -> None:
    """Start the service; docs/settings.md has all settings."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    run(read_settings(**given), from_environment)


def run(settings: Settings, load: Callable[[], Flask]) -> None:
    """Serve what `load` makes until SIGTERM or SIGINT; `load` is a function of a module, so that each process can find it.

    It is called here first: what is wrong with the rules is told before anything listens, and where processes are
    forked they share what was read. Raises SettingsRefused and whatever `load` raises.
    """
    for warning in unknown_variables(os.environ):
        click.echo(f"Warning: {warning}", err=True)
    check_network(settings)
    load()
    settle_memory()
    check_port(settings)
    click.echo(_greeting(settings), err=True)
    _server(settings).serve(target_loader=load, wrap_loader=False)


def _server(settings: Settings) -> MPServer:
    """Set the server up: HTTP/1.1 behind the site's own proxy, threads that a slow sender can hold without harm to others."""
    return MPServer(
        "cds_service",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.workers,
        blocking_threads=settings.threads,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOP_SECONDS,
        log_level=LogLevels.error,
        log_dictconfig=_SERVER_LOG,
    )


def _greeting(settings: Settings) -> str:
    """Say where the service listens, what to try first, and what the present settings leave open."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{settings.port}"
    if settings.clients_file:
        known = f"Clients: those of {settings.clients_file}, with tokens for {settings.public_url}/cds-services"
        return f"Listening on {base} (Ctrl+C stops)\n{known}"
    lines = [
        f"Listening on {base} (Ctrl+C stops)",
        f"Try:     curl {base}/cds-services",
        f"Sandbox: https://sandbox.cds-hooks.org, CDS Services, discovery endpoint {base}/cds-services",
        "Warning: nothing checks who calls. " + _who_can_call(settings),
    ]
    return "\n".join(lines)


def _who_can_call(settings: Settings) -> str:
    """Say who gets answers without a client registry."""
    if is_loopback(settings.host):
        return "Only programs on this machine can reach the service."
    return "Anybody who reaches the port gets answers (CDS_SERVE_WITHOUT_AUTHENTICATION is on)."
