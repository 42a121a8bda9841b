"""Floor 7: what an EHR would send to a service, made from a recorded request."""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from cds_service.doctor.discovery import Service

Request = Mapping[str, Any]
_ORDER_HOOKS: Final = ("order-sign", "order-select")
_SENT: Final = ("patientId", "userId", "encounterId")


def request_for(service: Service, recorded: Request) -> dict[str, Any]:
    """Shape a recorded order request for the hook and the prefetch keys of a service.

    Neither `fhirServer` nor token go with it: the service would call an address that means something else where it runs.
    """
    hook = service["hook"]
    context = recorded["context"]
    sent = context.get("draftOrders")
    orders = sent if isinstance(sent, dict) else {"resourceType": "Bundle", "type": "collection"}
    drafts = {"draftOrders": orders} if hook in _ORDER_HOOKS else {}
    selections = {"selections": _references(orders)} if hook == "order-select" else {}
    brought = recorded.get("prefetch")
    prefetch = _prefetch(_templates(service), brought if isinstance(brought, dict) else {})
    return {
        "hook": hook,
        "hookInstance": str(uuid.uuid4()),
        "context": {**{name: context[name] for name in _SENT if name in context}, **drafts, **selections},
        **({"prefetch": prefetch} if prefetch else {}),
    }


def _references(bundle: Request) -> list[str]:
    return [f"{one['resourceType']}/{one['id']}" for one in _resources(bundle) if "resourceType" in one and "id" in one]


def _resources(bundle: Request) -> list[Request]:
    """Return the resources of a Bundle, as far as they are such."""
    entries = bundle.get("entry")
    found = [entry.get("resource") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [one for one in found if isinstance(one, dict)]


def _templates(service: Service) -> Mapping[str, str]:
    """Return the templates that can be read."""
    sent = service.get("prefetch")
    return {key: query for key, query in sent.items() if isinstance(query, str)} if isinstance(sent, dict) else {}


def _prefetch(templates: Mapping[str, str], recorded: Request) -> dict[str, Any]:
    """Fill each key of the service with the recorded value of the same type of resource; what was not recorded is left out."""
    by_type: dict[str, Any] = {}
    for value in recorded.values():
        if isinstance(value, dict):
            by_type.setdefault(_type_of(value), _without_links(value))
    wanted = {key: _type_wanted(query) for key, query in templates.items()}
    return {key: by_type[kind] for key, kind in wanted.items() if kind in by_type}


def _without_links(value: Request) -> Request:
    """Take off what says which search was recorded: the value now answers another one."""
    return {name: part for name, part in value.items() if name != "link"}


def _type_wanted(query: str) -> str:
    """Name the resource type that a template reads."""
    return query.partition("?")[0].partition("/")[0]


def _type_of(value: Request) -> str:
    """Name the resource type that a recorded value holds: its own, or that of a Bundle's first entry."""
    if value.get("resourceType") != "Bundle":
        return str(value.get("resourceType", ""))
    return next((str(one.get("resourceType", "")) for one in _resources(value)), "")
