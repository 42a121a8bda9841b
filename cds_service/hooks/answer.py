"""Floor 5: the answer of a CDS service (CDS Hooks 2.0.1, #cds-service-response), and its JSON without empty members."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Indicator = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Coding:
    """A trimmed FHIR Coding: `system` and `code` required, `display` where a person reads it."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Who says so; `url` and `icon` are absolute, `topic` is static for what the card is about."""

    label: str
    url: str = ""
    icon: str = ""
    topic: Coding | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One change: `create` and `update` carry a whole resource, `delete` the `resourceId` ("MedicationRequest/1")."""

    type: Literal["create", "update", "delete"]
    description: str
    resource: Mapping[str, Any] | None = None
    resourceId: str = ""  # noqa: N815 - the specification's name


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something the clinician may take; its actions go together."""

    label: str
    uuid: str
    actions: tuple[Action, ...] = ()
    isRecommended: bool = False  # noqa: N815 - the specification's name


@dataclass(frozen=True, slots=True)
class Link:
    """Further reading (`absolute`) or a SMART app (`smart`)."""

    label: str
    url: str
    type: Literal["absolute", "smart"] = "absolute"


@dataclass(frozen=True, slots=True)
class Card:
    """One card. `summary` is one sentence of fewer than 140 characters; `detail` is GitHub-flavoured Markdown."""

    uuid: str
    summary: str
    indicator: Indicator
    source: Source
    detail: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    selectionBehavior: Literal["at-most-one", "any", ""] = ""  # noqa: N815 - the specification's name
    overrideReasons: tuple[Coding, ...] = ()  # noqa: N815 - the specification's name
    links: tuple[Link, ...] = ()
    extension: Mapping[str, Any] | None = None


def as_json(message: object) -> Any:  # noqa: ANN401 - any JSON value
    """Turn a message into JSON values; absent, empty and false members are left out (CDS Hooks, #use-of-json)."""
    if isinstance(message, tuple | list):
        return [as_json(part) for part in message]
    if not hasattr(message, "__dataclass_fields__"):
        return message
    members = ((field.name, as_json(getattr(message, field.name))) for field in fields(message))  # type: ignore[arg-type]
    return {name: value for name, value in members if value not in (None, "", [], {}, False)}
