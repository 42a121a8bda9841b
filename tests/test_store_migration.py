"""The tables come into being and change by steps, on both databases, whoever starts first."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from cds_service.errors import StoreUnavailable
from cds_service.store.engine import Store
from cds_service.store.migration import STEPS, revision
from cds_service.store.schema import HEAD, metadata
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
    assert {name for name in names if "patient" in name or "encounter" in name or "birth" in name} == {"decisions.patient_read"}
