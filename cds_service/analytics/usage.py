"""Floor 7: `usage`, the report of what was advised in a window of days and what became of it; fast with millions of decisions.

Days that are over come from the roll-up tables, the others (today, and what is not rolled up yet) are counted when asked for.
The shape of the answer is in `analytics.report`; beside it stand `alarms`, `comments` and `codes`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, func, select

from cds_service.analytics.days import count_day
from cds_service.analytics.latency import latency
from cds_service.analytics.report import AnswerCounts, Filters, PeriodUse, PlaceUse, Reason, RuleCounts, RuleUse, UsageReport, Window
from cds_service.analytics.rollup import first_day
from cds_service.store.engine import Store
from cds_service.store.schema import answers_by_day, days_rolled_up, latency_by_day, reasons_by_day, rules_by_day
from cds_service.unknown import Unknown

ALL: Final = Filters()
Row = Mapping[str, Any]
Key = tuple[Any, ...]
Counts = TypeVar("Counts", AnswerCounts, RuleCounts)


@dataclass(frozen=True, slots=True)
class Tally:
    """The rows of the roll-up tables that a report adds up: of days that are over from the tables, of the others counted just now.

    `live` holds the rows counted just now, by table.
    """

    connection: Connection
    window: Window
    filters: Filters
    live: Mapping[Table, Sequence[Row]]

    def sums(self, table: Table, keys: Sequence[str], counts: Sequence[str]) -> Iterator[Row]:
        """Give sums of counts by keys; what was counted just now comes as further rows of the same keys."""
        columns = [table.c[key] for key in keys]
        query = select(*columns, *(func.sum(table.c[name]).label(name) for name in counts)).group_by(*columns)
        query = query.where(table.c.day.between(self.window.first, self.window.last), *(table.c[n] == v for n, v in self._wanted(table)))
        yield from (dict(row) for row in self.connection.execute(query).mappings())
        for row in self.live.get(table, ()):
            if all(row[name] == value for name, value in self._wanted(table)):
                yield row

    def _wanted(self, table: Table) -> list[tuple[str, Any]]:
        """Name the columns of a table that the filters bind, with their values."""
        chosen = ((field.name, getattr(self.filters, field.name)) for field in fields(self.filters))
        return [(name, value) for name, value in chosen if value is not None and name in table.c]


def usage(store: Store, window: Window, filters: Filters = ALL, *, zone: tzinfo = UTC, now: datetime | None = None) -> UsageReport:
    """Report the use in a window of days of the zone; raises StoreUnavailable."""
    moment = now or datetime.now(UTC)
    return store.read(lambda connection: _report(tally_of(connection, window, filters, zone, moment), zone, moment))


def tally_of(connection: Connection, window: Window, filters: Filters, zone: tzinfo, now: datetime) -> Tally:
    """Prepare what is to be added up, and count the days that are not rolled up."""
    live: dict[Table, list[Row]] = defaultdict(list)
    for day in _not_rolled_up(connection, window, zone, now):
        for table, rows in count_day(connection, day, zone).items():
            live[table] += rows
    return Tally(connection, window, filters, live)


def _not_rolled_up(connection: Connection, window: Window, zone: tzinfo, now: datetime) -> list[date]:
    begin = first_day(connection, zone)
    if isinstance(begin, Unknown):
        return []
    first, last = max(begin, window.first), min(window.last, now.astimezone(zone).date())
    query = select(days_rolled_up.c.day).where(days_rolled_up.c.day.between(first, last))
    rolled = set(connection.execute(query).scalars())
    return [day for number in range((last - first).days + 1) if (day := first + timedelta(days=number)) not in rolled]


def _report(tally: Tally, zone: tzinfo, now: datetime) -> UsageReport:
    by_day = _bands(tally, ("day",), lambda row: tally.window.start_of(row["day"]))
    days = _added(tally, answers_by_day, ("day",), lambda row: tally.window.start_of(row["day"]), AnswerCounts)
    whole: dict[int, int] = defaultdict(int)
    for bands in by_day.values():
        for band, number in bands.items():
            whole[band] += number
    return UsageReport(
        window=tally.window,
        filters=tally.filters,
        counts=sum(days.values(), AnswerCounts()),
        latency=latency(whole),
        periods=tuple(
            PeriodUse(start, days.get(start, AnswerCounts()), latency(by_day.get(start, {}))) for start in tally.window.periods()
        ),
        rules=_rules(tally),
        clients=_places(tally, "client"),
        sites=_places(tally, "site"),
        hooks=_places(tally, "hook"),
        reasons=tuple(_reasons(tally, lambda _: ()).get((), ())),
        first_decision=first_day(tally.connection, zone),
        made_at=now,
    )


def _added(tally: Tally, table: Table, keys: Sequence[str], key_of: Callable[[Row], Any], counts: type[Counts]) -> dict[Any, Counts]:
    """Add up the counts of a table by a key."""
    names = [field.name for field in fields(counts)]
    sums: dict[Any, list[int]] = {}
    for row in tally.sums(table, keys, names):
        numbers = [row[name] for name in names]
        key = key_of(row)
        sums[key] = [one + other for one, other in zip(sums[key], numbers, strict=True)] if key in sums else numbers
    return {key: counts(*numbers) for key, numbers in sums.items()}


def _bands(tally: Tally, keys: Sequence[str], key_of: Callable[[Row], Any]) -> dict[Any, dict[int, int]]:
    """Add up the histograms of latency by a key."""
    found: dict[Any, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in tally.sums(latency_by_day, (*keys, "band"), ("decisions",)):
        found[key_of(row)][row["band"]] += row["decisions"]
    return found


def _places(tally: Tally, name: str) -> tuple[PlaceUse, ...]:
    """Report the use by client, site or hook, the busiest first."""
    bands = _bands(tally, (name,), lambda row: row[name])
    counts = _added(tally, answers_by_day, (name,), lambda row: row[name], AnswerCounts)
    places = (PlaceUse(place, one, latency(bands.get(place, {}))) for place, one in counts.items())
    return tuple(sorted(places, key=lambda place: (-place.counts.decisions, place.name)))


def _rules(tally: Tally) -> tuple[RuleUse, ...]:
    """Report the use by rule and version, the most frequent first."""
    starts = tally.window.periods()
    start_of = tally.window.start_of

    def key_of(row: Row) -> Key:
        return (row["rule"], row["version"], start_of(row["day"]))

    reasons = _reasons(tally, lambda row: (row["rule"], row["version"]))
    counts = _added(tally, rules_by_day, ("rule", "version", "day"), key_of, RuleCounts)
    series = {key[:2]: tuple(counts.get((*key[:2], start), RuleCounts()) for start in starts) for key in counts}
    used = (RuleUse(key[0], key[1], sum(them, RuleCounts()), them, tuple(reasons.get(key, ()))) for key, them in series.items())
    return tuple(sorted(used, key=lambda one: (-one.counts.fired, -one.counts.incomplete, one.rule, -one.version)))


def _reasons(tally: Tally, key_of: Callable[[Row], Key]) -> dict[Key, list[Reason]]:
    """Count the override reasons by a key, the most frequent first.

    A card of several rules gives its reason for each of them: without a key of the rule such a reason counts once for each.
    """
    counted: dict[Key, dict[Key, int]] = defaultdict(lambda: defaultdict(int))
    given = ("system", "code", "display")
    for row in tally.sums(reasons_by_day, ("rule", "version", *given), ("overrides",)):
        counted[key_of(row)][tuple(row[name] for name in given)] += row["overrides"]
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


def choices(store: Store, *, zone: tzinfo = UTC, now: datetime | None = None) -> Choices:
    """Name what a report can be filtered by; raises StoreUnavailable."""
    moment = now or datetime.now(UTC)
    return store.read(lambda connection: _choices(connection, zone, moment))


def _choices(connection: Connection, zone: tzinfo, now: datetime) -> Choices:
    today = now.astimezone(zone).date()
    begin = first_day(connection, zone)
    tally = tally_of(connection, Window(today if isinstance(begin, Unknown) else begin, today), ALL, zone, now)
    versions: dict[str, set[int]] = defaultdict(set)
    for row in tally.sums(rules_by_day, ("rule", "version"), ("fired",)):
        versions[row["rule"]].add(row["version"])
    places = [sorted({row[name] for row in tally.sums(answers_by_day, (name,), ("decisions",))}) for name in ("client", "site", "hook")]
    return Choices({rule: tuple(sorted(versions[rule])) for rule in sorted(versions)}, *(tuple(names) for names in places))
