"""Floor 7: a site's own ValueSet files, which add codes to the shipped sets of the same id."""

import json
from collections.abc import Iterator
from typing import Any

from cds_service.errors import Location
from cds_service.terminology.rows import Report

Json = dict[str, Any]


def read_site_set(text: str, path: str, report: Report) -> tuple[str, list[Json]] | None:
    """Return the id and the codes of one ValueSet; what is none, or lists no codes, is TERM-009."""
    where = Location(path, 1, 1)
    try:
        raw = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        report.add(Location(path, line, 1), "TERM-009", "not readable as JSON")
        return None
    if not isinstance(raw, dict) or raw.get("resourceType") != "ValueSet" or not isinstance(raw.get("id"), str):
        report.add(where, "TERM-009", "no ValueSet with an id")
        return None
    codes = _codes(raw)
    if codes is None:
        report.add(
            where, "TERM-009", "the ValueSet is not expanded: codes stand in expansion.contains, or listed in compose.include.concept"
        )
        return None
    return raw["id"], codes


def _codes(raw: Json) -> list[Json] | None:
    """Take the expansion, else the lists of the definition; `None` where there is more in it than lists."""
    expansion = raw.get("expansion")
    if isinstance(expansion, dict):
        codes = list(_contained(expansion.get("contains")))
        return codes or None
    compose = raw.get("compose")
    includes = compose.get("include") if isinstance(compose, dict) and not compose.get("exclude") else None
    if not isinstance(includes, list) or not all(isinstance(one, dict) and _is_list(one) for one in includes):
        return None
    return [{"system": one.get("system"), **concept} for one in includes for concept in one["concept"]] or None


def _is_list(include: Json) -> bool:
    concepts = include.get("concept")
    is_plain = not include.get("filter") and not include.get("valueSet")
    return is_plain and isinstance(concepts, list) and all(isinstance(one, dict) for one in concepts)


def _contained(contains: object) -> Iterator[Json]:
    """Go through the codes of an expansion from top to bottom; a heading that is no code itself is passed over."""
    todo = list(reversed(contains)) if isinstance(contains, list) else []
    while todo:
        one = todo.pop()
        if not isinstance(one, dict):
            continue
        if one.get("code") and one.get("abstract") is not True:
            yield one
        nested = one.get("contains")
        todo += reversed(nested) if isinstance(nested, list) else ()
