"""The store's connections: SQLite or PostgreSQL, migrated before use, refusing quickly while the database is away."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cds_service.errors import StoreUnavailable
from cds_service.store.migration import migrate

Result = TypeVar("Result")
_TRIES: Final = 4
_REST_SECONDS: Final = 1.0
"""How long nobody asks a database that did not answer; then one caller tries, while the others are still refused."""
_PROBE_SECONDS: Final = 8.0
_WAL_TRIES: Final = 200
_CACHE_KIB: Final = 8192
"""Pages of the file that a SQLite connection keeps: with the 2 MB of its default, joining some thousand comments to their decisions took half as long again."""
_TRANSIENT: Final = frozenset(["40001", "40P01"])
"""SQLSTATE of transactions that PostgreSQL ended for the sake of another one: try again."""
_WHY_NOT: Final = (
    ("Connection refused", "nothing listens at its address"),
    ("failed to resolve host", "its host is not known here"),
    ("password authentication failed", "user or password is refused"),
    ("no password supplied", "it wants a password"),
    ("no pg_hba.conf entry", "this user may not come from here"),
    ("does not exist", "no such database or user"),
    ("SSL", "it and this program do not agree on TLS"),
    ("timeout", "it does not answer in time"),
)
"""Why PostgreSQL cannot be reached, in words of the program's own: what libpq says holds addresses and names."""
_POSTGRES_ARGUMENTS: Final = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 5000,
    "application_name": "cds-service",
}
_POSTGRES_SESSION: Final = "SET TIME ZONE 'UTC'; SET lock_timeout = {0}; SET statement_timeout = {1}"


def database_url(text: str, data_dir: Path) -> URL:
    """Read a database address; an empty one is a SQLite file in the data folder. Raises ValueError for what the store cannot use."""
    if not text:
        return URL.create("sqlite+pysqlite", database=str(data_dir / "cds-service.sqlite3"))
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("not a database address") from None
    drivers = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
    url = url.set(drivername=drivers.get(url.drivername, url.drivername))
    if url.drivername not in drivers.values() or not url.database or url.database == ":memory:":
        raise ValueError("not a database address")
    return url


@dataclass(slots=True)
class _Process:
    """What one process holds: connections do not survive a fork."""

    engine: Engine
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Writers to SQLite queue up here, in order of arrival; the database's own waiting lets some starve."""
    migrating: threading.Lock = field(default_factory=threading.Lock)
    is_migrated: bool = False
    is_down: bool = False
    ask_again: float = 0.0


class Store:
    """One database, for all threads of a process and after a fork; nothing is opened before the first use.

    `migrates` lets it bring the tables up to date by itself; `is_durable=False` spares SQLite the wait for the disk at each
    commit (then a power cut, but no killed process, can lose the last moments). `patience` is how many seconds a writer waits
    for the others before it gives up. `report` hears each time the database goes
    away or comes back.
    """

    def __init__(
        self,
        url: URL,
        *,
        migrates: bool = True,
        is_durable: bool = True,
        patience: float = 10.0,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Remember where the database is."""
        self.url = url
        self._migrates = migrates
        self._is_durable = is_durable
        self._patience = patience
        self._report = report
        self._processes: dict[int, _Process] = {}

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file."""
        return self.url.get_backend_name() == "sqlite"

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Do some work in one transaction, committed when this returns; it may run again after a clash with another.

        Raises StoreUnavailable where the database cannot be reached, is full, or is busy beyond all patience.
        """
        here = self._ready()
        return self._try(here, lambda: self._once(here, work))

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Ask the database something; raises StoreUnavailable."""
        here = self._ready()
        return self._try(here, lambda: self._look(here, work))

    def migrate(self) -> None:
        """Bring the tables up to date, whoever else tries the same; raises StoreUnavailable."""
        here = self._here()
        with here.migrating:
            self._try(here, lambda: self._migrate(here))
            here.is_migrated = True

    def close(self) -> None:
        """Let go of all connections; the next use opens new ones."""
        here = self._processes.pop(os.getpid(), None)
        if here is not None:
            here.engine.dispose()

    def __enter__(self) -> Self:
        """Use the store for a while: a command does, where the service keeps it open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of all connections."""
        self.close()

    def _here(self) -> _Process:
        """Return this process's own connections, never those that a parent opened.

        Those of the parent are kept in a forked child, because letting go of them would close what the parent still uses.
        """
        pid = os.getpid()
        here = self._processes.get(pid)
        if here is None:  # of threads that come here together, one engine stays; the others have opened nothing yet
            here = self._processes.setdefault(pid, _Process(self._engine()))
        return here

    def _ready(self) -> _Process:
        """See to it that the tables are there and of this program's shape."""
        here = self._here()
        self._refuse_while_down(here)
        if not here.is_migrated:
            with here.migrating:
                if not here.is_migrated:
                    self._try(here, lambda: self._migrate(here, only_check=not self._migrates))
                    here.is_migrated = True
        return here

    def _migrate(self, here: _Process, *, only_check: bool = False) -> None:
        with here.turn, here.engine.begin() as connection:
            migrate(connection, only_check=only_check)

    def _once(self, here: _Process, work: Callable[[Connection], Result]) -> Result:
        with self._turn(here), here.engine.begin() as connection:
            return work(connection)

    def _look(self, here: _Process, work: Callable[[Connection], Result]) -> Result:
        with here.engine.connect().execution_options(only_reads=True) as connection:
            return work(connection)

    @contextmanager
    def _turn(self, here: _Process) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not here.turn.acquire(timeout=self._patience):
            raise StoreUnavailable("busy: others have been writing for too long")
        try:
            yield
        finally:
            here.turn.release()

    def _try(self, here: _Process, attempt: Callable[[], Result]) -> Result:
        """Run an attempt, again after a clash; what the database could not do becomes StoreUnavailable, without its words."""
        for tried in range(1, _TRIES + 1):
            try:
                result = attempt()
            except (DataError, IntegrityError):
                raise
            except (DBAPIError, PoolTimeoutError, NoSuchModuleError, OSError) as error:
                if tried < _TRIES and _is_transient(error):
                    time.sleep(0.01 * tried)
                    continue
                raise self._went_down(here, error) from None
            self._came_back(here)
            return result
        raise AssertionError  # the last try returns or raises

    def _refuse_while_down(self, here: _Process) -> None:
        """Spare callers the wait for a database that just did not answer; from time to time one of them tries it."""
        if not here.is_down:
            return
        now = time.monotonic()
        if now < here.ask_again:
            raise StoreUnavailable("away: it did not answer a moment ago")
        here.ask_again = now + _PROBE_SECONDS

    def _went_down(self, here: _Process, error: Exception) -> StoreUnavailable:
        is_news, here.is_down, here.is_migrated = not here.is_down, True, False
        here.ask_again = time.monotonic() + _REST_SECONDS
        if is_news:
            self._report(f"store is away: {_name(error)}")
        return StoreUnavailable(f"away: {_name(error)}")

    def _came_back(self, here: _Process) -> None:
        if here.is_down:
            here.is_down = False
            self._report("store is back")

    def _engine(self) -> Engine:
        return self._sqlite() if self.is_sqlite else self._postgres()

    def _postgres(self) -> Engine:
        engine = create_engine(
            self.url,
            pool_size=8,
            max_overflow=8,
            pool_timeout=self._patience / 2,
            pool_pre_ping=True,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args=_POSTGRES_ARGUMENTS,
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, record: object) -> None:  # noqa: ANN401, ARG001 - SQLAlchemy's signature
            with connection.cursor() as cursor:
                cursor.execute(_POSTGRES_SESSION.format(int(self._patience * 500), int(self._patience * 3000)))
            connection.commit()

        return engine

    def _sqlite(self) -> Engine:
        path = Path(str(self.url.database))
        engine = create_engine(
            self.url,
            pool_size=4,
            max_overflow=12,
            pool_timeout=self._patience,
            hide_parameters=True,
            connect_args={"timeout": self._patience, "isolation_level": None},
        )

        @event.listens_for(engine, "do_connect")
        def make_folder(*_: object) -> None:
            """Make the file, but never open one that is there: closing it would drop the locks of this process's other connections.

            Then another process that comes and goes takes itself for the last one and removes the write-ahead log in use.
            """
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001 - SQLAlchemy's signature
            _use_wal(connection)
            connection.execute(f"PRAGMA synchronous={'FULL' if self._is_durable else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            """A writer takes the lock at once: one that began by reading could not wait for it."""
            connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("only_reads") else "BEGIN IMMEDIATE")

        return engine


def insert_new(connection: Connection, table: Table) -> Insert:
    """Begin an INSERT that passes over rows which are there already, in the database's own dialect."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def insert_adding(connection: Connection, table: Table, count: str) -> Insert:
    """Begin an INSERT that adds a count to that of a row which is there already."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = insert(table)
    return new.on_conflict_do_update(index_elements=list(table.primary_key), set_={count: table.c[count] + new.excluded[count]})


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; while another process does the same, SQLite refuses without waiting."""
    for tried in range(1, _WAL_TRIES + 1):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if tried == _WAL_TRIES:
                raise
            time.sleep(0.01)
        else:
            return


def _is_transient(error: Exception) -> bool:
    """Tell whether the same again may well succeed: a clash of transactions, or a pooled connection that was dead."""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _TRANSIENT


def _name(error: Exception) -> str:
    """Name an error without its text, which can hold addresses, statements and values."""
    inner = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(inner, "sqlite_errorname", None) or getattr(inner, "sqlstate", None) or ""
    why = "" if code else next((f"({words})" for sign, words in _WHY_NOT if sign in str(inner)), "")
    return f"{type(inner).__name__} {code or why}".strip()
