"""Floor 7: the source attributes of evidence-based decision support (45 CFR 170.315(b)(11)(iv)(A)) as page, JSON and CSV."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from flask import Blueprint, Response

from cds_service.hooks.json_text import json_text
from cds_service.rulebook.manifest import Manifest
from cds_service.rulebook.rulebook import Rulebook
from cds_service.web.workbench.shell import Shell
from cds_service.web.workbench.sources import Sources

_LABELS: Final = {
    "citation": "Bibliographic citation of the intervention",
    "developer": "Developer of the intervention",
    "funding": "Source of funding for its development",
    "dates": "Release and, where there are any, revision dates",
    "race": "Use of race",
    "ethnicity": "Use of ethnicity",
    "language": "Use of language",
    "sexual_orientation": "Use of sexual orientation",
    "gender_identity": "Use of gender identity",
    "sex": "Use of sex",
    "date_of_birth": "Use of date of birth",
    "social_determinants": "Use of social determinants of health",
    "health_status_assessments": "Use of health status assessments",
}
"""What the regulation asks for, by the key that `rules/manifest.yaml` uses."""


def add_attributes(blueprint: Blueprint, shell: Shell, sources: Sources) -> None:
    """Add the page and its two files to the blueprint."""

    @blueprint.get("/source-attributes")
    def attributes() -> Response:
        rulebook = sources.pack().rulebook
        return shell.page(
            "attributes.html", manifest=rulebook.manifest, attributes=attribute_rows(rulebook.manifest), rules=rulebook.evaluated
        )

    @blueprint.get("/source-attributes.json")
    def attributes_json() -> Response:
        return Response(json_text(_content(sources.pack().rulebook)), content_type="application/json")

    @blueprint.get("/source-attributes.csv")
    def attributes_csv() -> Response:
        rows = io.StringIO()
        csv.writer(rows).writerows(
            [("attribute", "about", "answer"), *attribute_rows(sources.pack().rulebook.manifest), *_citations(sources.pack().rulebook)]
        )
        return Response(rows.getvalue(), content_type="text/csv; charset=utf-8")


def attribute_rows(manifest: Manifest) -> tuple[tuple[str, str, str], ...]:
    """Return key, meaning and answer of each attribute; the dates are those of the pack."""
    told = {
        **dict(manifest.source_attributes),
        "dates": f"released {manifest.released}, revised {manifest.revised}, version {manifest.version}",
    }
    return tuple((key, about, told[key]) for key, about in _LABELS.items())


def _citations(rulebook: Rulebook) -> Iterator[tuple[str, str, str]]:
    """Add a row for each reference of each rule: together they are the citation."""
    for rule in rulebook.evaluated:
        for one in rule.references:
            source = ", ".join(part for part in (one.title, one.section and f"section {one.section}", one.url) if part)
            yield "citation", f"{rule.id} version {rule.version}", f"{source}, last checked {one.checked}"


def _content(rulebook: Rulebook) -> dict[str, object]:
    """Gather the attributes and the citations of every rule for a program."""
    return {
        "pack": rulebook.manifest.id,
        "version": rulebook.manifest.version,
        "attributes": [{"attribute": key, "about": about, "answer": answer} for key, about, answer in attribute_rows(rulebook.manifest)],
        "citations": [{"rule": about, "source": source} for _, about, source in _citations(rulebook)],
    }
