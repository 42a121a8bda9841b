"""Floor 8: `cds-service clients check`: is the registry right, and does every address in it answer?"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click
import urllib3
from urllib3.exceptions import HTTPError

from cds_service.clients.fetch import read_source
from cds_service.clients.keys import KeySetRefused, read_key_set
from cds_service.clients.registry import Client, Registry, read_registry
from cds_service.errors import RulebookInvalid, SettingsRefused
from cds_service.pack import read_packs
from cds_service.settings import Settings, read_settings

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_SECONDS: Final = 5.0
_UNFIT: Final = 500
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
    lines = [*_beside(registry, settings), *(line for client in registry.clients for line in _client(client, offline=offline))]
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
        packs = read_packs(settings.rules_dir, settings.cards_dir, ["", *registry.sites()])
    except RulebookInvalid as error:
        yield False, str(error)
        return
    spoken = packs[""].cards.words
    for client in registry.clients:
        if client.language and not {client.language, client.language.partition("-")[0]} & set(spoken):
            yield False, f"{client.name}: language {client.language} has no cards; answers are in English; there are: {', '.join(spoken)}"


def _client(client: Client, *, offline: bool) -> Iterator[Line]:
    """Try what one client names."""
    if client.jwks_file or not offline:
        yield _key_set(client)
    for base in () if offline else client.fhir_servers:
        yield _fhir_server(client, base)


def _key_set(client: Client) -> Line:
    place = f"{client.name}: key set {client.jwks_file or client.jwks_url}"
    try:
        keys = read_key_set(read_source(client))
    except KeySetRefused as error:
        return False, f"{place}: {error}"
    usable = sorted({kid for kid, algorithm in keys if algorithm in client.algorithms})
    found = f"{len(usable)} keys for {', '.join(client.algorithms)}"
    return bool(usable), f"{place}: {found}{_named(usable)}"


def _named(kids: Iterable[str]) -> str:
    shown = ", ".join(repr(kid) for kid in kids)
    return f" ({shown})" if shown else " with a 'kid'"


def _fhir_server(client: Client, base: str) -> Line:
    """Ask for the capability statement, without a token: that something answers is all that can be known beforehand."""
    place = f"{client.name}: FHIR server {base}"
    with urllib3.PoolManager(retries=False, timeout=_SECONDS, headers={"Accept": "application/fhir+json"}) as pool:
        try:
            response = pool.request("GET", f"{base}/metadata", redirect=False, preload_content=False)
        except (HTTPError, OSError) as error:
            return False, f"{place}: no answer ({type(error).__name__})"
        response.close()
    return response.status < _UNFIT, f"{place}: answers with status {response.status}"
