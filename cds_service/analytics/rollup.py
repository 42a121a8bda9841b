"""Floor 7: keeps the roll-up tables: each day that is over is counted once, and again when feedback on its cards came late."""

from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from cds_service.analytics.days import ROLLUPS, Rows, count_day, number_of
from cds_service.store.chores import Turn
from cds_service.store.engine import Store
from cds_service.store.schema import cards, days_rolled_up, decisions, feedback
from cds_service.unknown import Unknown

CHORE: Final = "roll-up"
_SLACK: Final = timedelta(minutes=10)
"""How far back feedback is looked at again: clocks differ, and a transaction is seen later than its time of receipt."""
_LATE_DAYS: Final = 7
"""For so many days a decision may still come: one that waited for a database that was away."""


def roll_up(store: Store, zone: tzinfo, now: datetime, *, everything: bool = False) -> int | Unknown:
    """Count all days that are over and are not yet counted, or no longer right; returns how many, unknown while another process does it.

    `everything` counts every day again of which decisions are left. A day of which decisions were pruned keeps its counts. Raises
    StoreUnavailable.
    """
    turn = Turn(store, CHORE)
    if not turn.begins(now):
        return Unknown("another-process")
    done = None
    try:
        today = now.astimezone(zone).date()
        since = None if everything else turn.done_up_to()
        number = 0
        for day in store.read(lambda connection: _due(connection, zone, today, since, everything=everything)):
            number += _roll(store, day, zone, now)
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


def _due(connection: Connection, zone: tzinfo, today: date, since: datetime | None, *, everything: bool) -> list[date]:
    """Name the days to count: not counted yet, with feedback since the latest roll-up, or with decisions that came late."""
    oldest = connection.execute(select(func.min(decisions.c.time))).scalar()
    if oldest is None:
        return []
    begin = oldest.astimezone(zone).date()
    rolled = {row.day: row.decisions for row in connection.execute(select(days_rolled_up))}
    over = {begin + timedelta(days=number) for number in range((today - begin).days)}
    if everything:
        return sorted(over)
    late = {day for day in over & rolled.keys() if (today - day).days <= _LATE_DAYS and number_of(connection, day, zone) > rolled[day]}
    return sorted((over - rolled.keys()) | (over & _days_spoken_of(connection, zone, since)) | late)


def _days_spoken_of(connection: Connection, zone: tzinfo, since: datetime | None) -> set[date]:
    """Name the days of the decisions on whose cards feedback came since the latest roll-up, or since the first of one that was broken off."""
    since = since or connection.execute(select(func.min(days_rolled_up.c.rolled_at))).scalar()
    if since is None:
        return set()
    joined = feedback.join(cards, cards.c.uuid == feedback.c.card).join(decisions, decisions.c.id == cards.c.decision)
    query = select(decisions.c.time).select_from(joined).where(feedback.c.received_at >= since - _SLACK).distinct()
    return {row.time.astimezone(zone).date() for row in connection.execute(query)}


def _roll(store: Store, day: date, zone: tzinfo, now: datetime) -> bool:
    """Count one day and put it in the place of what was counted before; tells whether it did: never with fewer decisions than before."""
    number, rows = store.read(lambda connection: (number_of(connection, day, zone), count_day(connection, day, zone)))
    return store.write(lambda connection: _keep(connection, day, number, rows, now))


def _keep(connection: Connection, day: date, number: int, rows: Rows, now: datetime) -> bool:
    before = connection.execute(select(days_rolled_up.c.decisions).where(days_rolled_up.c.day == day)).scalar()
    if before is not None and number < before:
        return False
    for table in (*ROLLUPS, days_rolled_up):
        connection.execute(delete(table).where(table.c.day == day))
    for table, values in rows.items():
        if values:
            connection.execute(insert(table), values)
    connection.execute(insert(days_rolled_up), {"day": day, "decisions": number, "rolled_at": now})
    return True
