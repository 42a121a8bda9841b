"""A stored decision is found by its id, with findings, cards and what was said of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.hooks.feedback import OverrideReason
from cds_service.store.engine import Store
from cds_service.store.lookup import StoredCard, StoredFeedback, StoredFinding, find_decision
from tests.analytics_floor import Made, Told, plant, say
from tests.conftest import NOON
from tests.store_floor import DATABASES, opened


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


def test_a_decision_is_found_with_all_that_is_kept_of_it(store: Store) -> None:
    made, other = (
        Made(findings=[Told("conflict"), Told("dose", "silent", 2, None)], reads="missing", ms=12.5),
        Made(findings=[Told("dose")]),
    )
    plant(store, made, other)
    say(store, made.card(), "overridden", "will-monitor", comment="a word about the patient")
    say(store, made.card(), "accepted")
    found = find_decision(store, made.id)
    assert found is not None
    assert (found.id, found.time, found.client, found.site, found.hook, found.latency_ms) == (
        made.id,
        NOON,
        "ehr",
        "north",
        "order-sign",
        12.5,
    )
    assert found.completeness == {"patient": "complete", "conditions": "complete", "medications": "missing", "history": "complete"}
    assert found.findings == (
        StoredFinding("conflict", 1, "", "other", "warning", "shown", made.card()),
        StoredFinding("dose", 2, "", "other", "warning", "silent", ""),
    )
    [card] = found.cards
    assert (card.uuid, card.indicator) == (made.card(), "warning")
    assert sorted(card.feedback, key=lambda one: one.outcome) == [
        StoredFeedback("accepted", (), (), NOON),
        StoredFeedback("overridden", (), (OverrideReason("urn:reasons", "will-monitor", "Will-Monitor"),), NOON),
    ]
    assert "a word about the patient" not in str(found)


def test_a_decision_without_cards_is_found(store: Store) -> None:
    made = Made()
    plant(store, made)
    found = find_decision(store, made.id)
    assert found is not None
    assert (found.findings, found.cards) == ((), ())


def test_a_card_of_which_nothing_was_said_has_no_feedback(store: Store) -> None:
    made = Made(findings=[Told("dose")])
    plant(store, made)
    found = find_decision(store, made.id)
    assert found is not None
    assert found.cards == (StoredCard(made.card(), "warning", ()),)


@pytest.mark.parametrize("name", ["", "d-none", "'; DROP TABLE decisions; --"])
def test_what_is_not_there_is_not_found(store: Store, name: str) -> None:
    plant(store, Made())
    assert find_decision(store, name) is None
