"""Floor 7: what clinicians typed when they overrode a card, complaints first: such comments have uncovered rules that malfunction."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from cds_service.analytics.days import bounds_of
from cds_service.analytics.report import Filters, Window
from cds_service.analytics.usage import ALL
from cds_service.store.engine import Store
from cds_service.store.schema import cards, decisions, feedback, feedback_comments, findings

_MOST_READ: Final = 1000
_SHOUTING: Final = re.compile(r"!{2,}|\b[A-Z]{4,}\s+[A-Z]{2,}\b")
_CALM: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment with the rules of its card. `text` is what a clinician typed: it may name a patient, and is never logged or rolled up.

    `score` is the sum of the weights of the complaining words found (`words`), 1 more for shouting; 0 is no complaint.
    """

    text: str
    score: int
    words: tuple[str, ...]
    rules: tuple[tuple[str, int], ...]
    client: str
    site: str
    card: str
    received_at: datetime


def comments(store: Store, window: Window, filters: Filters = ALL, *, zone: tzinfo = UTC, limit: int = 50) -> tuple[Comment, ...]:
    """Give the comments received in the window that fit, the worst complaints first and then the newest.

    Only the newest 1,000 of the window are looked at. Raises StoreUnavailable.
    """
    return store.read(lambda connection: _read(connection, window, filters, zone, limit))


def complaint(text: str) -> tuple[int, tuple[str, ...]]:
    """Weigh how much a text complains, and name the words that say so."""
    weights, pattern = _words()
    plain = _CALM.sub(" ", text.casefold().replace("\u2019", "'"))
    words = tuple(dict.fromkeys(found.group() for found in pattern.finditer(plain)))
    return sum(weights[word] for word in words) + bool(_SHOUTING.search(text)), words


@cache
def _words() -> tuple[Mapping[str, int], re.Pattern[str]]:
    """Read the word list that lies beside this module."""
    text = (files(__package__) / "cranky_words.csv").read_text(encoding="utf-8")
    weights = {row["word"]: int(row["weight"]) for row in csv.DictReader(text.splitlines())}
    longest_first = sorted(weights, key=len, reverse=True)
    return weights, re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")


def _read(connection: Connection, window: Window, filters: Filters, zone: tzinfo, limit: int) -> tuple[Comment, ...]:
    rows = connection.execute(_query(window, filters, zone)).all()
    worst = sorted(rows, key=lambda row: (-complaint(row.text)[0], -row.received_at.timestamp(), row.text))[:limit]
    rules = _rules_of(connection, [row.card for row in worst])
    return tuple(_comment(row, rules.get(row.card, ())) for row in worst)


def _query(window: Window, filters: Filters, zone: tzinfo) -> Select[Any]:
    begin, end = bounds_of(window.first, zone)[0], bounds_of(window.last, zone)[1]
    is_in_window = (feedback_comments.c.received_at >= begin) & (feedback_comments.c.received_at < end)
    newest = select(feedback_comments).where(is_in_window).order_by(feedback_comments.c.received_at.desc()).limit(_MOST_READ).subquery()
    given = newest.join(feedback, feedback.c.id == newest.c.feedback)
    joined = given.outerjoin(cards, cards.c.uuid == feedback.c.card).outerjoin(decisions, decisions.c.id == cards.c.decision)
    columns = (newest.c.text, newest.c.received_at, feedback.c.card, feedback.c.client, decisions.c.site)
    query = select(*columns).select_from(joined).order_by(newest.c.received_at.desc())
    for column, value in ((feedback.c.client, filters.client), (decisions.c.site, filters.site), (decisions.c.hook, filters.hook)):
        query = query if value is None else query.where(column == value)
    if filters.rule is not None:
        told = select(findings.c.card).where(findings.c.decision == cards.c.decision, findings.c.rule == filters.rule)
        told = told if filters.version is None else told.where(findings.c.version == filters.version)
        query = query.where(feedback.c.card.in_(told))
    return query


def _rules_of(connection: Connection, uuids: Sequence[str]) -> Mapping[str, tuple[tuple[str, int], ...]]:
    """Name the rules of cards."""
    joined = cards.join(findings, (findings.c.decision == cards.c.decision) & (findings.c.card == cards.c.uuid))
    query = select(cards.c.uuid, findings.c.rule, findings.c.version).select_from(joined).where(cards.c.uuid.in_(set(uuids)))
    found: dict[str, dict[tuple[str, int], None]] = {}
    for row in connection.execute(query.order_by(cards.c.uuid, findings.c.position)):
        found.setdefault(row.uuid, {})[row.rule, row.version] = None
    return {uuid: tuple(rules) for uuid, rules in found.items()}


def _comment(row: Any, rules: tuple[tuple[str, int], ...]) -> Comment:  # noqa: ANN401 - a row of the query
    score, words = complaint(row.text)
    return Comment(row.text, score, words, rules, row.client, row.site or "", row.card, row.received_at)
