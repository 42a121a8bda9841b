"""Floor 7: who may call: a client's token is checked before anything of the body is read, and before any route is looked at."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from flask import Flask, Response, abort, g, request

from cds_service.clients.registry import Client
from cds_service.clients.tokens import TokenRefused
from cds_service.hooks.json_text import json_text
from cds_service.service import ClientWishes
from cds_service.web.errors import json_response
from cds_service.web.paths import CALLED_AS, plain_path
from cds_service.web.proxies import forwarded_user

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

API: Final = "/cds-services"
WORKBENCH: Final = "/workbench"
"""Pages for people: where a registry is in force, for those alone whom a trusted proxy has signed in and names."""
_OPEN: Final = ("/health", "/ready", "/metrics")
"""What answers without a token where a registry is in force; everything else but the API answers 404."""
_SEEN: Final = "cds_service.seen"
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


@dataclass(frozen=True, slots=True)
class Screen:
    """Looks at the head of a request before anything of its body is read; `public_url` is where clients reach the service."""

    gate: Gate
    public_url: str

    def look(self, environ: "WSGIEnvironment") -> Client | TokenRefused | None:
        """Return who calls, or why not; None where no token is asked for. A request is looked at once: that uses its token up."""
        if _SEEN not in environ:
            environ[_SEEN] = self._look(environ)
        seen: Client | TokenRefused | None = environ[_SEEN]
        return seen

    def lets_in(self, environ: "WSGIEnvironment") -> bool:
        """Tell whether the body of a request is worth reading."""
        return not isinstance(self.look(environ), TokenRefused)

    def _look(self, environ: "WSGIEnvironment") -> Client | TokenRefused | None:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") == "OPTIONS" or not _is_under(plain_path(path), (API,)):
            return None
        called = environ.get(CALLED_AS) or path
        addresses = frozenset([self.public_url + plain_path(path), self.public_url + called])
        try:
            return self.gate.client_of(environ.get("HTTP_AUTHORIZATION", ""), addresses)
        except TokenRefused as refused:
            return refused


def admit(app: Flask, screen: Screen | None, report: Callable[[str, str], None]) -> None:
    """Let through whom the screen knows, `g.client` then being who it is; without one (development) everybody.

    `report` is told the code of each refusal, and the client's name where that is sure.
    """

    def check() -> Response | None:
        g.client = None
        if screen is None or request.method == "OPTIONS" or _is_under(request.path, _OPEN):
            return None
        if _is_under(request.path, (WORKBENCH,)) and forwarded_user():
            return None
        if not _is_under(request.path, (API,)):
            abort(HTTPStatus.NOT_FOUND)
        seen = screen.look(request.environ)
        if isinstance(seen, TokenRefused):
            report(seen.code, seen.client)
            return _refusal()
        g.client = seen
        return None

    app.before_request(check)


def client_wishes() -> ClientWishes:
    """Say what the client of this request asks of its answer; its own language stands above that of the page it comes from."""
    client: Client | None = g.get("client")
    if client is None:
        return ClientWishes(languages=_languages())
    languages = (client.language,) if client.language else _languages()
    return ClientWishes(client.name, languages, client.profile, client.site, client.fhir_servers)


def _is_under(path: str, places: Collection[str]) -> bool:
    return any(path == place or path.startswith(place + "/") for place in places)


def _languages() -> tuple[str, ...]:
    """Return the languages of Accept-Language, the best first; a header of odd length is as good as none."""
    if len(request.headers.get("Accept-Language", "")) > _LONGEST_LANGUAGES:
        return ()
    return tuple(language for language, quality in request.accept_languages if language and quality > 0)


def _refusal() -> Response:
    response = json_response(_REFUSAL, HTTPStatus.UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
