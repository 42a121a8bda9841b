"""The store's connections: many threads and processes at once, a database that goes away and comes back."""

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from cds_service.errors import StoreUnavailable
from cds_service.hooks.feedback import FeedbackItem
from cds_service.store import engine as engine_module
from cds_service.store.engine import Store, database_url
from cds_service.store.feedback import FeedbackBook
from cds_service.store.schema import feedback, metadata, replay
from tests.conftest import NOON
from tests.store_floor import DATABASES, POSTGRES, opened, rows, store_at


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


def token(name: str) -> dict[str, object]:
    return {"token": name, "expires": NOON}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", "sqlite+pysqlite:////data/cds-service.sqlite3"),
        ("sqlite:////tmp/x.sqlite3", "sqlite+pysqlite:////tmp/x.sqlite3"),
        ("sqlite:///x.sqlite3", "sqlite+pysqlite:///x.sqlite3"),
        ("postgresql://u@h:1/d", "postgresql+psycopg://u@h:1/d"),
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg://u@h/d?sslmode=require", "postgresql+psycopg://u@h/d?sslmode=require"),
    ],
)
def test_an_address_names_a_database(address: str, expected: str) -> None:
    assert database_url(address, Path("/data")).render_as_string() == expected


@pytest.mark.parametrize(
    "address", ["mysql://u@h/d", "postgresql+asyncpg://u@h/d", "sqlite://", "sqlite:///:memory:", "x", "postgresql://h"]
)
def test_an_address_of_anything_else_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not a database address"):
        database_url(address, Path("/data"))


def test_work_is_committed_when_it_returns_and_undone_when_it_fails(store: Store) -> None:
    store.write(lambda connection: connection.execute(replay.insert(), token("kept")))
    with pytest.raises(ZeroDivisionError):
        store.write(lambda connection: (connection.execute(replay.insert(), token("undone")), 1 / 0))
    assert rows(store, replay) == [token("kept")]


def test_a_clash_of_keys_is_a_mistake_of_the_program_not_an_absence(store: Store) -> None:
    for _ in range(2):
        with pytest.raises(IntegrityError) as clash:
            store.write(lambda connection: connection.execute(replay.insert(), [token("same"), token("same")]))
        assert "[SQL parameters hidden" in str(clash.value)
    assert rows(store, replay) == []


def test_fifty_threads_write_at_once_without_a_lock_being_told(store: Store) -> None:
    failures: list[Exception] = []
    book = FeedbackBook(store)

    def work(number: int) -> None:
        try:
            for batch in range(4):
                items = [FeedbackItem(f"card-{number}-{batch}-{part}", "accepted") for part in range(3)]
                book.keep(items, service="s", client="c", received_at=NOON)
        except StoreUnavailable as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, len(rows(store, feedback))) == ([], 600)


@pytest.mark.parametrize("kind", DATABASES)
def test_threads_that_come_first_together_share_one_set_of_connections(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, used = Store._engine, set()  # noqa: SLF001 - the moment at which threads can cross

    def slowly(self: Store) -> Engine:
        time.sleep(0.05)
        return made(self)

    monkeypatch.setattr(Store, "_engine", slowly)
    with opened(kind, tmp_path) as store:
        threads = [threading.Thread(target=store.read, args=(lambda connection: used.add(id(connection.engine.pool)),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(used) == 1


def _write_many(address: str, name: int, told: "multiprocessing.Queue[str]") -> None:
    """What another process does."""
    store = store_at(address)
    book = FeedbackBook(store)
    try:
        for number in range(40):
            book.keep([FeedbackItem(f"{name}-{number}", "accepted")], service="s", client="c", received_at=NOON)
        told.put("done")
    except StoreUnavailable as error:
        told.put(str(error))
    store.close()


def test_processes_write_at_once_without_a_lock_being_told(store: Store) -> None:
    address, context = store.url.render_as_string(hide_password=False), multiprocessing.get_context("fork")
    store.migrate()
    told: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_write_many, args=(address, name, told)) for name in range(4)]
    for process in processes:
        process.start()
    answers = [told.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert (answers, len(rows(store, feedback))) == (["done"] * 4, 160)


def test_a_forked_child_opens_connections_of_its_own(store: Store) -> None:
    store.write(lambda connection: connection.execute(replay.insert(), token("parent")))
    child = os.fork()
    if child == 0:
        try:
            store.write(lambda connection: connection.execute(replay.insert(), token("child")))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    store.write(lambda connection: connection.execute(replay.insert(), token("parent again")))
    assert {row["token"] for row in rows(store, replay)} == {"child", "parent", "parent again"}


@pytest.mark.parametrize(("is_durable", "level"), [(True, 2), (False, 1)])
def test_sqlite_writes_ahead_and_waits_for_the_disk(tmp_path: Path, is_durable: bool, level: int) -> None:  # noqa: FBT001 - a parameter
    with opened("sqlite", tmp_path / "new" / "folder", is_durable=is_durable) as store:
        asked = "SELECT journal_mode, synchronous, foreign_keys, timeout FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys, pragma_busy_timeout"
        assert store.read(lambda connection: tuple(connection.execute(text(asked)).one())) == ("wal", level, 1, 10000)


def test_another_process_that_comes_and_goes_loses_nothing_that_is_written_after_it(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        both = threading.Barrier(2)
        readers = [threading.Thread(target=lambda: store.read(lambda _: both.wait(10))) for _ in range(2)]  # two connections at one time
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        path = store.url.database
        look = f"import sqlite3; c = sqlite3.connect({path!r}); print(c.execute('SELECT count(*) FROM replay').fetchone()[0]); c.close()"  # noqa: S608 - our own path
        seen = []
        for name in ("one", "two", "three"):
            store.write(lambda connection, name=name: connection.execute(replay.insert(), token(name)))  # type: ignore[misc]
            seen.append(subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.strip())
    assert seen == ["1", "2", "3"]


def test_a_sqlite_file_is_for_the_service_alone(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path / "data") as store:
        store.migrate()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "data", *(tmp_path / "data").iterdir()]}
    assert modes == {"data": 0o700, "store.sqlite3": 0o600, "store.sqlite3-wal": 0o600, "store.sqlite3-shm": 0o600}


def test_a_database_that_goes_away_is_told_once_and_comes_back_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_REST_SECONDS", 0.05)
    told: list[str] = []
    (tmp_path / "data").write_text("a file where the folder should be")
    with opened("sqlite", tmp_path / "data", report=told.append) as store:
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                store.read(lambda _: None)
        (tmp_path / "data").unlink()
        time.sleep(0.1)
        store.write(lambda connection: connection.execute(replay.insert(), token("kept")))
        assert rows(store, replay) == [token("kept")]
    assert told == ["store is away: FileExistsError", "store is back"]


def test_a_database_that_just_did_not_answer_is_refused_without_asking_it(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with opened("sqlite", tmp_path / "data") as store:
        with pytest.raises(StoreUnavailable, match="away: FileExistsError"):
            store.write(lambda _: None)
        (tmp_path / "data").unlink()
        with pytest.raises(StoreUnavailable, match="did not answer a moment ago"):
            store.write(lambda _: None)


@pytest.mark.parametrize(
    ("place", "why"), [("127.0.0.1:1", "nothing listens at its address"), ("no-such-host.invalid", "its host is not known here")]
)
def test_a_postgresql_that_is_not_there_is_told_without_its_address(place: str, why: str) -> None:
    store = store_at(f"postgresql://someone:secret@{place}/nothing")
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as refused:
        store.write(lambda _: None)
    store.close()
    assert str(refused.value) == f"STORE-000 the store is away: OperationalError ({why})"
    assert time.monotonic() - started < 4


def test_what_is_no_database_is_told_by_its_kind_of_error(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_bytes(b"this is no database, however long one looks at it" * 50)
    with opened("sqlite", tmp_path) as store, pytest.raises(StoreUnavailable, match=r"away: DatabaseError SQLITE_NOTADB$"):
        store.read(lambda _: None)


def test_a_writer_gives_up_when_others_hold_the_file_too_long(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path, patience=0.2) as store:
        store.migrate()
        other = sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            store.write(lambda _: None)
        other.execute("ROLLBACK")
        other.close()


def test_a_writer_gives_up_when_its_own_process_writes_too_long(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path, patience=0.1) as store:
        started, end = threading.Event(), threading.Event()
        store.migrate()

        def hold(_: Connection) -> None:
            started.set()
            end.wait(5)

        slow = threading.Thread(target=store.write, args=(hold,))
        slow.start()
        started.wait(5)
        with pytest.raises(StoreUnavailable, match="busy: others have been writing for too long"):
            store.write(lambda _: None)
        end.set()
        slow.join()


def test_tables_that_vanish_are_made_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_REST_SECONDS", 0.0)
    store.migrate()
    store.write(lambda connection: (connection.execute(text("DROP TABLE replay")), connection.execute(text("DELETE FROM alembic_version"))))
    store.write(
        lambda connection: [
            connection.execute(text(f"DROP TABLE {table.name}")) for table in reversed(metadata.sorted_tables) if table is not replay
        ]
    )
    with pytest.raises(StoreUnavailable):
        store.write(lambda connection: connection.execute(replay.insert(), token("lost")))
    store.write(lambda connection: connection.execute(replay.insert(), token("kept")))
    assert rows(store, replay) == [token("kept")]


def test_a_connection_that_the_server_cut_is_replaced_unseen(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as store:
        pid = store.read(lambda connection: connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        with psycopg.connect(POSTGRES, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        store.write(lambda connection: connection.execute(replay.insert(), token("kept")))
        assert rows(store, replay) == [token("kept")]


def test_transactions_that_lock_each_other_out_are_tried_again(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as store:
        store.write(lambda connection: connection.execute(replay.insert(), [token("a"), token("b")]))
        both = threading.Barrier(2)

        def update(first: str, second: str, tries: list[int]) -> None:
            def work(connection: Connection) -> None:
                tries.append(1)
                connection.execute(replay.update().where(replay.c.token == first).values(expires=NOON))
                if len(tries) == 1:
                    both.wait(5)
                connection.execute(replay.update().where(replay.c.token == second).values(expires=NOON))

            store.write(work)

        one: list[int] = []
        two: list[int] = []
        thread = threading.Thread(target=update, args=("a", "b", one))
        thread.start()
        update("b", "a", two)
        thread.join()
        assert sorted([len(one), len(two)]) == [1, 2]
