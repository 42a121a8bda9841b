"""Floor 7: makes rules/valuesets/*.json, expanded FHIR R4 ValueSets, from the condition table and the hand-written list of sets."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cds_service.terminology.build import read_sources
from cds_service.terminology.rows import Files, Report, Row, read_rows

FOLDER: Final = "valuesets"
_ANY: Final = "*"
_TIMESTAMP: Final = "snapshot"

Json = dict[str, Any]


def build_valuesets(sources: Files, rules: Files, canonical: str) -> Files:
    """Return one JSON text for each set; `canonical` is the base URI that all conformance resources of the rules share."""
    report = Report([])
    sets = read_rows(rules, f"{FOLDER}/sets.csv", ("id", "name", "title", "counts_in_remission", "stops_names", "description"), report)
    selectors = read_rows(rules, f"{FOLDER}/selectors.csv", ("concept", "role", "valueset"), report)
    weak = {(row["system"], row["code"]) for row in read_rows(rules, f"{FOLDER}/weak.csv", ("system", "code"), report)}
    conditions = read_sources(sources, rules, report).tables.get("conditions", ())
    members = _members(conditions, selectors, report)
    report.raise_if_any()
    return {f"{FOLDER}/{row['id']}.json": _written(_valueset(row, members[row["id"]], weak, canonical.rstrip("/"))) for row in sets}


def _members(conditions: Sequence[Row], selectors: Sequence[Row], report: Report) -> Mapping[str, list[Row]]:
    """Sort the conditions into sets by concept and role; one that no selector takes is TERM-011."""
    chosen = {(row["concept"], row["role"]): row["valueset"] for row in selectors}
    members: defaultdict[str, list[Row]] = defaultdict(list)
    for row in conditions:
        valueset = chosen.get((row["concept"], row["role"])) or chosen.get((_ANY, row["role"]))
        if valueset:
            members[valueset].append(row)
        else:
            report.add(row.where, "TERM-011", f"no value set for {row['concept']} as {row['role']}")
    return members


def _valueset(row: Row, members: Sequence[Row], weak: set[tuple[str, str]], canonical: str) -> Json:
    contains = [_contained(member, weak, canonical) for member in members]
    flags = {"counts-in-remission": row["counts_in_remission"], "stops-names": row["stops_names"]}
    extensions = [_extension(canonical, name, valueBoolean=True) for name, cell in flags.items() if cell]
    version = hashlib.sha256(json.dumps([row["title"], row["description"], flags, contains]).encode()).hexdigest()[:12]
    return {
        "resourceType": "ValueSet",
        "id": row["id"],
        **({"extension": extensions} if extensions else {}),
        "url": f"{canonical}/ValueSet/{row['id']}",
        "version": version,
        "name": row["name"],
        "title": row["title"],
        "status": "active",
        "experimental": False,
        "description": row["description"],
        "expansion": {"identifier": f"urn:sha256:{version}", "timestamp": row[_TIMESTAMP], "total": len(contains), "contains": contains},
    }


def _contained(member: Row, weak: set[tuple[str, str]], canonical: str) -> Json:
    """Write one member with how it matches, where it comes from and how sure that is."""
    extensions = [
        _extension(canonical, "match-rule", valueCode=member["match"]),
        _extension(canonical, "confidence", valueCode=member["confidence"]),
        _extension(canonical, "sources", valueString=member["sources"]),
    ]
    if member["note"]:
        extensions.append(_extension(canonical, "note", valueString=member["note"]))
    if (member["system"], member["code"]) in weak:
        extensions.append(_extension(canonical, "weak", valueBoolean=True))
    return {"extension": extensions, "system": member["system"], "code": member["code"], "display": member["display"]}


def _extension(canonical: str, name: str, **value: object) -> Json:
    return {"url": f"{canonical}/StructureDefinition/terminology-{name}", **value}


def _written(valueset: Json) -> str:
    return json.dumps(valueset, indent=2, ensure_ascii=False) + "\n"
