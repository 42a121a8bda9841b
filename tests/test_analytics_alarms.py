"""A rule that falls silent or floods raises the alarm; a quiet weekend, a rare rule and chance do not."""

import random
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest

from cds_service.analytics.alarms import Alarm, Day, alarms, judged
from cds_service.analytics.report import Filters
from cds_service.analytics.rollup import roll_up
from cds_service.store.engine import Store
from tests.analytics_floor import Made, Told, at, days_before, plant, series
from tests.conftest import NOON
from tests.store_floor import DATABASES, opened

TODAY = NOON.date()
"""A Sunday."""
FRIDAY = TODAY - timedelta(days=2)


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


def found(store: Store, day: date = TODAY, **filters: str) -> list[tuple[str, str, str | None, int]]:
    told = alarms(store, Filters(**filters), now=at(day, 23))  # type: ignore[arg-type]
    return [(one.rule, one.kind, one.client, one.days) for one in told]


def days(*numbers: tuple[int, int], last: date = TODAY) -> dict[date, Day]:
    """Make days up to the last, from (fired, decisions)."""
    first = last - timedelta(days=len(numbers) - 1)
    return {day: Day(day, *pair) for day, pair in ((first + timedelta(days=place), pair) for place, pair in enumerate(numbers))}


def verdict(*numbers: tuple[int, int], last: date = TODAY) -> tuple[str, int] | None:
    told = judged(days(*numbers, last=last), last)
    return told and told[:2]


def test_a_planted_silent_rule_raises_the_alarm(store: Store) -> None:
    series(store, TODAY, 31, calls=20, fires=20, rule="another-rule")
    series(store, TODAY - timedelta(days=3), 28, calls=20, fires=5)
    series(store, TODAY, 3, calls=20, fires=0)
    assert found(store) == [("some-rule", "silent", None, 3)]
    roll_up(store, UTC, NOON)
    assert found(store) == [("some-rule", "silent", None, 3)]


def test_a_planted_flood_raises_the_alarm(store: Store) -> None:
    series(store, TODAY, 31, calls=20, fires=2, rule="another-rule")
    series(store, TODAY - timedelta(days=1), 28, calls=20, fires=1)
    series(store, TODAY, 1, calls=20, fires=12)
    assert found(store) == [("some-rule", "flood", None, 1)]


def test_a_rule_that_falls_silent_at_one_client_raises_the_alarm_of_that_client(store: Store) -> None:
    series(store, TODAY, 35, calls=40, fires=20, client="large")
    series(store, TODAY - timedelta(days=7), 28, calls=8, fires=4, client="small", site="south")
    series(store, TODAY, 7, calls=8, fires=0, client="small", site="south")
    [alarm] = alarms(store, now=at(TODAY, 23))
    assert (alarm.rule, alarm.kind, alarm.client, alarm.site, alarm.fired, alarm.decisions) == (
        "some-rule",
        "silent",
        "small",
        "south",
        0,
        56,
    )
    assert str(alarm) == (
        "some-rule (client small, site south) fell silent: fired in 0 of 56 decisions in the last 7 days; 28 were to be expected."
    )
    assert found(store, client="large") == []


def test_calls_at_a_hook_where_a_rule_never_fires_do_not_dilute_it(store: Store) -> None:
    series(store, TODAY, 35, calls=10, fires=5)
    series(store, TODAY, 6, calls=400, fires=0, hook="order-select")
    assert found(store) == []


def test_a_filter_by_rule_judges_that_rule_alone(store: Store) -> None:
    series(store, TODAY - timedelta(days=7), 28, calls=20, fires=5)
    series(store, TODAY, 7, calls=20, fires=0)
    assert found(store, rule="some-rule") == [("some-rule", "silent", None, 7)]
    assert found(store, rule="another-rule") == []


def test_a_new_version_is_the_same_rule(store: Store) -> None:
    series(store, TODAY - timedelta(days=7), 28, calls=10, fires=5)
    plant(
        store,
        *(Made(at(day), findings=[Told("some-rule", version=2)] if n < 5 else ()) for day in days_before(TODAY, 7) for n in range(10)),
    )
    assert found(store) == []


def test_an_empty_store_raises_no_alarm(store: Store) -> None:
    assert found(store) == []


def test_a_quiet_weekend_raises_no_alarm() -> None:
    working, weekend = (100, 400), (1, 20)
    weeks = [*[working] * 5, weekend, weekend] * 6
    assert [verdict(*weeks, *([working] * 5 + [weekend] * 2)[:more], last=TODAY + timedelta(days=more)) for more in range(7)] == [None] * 7


def test_a_holiday_with_few_calls_raises_no_alarm() -> None:
    weeks = [*[(100, 400)] * 5, (5, 20), (5, 20)] * 5
    assert verdict(*weeks[:-3], (0, 10), (0, 8), (0, 9)) is None


def test_a_whole_day_of_silence_of_a_frequent_rule_raises_the_alarm() -> None:
    assert verdict(*[(40, 400)] * 28, (0, 400)) == ("silent", 1)


def test_a_rule_that_nearly_vanishes_is_silent_too() -> None:
    assert verdict(*[(40, 400)] * 28, *[(2, 400)] * 7) == ("silent", 7)


def test_a_rule_that_halves_is_not_silent() -> None:
    assert verdict(*[(40, 400)] * 28, *[(20, 400)] * 7) is None


@pytest.mark.parametrize(("weekly", "weeks", "expected"), [(0, 9, None), (1, 9, None), (4, 8, ("silent", 28))])
def test_a_rare_rule_needs_a_long_silence(weekly: int, weeks: int, expected: tuple[str, int] | None) -> None:
    before = [*[(1, 50)] * weekly, *[(0, 50)] * (7 - weekly)] * (weeks - 4)
    assert verdict(*before, *[(0, 50)] * 28) == expected
    assert verdict(*before, *[(0, 50)] * 7) is None


def test_a_rule_that_hardly_ever_fires_raises_no_alarm_when_it_fires_a_little() -> None:
    assert verdict(*[(0, 50)] * 14, (1, 50), *[(0, 50)] * 13, (5, 50)) is None


def test_a_new_rule_raises_no_alarm() -> None:
    assert verdict(*[(0, 50)] * 28, (25, 50)) is None


def test_a_mean_of_a_few_days_is_none() -> None:
    assert verdict(*[(25, 50)] * 6, *[(0, 50)]) is None


def test_a_rule_whose_days_scatter_needs_more_to_be_silent() -> None:
    steady, wild = [(10, 100)] * 28, [(2, 100), (18, 100), (1, 100), (19, 100)] * 7
    assert verdict(*steady, (0, 100), last=FRIDAY) == ("silent", 1)
    assert verdict(*wild, (0, 100), last=FRIDAY) is None
    assert verdict(*wild, *[(0, 100)] * 14, last=FRIDAY) == ("silent", 14)


def test_chance_alone_hardly_ever_raises_the_alarm() -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    rates = [0.002, 0.01, 0.05, 0.2, 0.5]
    told = [
        verdict(*((sum(dice.random() < rate for _ in range(60)), 60) for _ in range(56)), last=TODAY - timedelta(days=turn))
        for turn in range(60)
        for rate in rates
    ]
    assert sum(one is not None for one in told) <= 1


def test_the_judgement_tells_what_it_rests_on() -> None:
    told = judged(days(*[(10, 100)] * 28, (0, 200), last=FRIDAY), FRIDAY)
    assert told is not None
    kind, length, recent, expected, mean, chance = told
    assert (kind, length, recent) == ("silent", 1, Day(FRIDAY, 0, 200))
    assert [expected, mean] == pytest.approx([20, 0.1])
    assert chance == pytest.approx((280 / 300) ** 280)


def test_an_alarm_says_itself() -> None:
    alarm = Alarm("some-rule", "flood", None, None, 1, 1200, 2000, 19.6, 0.01, 1e-9)
    assert str(alarm) == "some-rule floods: fired in 1,200 of 2,000 decisions today; 20 were to be expected."
