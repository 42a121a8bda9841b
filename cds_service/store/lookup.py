"""One stored decision by its id, with all that is kept of it: for the question why a card did or did not appear."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from cds_service.hooks.feedback import OverrideReason
from cds_service.store.engine import Store
from cds_service.store.feedback import reasons_of
from cds_service.store.schema import cards, decisions, feedback, findings


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """One rule that fired or lacked data for one order; `fate` as in docs/store.md, `card` empty where none tells of it."""

    rule: str
    version: int
    site_override: str
    kind: str
    severity: str
    fate: str
    card: str


@dataclass(frozen=True, slots=True)
class StoredFeedback:
    """What was said of a card, without the comment."""

    outcome: str
    accepted_suggestions: tuple[str, ...]
    reasons: tuple[OverrideReason, ...]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class StoredCard:
    """One card that was sent, with what was said of it so far."""

    uuid: str
    indicator: str
    feedback: tuple[StoredFeedback, ...]


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One answer of a service. `completeness` says by kind of data how much of it was read, empty where none was needed."""

    id: str
    time: datetime
    client: str
    site: str
    hook: str
    service: str
    user: str
    pack_version: str
    pack_hash: str
    completeness: Mapping[str, str]
    latency_ms: float
    digest: str
    findings: tuple[StoredFinding, ...]
    cards: tuple[StoredCard, ...]


def find_decision(store: Store, decision_id: str) -> StoredDecision | None:
    """Find a decision; None where the store has none of that id (any more). Raises StoreUnavailable."""
    return store.read(lambda connection: _find(connection, decision_id))


def _find(connection: Connection, decision_id: str) -> StoredDecision | None:
    row = connection.execute(select(decisions).where(decisions.c.id == decision_id)).first()
    if row is None:
        return None
    kinds = ("patient", "conditions", "medications", "history")
    found = connection.execute(select(findings).where(findings.c.decision == decision_id).order_by(findings.c.position))
    return StoredDecision(
        id=row.id,
        time=row.time,
        client=row.client,
        site=row.site,
        hook=row.hook,
        service=row.service,
        user=row.user_reference,
        pack_version=row.pack_version,
        pack_hash=row.pack_hash,
        completeness={kind: getattr(row, f"{kind}_read") for kind in kinds},
        latency_ms=row.latency_ms,
        digest=row.digest,
        findings=tuple(StoredFinding(o.rule, o.version, o.site_override, o.kind, o.severity, o.fate, o.card) for o in found),
        cards=_cards(connection, decision_id),
    )


def _cards(connection: Connection, decision_id: str) -> tuple[StoredCard, ...]:
    sent = connection.execute(select(cards).where(cards.c.decision == decision_id).order_by(cards.c.position)).all()
    query = select(feedback).where(feedback.c.card.in_([card.uuid for card in sent])).order_by(feedback.c.received_at, feedback.c.id)
    said: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        said.setdefault(row.card, []).append(row)
    reasons = reasons_of(connection, [row.id for rows in said.values() for row in rows])
    return tuple(
        StoredCard(
            card.uuid,
            card.indicator,
            tuple(
                StoredFeedback(row.outcome, tuple(row.accepted_suggestions.split()), reasons.get(row.id, ()), row.received_at)
                for row in said.get(card.uuid, ())
            ),
        )
        for card in sent
    )
