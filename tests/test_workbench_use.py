"""The page "Use": what is counted is told in words, narrowed by its address, and never served as another's markup."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.analytics.alarms import Alarm
from cds_service.analytics.comments import Comment
from cds_service.analytics.latency import Latency
from cds_service.analytics.pictures import pictures
from cds_service.analytics.report import AnswerCounts, Filters, PlaceUse, RuleCounts, RuleUse, Window
from cds_service.analytics.usage import usage
from cds_service.app import use_of
from cds_service.errors import StoreUnavailable
from cds_service.service import Pack
from cds_service.store.engine import Store
from cds_service.unknown import Unknown
from cds_service.web.workbench import Sources
from cds_service.web.workbench.attention import Attention, Seen, alarm_in_words, attention
from cds_service.web.workbench.remarks import remarks_of
from cds_service.web.workbench.use import Remembered
from cds_service.web.workbench.use_source import UseSource
from cds_service.web.workbench.use_wish import wish_of
from tests.analytics_floor import Made, Told, at, code_seen, plant, say
from tests.conftest import NOON, ZONE
from tests.store_floor import opened
from tests.workbench_floor import NOON_THERE, advisor_at_noon, bench_with

TODAY = NOON_THERE.date()
OFFERED = {"rule": ("opioid-conflict", "children"), "client": ("ehr", "(none)"), "site": ("north",), "hook": ("order-sign",)}
HOSTILE = "<script>alert(1)</script> wrong & useless"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened("sqlite", tmp_path) as one:
        one.migrate()
        yield one


def with_store(store: Store, pack: Pack, sources: Sources) -> Sources:
    return replace(sources, use=use_of(advisor_at_noon(pack), store))


@pytest.fixture
def bench(store: Store, pack: Pack) -> FlaskClient:
    return bench_with(pack, partial(with_store, store, pack)).test_client()


def a_day(store: Store) -> None:
    """Some decisions of today, one card overridden with a comment, one accepted, and a code in no table."""
    made = [Made(at(TODAY, 1), findings=[Told("opioid-conflict")]) for _ in range(3)]
    plant(store, *made, Made(at(TODAY, 2), client="", site="", findings=[Told("children", "incomplete")], reads="missing"))
    say(store, made[0].card(), "overridden", "will-monitor", comment=HOSTILE, at=at(TODAY, 1))
    say(store, made[1].card(), "accepted", at=at(TODAY, 1))
    code_seen(store, day=TODAY, code="00000001", orders=4)


def page(bench: FlaskClient, query: str = "") -> str:
    response = bench.get(f"/workbench/use{query}")
    assert response.status_code == 200
    return response.get_data(as_text=True)


def test_an_empty_store_says_what_to_do(bench: FlaskClient) -> None:
    text = page(bench)
    assert "No decision yet" in text
    assert "cds-service doctor" in text


def test_without_a_store_the_page_says_so(pack: Pack) -> None:
    assert "This service keeps no decisions" in page(bench_with(pack).test_client())


def test_a_store_that_cannot_be_read_is_told_and_not_kept(store: Store, pack: Pack) -> None:
    fails = [True]

    def choices() -> Any:  # noqa: ANN401 - fails, then counts
        if fails:
            fails.clear()
            raise StoreUnavailable("away")
        return source.choices()

    source = use_of(advisor_at_noon(pack), store)
    bench = bench_with(pack, lambda sources: replace(sources, use=replace(source, choices=choices))).test_client()
    assert bench.get("/workbench/use").status_code == 503
    assert bench.get("/workbench/use").status_code == 200


def test_what_was_counted_is_shown(bench: FlaskClient, store: Store, pack: Pack) -> None:
    a_day(store)
    text = page(bench)
    title = next(rule.title for rule in pack.rulebook.rules if rule.id == "opioid-conflict")
    for part in ("<dd>4</dd>", "overridden, of 2 answered cards", "9 to 91 %", title, "Will-Monitor", "00000001", "All sites"):
        assert part in text, part
    assert "All hooks" not in text  # there is only one


def test_comments_are_escaped_and_marked(bench: FlaskClient, store: Store) -> None:
    a_day(store)
    text = page(bench)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; wrong &amp; useless" in text
    assert "<script>alert" not in text
    assert "Complaint" in text


def test_the_page_is_narrowed_by_its_address(bench: FlaskClient, store: Store) -> None:
    a_day(store)
    assert "<dd>1</dd>" in page(bench, "?client=(none)")
    assert "<dd>3</dd>" in page(bench, "?client=ehr")


@pytest.mark.parametrize("query", ["period=century", "client=nobody", "rule=x", "until=2030-01-01", "until=0001-01-01", "until=x"])
def test_what_is_not_on_offer_is_refused_in_words(query: str, bench: FlaskClient, store: Store) -> None:
    a_day(store)
    response = bench.get(f"/workbench/use?{query}")
    assert response.status_code == 400
    assert "There is nothing to show for this" in response.get_data(as_text=True)


def test_a_name_in_the_address_stays_text(bench: FlaskClient, store: Store) -> None:
    a_day(store)
    assert "<script>alert" not in bench.get("/workbench/use?client=<script>alert(1)</script>").get_data(as_text=True)


def test_a_time_without_decisions_leads_back(bench: FlaskClient, store: Store) -> None:
    a_day(store)
    assert "Nothing was decided in this time" in page(bench, "?until=2025-01-01")


@pytest.mark.parametrize(
    ("period", "first"), [("week", "2026-11-16"), ("month", "2026-10-24"), ("quarter", "2026-08-24"), ("year", "2025-12-01")]
)
def test_weeks_and_months_begin_whole(period: str, first: str) -> None:
    window = wish_of({"period": period}, OFFERED, date(2026, 11, 22)).window
    assert (window.first.isoformat(), window.last) == (first, date(2026, 11, 22))


def test_a_choice_keeps_what_was_chosen_before() -> None:
    wish = wish_of({"period": "year", "client": "(none)", "until": "2026-11-01"}, OFFERED, TODAY)
    assert wish.filters == Filters(client="")
    assert wish.address(rule="children") == "period=year&until=2026-11-01&client=%28none%29&rule=children"


def counted(store: Store, alarms: Sequence[Alarm] = (), comments: Sequence[Comment] = ()) -> Seen:
    window = Window(TODAY - timedelta(days=2), TODAY, "day")
    report = usage(store, window, zone=ZONE, now=NOON_THERE)
    return Seen(report, replace(report, counts=AnswerCounts(decisions=9)), alarms, comments, ())


def test_reasons_and_missing_kinds_are_drawn(store: Store) -> None:
    a_day(store)
    drawn = {chart.title: chart for chart in pictures(counted(store).report)}
    why, missing = drawn["Why cards are overridden"], drawn["Which data was missing"]
    assert (why.labels, why.series[0].values) == (("Will-Monitor",), (1,))
    assert (missing.labels, missing.series[0].values) == (("patient", "conditions", "medications", "ended orders"), (0, 0, 25, 0))


def words(seen: Seen) -> list[tuple[str, str, str]]:
    return [(one.tone, one.word, one.rule) for one in attention(seen, {})]


def test_nothing_stands_out_where_all_is_well(store: Store) -> None:
    assert words(counted(store)) == []


def test_alarms_come_first_silence_before_flood(store: Store) -> None:
    silent = Alarm("a-rule", "silent", None, None, 7, 0, 1000, 54.4, 0.05, 1e-9)
    flood = replace(silent, rule="b-rule", kind="flood", fired=300)
    assert words(counted(store, [flood, silent])) == [("critical", "Fell silent", "a-rule"), ("warning", "Floods", "b-rule")]


def test_an_alarm_is_told_in_words() -> None:
    alarm = Alarm("a-rule", "silent", "ehr", "north", 7, 0, 1000, 54.4, 0.05, 1e-9)
    assert alarm_in_words(alarm, {"a-rule": "A rule"}) == (
        "A rule at ehr, site north: did not fire in any of 1,000 decisions in the last 7 days; by its four weeks before, about 54 would be usual."
    )
    assert alarm_in_words(replace(alarm, client=None, site=None, days=1, fired=12, expected=0.4), {}) == (
        "a-rule: fired in 12 of 1,000 decisions today; by its four weeks before, fewer than one would be usual."
    )


def test_no_call_at_all_is_told_although_no_rule_can_raise_an_alarm(store: Store) -> None:
    seen = counted(store)
    assert words(replace(seen, lately=replace(seen.lately, counts=AnswerCounts()))) == [("critical", "No calls", "")]


@pytest.mark.parametrize(("decisions", "told"), [(100, True), (99, False)])
def test_a_client_that_stopped_calling_is_told_where_others_go_on(decisions: int, told: bool, store: Store) -> None:  # noqa: FBT001 - a row of the table
    seen = counted(store)
    month = Window(TODAY - timedelta(days=29), TODAY, "day")
    places = [
        PlaceUse(name, AnswerCounts(decisions=number), Latency(Unknown("none"), Unknown("none")))
        for name, number in (("ehr", 900), ("north", decisions))
    ]
    there = replace(seen.report, window=month, clients=tuple(places))
    quiet = replace(seen, report=there, lately=replace(seen.lately, clients=tuple(places[:1])))
    assert words(quiet) == ([("critical", "No calls", "")] if told else [])
    past = replace(quiet, report=replace(there, window=replace(month, last=TODAY - timedelta(days=1))))
    assert words(past) == []
    assert words(replace(quiet, lately=replace(seen.lately, clients=tuple(places)))) == []


@pytest.mark.parametrize(("overridden", "told"), [(20, True), (3, False)])
def test_a_rule_is_often_overridden_only_where_enough_answers_say_so(overridden: int, told: bool, store: Store) -> None:  # noqa: FBT001 - a row of the table
    counts = RuleCounts(cards=overridden, overridden=overridden)
    seen = counted(store)
    seen = replace(seen, report=replace(seen.report, rules=(RuleUse("a-rule", 1, counts, (), ()),)))
    assert words(seen) == ([("warning", "Often overridden", "a-rule")] if told else [])


@pytest.mark.parametrize(("missing", "told"), [(40, True), (26, False)])
def test_missing_data_is_told_where_a_quarter_of_decisions_surely_lacks_some(missing: int, told: bool, store: Store) -> None:  # noqa: FBT001 - a row of the table
    seen = counted(store)
    counts = AnswerCounts(decisions=100, with_data=100, incomplete=missing, history_incomplete=missing)
    found = attention(replace(seen, report=replace(seen.report, counts=counts)), {})
    text = "40 % of the decisions that needed the chart lacked some of it, most often ended orders: rules could not be judged there."
    expected = [Attention("warning", "Data missing", text, part="which-data-was-missing")] if told else []
    assert list(found) == expected


def a_comment(text: str, rule: str, client: str = "ehr") -> Comment:
    return Comment(text, 2, ("wrong",), ((rule, 1),), client, "", "card", NOON)


def test_the_same_words_are_shown_once() -> None:
    rules = ("a", "b", "c", "d")
    found = remarks_of(
        [*(a_comment("Wrong,  again", rule) for rule in rules), a_comment("wrong, AGAIN", "a", "other"), a_comment("fine", "a")]
    )
    assert [(one.text, one.times, one.places, one.rules, one.more_rules) for one in found] == [
        ("Wrong,  again", 5, ("ehr", "other"), ("a", "b", "c"), 1),
        ("fine", 1, ("ehr",), ("a",), 0),
    ]


def test_complaints_are_counted(store: Store) -> None:
    assert words(counted(store, comments=[a_comment("wrong", "a")])) == [("info", "Complaints", "")]


def test_what_was_counted_is_kept_for_a_minute_and_no_more_than_so_many() -> None:
    now, counts = [0.0], iter(range(1000))
    kept = Remembered(lambda: now[0])
    assert [kept.get("a", lambda: next(counts)) for _ in range(2)] == [0, 0]
    now[0] = 59.9
    assert kept.get("a", lambda: next(counts)) == 0
    now[0] = 60
    assert kept.get("a", lambda: next(counts)) == 1
    for number in range(127):
        kept.get(number, lambda: next(counts))
    assert kept.get("a", lambda: next(counts)) == 1
    kept.get("one more", lambda: next(counts))
    assert kept.get("a", lambda: next(counts)) == 130


def test_the_page_counts_in_days_of_the_site(store: Store, pack: Pack) -> None:
    plant(store, Made(NOON - timedelta(hours=14)))  # yesterday in UTC, today at the site
    source: UseSource = use_of(advisor_at_noon(pack), store)
    assert source.usage(Window(TODAY, TODAY, "day"), Filters()).counts.decisions == 1
