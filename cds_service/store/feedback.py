"""Feedback in the store: kept before it is acknowledged, each thing said once, and given out again row by row."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, String, Table, select, tuple_

from cds_service.hooks.feedback import FeedbackItem, OverrideReason
from cds_service.store.engine import Store, insert_new
from cds_service.store.schema import Moment, cards, decisions, feedback, feedback_comments, feedback_reasons, findings

Row = dict[str, Any]
Place = tuple[datetime, str]
_CHUNK: Final = 500
"""Rows that an export holds at a time; SQLite takes a few thousand values in one question."""


@dataclass(frozen=True, slots=True)
class FeedbackBook:
    """Keeps feedback in a store."""

    store: Store

    def keep(self, items: Sequence[FeedbackItem], *, service: str, client: str, received_at: datetime) -> None:
        """Commit all items or none; what is there already is passed over. Raises StoreUnavailable."""
        rows = _rows(items, service, client, received_at)
        self.store.write(lambda connection: _insert(connection, rows))


@dataclass(frozen=True, slots=True)
class FeedbackLine:
    """One feedback as it is given out: what was done with which card of which rules, why, by whom, when and where."""

    card: str
    is_known: bool
    rules: tuple[tuple[str, int], ...]
    outcome: str
    accepted_suggestions: tuple[str, ...]
    reasons: tuple[OverrideReason, ...]
    user: str
    time: datetime
    received_at: datetime
    client: str
    site: str
    service: str
    decision: str


def lines_since(store: Store, since: datetime | None = None) -> Iterator[FeedbackLine]:
    """Give out feedback received since a moment, in the order received, a chunk at a time; raises StoreUnavailable."""
    after: Place | None = None
    while True:
        chunk = store.read(lambda connection, after=after: _chunk(connection, since, after))  # type: ignore[misc]
        yield from (line for _, line in chunk)
        if len(chunk) < _CHUNK:
            return
        after = chunk[-1][0]


def _rows(items: Iterable[FeedbackItem], service: str, client: str, received_at: datetime) -> Mapping[Table, list[Row]]:
    """Write items as rows, sorted by their keys: transactions that lock in one order cannot lock each other out."""
    said = sorted(((_identity(item, service, client), item) for item in items), key=lambda pair: pair[0])
    return {
        feedback: [_row(key, item, service, client, received_at) for key, item in dict(said).items()],
        feedback_reasons: [_reason(key, n, reason) for key, item in dict(said).items() for n, reason in enumerate(item.reasons)],
        feedback_comments: [_comment(key, item.comment, received_at) for key, item in said if item.comment],
    }


def _row(key: str, item: FeedbackItem, service: str, client: str, received_at: datetime) -> Row:
    return {
        "id": key,
        "card": item.card,
        "service": service[:200],
        "client": client[:200],
        "outcome": item.outcome,
        "accepted_suggestions": " ".join(item.accepted),
        "outcome_timestamp": item.outcome_at,
        "received_at": received_at,
    }


def _reason(key: str, position: int, reason: OverrideReason) -> Row:
    return {"feedback": key, "position": position, "system": reason.system, "code": reason.code, "display": reason.display}


def _comment(key: str, comment: str, received_at: datetime) -> Row:
    return {"id": _hash(key, comment), "feedback": key, "text": comment, "received_at": received_at}


def _identity(item: FeedbackItem, service: str, client: str) -> str:
    """Make the key of what was said: the same again, even in another batch, has the same key; its comment is apart."""
    reasons = (part for reason in item.reasons for part in (reason.system, reason.code, reason.display))
    when = item.outcome_at.isoformat() if item.outcome_at else ""
    return _hash(client, service, item.card, item.outcome, when, " ".join(sorted(item.accepted)), *reasons)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _insert(connection: Connection, rows: Mapping[Table, list[Row]]) -> None:
    for table, values in rows.items():
        if values:
            connection.execute(insert_new(connection, table), values)


def _chunk(connection: Connection, since: datetime | None, after: Place | None) -> list[tuple[Place, FeedbackLine]]:
    """Read the next lines, each with its place in the order."""
    query = select(feedback).order_by(feedback.c.received_at, feedback.c.id).limit(_CHUNK)
    if since is not None:
        query = query.where(feedback.c.received_at >= since)
    if after is not None:
        query = query.where(tuple_(feedback.c.received_at, feedback.c.id) > tuple_(*after, types=[Moment(), String()]))
    rows = connection.execute(query).all()
    reasons = reasons_of(connection, [row.id for row in rows])
    grounds = _grounds_of(connection, [row.card for row in rows])
    return [((row.received_at, row.id), _line(row, reasons.get(row.id, ()), grounds.get(row.card))) for row in rows]


def reasons_of(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[OverrideReason, ...]]:
    """Find the override reasons of feedback, by its ids."""
    query = select(feedback_reasons).where(feedback_reasons.c.feedback.in_(ids)).order_by("feedback", "position")
    found: dict[str, tuple[OverrideReason, ...]] = {}
    for row in connection.execute(query):
        found[row.feedback] = (*found.get(row.feedback, ()), OverrideReason(row.system, row.code, row.display))
    return found


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What a card of ours rests on."""

    decision: str
    user: str
    site: str
    rules: tuple[tuple[str, int], ...]


def _grounds_of(connection: Connection, uuids: Sequence[str]) -> dict[str, _Grounds]:
    """Find decision and rules of those cards that are ours."""
    joined = cards.join(decisions).outerjoin(findings, (findings.c.decision == decisions.c.id) & (findings.c.card == cards.c.uuid))
    query = (
        select(cards.c.uuid, decisions.c.id, decisions.c.user_reference, decisions.c.site, findings.c.rule, findings.c.version)
        .select_from(joined)
        .where(cards.c.uuid.in_(uuids))
        .order_by(cards.c.uuid, findings.c.position)
    )
    found: dict[str, _Grounds] = {}
    for row in connection.execute(query):
        before = found.get(row.uuid)
        rules = dict.fromkeys((*(before.rules if before else ()), *([(row.rule, row.version)] if row.rule else ())))
        found[row.uuid] = _Grounds(row.id, row.user_reference, row.site, tuple(rules))
    return found


def _line(row: Any, reasons: tuple[OverrideReason, ...], grounds: _Grounds | None) -> FeedbackLine:  # noqa: ANN401 - a row of feedback
    return FeedbackLine(
        card=row.card,
        is_known=grounds is not None,
        rules=grounds.rules if grounds else (),
        outcome=row.outcome,
        accepted_suggestions=tuple(row.accepted_suggestions.split()),
        reasons=reasons,
        user=grounds.user if grounds else "",
        time=row.outcome_timestamp or row.received_at,
        received_at=row.received_at,
        client=row.client,
        site=grounds.site if grounds else "",
        service=row.service,
        decision=grounds.decision if grounds else "",
    )
