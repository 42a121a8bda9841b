"""The tables come into being and change by steps, on both databases, whoever starts first."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Integer, column, create_engine, insert, inspect, select, table, text

from cds_service.analytics.report import Window
from cds_service.analytics.usage import usage
from cds_service.errors import StoreUnavailable
from cds_service.store.decisions import keep_decisions
from cds_service.store.engine import Store
from cds_service.store.migration import STEPS, revision
from cds_service.store.schema import (
    HEAD,
    cards,
    days_rolled_up,
    decisions,
    feedback,
    feedback_comments,
    feedback_reasons,
    findings,
    metadata,
    usage_rules,
)
from tests.analytics_floor import Made, Told
from tests.conftest import NOON
from tests.store_floor import DATABASES, opened, store_at


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


def steps() -> Config:
    config = Config()
    config.set_main_option("script_location", str(STEPS))
    config.set_main_option("path_separator", "os")
    return config


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return [change for change in compare_metadata(context, metadata) if "alembic_version" not in str(change)]


def test_the_steps_lead_to_the_tables_of_the_program(store: Store) -> None:
    store.migrate()
    assert store.read(differences) == []
    assert store.read(revision) == HEAD


def test_the_program_knows_the_newest_step() -> None:
    assert ScriptDirectory.from_config(steps()).get_heads() == [HEAD]


def test_the_steps_lead_back_to_an_empty_database(store: Store) -> None:
    store.migrate()

    def downgrade(connection: Connection) -> None:
        config = steps()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    store.write(downgrade)
    assert store.read(lambda connection: inspect(connection).get_table_names()) == ["alembic_version"]


def test_a_second_migration_changes_nothing(store: Store) -> None:
    store.migrate()
    store.migrate()
    assert store.read(revision) == HEAD


def test_programs_that_start_together_migrate_once(store: Store) -> None:
    address = store.url.render_as_string(hide_password=False)
    others = [store_at(address) for _ in range(8)]
    failures: list[Exception] = []

    def start(other: Store) -> None:
        try:
            other.write(lambda connection: connection.execute(text("SELECT count(*) FROM feedback")).scalar())
        except StoreUnavailable as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    assert failures == []


def test_tables_of_a_newer_program_are_left_alone(store: Store) -> None:
    store.migrate()
    store.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    newer = store_at(store.url.render_as_string(hide_password=False))
    with pytest.raises(StoreUnavailable, match=f"STORE-000 the store is of another shape: its tables are at step 9999, .* step {HEAD}"):
        newer.read(lambda _: None)
    newer.close()


def test_a_store_that_may_not_migrate_says_what_is_missing(store: Store) -> None:
    strict = store_at(store.url.render_as_string(hide_password=False), migrates=False)
    with pytest.raises(StoreUnavailable, match="its tables are at step none"):
        strict.write(lambda _: None)
    store.migrate()
    assert strict.read(revision) == HEAD
    strict.close()


def test_a_store_that_may_not_migrate_does_so_when_told(store: Store) -> None:
    strict = store_at(store.url.render_as_string(hide_password=False), migrates=False)
    strict.migrate()
    assert strict.read(revision) == HEAD
    strict.close()


def test_no_table_has_a_place_for_a_patient() -> None:
    names = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}
    assert {name for name in names if "patient" in name or "encounter" in name or "birth" in name} == {
        "usage_answers.patient_incomplete",
        "decisions.patient_read",
    }


def test_the_second_step_keeps_what_the_first_tables_hold(store: Store) -> None:
    def first_tables(connection: Connection) -> dict[str, list[dict[str, Any]]]:
        held = (decisions, cards, findings, feedback, feedback_reasons, feedback_comments)
        return {table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in held}

    engine = create_engine(store.url)  # the store itself would bring the tables up to date at once
    with engine.begin() as connection:
        upgrade(connection, "0001")
        made = Made(findings=[Told("conflict"), Told("dose", "silent", card=None)])
        keep_decisions(connection, [made.rows()])
        keep_items(connection, made)
        before = first_tables(connection)
    engine.dispose()
    assert [len(rows) for rows in before.values()] == [1, 1, 2, 1, 1, 1]
    store.migrate()
    assert store.read(revision) == HEAD
    assert store.read(first_tables) == before
    assert store.read(differences) == []
    found = usage(store, Window(NOON.date(), NOON.date()), now=NOON)
    assert (found.counts.decisions, found.counts.overridden) == (1, 1)


def test_the_third_step_keeps_what_was_rolled_up_and_times_what_comes_after_it(store: Store) -> None:
    yesterday, place = NOON.date() - timedelta(days=1), {"client": "ehr", "site": "north", "hook": "order-sign"}
    added = ("timed", "milliseconds")
    counts = {column.name: 2 for column in usage_rules.c if isinstance(column.type, Integer) and column.name not in added}
    rolled = {**counts, **place, "span": "day", "day": yesterday, "rule": "dose", "version": 1}
    older = table("usage_rules", *(column(name, usage_rules.c[name].type) for name in rolled))
    engine = create_engine(store.url)
    with engine.begin() as connection:
        upgrade(connection, "0002")
        connection.execute(insert(older), rolled)
        connection.execute(insert(days_rolled_up), {"day": yesterday, "decisions": 2, "rolled_at": NOON})
    engine.dispose()
    store.migrate()
    store.write(lambda connection: keep_decisions(connection, [Made(ms=7, findings=[Told("dose")]).rows()]))
    found = usage(store, Window(yesterday, NOON.date(), "day"), now=NOON)
    assert [(one.counts.decisions, one.counts.timed, one.counts.milliseconds) for one in found.rules] == [(3, 1, 7)]


def upgrade(connection: Connection, step: str) -> None:
    """Bring an empty database to a step of the past."""
    config = steps()
    config.attributes["connection"] = connection
    command.upgrade(config, step)
    assert revision(connection) == step


def keep_items(connection: Connection, made: Made) -> None:
    """Keep an override with reason and comment, as the first program did."""
    said = {"id": "f", "card": made.card(), "service": "s", "client": "ehr", "outcome": "overridden", "accepted_suggestions": ""}
    connection.execute(insert(feedback), {**said, "outcome_timestamp": None, "received_at": NOON})
    connection.execute(insert(feedback_reasons), {"feedback": "f", "position": 0, "system": "u", "code": "c", "display": "d"})
    connection.execute(insert(feedback_comments), {"id": "c", "feedback": "f", "text": "t", "received_at": NOON})
