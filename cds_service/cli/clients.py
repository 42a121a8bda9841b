"""Floor 8: `cds-service clients check`: is the registry right, and does every address in it answer?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import urllib3
from urllib3.exceptions import HTTPError, SSLError

from cds_service.app import site_files_of
from cds_service.clients.fetch import read_source
from cds_service.clients.keys import KeySetRefused, read_key_set
from cds_service.clients.registry import Client, Registry, read_registry
from cds_service.doctor.wire import why_not
from cds_service.errors import RulebookInvalid, SettingsRefused
from cds_service.pack import read_packs
from cds_service.settings import Settings, read_settings

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_SECONDS: Final = 5.0
_LARGEST_STATEMENT: Final = 32 * 1024 * 1024
_OK: Final = 200
_MOVED: Final = range(300, 400)
_LOCKED: Final = (401, 403)
FOUND: Final = 1
"""Exit status where an address does not answer or a site has no rules; 2 means that the registry itself is refused."""


@click.group()
def clients() -> None:
    """Systems that may call: the registry, clients.toml."""


@clients.command()
@click.argument("file", required=False, type=_FILE)
@click.option("--offline", is_flag=True, help="Try no address.")
def check(file: Path | None, *, offline: bool) -> None:
    """Check the registry FILE, or that of CDS_CLIENTS_FILE, and try each key set and FHIR server.

    Exit code 0: all is well; 1: something does not answer, or is not there; 2: the registry cannot be used.
    """
    settings = read_settings()
    place = file or settings.clients_file
    if place is None:
        raise SettingsRefused("CLIENT-008 no registry: expected a FILE, or CDS_CLIENTS_FILE")
    registry = read_registry(place)
    asked = "; nothing was asked (--offline)" if offline else ""
    lines = [
        (True, f"{place}: {len(registry.clients)} clients{asked}"),
        *_beside(registry, settings),
        *(line for client in registry.clients for line in _client(client, settings, offline=offline)),
    ]
    for is_well, line in lines:
        click.echo(f"{'ok      ' if is_well else 'PROBLEM '}{line}")
    if not all(is_well for is_well, _ in lines):
        raise SystemExit(FOUND)


Line = tuple[bool, str]


def _beside(registry: Registry, settings: Settings) -> Iterator[Line]:
    """Check what the registry needs of the rest: the public address, and rules and texts for its sites and languages."""
    if not settings.public_url:
        yield False, "CLIENT-007 CDS_PUBLIC_URL: is empty; expected the address that clients call: their tokens name it"
    elif settings.public_url.startswith("http://"):
        yield True, f"CDS_PUBLIC_URL: {settings.public_url} (plain http: tokens can be read on the way)"
    try:
        packs = read_packs(settings.rules_dir, settings.cards_dir, ["", *registry.sites()], site_files_of(settings))
    except RulebookInvalid as error:
        yield False, str(error)
        return
    spoken = packs[""].cards.words
    for client in registry.clients:
        if client.language and not {client.language, client.language.partition("-")[0]} & set(spoken):
            yield False, f"{client.name}: language {client.language} has no cards; answers are in English; there are: {', '.join(spoken)}"


def _client(client: Client, settings: Settings, *, offline: bool) -> Iterator[Line]:
    """Try what one client names."""
    if client.jwks_file or not offline:
        yield _key_set(client)
    for base in () if offline else client.fhir_servers:
        yield _fhir_server(client, base, settings.fhir_ca_file)


def _key_set(client: Client) -> Line:
    place = f"{client.name}: key set {client.jwks_file or client.jwks_url}"
    try:
        keys = read_key_set(read_source(client))
    except KeySetRefused as error:
        cause = error.__cause__
        hint = " (SSL_CERT_FILE names other authorities than the system's)" if isinstance(cause, SSLError) else ""
        reason = f"CLIENT-021 {why_not(cause)}{hint}" if isinstance(cause, HTTPError | OSError) else error
        return False, f"{place}: {reason}; until it can be read, none of this client's tokens is let in"
    usable = sorted({kid for kid, algorithm in keys if algorithm in client.algorithms})
    wanted = ", ".join(client.algorithms)
    if usable:
        return True, f"{place}: keys for {wanted}: {', '.join(repr(kid) for kid in usable)}"
    others = ", ".join(sorted({algorithm for _, algorithm in keys}))
    found = f"keys for {others} alone" if others else "no key that has a 'kid', is for signatures and is long enough"
    return False, f"{place}: found {found}; expected one for {wanted} ('algorithms' in the registry)"


def _fhir_server(client: Client, base: str, authorities: Path | None) -> Line:
    """Ask for the capability statement, without a token: that a FHIR server answers is all that can be known beforehand."""
    place = f"{client.name}: FHIR server {base}"
    with urllib3.PoolManager(
        retries=False, timeout=_SECONDS, ca_certs=str(authorities) if authorities else None, headers={"Accept": "application/fhir+json"}
    ) as pool:
        try:
            response = pool.request("GET", f"{base}/metadata", redirect=False, preload_content=False)
            text = response.read(_LARGEST_STATEMENT, decode_content=True)
        except (HTTPError, OSError) as error:
            hint = " (CDS_FHIR_CA_FILE names other authorities than the system's)" if isinstance(error, SSLError) else ""
            return False, f"{place}: {why_not(error)}{hint}"
        finally:
            pool.clear()
    is_well, said = _statement(response.status, text)
    return is_well, f"{place}: {said}"


def _statement(status: int, text: bytes) -> tuple[bool, str]:
    """Say what an answer to /metadata shows."""
    if status in _LOCKED:
        return True, f"answers with status {status}: it is there, and wants a token even for /metadata"
    if status in _MOVED:
        return False, f"answers with a redirect (status {status}); reads follow none: register the address that it leads to"
    if status != _OK:
        return False, f"answers GET /metadata with status {status}; expected 200: is this the base address, without anything behind it?"
    try:
        statement = json.loads(text)
        version = statement["fhirVersion"]
    except (ValueError, KeyError, TypeError):
        return False, "answers, but not with a CapabilityStatement in JSON; expected the base address of a FHIR R4 server"
    return str(version).startswith("4."), f"answers as FHIR {version}" + ("" if str(version).startswith("4.") else "; expected R4 (4.0.1)")
