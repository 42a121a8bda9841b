"""The service rolls up by itself, the command does it by hand, and pruning comes after it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from cds_service.analytics.background import RollingUp
from cds_service.analytics.report import Window
from cds_service.analytics.usage import usage
from cds_service.cli.main import commands
from cds_service.errors import StoreUnavailable
from cds_service.store.chores import Turn
from cds_service.store.engine import Store
from cds_service.store.schema import days_rolled_up, decisions, override_marks
from tests.analytics_floor import Made, Told, plant
from tests.store_floor import opened, rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened("sqlite", tmp_path) as one:
        yield one


NO_MATTER: Any = (None,) * 4
"""What was decided: the thread begins whatever it is."""


def now() -> datetime:
    return datetime.now(UTC)


def command(store: Store, *words: str) -> Result:
    variables = {"CDS_DATABASE_URL": f"sqlite:///{store.url.database}"}
    return CliRunner().invoke(commands, ["store", *words], env=variables)


def test_the_service_rolls_up_and_forgets_expired_marks(store: Store) -> None:
    plant(store, Made(now() - timedelta(days=2), findings=[Told("dose")]), Made(now()))
    marks = [{"mark": "m", "card": card, "client": "", "expires": now() + timedelta(hours=more)} for card, more in (("a", -1), ("b", 1))]
    store.write(lambda connection: connection.execute(insert(override_marks), marks))
    RollingUp(store, UTC).once()
    assert sum(row["decisions"] for row in rows(store, days_rolled_up)) == 2
    assert [row["card"] for row in rows(store, override_marks)] == ["b"]


def test_the_thread_begins_with_the_first_decision_and_goes_on(store: Store) -> None:
    rolling = RollingUp(store, UTC, rest=timedelta(seconds=0.05))
    plant(store, Made(now()))
    for _ in range(3):
        rolling.begin(*NO_MATTER)
    until = time.monotonic() + 30
    while not rows(store, days_rolled_up) and time.monotonic() < until:
        time.sleep(0.02)
    plant(store, Made(now()))
    while sum(row["decisions"] for row in rows(store, days_rolled_up)) != 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert sum(row["decisions"] for row in rows(store, days_rolled_up)) == 2
    assert len(rolling._threads) == 1  # noqa: SLF001 - no more than one


class Refusing(Store):
    """A store that refuses."""

    def __init__(self, store: Store, error: Exception) -> None:
        super().__init__(store.url)
        self.error = error

    def write(self, work: Callable[[Connection], Any]) -> Any:  # noqa: ANN401, ARG002 - as Store
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [(StoreUnavailable("away"), []), (IntegrityError("a statement", {}, Exception("a value")), ["roll-up failed: IntegrityError"])],
)
def test_a_store_that_refuses_is_tried_again_and_its_words_are_kept_back(store: Store, error: Exception, told: list[str]) -> None:
    heard: list[str] = []
    RollingUp(Refusing(store, error), UTC, report=heard.append).once()
    assert heard == told


def test_the_command_rolls_up(store: Store) -> None:
    plant(store, Made(now() - timedelta(days=1)), Made(now()))
    assert command(store, "roll-up").output == "Days counted: 2\n"
    assert command(store, "roll-up").output == "Days counted: 1\n"
    assert command(store, "roll-up", "--all").output == "Days counted: 2\n"


def test_the_command_leaves_the_work_to_another_process(store: Store) -> None:
    plant(store, Made(now()))
    Turn(store, "roll-up").begins(now())
    assert command(store, "roll-up").output == "Another process is at it.\n"
    refused = command(store, "prune", "--decisions-days", "1")
    assert isinstance(refused.exception, StoreUnavailable)
    assert len(rows(store, decisions)) == 1


def test_pruning_rolls_up_first(store: Store) -> None:
    plant(store, Made(now() - timedelta(days=40), findings=[Told("dose")]), Made(now()))
    assert "decisions: 1 would be deleted" in command(store, "prune", "--decisions-days", "30", "--dry-run").output
    assert rows(store, days_rolled_up) == []
    assert "decisions: 1 deleted" in command(store, "prune", "--decisions-days", "30").output
    assert len(rows(store, decisions)) == 1
    window = Window(now().date() - timedelta(days=50), now().date())
    assert usage(store, window).counts.decisions == 2


def test_pruning_forgets_expired_marks(store: Store) -> None:
    plant(store, Made(now()))
    marks = [{"mark": "m", "card": card, "client": "", "expires": now() + timedelta(hours=more)} for card, more in (("a", -1), ("b", 1))]
    store.write(lambda connection: connection.execute(insert(override_marks), marks))
    assert "override_marks: 1 deleted" in command(store, "prune").output
    assert [row["card"] for row in rows(store, override_marks)] == ["b"]
