"""Floor 7: keeps the roll-up tables: each day is counted, and again while it lasts and when feedback on its cards came late.

Beside the rows of days stand those of weeks and months, which are the sums of the days that are there.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, Integer, Table, delete, func, insert, literal, select

from cds_service.analytics.days import ROLLUPS, Rows, bounds_of, count_day, number_of
from cds_service.analytics.spans import Span, days_between, end_of, start_of
from cds_service.store.chores import Turn
from cds_service.store.engine import Store
from cds_service.store.schema import cards, days_rolled_up, decisions, feedback
from cds_service.unknown import Unknown

CHORE: Final = "roll-up"
FRESH: Final = timedelta(minutes=5)
"""How old the counts of a day that is not over may be."""
_SLACK: Final = timedelta(minutes=10)
"""How far back feedback is looked at again: clocks differ, and a transaction is seen later than its time of receipt."""
_LATE_DAYS: Final = 7
"""For so many days a decision may still come: one that waited for a database that was away."""
_ZONES_DAYS: Final = 2
"""No zone is so far from UTC."""
_NO_REST: Final = timedelta()
_LARGER: Final[tuple[Span, ...]] = ("week", "month")


def roll_up(store: Store, zone: tzinfo, now: datetime, *, everything: bool = False, rest: timedelta = _NO_REST) -> int | Unknown:
    """Count all days that are not yet counted, or no longer right; returns how many.

    Unknown while another process does it, or where that was done less than `rest` ago. `everything` counts every day again of which
    decisions are left; a day of which decisions were pruned keeps its counts. Raises StoreUnavailable.
    """
    turn = Turn(store, CHORE)
    if not turn.begins(now):
        return Unknown("another-process")
    done = None
    try:
        since = turn.done_up_to()
        if since and now - since < rest:
            return Unknown("done-lately")
        days = store.read(lambda connection: _due(connection, zone, now, since, everything=everything))
        number = 0
        for _, month in groupby(days, lambda day: start_of(day, "month")):
            number += _roll(store, tuple(month), zone, now)
            turn.goes_on()
        done = now
    finally:
        turn.ends(done)
    return number


def first_day(connection: Connection, zone: tzinfo) -> date | Unknown:
    """Return the day of the oldest decision, in the roll-ups or in the store."""
    oldest = connection.execute(select(func.min(decisions.c.time))).scalar()
    rolled = connection.execute(select(func.min(days_rolled_up.c.day)).where(days_rolled_up.c.decisions > 0)).scalar()
    days = [day for day in (oldest.astimezone(zone).date() if oldest else None, rolled) if day]
    return min(days) if days else Unknown("no-decisions")


def counted_days(connection: Connection, zone: tzinfo, now: datetime) -> Mapping[date, int]:
    """Return the days whose rows can be used, with the number of decisions: counted when they were over, or not long ago."""
    rows = connection.execute(select(days_rolled_up))
    return {row.day: row.decisions for row in rows if row.rolled_at >= now - FRESH or _was_over(row.day, row.rolled_at, zone)}


def _was_over(day: date, moment: datetime, zone: tzinfo) -> bool:
    """Tell whether a day of the zone was over; where its date is long gone, without asking the zone (a page asks for a year of days)."""
    return (moment.date() - day).days > _ZONES_DAYS or moment >= bounds_of(day, zone)[1]


def _due(connection: Connection, zone: tzinfo, now: datetime, since: datetime | None, *, everything: bool) -> list[date]:
    """Name the days to count: today, not counted since they were over, with feedback since the latest roll-up, or with late decisions."""
    oldest = connection.execute(select(func.min(decisions.c.time))).scalar()
    if oldest is None:
        return []
    today = now.astimezone(zone).date()
    days = set(days_between(oldest.astimezone(zone).date(), today))
    if everything:
        return sorted(days)
    counted = counted_days(connection, zone, now)
    late = {day for day in days & counted.keys() if (today - day).days <= _LATE_DAYS and number_of(connection, day, zone) > counted[day]}
    return sorted((days - counted.keys()) | (days & _days_spoken_of(connection, zone, since)) | late | (days & {today}))


def _days_spoken_of(connection: Connection, zone: tzinfo, since: datetime | None) -> set[date]:
    """Name the days of the decisions on whose cards feedback came since the latest roll-up, or since the first of one that was broken off."""
    since = since or connection.execute(select(func.min(days_rolled_up.c.rolled_at))).scalar()
    if since is None:
        return set()
    joined = feedback.join(cards, cards.c.uuid == feedback.c.card).join(decisions, decisions.c.id == cards.c.decision)
    query = select(decisions.c.time).select_from(joined).where(feedback.c.received_at >= since - _SLACK).distinct()
    return {row.time.astimezone(zone).date() for row in connection.execute(query)}


def _roll(store: Store, days: Sequence[date], zone: tzinfo, now: datetime) -> int:
    """Count some days and put them in the place of what was counted before; tells how many it did."""
    counted = {
        day: store.read(lambda connection, day=day: (number_of(connection, day, zone), count_day(connection, day, zone)))  # type: ignore[misc]
        for day in days
    }
    return store.write(lambda connection: _keep(connection, counted, now))


def _keep(connection: Connection, counted: Mapping[date, tuple[int, Rows]], now: datetime) -> int:
    """Replace days, unless they now have fewer decisions than before, and then the weeks and months that they are in."""
    before = {row.day: row.decisions for row in connection.execute(select(days_rolled_up).where(days_rolled_up.c.day.in_(list(counted))))}
    kept = {day: (number, rows) for day, (number, rows) in counted.items() if number >= before.get(day, 0)}
    connection.execute(delete(days_rolled_up).where(days_rolled_up.c.day.in_(list(kept))))
    for table in ROLLUPS:
        connection.execute(delete(table).where(table.c.span == "day", table.c.day.in_(list(kept))))
        rows = [row for _, counts in kept.values() for row in counts[table]]
        if rows:
            connection.execute(insert(table), rows)
        for span in _LARGER:
            for start in sorted({start_of(day, span) for day in kept}):
                _sum(connection, table, span, start)
    if kept:
        connection.execute(
            insert(days_rolled_up), [{"day": day, "decisions": number, "rolled_at": now} for day, (number, _) in kept.items()]
        )
    return len(kept)


def _sum(connection: Connection, table: Table, span: Span, start: date) -> None:
    """Make the rows of one week or month from those of its days."""
    counts = [column for column in table.c if isinstance(column.type, Integer) and not column.primary_key and column.name != "version"]
    keys = [column for column in table.c if column not in {*counts, table.c.span, table.c.day}]
    sums = [func.sum(column) for column in counts]
    query = select(literal(span), literal(start, table.c.day.type), *keys, *sums).group_by(*keys)
    query = query.where(table.c.span == "day", table.c.day.between(start, end_of(start, span)))
    connection.execute(delete(table).where(table.c.span == span, table.c.day == start))
    connection.execute(insert(table).from_select(["span", "day", *(column.name for column in (*keys, *counts))], query))
