"""Floor 7: `usage`, the report of what was advised in a window of days and what became of it; fast with millions of decisions.

Days that are over come from the roll-up tables, the others (today, and what is not rolled up yet) are counted when asked for.
The shape of the answer is in `analytics.report`; beside it stand `alarms`, `comments` and `codes`.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, and_, false, func, or_, select

from cds_service.analytics.days import CountDay, count_day
from cds_service.analytics.latency import latency
from cds_service.analytics.report import AnswerCounts, Filters, PeriodUse, PlaceUse, Reason, RuleCounts, RuleUse, UsageReport, Window
from cds_service.analytics.rollup import counted_days, first_day
from cds_service.analytics.spans import Span, cover, days_between
from cds_service.store.engine import Store
from cds_service.store.schema import usage_answers, usage_latency, usage_reasons, usage_rules
from cds_service.unknown import Unknown

ALL: Final = Filters()
_PLACE: Final = ("client", "site", "hook")
Key = tuple[Any, ...]
Counts = TypeVar("Counts", AnswerCounts, RuleCounts)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a report adds up: the fewest rows of the roll-up tables that make its window, and `live`, the days counted just now, by table."""

    connection: Connection
    window: Window
    filters: Filters
    begin: date | Unknown
    live_days: Collection[date]
    live: Mapping[Table, Sequence[Mapping[str, Any]]]

    def sums(self, table: Table, keys: Sequence[str], counts: Sequence[str], by: Span | None = None) -> Iterator[Key]:
        """Give keys and sums of counts; the same keys come again for what was counted just now.

        With "day" among the keys, each day stands for the period (`by`) that begins with or before it.
        """
        wanted = [(name, value) for name, value in self._wanted() if name in table.c]
        columns = [table.c[key] for key in keys]
        query = select(*columns, *(func.sum(table.c[name]) for name in counts)).group_by(*columns).where(self._time(table, by))
        yield from self.connection.execute(query.where(*(table.c[name] == value for name, value in wanted))).all()
        for row in self.live.get(table, ()):
            if all(row[name] == value for name, value in wanted):
                yield tuple(row[name] for name in (*keys, *counts))

    def _time(self, table: Table, by: Span | None) -> ColumnElement[bool]:
        """Choose the rows whose spans together are the window, without the days that are counted live."""
        if isinstance(self.begin, Unknown):
            return false()
        pieces = cover(max(self.window.first, self.begin), self.window.last, by, self.live_days)
        return or_(false(), *(and_(table.c.span == piece.span, table.c.day.between(piece.first, piece.last)) for piece in pieces))

    def _wanted(self) -> list[tuple[str, Any]]:
        chosen = ((field.name, getattr(self.filters, field.name)) for field in fields(self.filters))
        return [(name, value) for name, value in chosen if value is not None]


def usage(
    store: Store, window: Window, filters: Filters = ALL, *, zone: tzinfo = UTC, now: datetime | None = None, count: CountDay = count_day
) -> UsageReport:
    """Report the use in a window of days of the zone; `count` counts a day that is not rolled up. Raises StoreUnavailable."""
    moment = now or datetime.now(UTC)
    return store.read(lambda connection: _report(tally_of(connection, window, filters, zone, moment, count), moment))


def tally_of(connection: Connection, window: Window, filters: Filters, zone: tzinfo, now: datetime, count: CountDay = count_day) -> Tally:
    """Prepare what is to be added up, and count the days that are not rolled up."""
    begin = first_day(connection, zone)
    live: dict[Table, list[Mapping[str, Any]]] = defaultdict(list)
    days: list[date] = []
    if not isinstance(begin, Unknown):
        counted = counted_days(connection, zone, now)
        days = [day for day in days_between(max(begin, window.first), min(window.last, now.astimezone(zone).date())) if day not in counted]
    for day in days:
        for table, rows in count(connection, day, zone).items():
            live[table] += rows
    return Tally(connection, window, filters, begin, days, live)


def _report(tally: Tally, now: datetime) -> UsageReport:
    by = tally.window.by
    days = _added(tally.sums(usage_answers, ("day",), _names(AnswerCounts), by), lambda key: tally.window.start_of(key[0]), AnswerCounts)
    bands = _bands(tally.sums(usage_latency, ("day", "band"), ("decisions",), by), lambda key: tally.window.start_of(key[0]))
    answers = list(tally.sums(usage_answers, _PLACE, _names(AnswerCounts)))
    histogram = list(tally.sums(usage_latency, (*_PLACE, "band"), ("decisions",)))
    reasons = list(tally.sums(usage_reasons, ("rule", "version", "system", "code", "display"), ("overrides",)))
    return UsageReport(
        window=tally.window,
        filters=tally.filters,
        counts=AnswerCounts.total(days.values()),
        latency=latency(_bands(histogram, lambda _: ()).get((), {})),
        periods=tuple(PeriodUse(start, days.get(start, AnswerCounts()), latency(bands.get(start, {}))) for start in tally.window.periods()),
        rules=_rules(tally, _reasons(reasons, lambda key: key[:2])),
        clients=_places(answers, histogram, 0),
        sites=_places(answers, histogram, 1),
        hooks=_places(answers, histogram, 2),
        reasons=tuple(_reasons(reasons, lambda _: ()).get((), ())),
        first_decision=tally.begin,
        made_at=now,
    )


def _names(counts: type[AnswerCounts | RuleCounts]) -> list[str]:
    return [field.name for field in fields(counts)]


def _added(rows: Iterable[Key], key_of: Callable[[Key], Any], counts: type[Counts]) -> dict[Any, Counts]:
    """Add up the counts, which stand at the end of each row, by a key."""
    width = len(fields(counts))
    sums: dict[Any, Key] = {}
    for row in rows:
        key, numbers = key_of(row), row[-width:]
        before = sums.get(key)
        sums[key] = numbers if before is None else tuple(map(int.__add__, before, numbers))
    return {key: counts(*numbers) for key, numbers in sums.items()}


def _bands(rows: Iterable[Key], key_of: Callable[[Key], Any]) -> dict[Any, dict[int, int]]:
    """Add up the histograms of latency, whose rows end with band and number, by a key."""
    found: dict[Any, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        found[key_of(row)][row[-2]] += row[-1]
    return found


def _places(answers: Iterable[Key], histogram: Iterable[Key], place: int) -> tuple[PlaceUse, ...]:
    """Report the use by client, site or hook, the busiest first."""
    bands = _bands(histogram, lambda key: key[place])
    counts = _added(answers, lambda key: key[place], AnswerCounts)
    places = (PlaceUse(name, one, latency(bands.get(name, {}))) for name, one in counts.items())
    return tuple(sorted(places, key=lambda one: (-one.counts.decisions, one.name)))


def _rules(tally: Tally, reasons: Mapping[Key, Sequence[Reason]]) -> tuple[RuleUse, ...]:
    """Report the use by rule and version, the most frequent first."""
    start_of = tally.window.start_of
    rows = tally.sums(usage_rules, ("rule", "version", "day"), _names(RuleCounts), tally.window.by)
    counts = _added(rows, lambda key: (key[0], key[1], start_of(key[2])), RuleCounts)
    starts = tally.window.periods()
    series = {key: tuple(counts.get((*key, start), RuleCounts()) for start in starts) for key in dict.fromkeys(key[:2] for key in counts)}
    used = (RuleUse(key[0], key[1], RuleCounts.total(them), them, tuple(reasons.get(key, ()))) for key, them in series.items())
    return tuple(sorted(used, key=lambda one: (-one.counts.fired, -one.counts.incomplete, one.rule, -one.version)))


def _reasons(rows: Iterable[Key], key_of: Callable[[Key], Key]) -> dict[Key, list[Reason]]:
    """Count the override reasons by a key of rule and version, the most frequent first.

    A card of several rules gives its reason for each of them: without a key of the rule such a reason counts once for each.
    """
    counted: dict[Key, dict[Key, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        counted[tuple(key_of(row))][tuple(row[2:5])] += row[5]
    return {key: _ranked(reasons.items()) for key, reasons in counted.items()}


def _ranked(reasons: Iterable[tuple[Key, int]]) -> list[Reason]:
    return sorted(
        (Reason(given[0], given[1], given[2], number) for given, number in reasons), key=lambda one: (-one.overrides, one.display, one.code)
    )


@dataclass(frozen=True, slots=True)
class Choices:
    """What a report can be filtered by: every rule with its versions, client, site and hook that the store has seen."""

    rules: Mapping[str, tuple[int, ...]]
    clients: tuple[str, ...]
    sites: tuple[str, ...]
    hooks: tuple[str, ...]


def choices(store: Store, *, zone: tzinfo = UTC, now: datetime | None = None, count: CountDay = count_day) -> Choices:
    """Name what a report can be filtered by; raises StoreUnavailable."""
    moment = now or datetime.now(UTC)
    return store.read(lambda connection: _choices(connection, zone, moment, count))


def _choices(connection: Connection, zone: tzinfo, now: datetime, count: CountDay) -> Choices:
    today = now.astimezone(zone).date()
    begin = first_day(connection, zone)
    tally = tally_of(connection, Window(today if isinstance(begin, Unknown) else begin, today), ALL, zone, now, count)
    versions: dict[str, set[int]] = defaultdict(set)
    for rule, version, _ in tally.sums(usage_rules, ("rule", "version"), ("fired",)):
        versions[rule].add(version)
    seen = list(tally.sums(usage_answers, _PLACE, ("decisions",)))
    return Choices(
        {rule: tuple(sorted(versions[rule])) for rule in sorted(versions)}, *(tuple(sorted({row[n] for row in seen})) for n in range(3))
    )
