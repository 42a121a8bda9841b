"""Floor 7: who may call: a client's token is checked before anything of the body is read, and before any route is looked at."""

from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Final, Protocol

from flask import Flask, Response, abort, g, request

from cds_service.clients.registry import Client
from cds_service.clients.tokens import TokenRefused
from cds_service.hooks.json_text import json_text
from cds_service.service import ClientWishes
from cds_service.web.errors import json_response

API: Final = "/cds-services"
_OPEN: Final = ("/health", "/metrics")
"""What answers without a token where a registry is in force; everything else but the API answers 404."""
CALLED_AS: Final = "cds_service.called_as"
"""Where the WSGI environment keeps the path as it was called, before slashes were set right: a token may name it."""
_LONGEST_LANGUAGES: Final = 256
_REFUSAL: Final = json_text(
    {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "login",
                "details": {
                    "coding": [{"code": "HTTP-401"}],
                    "text": "Found no token that lets its bearer in; expected Authorization: Bearer with a CDS Hooks client JWT.",
                },
            }
        ],
    }
)
"""One answer for every reason: the caller must not learn which clients there are, nor how near a forgery came."""


class Gate(Protocol):
    """Tells which client an Authorization header belongs to."""

    def client_of(self, authorization: str, addresses: Collection[str]) -> Client:
        """Return the client that signed for one of these addresses; raises TokenRefused."""


def admit(app: Flask, gate: Gate | None, public_url: str, report: Callable[[str, str], None]) -> None:
    """Let through whom the gate knows, `g.client` then being who it is; without a gate (development) everybody.

    `report` is told the code of each refusal, and the client's name where that is sure.
    """

    def check() -> Response | None:
        g.client = None
        if gate is None or request.method == "OPTIONS" or _is_under(_OPEN):
            return None
        if not _is_under((API,)):
            abort(HTTPStatus.NOT_FOUND)
        try:
            g.client = gate.client_of(_authorization(), _addresses(public_url))
        except TokenRefused as refused:
            report(refused.code, refused.client)
            return _refusal()
        return None

    app.before_request(check)


def client_wishes() -> ClientWishes:
    """Say what the client of this request asks of its answer; its own language stands above that of the page it comes from."""
    client: Client | None = g.get("client")
    if client is None:
        return ClientWishes(languages=_languages())
    languages = (client.language,) if client.language else _languages()
    return ClientWishes(client.name, languages, client.profile, client.site, client.fhir_servers)


def _is_under(places: Collection[str]) -> bool:
    return any(request.path == place or request.path.startswith(place + "/") for place in places)


def _authorization() -> str:
    """Return the header; several are joined by commas, which no token holds."""
    return ",".join(request.headers.getlist("Authorization"))


def _addresses(public_url: str) -> frozenset[str]:
    """Return the address called, by the settings alone: the Host header is the caller's to choose."""
    return frozenset(public_url + path for path in (request.path, request.environ.get(CALLED_AS, request.path)))


def _languages() -> tuple[str, ...]:
    """Return the languages of Accept-Language, the best first; a header of odd length is as good as none."""
    if len(request.headers.get("Accept-Language", "")) > _LONGEST_LANGUAGES:
        return ()
    return tuple(language for language, quality in request.accept_languages if language and quality > 0)


def _refusal() -> Response:
    response = json_response(_REFUSAL, HTTPStatus.UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
