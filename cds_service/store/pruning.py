"""Forgets what was kept long enough."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, func, select

from cds_service.store.engine import Store
from cds_service.store.schema import decisions, feedback, feedback_comments, override_marks, replay

_CHUNK: Final = 2000
"""Rows deleted in one transaction: callers that write meanwhile wait for one chunk only."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Moments before which things are forgotten; None keeps a kind for ever."""

    decisions: datetime | None
    feedback: datetime | None
    comments: datetime | None
    tokens: datetime
    marks: datetime | None = None


def due(store: Store, limits: Limits) -> Mapping[str, int]:
    """Count what `prune` would delete, by table; raises StoreUnavailable."""
    return {
        table.name: store.read(lambda connection, table=table, old=old: _count(connection, table, old))  # type: ignore[misc]
        for table, _, old in _old(limits)
    }


def prune(store: Store, limits: Limits) -> Mapping[str, int]:
    """Delete what is older than the limits, chunk by chunk, and count it by table; raises StoreUnavailable."""
    return {table.name: _delete_all(store, table, key, old) for table, key, old in _old(limits)}


def _old(limits: Limits) -> Iterator[tuple[Table, Column[str], ColumnElement[bool]]]:
    """Name what is old in each table; cards, findings and reasons go with what they belong to."""
    if limits.comments is not None:
        yield feedback_comments, feedback_comments.c.id, feedback_comments.c.received_at < limits.comments
    if limits.feedback is not None:
        yield feedback, feedback.c.id, feedback.c.received_at < limits.feedback
    if limits.decisions is not None:
        yield decisions, decisions.c.id, decisions.c.time < limits.decisions
    if limits.marks is not None:  # by the card: all marks of one expire together, a mark can stand beside several cards
        yield override_marks, override_marks.c.card, override_marks.c.expires < limits.marks
    yield replay, replay.c.token, replay.c.expires < limits.tokens


def _count(connection: Connection, table: Table, old: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(old)).scalar_one()


def _delete_all(store: Store, table: Table, key: Column[str], old: ColumnElement[bool]) -> int:
    some = delete(table).where(key.in_(select(key).where(old).limit(_CHUNK)))
    total = 0
    while gone := store.write(lambda connection: connection.execute(some).rowcount):
        total += gone
    return total
