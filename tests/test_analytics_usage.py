"""What was advised and what became of it, counted the same from the decisions themselves and from the roll-ups, on both databases."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from cds_service.analytics.days import KEEPS_SECONDS, CountedLately
from cds_service.analytics.latency import BOUNDS, Latency, band_of, latency
from cds_service.analytics.report import AnswerCounts, Filters, Reason, RuleCounts, Share, UsageReport, Window
from cds_service.analytics.rollup import roll_up
from cds_service.analytics.spans import Piece, cover, days_between, end_of
from cds_service.analytics.statistics import at_least, at_most, wilson
from cds_service.analytics.usage import Choices, choices, usage
from cds_service.store.chores import Turn
from cds_service.store.engine import Store
from cds_service.store.pruning import Limits, prune
from cds_service.store.schema import days_rolled_up, decisions, usage_answers, usage_latency, usage_reasons, usage_rules
from cds_service.unknown import Unknown
from tests.analytics_floor import Made, Told, at, plant, say
from tests.conftest import NOON, ZONE
from tests.store_floor import DATABASES, opened, rows

TODAY = NOON.date()
YESTERDAY = TODAY - timedelta(days=1)
WEEK = Window(TODAY - timedelta(days=6), TODAY, "day")
ROLLUPS = (usage_answers, usage_latency, usage_rules, usage_reasons)


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


def a_week(store: Store) -> list[Made]:
    """Some decisions of two days, with all that can become of them."""
    made = [
        Made(at(YESTERDAY, 8), findings=[Told("conflict"), Told("conflict"), Told("dose", card=1)], ms=8),
        Made(at(YESTERDAY, 9), findings=[Told("conflict")], ms=16, client="other", site="south"),
        Made(at(YESTERDAY, 10), findings=[Told("dose", "incomplete"), Told("trial", "silent", card=None)], reads="missing", ms=32),
        Made(at(TODAY, 8), findings=[Told("conflict", version=2)], ms=64),
        Made(at(TODAY, 9), findings=[Told("dose", "withheld"), Told("conflict", "overridden", 2)], hook="order-select", ms=9),
        Made(at(TODAY, 10), reads="", ms=1),
    ]
    plant(store, *made)
    say(store, made[0].card(0), "overridden", "will-monitor")
    say(store, made[0].card(1), "accepted")
    say(store, made[1].card(0), "overridden", "will-monitor", client="other")
    return made


def report(store: Store, window: Window = WEEK, **filters: Any) -> UsageReport:  # noqa: ANN401 - as Filters
    return usage(store, window, Filters(**filters), now=NOON)


def of(found: UsageReport, rule: str, version: int = 1) -> RuleCounts:
    return next((one.counts for one in found.rules if (one.rule, one.version) == (rule, version)), RuleCounts())


def test_answers_are_counted(store: Store) -> None:
    a_week(store)
    assert report(store).counts == AnswerCounts(
        decisions=6, with_cards=3, with_data=5, incomplete=1, medications_incomplete=1, cards=4, accepted=1, overridden=2
    )


def test_rules_are_counted_by_version_and_fate(store: Store) -> None:
    a_week(store)
    found = report(store)
    assert of(found, "conflict") == RuleCounts(decisions=2, fired=3, shown=3, cards=2, overridden=2, timed=2, milliseconds=24)
    assert of(found, "conflict", 2) == RuleCounts(decisions=2, fired=2, shown=1, respected=1, cards=1, timed=2, milliseconds=73)
    assert of(found, "dose") == RuleCounts(
        decisions=2, fired=2, shown=1, withheld=1, incomplete=1, cards=1, accepted=1, timed=2, milliseconds=17
    )
    assert of(found, "trial") == RuleCounts(decisions=1, fired=1, silent=1, timed=1, milliseconds=32)
    assert (of(found, "conflict").mean_latency, of(found, "nothing").mean_latency) == (12, Unknown("none-timed"))
    assert [(one.rule, one.version) for one in found.rules] == [("conflict", 1), ("dose", 1), ("conflict", 2), ("trial", 1)]


def test_a_card_of_which_nothing_was_said_is_unanswered(store: Store) -> None:
    a_week(store)
    found = report(store)
    assert (found.counts.unanswered, found.counts.unanswered_share) == (1, Share(1, 4))
    assert (of(found, "conflict", 2).unanswered, of(found, "conflict").unanswered) == (1, 0)
    assert found.counts.override_rate == Share(2, 3)


def test_periods_stand_in_order_and_quiet_ones_are_there(store: Store) -> None:
    a_week(store)
    found = report(store)
    assert [one.counts.decisions for one in found.periods] == [0, 0, 0, 0, 0, 3, 3]
    [first] = [one for one in found.rules if (one.rule, one.version) == ("conflict", 1)]
    assert [counts.fired for counts in first.by_period] == [0, 0, 0, 0, 0, 3, 0]


@pytest.mark.parametrize(
    ("by", "starts"),
    [
        ("week", [date(2026, 10, 26), date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 16)]),
        ("month", [date(2026, 10, 1), date(2026, 11, 1)]),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(store: Store, by: Any, starts: list[date]) -> None:  # noqa: ANN401 - a literal
    plant(store, Made(at(date(2026, 10, 31))), Made(at(date(2026, 11, 1))), Made(at(TODAY)))
    found = report(store, Window(date(2026, 10, 31), TODAY, by))
    assert [one.start for one in found.periods] == starts
    assert sum(one.counts.decisions for one in found.periods) == 3


def test_decisions_outside_the_window_are_left_out(store: Store) -> None:
    a_week(store)
    assert report(store, Window(YESTERDAY, YESTERDAY, "day")).counts.decisions == 3
    assert report(store, Window(TODAY + timedelta(days=1), TODAY + timedelta(days=9), "day")).counts == AnswerCounts()


def test_days_are_those_of_the_zone(store: Store) -> None:
    plant(store, Made(at(YESTERDAY, 10)), Made(at(YESTERDAY, 11)))
    days = usage(store, WEEK, zone=ZONE, now=NOON).periods
    assert [one.counts.decisions for one in days][-2:] == [1, 1]


@pytest.mark.parametrize(
    ("filters", "decisions"),
    [({"client": "other"}, 1), ({"site": "north"}, 5), ({"hook": "order-select"}, 1), ({"client": "nobody"}, 0)],
)
def test_filters_choose_decisions(store: Store, filters: dict[str, Any], decisions: int) -> None:
    a_week(store)
    assert report(store, **filters).counts.decisions == decisions
    roll_up(store, UTC, NOON)
    assert report(store, **filters).counts.decisions == decisions


def test_a_filter_by_rule_leaves_the_other_rules_out(store: Store) -> None:
    a_week(store)
    assert [(one.rule, one.version) for one in report(store, rule="conflict", version=2).rules] == [("conflict", 2)]
    assert report(store, rule="dose").reasons == ()


def test_reasons_are_counted_for_each_rule(store: Store) -> None:
    a_week(store)
    found = report(store)
    [conflict] = [one for one in found.rules if (one.rule, one.version) == ("conflict", 1)]
    assert conflict.reasons == found.reasons == (Reason("urn:reasons", "will-monitor", "Will-Monitor", 2),)


def test_clients_sites_and_hooks_have_their_counts_and_latency(store: Store) -> None:
    a_week(store)
    found = report(store)
    assert [(one.name, one.counts.decisions, one.counts.overridden) for one in found.clients] == [("ehr", 5, 1), ("other", 1, 1)]
    assert [(one.name, one.counts.decisions) for one in found.sites] == [("north", 5), ("south", 1)]
    assert [(one.name, one.counts.decisions) for one in found.hooks] == [("order-sign", 5), ("order-select", 1)]
    assert found.clients[1].latency.median == pytest.approx(16, rel=0.19)


def test_a_card_that_was_accepted_and_overridden_is_accepted(store: Store) -> None:
    made = Made(findings=[Told("dose")])
    plant(store, made)
    say(store, made.card(), "overridden")
    say(store, made.card(), "accepted")
    assert (report(store).counts.accepted, report(store).counts.overridden) == (1, 0)


def test_an_empty_store_gives_a_report_of_nothing(store: Store) -> None:
    found = report(store)
    assert (found.counts, found.rules, found.first_decision) == (AnswerCounts(), (), Unknown("no-decisions"))
    assert found.latency == Latency(Unknown("no-answers"), Unknown("no-answers"))
    assert choices(store, now=NOON) == Choices({}, (), (), ())


def test_the_choices_are_all_that_the_store_has_seen(store: Store) -> None:
    a_week(store)
    expected = Choices(
        {"conflict": (1, 2), "dose": (1,), "trial": (1,)}, ("ehr", "other"), ("north", "south"), ("order-select", "order-sign")
    )
    assert choices(store, now=NOON) == expected
    roll_up(store, UTC, NOON)
    assert choices(store, now=NOON) == expected


def test_a_report_from_roll_ups_is_the_report_from_decisions(store: Store) -> None:
    a_week(store)
    before = report(store)
    assert roll_up(store, UTC, NOON) == 2
    assert report(store) == before
    assert [row["day"] for row in rows(store, days_rolled_up)] == [YESTERDAY, TODAY]
    store.write(lambda connection: connection.execute(delete(decisions)))
    assert report(store) == before


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_weeks_and_months_are_the_sums_of_their_days(store: Store, by: Any) -> None:  # noqa: ANN401 - a literal
    dice = random.Random(3)  # noqa: S311 - no secret
    made = [
        Made(
            at(TODAY - timedelta(days=back)), dice.choice(("ehr", "other")), findings=[Told(dice.choice(("conflict", "dose")))], ms=back + 1
        )
        for back in range(75)
        for _ in range(2)
    ]
    plant(store, *made)
    for one in made[::3]:
        say(store, one.card(), reason="will-monitor", at=one.time)
    window = Window(TODAY - timedelta(days=64), TODAY, by)
    before = report(store, window)
    assert before.counts.decisions == 130
    assert roll_up(store, UTC, NOON) == 75
    assert report(store, window) == before
    store.write(lambda connection: connection.execute(delete(decisions)))
    assert report(store, window) == before
    assert report(store, replace(window, by="month")).counts == before.counts


def test_a_day_that_was_not_over_is_counted_again(store: Store) -> None:
    plant(store, Made(at(TODAY, 8)))
    roll_up(store, UTC, NOON)
    plant(store, Made(at(TODAY, 11)))
    assert [usage(store, WEEK, now=NOON + timedelta(minutes=minutes)).counts.decisions for minutes in (4, 6)] == [1, 2]
    roll_up(store, UTC, NOON + timedelta(days=1))
    assert report(store).counts.decisions == 2
    assert [row["decisions"] for row in rows(store, days_rolled_up) if row["day"] == TODAY] == [2]


def test_a_roll_up_rests_after_the_latest(store: Store) -> None:
    a_week(store)
    roll_up(store, UTC, NOON)
    later = NOON + timedelta(seconds=30)
    assert roll_up(store, UTC, later, rest=timedelta(minutes=1)) == Unknown("done-lately")
    assert roll_up(store, UTC, later, rest=timedelta(seconds=20)) == 2


def test_a_roll_up_again_changes_nothing(store: Store) -> None:
    a_week(store)
    roll_up(store, UTC, NOON)
    before = [rows(store, table) for table in ROLLUPS]
    assert roll_up(store, UTC, NOON + timedelta(minutes=30)) == 2  # the feedback of the slack is of yesterday
    assert roll_up(store, UTC, NOON + timedelta(hours=1)) == 1
    assert roll_up(store, UTC, NOON + timedelta(hours=2), everything=True) == 2
    assert [rows(store, table) for table in ROLLUPS] == before


def test_feedback_that_comes_late_is_rolled_up(store: Store) -> None:
    made = a_week(store)
    roll_up(store, UTC, NOON + timedelta(days=1))
    late = NOON + timedelta(days=3)
    say(store, made[3].card(), "accepted", at=late)
    assert roll_up(store, UTC, late) == 4  # that of the card, two quiet days and today
    assert of(report(store), "conflict", 2).accepted == 1


def test_decisions_that_come_late_are_rolled_up(store: Store) -> None:
    a_week(store)
    roll_up(store, UTC, NOON + timedelta(days=1))
    plant(store, Made(at(YESTERDAY)))
    assert roll_up(store, UTC, NOON + timedelta(days=1, hours=1)) == 2
    assert report(store).counts.decisions == 7


def test_pruning_leaves_the_roll_ups(store: Store) -> None:
    made = a_week(store)
    before = report(store)
    roll_up(store, UTC, NOON)
    limits = Limits(decisions=at(YESTERDAY, 9), feedback=None, comments=None, tokens=NOON)
    assert prune(store, limits)["decisions"] == 1
    say(store, made[1].card(), "accepted", at=NOON + timedelta(hours=1), client="other")
    assert roll_up(store, UTC, NOON + timedelta(hours=2)) == 1  # today
    roll_up(store, UTC, NOON + timedelta(hours=3), everything=True)
    assert replace(report(store), made_at=before.made_at) == before


def test_one_process_at_a_time_rolls_up(store: Store) -> None:
    a_week(store)
    other = Turn(store, "roll-up")
    assert other.begins(NOON)
    assert roll_up(store, UTC, NOON + timedelta(minutes=4)) == Unknown("another-process")
    assert roll_up(store, UTC, NOON + timedelta(minutes=6)) == 2  # the other one is taken for dead


def test_a_turn_that_was_given_back_is_free_at_once(store: Store) -> None:
    first, second = Turn(store, "some-chore"), Turn(store, "some-chore")
    assert (first.begins(NOON), second.begins(NOON)) == (True, False)
    first.ends(NOON)
    assert second.begins(NOON)
    assert second.done_up_to() == NOON
    second.ends(None)
    assert first.done_up_to() == NOON


@pytest.mark.parametrize(("ms", "band"), [(0.0, 0), (0.49, 0), (0.5, 1), (1.0, 5), (1e9, len(BOUNDS))])
def test_a_latency_falls_into_its_band(store: Store, ms: float, band: int) -> None:
    plant(store, Made(at(YESTERDAY), ms=ms))
    roll_up(store, UTC, NOON)
    assert {row["band"] for row in rows(store, usage_latency)} == {band_of(ms)} == {band}


def test_median_and_95th_percentile_are_near_the_true_ones() -> None:
    histogram: dict[int, int] = {}
    for ms in range(1, 1001):
        histogram[band_of(ms)] = histogram.get(band_of(ms), 0) + 1
    found = latency(histogram)
    assert [found.median, found.p95] == pytest.approx([500, 950], rel=0.05)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_the_confidence_interval_is_wilsons(part: int, whole: int, low: float, high: float) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=5e-5)


def test_a_share_says_itself() -> None:
    assert (str(Share(81, 263)), str(Share(0, 0))) == ("31 % (26 to 37 %, 81 of 263)", "none")


def test_the_tails_are_those_of_the_binomial_distribution() -> None:
    assert at_most(2, 10, 0.5) == pytest.approx(56 / 1024)
    assert at_least(8, 10, 0.5) == pytest.approx(56 / 1024)
    assert at_least(3, 5000, 1e-4) == pytest.approx(0.0143877, rel=1e-3)
    assert (at_most(5, 5, 0.2), at_least(0, 5, 0.2), at_least(1, 5, 0.0), at_most(4, 5, 1.0)) == (1.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("first", "last", "by", "without", "pieces"),
    [
        (date(2026, 11, 1), date(2026, 11, 30), None, [], [Piece("month", date(2026, 11, 1), date(2026, 11, 1))]),
        (date(2026, 9, 1), date(2026, 11, 30), "month", [], [Piece("month", date(2026, 9, 1), date(2026, 11, 1))]),
        (
            date(2026, 10, 30),
            date(2026, 12, 9),
            "month",
            [],
            [
                Piece("day", date(2026, 10, 30), date(2026, 10, 31)),
                Piece("month", date(2026, 11, 1), date(2026, 11, 1)),
                Piece("day", date(2026, 12, 1), date(2026, 12, 9)),
            ],
        ),
        (
            date(2026, 11, 13),
            date(2026, 11, 24),
            "week",
            [],
            [
                Piece("day", date(2026, 11, 13), date(2026, 11, 15)),
                Piece("week", date(2026, 11, 16), date(2026, 11, 16)),
                Piece("day", date(2026, 11, 23), date(2026, 11, 24)),
            ],
        ),
        (date(2026, 11, 16), date(2026, 11, 18), "week", [date(2026, 11, 17)], [Piece("day", date(2026, 11, 16), date(2026, 11, 16)), Piece("day", date(2026, 11, 18), date(2026, 11, 18))]),
        (date(2026, 11, 1), date(2026, 11, 30), "day", [], [Piece("day", date(2026, 11, 1), date(2026, 11, 30))]),
        (date(2026, 11, 2), date(2026, 11, 1), None, [], []),
    ],
)  # fmt: skip
def test_a_time_is_put_together_from_the_fewest_pieces(first: date, last: date, by: Any, without: list[date], pieces: list[Piece]) -> None:  # noqa: ANN401 - a literal
    assert cover(first, last, by, without) == tuple(pieces)


@pytest.mark.parametrize("by", [None, "day", "week", "month"])
def test_the_pieces_hold_each_day_once(by: Any) -> None:  # noqa: ANN401 - a literal
    dice = random.Random(11)  # noqa: S311 - no secret
    for _ in range(200):
        first = date(2026, 1, 1) + timedelta(days=dice.randrange(300))
        last = first + timedelta(days=dice.randrange(120))
        without = {first + timedelta(days=dice.randrange(120)) for _ in range(dice.randrange(3))}
        held: list[date] = []
        for piece in cover(first, last, by, without):
            held += days_between(piece.first, end_of(piece.last, piece.span))
        assert held == [day for day in days_between(first, last) if day not in without]


def test_today_is_counted_once_in_ten_seconds_for_all_that_a_page_asks(store: Store) -> None:
    seconds = [0.0]
    lately = CountedLately(lambda: seconds[0])
    a_week(store)

    def decided() -> tuple[int, int]:
        reported = usage(store, WEEK, now=NOON, count=lately).counts.decisions
        return reported, len(choices(store, now=NOON, count=lately).clients)

    before = decided()
    assert before == (6, 2)
    plant(store, Made(at(TODAY, 11), client="third"))
    seconds[0] = KEEPS_SECONDS - 0.1
    assert decided() == before
    seconds[0] = KEEPS_SECONDS
    assert decided() == (7, 3)
