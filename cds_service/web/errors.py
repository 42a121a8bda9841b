"""Floor 7: every error as a JSON OperationOutcome that says what was found and what is expected, and nothing of the inside."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException, TooManyRequests

from cds_service.errors import RequestRefused
from cds_service.hooks.json_text import json_text
from cds_service.web.gateway import BODY_TROUBLE

_KNOWN: Final = {
    HTTPStatus.BAD_REQUEST: ("HTTP-400", "structure", "a request that could not be read", "a complete HTTP request"),
    HTTPStatus.NOT_FOUND: ("HTTP-404", "not-found", "no such address here", "an address that GET /cds-services names"),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "HTTP-405",
        "not-supported",
        "a method that this address does not take",
        "a method of the Allow header",
    ),
    HTTPStatus.REQUEST_TIMEOUT: (
        "HTTP-408",
        "timeout",
        "a body that was still not whole when the time for it was over",
        "the whole body in time",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: ("HTTP-429", "throttled", "too many bodies on their way at once", "the same request again later"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("HTTP-413", "too-long", "a body over the size limit", "at most {limit} bytes"),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "HTTP-415",
        "not-supported",
        "another content type or a content coding",
        "Content-Type application/json, without Content-Encoding",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "HTTP-500",
        "exception",
        "an error inside the service: this order was NOT checked",
        "the same request again later; the X-Request-Id header finds the error in the service's log",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "HTTP-503",
        "transient",
        "a store that is not available: nothing was kept",
        "the same request again later",
    ),
}
"""What each status tells the client: stable code, FHIR issue type, found, expected."""


def answer_errors(app: Flask, report: Callable[[Exception], None]) -> None:
    """Answer refusals, HTTP errors and unforeseen errors as JSON; `report` is told of the unforeseen ones.

    The last handler is the one broad `except` of the program.
    """

    def unforeseen(error: Exception) -> Response:
        report(error)
        return http_error(HTTPStatus.INTERNAL_SERVER_ERROR)

    app.before_request(_say_what_came_of_the_body)
    app.register_error_handler(RequestRefused, _refused)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, unforeseen)


def json_response(text: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Wrap JSON text as a response."""
    return Response(text, status=status, content_type="application/json")


def _say_what_came_of_the_body() -> None:
    """Answer in place of the route where the gateway could not get the whole body."""
    trouble = request.environ.get(BODY_TROUBLE)
    if trouble == HTTPStatus.TOO_MANY_REQUESTS:
        raise TooManyRequests(retry_after=1)
    if trouble:
        abort(trouble)


def _refused(error: RequestRefused) -> Response:
    """Answer a request that the service refuses on purpose."""
    return _outcome(error.status, error.issue, error.code, error.found, error.expected)


def _http_exception(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug refuse, keeping their Allow and Retry-After headers."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    response = http_error(status)
    response.headers.extend([(name, value) for name, value in error.get_headers() if name in {"Allow", "Retry-After"}])
    return response


def http_error(status: HTTPStatus) -> Response:
    """Build the answer for a status of the table; another status is told by its own standard phrase."""
    code, issue, found, expected = _KNOWN.get(
        status, (f"HTTP-{status.value}", "processing", status.phrase.lower(), "a request that the documentation describes")
    )
    return _outcome(status, issue, code, found, expected.format(limit=request.max_content_length))


def _outcome(status: HTTPStatus, issue: str, code: str, found: str, expected: str) -> Response:
    """Build the OperationOutcome (FHIR R4; CDS Hooks 3.0, #returning-operationoutcome)."""
    sentence = f"Found {found}; expected {expected}."
    details = {"coding": [{"code": code}], "text": sentence}
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": issue, "details": details}]}
    return json_response(json_text(outcome), status)
