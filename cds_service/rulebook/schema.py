"""Floor 4: the JSON Schema of rule files for editors, and the tables of docs/rule-format.md, from the one registry of facts."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cds_service.facts.registry import EXPOSURES, FACTS, FactKind
from cds_service.rulebook.codes import CODES
from cds_service.rulebook.lines import SEVERITIES
from cds_service.rulebook.loader import HOOKS, IF_UNKNOWN, KINDS, OPTIONAL, REFERENCE_KEYS, REQUIRED, SITE_MAY, THRESHOLD_KEYS
from cds_service.rulebook.operators import FITTING
from cds_service.rulebook.types import Status

Schema = dict[str, Any]
_QUANTITY: Final[Schema] = {"type": "string", "pattern": r"^(\$[a-z][a-z0-9_]*|-?[0-9]+(\.[0-9]+)? \S+)$"}
_NUMBER: Final[Schema] = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}]}
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_DAY: Final[Schema] = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_WHOLE: Final[Schema] = {"type": "integer", "minimum": 1}


def schema_text() -> str:
    """Return the content of rules/rule.schema.json."""
    return json.dumps(rule_schema(), indent=2, ensure_ascii=False) + "\n"


def rule_schema() -> Schema:
    """Build the JSON Schema (draft 2020-12) of a rule file; drug classes, value sets and cards are checked by the loader alone."""
    properties = {
        "id": {"type": "string", "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"},
        "title": _TEXT,
        "kind": {"enum": list(KINDS)},
        "status": {"enum": [status.value for status in Status]},
        "version": _WHOLE,
        "hooks": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(HOOKS)}},
        "about": {"const": "order"},
        "card": _TEXT,
        "priority": _WHOLE,
        "severity": {"enum": list(SEVERITIES)},
        "says": _TEXT,
        "thresholds": {"type": "object", "additionalProperties": _threshold()},
        "when": {"$ref": "#/$defs/order"},
        "unless": {"$ref": "#/$defs/order"},
        "if_unknown": {"enum": list(IF_UNKNOWN)},
        "references": {"type": "object", "minProperties": 1, "additionalProperties": _reference()},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rule",
        **_object({name: properties[name] for name in (*REQUIRED, *OPTIONAL)}, REQUIRED),
        "$defs": {
            **_groups("order", FACTS.values(), {"exposures": _exposures()}),
            **_groups("exposure", EXPOSURES.values(), {}),
        },
    }


def fact_table(kinds: Iterable[FactKind]) -> str:
    """Write the facts of one list as a Markdown table; text facts are for cards alone."""
    rows = (f"| `{kind.name}` | {kind.type} | {_values(kind)} | {', '.join(kind.reads) or '-'} | {kind.about} |" for kind in kinds)
    return "\n".join(("| fact | type | unit or words | reads | what it is |", "| --- | --- | --- | --- | --- |", *rows))


def code_table() -> str:
    """Write the error codes as a Markdown table."""
    rows = (f"| {code} | {meaning} |" for code, meaning in CODES.items())
    return "\n".join(("| code | what is wrong |", "| --- | --- |", *rows))


def with_tables(document: str) -> str:
    """Return docs/rule-format.md with its generated tables renewed, each between `<!-- name -->` and `<!-- /name -->`."""
    tables = {"order-facts": fact_table(FACTS.values()), "exposure-facts": fact_table(EXPOSURES.values()), "error-codes": code_table()}
    for name, table in tables.items():
        before, start, rest = document.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        document = f"{before}{start}\n{table}\n{end}{after}" if end else document
    return document


def _values(kind: FactKind) -> str:
    if kind.words_from:
        return {"drug-classes": "drug classes", "valuesets": "value sets"}[kind.words_from]
    return kind.unit or ", ".join(kind.words) or "-"


def _object(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    needed = list(required)
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **({"required": needed} if needed else {})}


def _threshold() -> Schema:
    required, optional = THRESHOLD_KEYS
    dated = _object({"from": _DAY, "value": _NUMBER}, ("from", "value"))
    parts = {
        "unit": _TEXT,
        "in_force": {"type": "array", "minItems": 1, "items": dated},
        "reference": _TEXT,
        "site_may": {"enum": list(SITE_MAY)},
    }
    return _object({name: parts[name] for name in (*required, *optional)}, required)


def _reference() -> Schema:
    required, optional = REFERENCE_KEYS
    parts = {
        "title": _TEXT,
        "checked": _DAY,
        "section": _TEXT,
        "url": {"type": "string", "pattern": "^https://"},
        "published": _DAY,
    }
    return _object({name: parts[name] for name in (*required, *optional)}, required)


def _groups(name: str, kinds: Iterable[FactKind], extra: Mapping[str, Schema]) -> Schema:
    """Build the group of one subject, and the alternative: the same with `severity` and `says`."""
    members: Schema = {kind.name: _tests(kind) for kind in kinds if FITTING[kind.type]}
    members |= extra
    members["any"] = {"type": "array", "minItems": 1, "items": {"$ref": f"#/$defs/{name}-alternative"}}
    members["all"] = {"type": "array", "minItems": 1, "items": {"$ref": f"#/$defs/{name}"}}
    labels = {"severity": {"enum": list(SEVERITIES)}, "says": _TEXT}
    return {name: {**_object(members), "minProperties": 1}, f"{name}-alternative": _object({**labels, **members})}


def _exposures() -> Schema:
    group = {"$ref": "#/$defs/exposure"}
    return {**_object({"some": group, "none": group}), "minProperties": 1, "maxProperties": 1}


def _tests(kind: FactKind) -> Schema:
    tests = {str(operator): _operand(kind, operator) for operator in FITTING[kind.type]}
    return {"description": kind.about, **_object(tests), "minProperties": 1}


def _operand(kind: FactKind, operator: str) -> Schema:
    if operator == "is_known" or kind.type == "truth":
        return {"type": "boolean"}
    single = _QUANTITY if kind.type == "quantity" else {"enum": list(kind.words)} if kind.words else _TEXT
    is_list = kind.type == "words" or operator == "one_of"
    return {"anyOf": [single, {"type": "array", "minItems": 1, "items": single}]} if is_list else single
