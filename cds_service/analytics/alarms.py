"""Floor 7: tells when a rule falls silent or floods: its firing rate against its own four-week mean.

The count of a recent time (today, or the last 3, 7, 14 or 28 days) is compared with the 28 days before it, both as decisions in which the rule
fired of all decisions at the hooks where it fires, so that fewer calls at a weekend are no news. What to expect comes from the
means of working days and of weekends, apart. If nothing changed, the recent count is binomial given both counts together (the exact
comparison of two Poisson means); counts are first divided by how much more the days scatter than chance would have it.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal

from sqlalchemy import Connection

from cds_service.analytics.days import CountDay, count_day
from cds_service.analytics.report import Filters, Window
from cds_service.analytics.statistics import at_least, at_most
from cds_service.analytics.usage import ALL, tally_of
from cds_service.store.engine import Store
from cds_service.store.schema import usage_answers, usage_rules

Counts = dict[tuple[str, str, str, date], int]
"""Decisions by client, site, hook and day."""
MEAN_DAYS: Final = 28
RECENT_DAYS: Final = (1, 3, 7, 14, 28)
CHANCE: Final = 1e-4
"""How unlikely a count must be: with it a rule is silent only where ten (in a day) to fourteen (in four weeks) firings were to be expected."""
SILENT_BELOW: Final = 0.1
FLOOD_ABOVE: Final = 3.0
FLOOD_LEAST: Final = 10
"""A handful of firings is no flood: one order that is changed again and again can make them."""
_LEAST_DAYS: Final = 7
"""Days with decisions that a mean needs."""
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule that fell silent or floods; `client` and `site` are None where all of them together show it.

    It fired in `fired` of `decisions` decisions of the last `days` days (today included), `expected` by its mean; `chance` is how likely
    such a count is if nothing changed.
    """

    rule: str
    kind: Literal["silent", "flood"]
    client: str | None
    site: str | None
    days: int
    fired: int
    decisions: int
    expected: float
    mean: float
    chance: float

    def __str__(self) -> str:
        """Say it in a sentence."""
        where = "" if self.client is None else f" (client {self.client or 'without name'}, site {self.site or 'without name'})"
        time = "today" if self.days == 1 else f"in the last {self.days} days"
        what = "fell silent" if self.kind == "silent" else "floods"
        return f"{self.rule}{where} {what}: fired in {self.fired:,} of {self.decisions:,} decisions {time}; {self.expected:,.0f} were to be expected."


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a rule: in how many of how many decisions it fired."""

    day: date
    fired: int
    decisions: int
    is_weekend: bool = field(init=False)
    """Saturday and Sunday, whose mix of patients may be another one."""

    def __post_init__(self) -> None:
        """Ask the calendar once: each day is looked at some hundred times."""
        object.__setattr__(self, "is_weekend", self.day.weekday() >= _SATURDAY)


def alarms(
    store: Store, filters: Filters = ALL, *, zone: tzinfo = UTC, now: datetime | None = None, count: CountDay = count_day
) -> tuple[Alarm, ...]:
    """Name the rules that are silent or flood today, for all clients together, and for one client where only that shows it.

    `filters.version` is ignored: a new version is the same rule. Raises StoreUnavailable.
    """
    moment = now or datetime.now(UTC)
    return store.read(lambda connection: _alarms(connection, filters, zone, moment, count))


def judged(days: Mapping[date, Day], today: date) -> tuple[Literal["silent", "flood"], int, Day, float, float, float] | None:
    """Judge one series of days; returns kind, length, the recent count, what was expected, the mean rate and the chance."""
    heard = sorted((day for day in days.values() if day.decisions and day.day <= today), key=lambda one: one.day)
    dates = [day.day for day in heard]
    found = []
    for length in RECENT_DAYS:
        begin = today - timedelta(days=length - 1)
        cut = bisect_left(dates, begin)
        told = _compared(heard[bisect_left(dates, begin - timedelta(days=MEAN_DAYS)) : cut], heard[cut:])
        if told:
            kind, recent, expected, mean, chance = told
            found.append((kind, length, recent, expected, mean, chance))
    return min(found, key=lambda one: one[-1], default=None)


def _compared(before: Sequence[Day], recent: Sequence[Day]) -> tuple[Literal["silent", "flood"], Day, float, float, float] | None:
    """Compare the last days with the four weeks before them."""
    if len(before) < _LEAST_DAYS or not recent:
        return None
    earlier, now = _sum(before), _sum(recent)
    if not earlier.fired:
        return None
    rates = _rates(before)
    expected = math.fsum(day.decisions * rates[day.is_weekend] for day in recent)
    is_silent, is_flood = now.fired <= SILENT_BELOW * expected, now.fired >= max(FLOOD_LEAST, FLOOD_ABOVE * expected)
    if not (is_silent or is_flood):
        return None
    scatter = _scatter(before, rates)
    share = expected / (expected + earlier.fired)
    tries = round((now.fired + earlier.fired) / scatter)
    tail = at_most(math.ceil(now.fired / scatter), tries, share) if is_silent else at_least(math.floor(now.fired / scatter), tries, share)
    return ("silent" if is_silent else "flood", now, expected, earlier.fired / earlier.decisions, tail) if tail < CHANCE else None


def _sum(days: Sequence[Day]) -> Day:
    return Day(days[0].day if days else date.min, sum([day.fired for day in days]), sum([day.decisions for day in days]))


def _rates(days: Sequence[Day]) -> Mapping[bool, float]:
    """Return the mean rate of weekends (True) and of working days; of all days where there were none of a kind."""
    weekend, working = [day for day in days if day.is_weekend], [day for day in days if not day.is_weekend]
    kinds = {True: _sum(weekend or days), False: _sum(working or days)}
    return {kind: one.fired / one.decisions for kind, one in kinds.items()}


def _scatter(days: Sequence[Day], rates: Mapping[bool, float]) -> float:
    """Return by how much the days scatter more than counts that are due to chance alone (Pearson's statistic by degree of freedom), at least 1."""
    expected = [(day.fired, day.decisions * rates[day.is_weekend]) for day in days if rates[day.is_weekend]]
    return max(1.0, math.fsum((fired - mean) ** 2 / mean for fired, mean in expected) / max(1, len(expected) - 1))


def _alarms(connection: Connection, filters: Filters, zone: tzinfo, now: datetime, count: CountDay) -> tuple[Alarm, ...]:
    today = now.astimezone(zone).date()
    first = today - timedelta(days=MEAN_DAYS + RECENT_DAYS[-1] - 1)
    of_all_rules = Filters(client=filters.client, site=filters.site, hook=filters.hook)
    tally = tally_of(connection, Window(first, today), of_all_rules, zone, now, count)
    place = ("day", "client", "site", "hook")
    calls: Counts = defaultdict(int)
    for day, client, site, hook, number in tally.sums(usage_answers, place, ("decisions",), "day"):
        calls[client, site, hook, day] += number
    fired: dict[str, Counts] = defaultdict(lambda: defaultdict(int))
    asked = replace(tally, filters=replace(of_all_rules, rule=filters.rule))
    for day, client, site, hook, rule, number in asked.sums(usage_rules, (*place, "rule"), ("decisions",), "day"):
        fired[rule][client, site, hook, day] += number
    rules = sorted(fired) if filters.rule is None else [filters.rule]
    return tuple(alarm for rule in rules for alarm in _of_rule(rule, fired[rule], calls, today))


def _of_rule(rule: str, fired: Counts, calls: Counts, today: date) -> Iterator[Alarm]:
    """Judge a rule for all clients together; and for each client and site, where all together show nothing."""
    hooks = {hook for _, _, hook, _ in fired}
    by_place: dict[tuple[str, str], dict[date, list[int]]] = defaultdict(dict)
    for (client, site, hook, day), number in calls.items():
        if hook in hooks:
            sums = by_place[client, site].setdefault(day, [0, 0])
            sums[0] += fired.get((client, site, hook, day), 0)
            sums[1] += number
    whole: dict[date, list[int]] = {}
    for days in by_place.values():
        for day, numbers in days.items():
            whole[day] = [one + other for one, other in zip(whole.get(day, (0, 0)), numbers, strict=True)]
    alarm = _alarm(rule, None, whole, today)
    if alarm:
        yield alarm
    if alarm or len(by_place) == 1:  # one place is all of them
        return
    yield from (alarm for place in sorted(by_place) if (alarm := _alarm(rule, place, by_place[place], today)))


def _alarm(rule: str, place: tuple[str, str] | None, days: Mapping[date, Sequence[int]], today: date) -> Alarm | None:
    verdict = judged({day: Day(day, *numbers) for day, numbers in days.items()}, today)
    if verdict is None:
        return None
    kind, length, recent, expected, mean, chance = verdict
    client, site = place or (None, None)
    return Alarm(rule, kind, client, site, length, recent.fired, recent.decisions, expected, mean, chance)
