"""The shape of a YAML file as data: one description serves both the check with places and the JSON Schema for editors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.errors import Location, Problem, nearest
from cds_service.located import Block, Located, Scalar, Sequence


@dataclass(frozen=True, slots=True)
class Text:
    """A text; `pattern` must match the whole of it, `allowed` closes it to a list of words."""

    about: str
    pattern: str = ""
    allowed: tuple[str, ...] = ()
    expected: str = "a text"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of one kind of thing."""

    about: str
    of: "Shape"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with keys of the author's choice (languages, text keys), values of one shape."""

    about: str
    of: "Shape"
    keys: str = r"[a-z0-9][a-z0-9._/-]*"


@dataclass(frozen=True, slots=True)
class Members:
    """A mapping with known members; `needs` names those that must stand."""

    about: str
    of: Mapping[str, "Shape"]
    needs: frozenset[str] = field(default_factory=frozenset)


Shape = Text | Listing | Table | Members


def problems_of(tree: Located, shape: Shape) -> list[Problem]:
    """List what is wrong with a tree, each with its place: CARD-001 for a wrong or missing value, CARD-002 for an unknown member."""
    match shape:
        case Text():
            return _text_problems(tree, shape)
        case Listing():
            if not isinstance(tree, Sequence):
                return [_wrong(tree.where, "a list")]
            return [problem for item in tree.items for problem in problems_of(item, shape.of)]
        case Table():
            return _table_problems(tree, shape)
        case Members():
            return _member_problems(tree, shape)


def schema_of(shape: Shape) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a shape, for editors."""
    match shape:
        case Text():
            schema: dict[str, Any] = {"type": "string", "description": shape.about}
            if shape.pattern:
                schema["pattern"] = f"^(?:{shape.pattern})$"
            if shape.allowed:
                schema["enum"] = list(shape.allowed)
            return schema
        case Listing():
            return {"type": "array", "description": shape.about, "items": schema_of(shape.of)}
        case Table():
            return _object(shape.about, propertyNames={"pattern": f"^(?:{shape.keys})$"}, additionalProperties=schema_of(shape.of))
        case Members():
            properties = {name: schema_of(member) for name, member in shape.of.items()}
            return _object(shape.about, properties=properties, required=sorted(shape.needs), additionalProperties=False)


def at(tree: Located, *path: str) -> Located:
    """Follow member names into a tree whose shape is known to be right, as far as they lead."""
    for name in path:
        inner = tree.get(name) if isinstance(tree, Block) else None
        if inner is None:
            break
        tree = inner
    return tree


def _object(about: str, **rest: object) -> dict[str, Any]:
    return {"type": "object", "description": about, **rest}


def _wrong(where: Location, expected: str) -> Problem:
    return Problem(where, "CARD-001", f"expected {expected}")


def _text_problems(tree: Located, shape: Text) -> list[Problem]:
    if not isinstance(tree, Scalar) or tree.type not in {"text", "number"} or not tree.text.strip():
        return [_wrong(tree.where, shape.expected)]
    if shape.allowed and tree.text not in shape.allowed:
        message = f"'{tree.text}' is not one of {', '.join(shape.allowed)}{nearest(tree.text, shape.allowed)}"
        return [Problem(tree.where, "CARD-001", message)]
    if shape.pattern and not re.fullmatch(shape.pattern, tree.text):
        return [Problem(tree.where, "CARD-001", f"expected {shape.expected}, found '{tree.text}'")]
    return []


def _table_problems(tree: Located, shape: Table) -> list[Problem]:
    if not isinstance(tree, Block):
        return [_wrong(tree.where, "a mapping")]
    bad = [_wrong(entry.where, "a key of small letters, digits and hyphens") for entry in tree if not re.fullmatch(shape.keys, entry.key)]
    return [*bad, *(problem for entry in tree for problem in problems_of(entry.value, shape.of))]


def _member_problems(tree: Located, shape: Members) -> list[Problem]:
    if not isinstance(tree, Block):
        return [_wrong(tree.where, "a mapping")]
    missing = [_wrong(tree.where, f"a member '{name}'") for name in sorted(shape.needs) if tree.get(name) is None]
    return [*missing, *(problem for entry in tree for problem in _entry_problems(entry.key, entry.where, entry.value, shape))]


def _entry_problems(key: str, where: Location, value: Located, shape: Members) -> list[Problem]:
    member = shape.of.get(key)
    if member is None:
        return [Problem(where, "CARD-002", f"no member '{key}' here{nearest(key, shape.of)}")]
    return problems_of(value, member)
