"""Floor 7: discovery and calls of CDS Hooks over HTTP."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from flask import Blueprint, Response, abort, g, request

from cds_service.hooks.call import HookCall
from cds_service.hooks.discovery import ServiceDescription, discovery_answer
from cds_service.hooks.json_text import json_text
from cds_service.hooks.parse import read_call
from cds_service.service import ClientWishes
from cds_service.web.errors import json_response
from cds_service.web.trust import client_wishes

CALL_ROUTE: Final = "/cds-services/<service_id>"
_JSON_TYPES: Final = frozenset(["application/json", "application/fhir+json"])


class Advisor(Protocol):
    """What the web floor needs of the rest of the program."""

    def services(self) -> tuple[ServiceDescription, ...]:
        """Return the services on offer, in the order in which discovery names them."""

    def advise(self, call: HookCall, client: ClientWishes) -> Mapping[str, Any]:
        """Return the answer to one call, as JSON values: `{"cards": […]}`."""


def cds_services(advisor: Advisor, specification: str) -> Blueprint:
    """Make the routes `/cds-services` and `/cds-services/<id>`; `specification` is the CDS Hooks version advertised."""
    blueprint = Blueprint("cds_services", __name__)

    @blueprint.get("/cds-services")
    def discover() -> Response:
        return json_response(json_text(discovery_answer(advisor.services(), specification)))

    @blueprint.post(CALL_ROUTE)
    def call(service_id: str) -> Response:
        hook = next((service.hook for service in advisor.services() if service.id == service_id), None) or abort(404)
        answer = advisor.advise(read_call(read_body(), hook), client_wishes())
        g.cards = len(answer["cards"])
        return json_response(json_text(answer))

    return blueprint


def read_body() -> bytes:
    """Read the body of a message, up to the size limit; a compressed body is refused, because it can hide a bomb."""
    if request.mimetype not in _JSON_TYPES or request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        abort(415)
    body = request.get_data(cache=False)
    is_full = len(body) == request.max_content_length and "wsgi.input_terminated" in request.environ
    if is_full and request.environ["wsgi.input"].read(1):  # Werkzeug stops at the limit of a chunked body without a word
        abort(413)
    return body
