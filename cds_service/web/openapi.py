"""Floor 7: `GET /openapi.json`: the routes of the service and their messages as an OpenAPI 3.1 document, for tools and tests."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from flask import Blueprint, Response

from cds_service import __version__
from cds_service.hooks.discovery import ServiceDescription
from cds_service.hooks.feedback import LONGEST_NAME, MOST_ITEMS
from cds_service.hooks.json_text import json_text
from cds_service.hooks.parse import LONGEST_ID
from cds_service.web.errors import json_response

Schema = dict[str, Any]
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_ABSOLUTE: Final[Schema] = {"type": "string", "pattern": "^https?://"}
_UUID: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_TEXT_ANSWER: Final[Schema] = {
    "200": {"description": "The text format of Prometheus", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
_READY: Final[Schema] = {
    status: {"description": told, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ready"}}}}
    for status, told in (("200", "Ready"), ("503", "Not ready, and why"))
}
_REFUSALS: Final[Mapping[int, str]] = {
    400: "No strict JSON, or no message of CDS Hooks",
    401: "No token that lets its bearer in; with a client registry only",
    404: "No such service",
    405: "Another method",
    412: "Data that could not be had; with CDS_MISSING_DATA=412 only",
    408: "A body that was not whole in time",
    413: "Over the size limit",
    415: "No JSON, or a content coding",
    429: "More bodies on their way than the service holds",
    500: "An error inside the service: nothing was checked",
    503: "The store is down: nothing was kept",
}


def openapi(services: Callable[[], Iterable[ServiceDescription]]) -> Blueprint:
    """Make the route `/openapi.json`."""
    blueprint = Blueprint("openapi", __name__)

    @blueprint.get("/openapi.json")
    def document() -> Response:
        return json_response(json_text(openapi_document(services())))

    return blueprint


def openapi_document(services: Iterable[ServiceDescription]) -> Schema:
    """Describe every route; each service has an address of its own, because each takes its own hook."""
    offered = tuple(services)
    paths = {path: item for service in offered for path, item in _paths(service).items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CDS Hooks service",
            "version": __version__,
            "description": "Decision support for medication orders. The messages are those of CDS Hooks 2.0.1 (https://cds-hooks.hl7.org).",
        },
        "paths": {
            "/cds-services": {"get": _operation("discover", "What the services are and want", _ok("Discovery"), (401,))},
            **paths,
            "/health": {"get": _operation("health", "Whether the process lives", _ok("Health"), ()) | {"security": []}},
            "/ready": {"get": _operation("ready", "Whether the answers are those expected of the rules", _READY, ()) | {"security": []}},
            "/metrics": {"get": _operation("metrics", "Figures for Prometheus", _TEXT_ANSWER, ()) | {"security": []}},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"client": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{}, {"client": []}],
    }


def _paths(service: ServiceDescription) -> Schema:
    """Describe the two addresses of one service."""
    call = _operation(f"call-{service.id}", service.title, _ok("Answer"), (400, 401, 408, 412, 413, 415, 429, 500))
    feedback = _operation(
        f"feedback-{service.id}", "What clinicians did with cards", _ok("Received"), (400, 401, 408, 413, 415, 429, 500, 503)
    )
    return {
        f"/cds-services/{service.id}": {"post": call | _body(_request(service.hook))},
        f"/cds-services/{service.id}/feedback": {"post": feedback | _body({"$ref": "#/components/schemas/Feedback"})},
    }


def _operation(name: str, summary: str, answers: Schema, refusals: Iterable[int]) -> Schema:
    refused = {str(status): _json(_REFUSALS[status], "OperationOutcome") for status in refusals}
    return {"operationId": name, "summary": summary, "responses": answers | refused}


def _ok(schema: str) -> Schema:
    return {"200": _json("What was asked for", schema)}


def _json(description: str, schema: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _body(schema: Schema) -> Schema:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _object(required: Iterable[str] = (), *, closed: bool = False, **members: Schema) -> Schema:
    """Describe an object; closed ones have no other members."""
    bounds: Schema = {"additionalProperties": False} if closed else {}
    return {"type": "object", "properties": members, **({"required": list(required)} if required else {}), **bounds}


def _list(items: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": items, **bounds}


def _request(hook: str) -> Schema:
    """Describe what is taken; members that other versions and EHRs add are passed over."""
    any_object = _object()
    context = _object(
        patientId={"type": "string", "pattern": f"^(Patient/)?[A-Za-z0-9][A-Za-z0-9.-]{{0,{LONGEST_ID - 1}}}$"},
        userId={"type": "string"},
        encounterId={"type": "string"},
        draftOrders=_object(resourceType={"const": "Bundle"}, entry=_list(_object(resource=any_object))),
        selections=_list({"type": "string"}),
    )
    return _object(
        ["hook", "context"],
        hook={"const": hook},
        hookInstance={"type": "string", "maxLength": LONGEST_ID},
        context=context,
        prefetch=any_object,
        fhirServer={"type": "string"},
        fhirAuthorization=any_object,
        extension=any_object,
    )


def _schemas() -> Schema:
    """Describe the messages."""
    item = _object(
        ["card", "outcome"],
        card={"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
        outcome={"enum": ["accepted", "overridden"]},
        acceptedSuggestions=_list(_object(id={"type": "string"})),
        overrideReason=_object(reason=_object(code={"type": "string"}, system={"type": "string"}), userComment={"type": "string"}),
        outcomeTimestamp={"type": "string"},
    )
    return {
        "Discovery": _object(["services"], closed=True, services=_list(_service())),
        "Answer": _object(["cards"], closed=True, cards=_list(_card())),
        "Feedback": _object(["feedback"], feedback=_list(item, minItems=1, maxItems=MOST_ITEMS)),
        "Received": _object(["received"], closed=True, received={"type": "integer", "minimum": 0}),
        "Ready": _ready(),
        "Health": _object(["status"], status=_TEXT, version=_TEXT),
        "OperationOutcome": _outcome(),
    }


def _ready() -> Schema:
    pack = _object(["site", "version", "hash"], site={"type": "string"}, version=_TEXT, hash=_TEXT)
    texts = _list(_TEXT, minItems=1)
    return _object(
        ["status"], status={"enum": ["ready", "not ready"]}, reasons=texts, packs=_list(pack, minItems=1), newerPackRefused=texts
    )


def _service() -> Schema:
    return _object(
        ["hook", "description", "id"],
        closed=True,
        hook=_TEXT,
        title=_TEXT,
        description=_TEXT,
        id=_TEXT,
        prefetch=_object() | {"additionalProperties": _TEXT, "minProperties": 1},
        usageRequirements=_TEXT,
        version=_TEXT,
        hookVersion=_TEXT,
    )


def _card() -> Schema:
    coding = _object(["system", "code"], closed=True, system=_TEXT, code=_TEXT, display=_TEXT)
    card = _object(
        ["uuid", "summary", "indicator", "source"],
        closed=True,
        uuid=_UUID,
        summary={"type": "string", "minLength": 1, "maxLength": 139},
        detail=_TEXT,
        indicator={"enum": ["info", "warning", "critical"]},
        source=_object(["label"], closed=True, label=_TEXT, url=_ABSOLUTE, icon=_ABSOLUTE, topic=coding),
        suggestions=_list(_suggestion(), minItems=1),
        selectionBehavior={"enum": ["at-most-one", "any"]},
        overrideReasons=_list(coding, minItems=1),
        links=_list(_object(["label", "url", "type"], closed=True, label=_TEXT, url=_ABSOLUTE, type={"const": "absolute"}), minItems=1),
        extension=_object(),
    )
    return card | {"dependentRequired": {"suggestions": ["selectionBehavior"]}}


def _suggestion() -> Schema:
    resource = _object(["resourceType"])
    kind = {"enum": ["create", "update", "delete"]}
    action = _object(["type", "description"], closed=True, type=kind, description=_TEXT, resource=resource, resourceId=_TEXT)
    return _object(
        ["label", "uuid"], closed=True, label=_TEXT, uuid=_UUID, isRecommended={"const": True}, actions=_list(action, minItems=1)
    )


def _outcome() -> Schema:
    """Describe the OperationOutcome, whose code docs/errors.md explains."""
    details = _object(["coding", "text"], coding=_list(_object(["code"], code=_TEXT), minItems=1), text=_TEXT)
    issue = _object(["severity", "code", "details"], severity={"const": "error"}, code=_TEXT, details=details)
    return _object(["resourceType", "issue"], resourceType={"const": "OperationOutcome"}, issue=_list(issue, minItems=1))
