"""Floor 7: counts the decisions of one day as rows of the roll-up tables; the roll-up keeps them, a report of today uses them at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from time import monotonic
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Select,
    Subquery,
    Table,
    case,
    cast,
    distinct,
    exists,
    func,
    or_,
    select,
)

from cds_service.analytics.latency import BOUNDS
from cds_service.store.schema import (
    cards,
    decisions,
    feedback,
    feedback_reasons,
    findings,
    usage_answers,
    usage_latency,
    usage_reasons,
    usage_rules,
)

Rows = Mapping[Table, list[dict[str, Any]]]
ROLLUPS: Final = (usage_answers, usage_latency, usage_rules, usage_reasons)
KEEPS_SECONDS: Final = 10.0
_PLACE: Final = (decisions.c.client, decisions.c.site, decisions.c.hook)
_LACKING: Final = ("partial", "missing", "failed")
_READS: Final = ("patient", "conditions", "medications", "history")


def bounds_of(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the moments at which a day begins and ends in a time zone, in UTC."""
    begin, end = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return begin, end


def count_day(connection: Connection, day: date, zone: tzinfo) -> Rows:
    """Count the decisions of one day by client, site and hook, with their rules, and with what has been said of their cards so far."""
    is_of_day = _within(*bounds_of(day, zone))
    queries = {
        usage_answers: _answers(is_of_day),
        usage_latency: _latency(is_of_day),
        usage_rules: _rules(is_of_day),
        usage_reasons: _reasons(is_of_day),
    }
    return {table: [_row(day, row) for row in connection.execute(query).mappings()] for table, query in queries.items()}


CountDay = Callable[[Connection, date, tzinfo], Rows]


@dataclass
class CountedLately:
    """Counts a day as `count_day` does, or gives what it counted in the last seconds: a page asks for today several times."""

    clock: Callable[[], float] = monotonic
    _kept: dict[tuple[date, tzinfo], tuple[float, Rows]] = field(default_factory=dict)

    def __call__(self, connection: Connection, day: date, zone: tzinfo) -> Rows:
        """Count one day; other days are forgotten when they are old."""
        now = self.clock()
        kept = self._kept.get((day, zone))
        if kept and now - kept[0] < KEEPS_SECONDS:
            return kept[1]
        rows = count_day(connection, day, zone)
        self._kept = {key: one for key, one in self._kept.items() if now - one[0] < KEEPS_SECONDS} | {(day, zone): (now, rows)}
        return rows


def _row(day: date, counted: RowMapping) -> dict[str, Any]:
    """Write one row of a day; PostgreSQL gives sums of sums as Decimal."""
    return {"span": "day", "day": day, **{name: int(value) if isinstance(value, Decimal) else value for name, value in counted.items()}}


def number_of(connection: Connection, day: date, zone: tzinfo) -> int:
    """Count the decisions of one day."""
    query = select(func.count()).select_from(decisions).where(_within(*bounds_of(day, zone)))
    return connection.execute(query).scalar_one()


def _within(begin: datetime, end: datetime) -> ColumnElement[bool]:
    return (decisions.c.time >= begin) & (decisions.c.time < end)


def _if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """Write a condition as 1 or 0."""
    return case((condition, 1), else_=0)


def _total(number: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    return func.coalesce(func.sum(number), 0).label(name)


def _said(is_of_day: ColumnElement[bool]) -> Subquery:
    """For each card of the day, whether it was accepted, else whether it was overridden.

    Looked up card by card: grouping by card, SQLite would walk through the cards of all days.
    """

    def was(outcome: str) -> ColumnElement[bool]:
        return exists().where(feedback.c.card == cards.c.uuid, feedback.c.outcome == outcome)

    overridden = _if(was("overridden") & ~was("accepted"))
    return (
        select(cards.c.uuid, cards.c.decision, _if(was("accepted")).label("accepted"), overridden.label("overridden"))
        .select_from(decisions.join(cards, cards.c.decision == decisions.c.id))
        .where(is_of_day)
        .subquery("said")
    )


def _answers(is_of_day: ColumnElement[bool]) -> Select[Any]:
    said = _said(is_of_day)
    sums = (func.count().label("cards"), func.sum(said.c.accepted).label("accepted"), func.sum(said.c.overridden).label("overridden"))
    sent = select(said.c.decision, *sums).group_by(said.c.decision).subquery("sent")
    reads = {kind: decisions.c[f"{kind}_read"] for kind in _READS}
    lacking = {kind: column.in_(_LACKING) for kind, column in reads.items()}
    return (
        select(
            *_PLACE,
            func.count().label("decisions"),
            _total(_if(sent.c.cards > 0), "with_cards"),
            _total(_if(or_(*(column != "" for column in reads.values()))), "with_data"),
            _total(_if(or_(*lacking.values())), "incomplete"),
            *(_total(_if(lacks), f"{kind}_incomplete") for kind, lacks in lacking.items()),
            *(_total(sent.c[name], name) for name in ("cards", "accepted", "overridden")),
        )
        .select_from(decisions.outerjoin(sent, sent.c.decision == decisions.c.id))
        .where(is_of_day)
        .group_by(*_PLACE)
    )


def _latency(is_of_day: ColumnElement[bool]) -> Select[Any]:
    whens = [(decisions.c.latency_ms < bound, band) for band, bound in enumerate(BOUNDS)]
    banded = select(*_PLACE, case(*whens, else_=len(BOUNDS)).label("band")).where(is_of_day).subquery("banded")
    keys = (banded.c.client, banded.c.site, banded.c.hook, banded.c.band)
    return select(*keys, func.count().label("decisions")).group_by(*keys)


def _first_firings(is_of_day: ColumnElement[bool]) -> Subquery:
    """For each decision, rule and version the first finding that fired: one that fired for two orders took its time once."""
    keys = (findings.c.decision, findings.c.rule, findings.c.version)
    return (
        select(*keys, func.min(findings.c.position).label("position"))
        .select_from(decisions.join(findings, findings.c.decision == decisions.c.id))
        .where(is_of_day, findings.c.fate != "incomplete")
        .group_by(*keys)
        .subquery("once")
    )


def _rules(is_of_day: ColumnElement[bool]) -> Select[Any]:
    said = _said(is_of_day)
    fate, has_fired = findings.c.fate, findings.c.fate != "incomplete"
    counted = {"shown": "shown", "silent": "silent", "withheld": "withheld", "respected": "overridden", "incomplete": "incomplete"}
    keys = (*_PLACE, findings.c.rule, findings.c.version)
    once = _first_firings(is_of_day)
    is_once = (once.c.decision == findings.c.decision) & (once.c.rule == findings.c.rule) & (once.c.version == findings.c.version)
    took = case((once.c.position == findings.c.position, decisions.c.latency_ms), else_=0)
    fired_in = func.count(distinct(case((has_fired, decisions.c.id))))
    both = (
        decisions.join(findings, findings.c.decision == decisions.c.id)
        .outerjoin(said, said.c.uuid == findings.c.card)
        .outerjoin(once, is_once)
    )
    return (
        select(
            *keys,
            fired_in.label("decisions"),
            fired_in.label("timed"),
            cast(func.round(func.sum(took)), Integer).label("milliseconds"),
            _total(_if(has_fired), "fired"),
            *(_total(_if(fate == word), name) for name, word in counted.items()),
            func.count(distinct(said.c.uuid)).label("cards"),
            *(func.count(distinct(case((said.c[name] == 1, said.c.uuid)))).label(name) for name in ("accepted", "overridden")),
        )
        .select_from(both)
        .where(is_of_day)
        .group_by(*keys)
    )


def _reasons(is_of_day: ColumnElement[bool]) -> Select[Any]:
    given = (feedback_reasons.c.system, feedback_reasons.c.code, feedback_reasons.c.display)
    keys = (*_PLACE, findings.c.rule, findings.c.version, *given)
    joined = (
        decisions.join(findings, findings.c.decision == decisions.c.id)
        .join(feedback, (feedback.c.card == findings.c.card) & (findings.c.card != ""))
        .join(feedback_reasons, feedback_reasons.c.feedback == feedback.c.id)
    )
    overrides = func.count(distinct(feedback.c.id)).label("overrides")
    return select(*keys, overrides).select_from(joined).where(is_of_day).group_by(*keys)
