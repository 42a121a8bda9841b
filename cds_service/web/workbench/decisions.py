"""Floor 7: the page of one stored decision: why a card did or did not appear, from what was kept of it (nothing of the patient)."""

import re
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, request

from cds_service.errors import StoreUnavailable
from cds_service.web.workbench.shell import Shell
from cds_service.web.workbench.sources import Sources

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_FATES: Final = {
    "shown": "shown on a card",
    "silent": "counted, not shown: the rule is silent",
    "withheld": "withheld until the signature",
    "overridden": "not repeated: it was overridden before in this encounter",
    "incomplete": "could not be judged: data was missing",
}
"""What became of a finding (docs/store.md), in words."""


def add_decisions(blueprint: Blueprint, shell: Shell, sources: Sources) -> None:
    """Add the page to the blueprint."""

    @blueprint.get("/decision")
    def decision() -> Response:
        wanted = request.args.get("id", "").strip()
        status, found, problem = _looked_up(wanted, sources)
        titles = {rule.id: rule.title for rule in sources.pack().rulebook.rules}
        return shell.page("decision.html", status, wanted=wanted, decision=found, problem=problem, fates=_FATES, titles=titles)


def _looked_up(wanted: str, sources: Sources) -> tuple[HTTPStatus, object | None, str]:
    """Find a decision, or say why there is none to show."""
    if not wanted:
        return HTTPStatus.OK, None, ""
    if not _ID.fullmatch(wanted):
        return HTTPStatus.BAD_REQUEST, None, "This is no decision id: one has 32 letters a to f and digits, in five groups with hyphens."
    if sources.find_decision is None:
        return HTTPStatus.NOT_FOUND, None, "This service keeps no decisions."
    try:
        found = sources.find_decision(wanted.lower())
    except StoreUnavailable:
        return HTTPStatus.SERVICE_UNAVAILABLE, None, "The store of decisions cannot be read now; please try again later."
    if found is None:
        return (
            HTTPStatus.NOT_FOUND,
            None,
            "No decision of this id is kept: it was never stored, is not written yet, or was deleted after its time.",
        )
    return HTTPStatus.OK, found, ""
