"""Floor 8: `cds-service feedback export`: what was done with the cards, for those who own the rules."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import click

from cds_service.analytics.writing import spreadsheet_cell
from cds_service.memory import open_store
from cds_service.settings import read_settings
from cds_service.store.feedback import FeedbackLine, lines_since

COLUMNS: Final = (
    "card", "known", "rule", "version", "outcome", "accepted_suggestions", "reason_system", "reason_code", "reason",
    "user", "time", "received_at", "client", "site", "service", "decision",
)  # fmt: skip


@click.group()
def feedback() -> None:
    """What clinicians did with the cards."""


@feedback.command()
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="How to write it.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="First day (or moment) of receipt, in CDS_TIME_ZONE.")
def export(form: str, since: datetime | None) -> None:
    """Write all feedback, in the order received: card, rules, outcome, reasons, user, time and place; no comments.

    A card with several rules or reasons has them in one cell, with "; " between them.
    """
    settings = read_settings()
    start = since.replace(tzinfo=settings.zone) if since else None
    with open_store(settings) as store:
        lines = lines_since(store, start)
        for part in _csv(lines) if form == "csv" else _json(lines):
            click.echo(part, nl=False)


def _csv(lines: Iterable[FeedbackLine]) -> Iterator[str]:
    """Write lines as CSV (RFC 4180), one text for each."""
    head = _row(COLUMNS)  # with the first line: where the store does not answer, nothing that looks like an export is written
    for line in lines:
        yield head + _row([spreadsheet_cell(value) for value in _values(line)])
        head = ""
    yield head


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _values(line: FeedbackLine) -> Iterator[str]:
    rules, reasons = line.rules, line.reasons
    yield from (line.card, str(line.is_known).lower(), _joined(rule for rule, _ in rules), _joined(str(version) for _, version in rules))
    yield from (line.outcome, _joined(line.accepted_suggestions), _joined(reason.system for reason in reasons))
    yield from (_joined(reason.code for reason in reasons), _joined(reason.display or reason.code for reason in reasons))
    yield from (line.user, line.time.isoformat(), line.received_at.isoformat(), line.client, line.site, line.service, line.decision)


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)


def _json(lines: Iterable[FeedbackLine]) -> Iterator[str]:
    """Write lines as one JSON list, one line of text for each."""
    before = "[\n"
    for line in lines:
        yield before + json.dumps(_members(line), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _members(line: FeedbackLine) -> dict[str, Any]:
    return {
        "card": line.card,
        "known": line.is_known,
        "rules": [{"rule": rule, "version": version} for rule, version in line.rules],
        "outcome": line.outcome,
        "acceptedSuggestions": list(line.accepted_suggestions),
        "reasons": [{"system": reason.system, "code": reason.code, "display": reason.display} for reason in line.reasons],
        "user": line.user,
        "time": line.time.isoformat(),
        "receivedAt": line.received_at.isoformat(),
        "client": line.client,
        "site": line.site,
        "service": line.service,
        "decision": line.decision,
    }
