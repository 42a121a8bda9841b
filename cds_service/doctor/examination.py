"""Floor 7: the whole examination of a service, in the order in which an EHR would meet its parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from cds_service.doctor.calls import call, feedback, malformed_body, trailing_slash, unknown_service
from cds_service.doctor.discovery import Service, discover
from cds_service.doctor.port import Ehr, Finding, note, problem
from cds_service.doctor.sample import Request
from cds_service.doctor.trust import misused_tokens, preflight, tokens

_ASKED: Final = "the service wants to know who calls; give --key, --issuer and --kid of a client that it knows to go on"
_REFUSED: Final = (
    'the token of --key is refused; the caller is not told why. This service\'s log has the reason: a line with "event": "refused" '
    "and a code TOKEN-… that docs/errors.md explains"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of an examination: whether the EHR is a browser page, and whether feedback may be left behind."""

    is_browser_needed: bool = False
    with_feedback: bool = True


def base_of(url: str) -> str:
    """Read the address as people give it: the bare service, or its discovery, with or without slashes at the end."""
    return url.rstrip("/").removesuffix("/cds-services").rstrip("/")


def examine(ehr: Ehr, url: str, recorded: Request, wish: Wish) -> Iterator[Finding]:
    """Play the EHR against the service at an address; `recorded` is an order-sign request to play with."""
    base = base_of(url)
    reply, services, found = discover(ehr, base)
    yield from found
    if not reply.status:
        return
    yield from preflight(ehr, f"{base}/cds-services", "GET", is_needed=wish.is_browser_needed)
    yield from tokens(ehr, f"{base}/cds-services")
    if reply.status == HTTPStatus.UNAUTHORIZED:
        yield problem("calls", _REFUSED if ehr.authorize(base) else _ASKED)
        return
    yield from misused_tokens(ehr, f"{base}/cds-services")
    if not any(service["hook"] == "order-sign" for service in services):
        yield note("calls", "no service for order-sign: nothing is asked when an order is signed")
    for service in services:
        yield from _service(ehr, f"{base}/cds-services/{service['id']}", service, recorded, wish)
    if services:
        yield from _wrong_calls(ehr, base, services, recorded)


def _service(ehr: Ehr, url: str, service: Service, recorded: Request, wish: Wish) -> Iterator[Finding]:
    """Ask permission, call, and give feedback on the first card that can take it."""
    yield from preflight(ehr, url, "POST", is_needed=wish.is_browser_needed)
    cards, found = call(ehr, url, service, recorded)
    yield from found
    card = next((card for card in cards if "uuid" in card), None)
    if wish.with_feedback and card:
        yield from feedback(ehr, url, card)


def _wrong_calls(ehr: Ehr, base: str, services: Sequence[Service], recorded: Request) -> Iterator[Finding]:
    """Make the mistakes that sites make."""
    url = f"{base}/cds-services/{services[0]['id']}"
    yield from trailing_slash(ehr, url, services[0], recorded)
    yield from unknown_service(ehr, base)
    yield from malformed_body(ehr, url)
