"""Comments that complain come first; codes that no table knows are counted."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.analytics.codes import UnknownCode, codes
from cds_service.analytics.comments import comments, complaint
from cds_service.analytics.report import Filters, Window
from cds_service.store.engine import Store
from tests.analytics_floor import Made, Told, code_seen, plant, say
from tests.conftest import NOON
from tests.store_floor import DATABASES, opened

TODAY = NOON.date()
WEEK = Window(TODAY - timedelta(days=6), TODAY)


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("will monitor", ()),
        ("This is WRONG, patient is not on it", ("wrong", "not on")),
        ("doesn\u2019t   apply, wrong wrong", ("doesn't apply", "wrong")),
        ("broken record", ("broken",)),
        ("stubborn pain, ok with the prescriber", ()),
        ("why does this fire every time", ("why", "every time")),
    ],
)
def test_the_words_of_a_complaint_are_found_whole(text: str, words: tuple[str, ...]) -> None:
    assert complaint(text)[1] == words


@pytest.mark.parametrize(("text", "score"), [("why", 1), ("WHY DOES THIS fire", 2), ("wrong!!", 4), ("wrong", 3), ("will monitor!", 0)])
def test_a_complaint_weighs_its_words_and_shouting(text: str, score: int) -> None:
    assert complaint(text)[0] == score


def three(store: Store) -> tuple[Made, Made]:
    made = (
        Made(findings=[Told("conflict"), Told("dose", version=3)]),
        Made(findings=[Told("dose", version=4)], client="other", site="south"),
    )
    plant(store, *made)
    say(store, made[0].card(), comment="will monitor", at=NOON - timedelta(hours=1))
    say(store, made[0].card(), "accepted", comment="ok", at=NOON)
    say(store, made[1].card(), comment="useless, the patient never took it", at=NOON - timedelta(hours=2), client="other")
    return made


def test_complaints_come_first_and_then_the_newest(store: Store) -> None:
    made = three(store)
    found = comments(store, WEEK)
    assert [one.text for one in found] == ["useless, the patient never took it", "ok", "will monitor"]
    first = found[0]
    assert (first.score, first.words, first.rules) == (5, ("useless", "never took"), (("dose", 4),))
    assert (first.client, first.site, first.card, first.received_at) == ("other", "south", made[1].card(), NOON - timedelta(hours=2))
    assert found[1].rules == (("conflict", 1), ("dose", 3))


@pytest.mark.parametrize(
    ("filters", "number"),
    [({"rule": "dose"}, 3), ({"rule": "dose", "version": 3}, 2), ({"rule": "none"}, 0), ({"client": "other"}, 1), ({"site": "north"}, 2)],
)
def test_comments_are_filtered(store: Store, filters: dict[str, Any], number: int) -> None:
    three(store)
    assert len(comments(store, WEEK, Filters(**filters))) == number


def test_comments_are_those_received_in_the_window_and_no_more_than_asked(store: Store) -> None:
    three(store)
    assert comments(store, Window(TODAY + timedelta(days=1), TODAY + timedelta(days=2))) == ()
    assert len(comments(store, WEEK, limit=2)) == 2


def test_a_comment_on_a_card_of_another_service_has_no_rules(store: Store) -> None:
    say(store, "no-card-of-ours", comment="wrong")
    [one] = comments(store, WEEK)
    assert (one.rules, one.site) == ((), "")


def test_unknown_codes_are_added_up(store: Store) -> None:
    before = TODAY - timedelta(days=1)
    code_seen(store, code="123", system="urn:local", orders=2)
    code_seen(store, code="123", system="urn:local", orders=3, day=before)
    code_seen(store, code="123", system="urn:local", orders=4, day=before, client="other")
    code_seen(store, word="another drug")
    code_seen(store, word="old", day=date(2026, 1, 1))
    assert codes(store, WEEK) == (
        UnknownCode("urn:local", "123", "some drug", 9, before, TODAY),
        UnknownCode("", "", "another drug", 1, TODAY, TODAY),
    )
    assert codes(store, WEEK, Filters(client="other")) == (UnknownCode("urn:local", "123", "some drug", 4, before, before),)
