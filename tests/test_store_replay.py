"""A token is good once, in whichever thread, process or machine it arrives."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.clients.replay import ReplayUnavailable, SharedMemory
from cds_service.store.engine import Store
from cds_service.store.replay import DatabaseReplayMemory
from cds_service.store.schema import replay
from tests.conftest import NOON
from tests.store_floor import DATABASES, opened, rows, store_at

LATER = NOON + timedelta(minutes=5)


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


def memory(store: Store) -> DatabaseReplayMemory:
    return DatabaseReplayMemory(store, lambda: NOON)


def test_a_token_is_good_once_for_each_issuer(store: Store) -> None:
    used = memory(store)
    asked = [("a", "1"), ("a", "1"), ("b", "1"), ("a", "2"), ("a", "1"), ("a1", ""), ("", "a1")]
    assert [used.first_use(issuer, token, LATER) for issuer, token in asked] == [True, False, True, True, False, True, True]


def test_the_store_does_not_hold_the_token(store: Store) -> None:
    memory(store).first_use("https://ehr.example.org", "secret-id", LATER)
    [row] = rows(store, replay)
    assert (len(row["token"]), row["expires"], "secret" in str(row)) == (64, LATER, False)


def test_of_many_threads_and_stores_one_is_first(store: Store) -> None:
    store.migrate()
    other = store_at(store.url.render_as_string(hide_password=False))
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(memory(one).first_use("a", "1", LATER))) for one in [store, other] * 10
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(answers) == [False] * 19 + [True]


def test_expired_tokens_are_forgotten_after_some_slack(store: Store) -> None:
    moments = [NOON]
    used = DatabaseReplayMemory(store, lambda: moments[-1])
    used.first_use("a", "old", NOON + timedelta(seconds=1))
    used.first_use("a", "new", NOON + timedelta(hours=2))
    for minutes, left in ((4, 2), (6, 1)):
        moments.append(NOON + timedelta(minutes=minutes))
        used._prune_at = 0.0  # noqa: SLF001 - a minute has passed
        used.first_use("a", "new", NOON + timedelta(hours=2))
        assert len(rows(store, replay)) == left


def test_tokens_are_not_pruned_at_each_call(store: Store) -> None:
    used = memory(store)
    used.first_use("a", "1", NOON - timedelta(hours=1))  # pruned at once, by the first call
    used.first_use("a", "2", NOON - timedelta(hours=1))
    assert len(rows(store, replay)) == 1


def test_a_store_that_is_away_is_told_as_such_and_the_process_remembers(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with opened("sqlite", tmp_path / "data") as store:
        with pytest.raises(ReplayUnavailable, match="TOKEN-020 STORE-000"):
            memory(store).first_use("a", "1", LATER)
        shared = SharedMemory(memory(store))
        assert [shared.first_use("a", "1", NOON.replace(year=2999)) for _ in range(2)] == [True, False]
