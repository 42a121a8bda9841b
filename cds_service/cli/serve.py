"""Floor 8: `cds-service serve`, the production server."""

import os
from collections.abc import Callable
from functools import partial
from typing import Final

import click
from flask import Flask
from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from cds_service.app import from_environment, gateway, settle_memory
from cds_service.cli.listening import check_listening, check_network
from cds_service.metrics import shared_figures
from cds_service.settings import Settings, is_loopback, read_settings, unknown_variables

_START_SECONDS: Final = 15.0
"""How long a process that takes another's place (SIGHUP) may read rules before the other one stops."""
_STOP_SECONDS: Final = 10
"""How long a stopping process may finish what it has begun."""
_HEAD_MILLISECONDS: Final = 10_000
"""How long the head of a request may take to come, and a connection may stay open without one."""
_CONNECTIONS: Final = 4096
"""Connections that each process holds open at a time: a sender that waits or drips costs no more than that."""
_SOCKET_MODE: Final = 0o660
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
    with shared_figures():
        load()
        settle_memory()
        check_listening(settings)
        click.echo(_greeting(settings), err=True)
        _server(settings).serve(target_loader=partial(gateway, load, settings), wrap_loader=False)


def _server(settings: Settings) -> MPServer:
    """Set the server up: HTTP/1.1, connections that wait or drip beside the threads that answer, which are the gateway's."""
    return MPServer(
        "cds_service",
        address=settings.host,
        port=settings.port,
        uds=settings.unix_socket,
        uds_permissions=_SOCKET_MODE if settings.unix_socket else None,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEAD_MILLISECONDS),
        websockets=False,
        loop=Loops.asyncio,
        workers=settings.workers,
        backlog=_CONNECTIONS,
        backpressure=_CONNECTIONS,
        ssl_cert=settings.tls_certificate_file,
        ssl_key=settings.tls_key_file,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=True,
        respawn_interval=_START_SECONDS,
        workers_kill_timeout=_STOP_SECONDS,
        log_level=LogLevels.error,
        log_dictconfig=_SERVER_LOG,
    )


def _greeting(settings: Settings) -> str:
    """Say where the service listens, what to try first, and what the present settings leave open."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"{'https' if settings.tls_certificate_file else 'http'}://{host}:{settings.port}"
    if settings.unix_socket:
        base = f"unix:{settings.unix_socket}"
    if settings.clients_file:
        known = f"Clients: those of {settings.clients_file}, with tokens for {settings.public_url}/cds-services"
        return f"Listening on {base} (Ctrl+C stops)\n{known}"
    tries = [
        f"Try:     curl {base}/cds-services",
        f"Look:    {base}/workbench in a browser",
        f"Sandbox: https://sandbox.cds-hooks.org, CDS Services, discovery endpoint {base}/cds-services",
    ]
    if settings.unix_socket:
        tries = [f"Try:     curl --unix-socket {settings.unix_socket} http://localhost/cds-services"]
    return "\n".join([f"Listening on {base} (Ctrl+C stops)", *tries, f"Warning: nothing checks who calls. {_who_can_call(settings)}"])


def _who_can_call(settings: Settings) -> str:
    """Say who gets answers without a client registry."""
    if settings.unix_socket:
        return "Programs of the service's user and group can reach it through the socket."
    if is_loopback(settings.host):
        return "Only programs on this machine can reach the service."
    return "Anybody who reaches the port gets answers (CDS_SERVE_WITHOUT_AUTHENTICATION is on)."
