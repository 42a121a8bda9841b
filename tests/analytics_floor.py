"""Decisions and feedback to count, put straight into the tables."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import insert

from cds_service.hooks.feedback import FeedbackItem, Outcome, OverrideReason
from cds_service.store.decisions import DecisionRows, keep_decisions
from cds_service.store.engine import Store
from cds_service.store.feedback import FeedbackBook
from cds_service.store.schema import unknown_codes
from tests.conftest import NOON

TODAY = NOON.date()
_numbers = itertools.count(1)


@dataclass
class Told:
    """One finding; with `card` it stands on the card of that number."""

    rule: str
    fate: str = "shown"
    version: int = 1
    card: int | None = 0
    severity: str = "warning"


@dataclass
class Made:
    """One decision to plant."""

    time: datetime = NOON
    client: str = "ehr"
    site: str = "north"
    hook: str = "order-sign"
    findings: Sequence[Told] = ()
    ms: float = 10.0
    reads: str = "complete"
    id: str = field(default_factory=lambda: f"d-{next(_numbers)}")

    def card(self, number: int = 0) -> str:
        """The uuid of one of its cards."""
        return f"{self.id}-c{number}"

    def rows(self) -> DecisionRows:
        """The rows that the store keeps of it."""
        texts = dict.fromkeys(("service", "user_reference", "pack_version", "pack_hash", "digest"), "")
        reads = dict.fromkeys(("patient_read", "conditions_read", "history_read"), "complete" if self.reads else "")
        place = {"client": self.client, "site": self.site, "hook": self.hook}
        row = {"id": self.id, "time": self.time, **place, **texts, **reads, "medications_read": self.reads, "latency_ms": self.ms}
        numbers = sorted({one.card for one in self.findings if one.card is not None and one.fate == "shown"})
        sent = [{"uuid": self.card(n), "decision": self.id, "position": n, "indicator": "warning"} for n in numbers]
        return DecisionRows(row, tuple(sent), tuple(self._finding(place, one) for place, one in enumerate(self.findings)))

    def _finding(self, position: int, one: Told) -> dict[str, Any]:
        severity = "" if one.fate == "incomplete" else one.severity
        card = self.card(one.card) if one.card is not None and one.fate == "shown" else ""
        named = {"rule": one.rule, "version": one.version, "kind": "other", "site_override": ""}
        return {"decision": self.id, "position": position, **named, "severity": severity, "fate": one.fate, "card": card}


def plant(store: Store, *made: Made) -> None:
    store.write(lambda connection: keep_decisions(connection, [one.rows() for one in made]))


def say(store: Store, card: str, outcome: Outcome = "overridden", reason: str = "", **more: Any) -> None:  # noqa: ANN401 - see below
    """Say something of a card; `comment`, `at` and `client` may be given too."""
    reasons = (OverrideReason("urn:reasons", reason, reason.title()),) if reason else ()
    item = FeedbackItem(card=card, outcome=outcome, reasons=reasons, comment=more.get("comment", ""))
    FeedbackBook(store).keep([item], service="s", client=more.get("client", "ehr"), received_at=more.get("at", NOON))


def at(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def days_before(last: date, number: int) -> Iterable[date]:
    """So many days up to and including the last, in order."""
    return (last - timedelta(days=back) for back in range(number - 1, -1, -1))


def series(store: Store, last: date, number: int, *, calls: Any, fires: Any, rule: str = "some-rule", **more: Any) -> None:  # noqa: ANN401 - functions of a day, or numbers
    """Plant so many days: `calls` decisions on each, of which the first `fires` tell of the rule."""
    made: list[Made] = []
    for day in days_before(last, number):
        times, firings = (what(day) if callable(what) else what for what in (calls, fires))
        made += [Made(at(day), findings=[Told(rule)] if n < firings else (), **more) for n in range(times)]
    plant(store, *made)


def code_seen(store: Store, **columns: Any) -> None:  # noqa: ANN401 - columns of the table
    row = {"day": TODAY, "client": "ehr", "system": "", "code": "", "word": "some drug", "orders": 1, **columns}
    store.write(lambda connection: connection.execute(insert(unknown_codes), row))
