"""Databases for tests: a SQLite file, and a schema of its own in PostgreSQL where one runs on this machine."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Table, select

from cds_service.store.engine import Store, database_url

DATABASES = ("sqlite", "postgresql")
POSTGRES = "postgresql://postgres@127.0.0.1:5432/test"


@cache
def postgres_answers() -> bool:
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """Give the address of an empty database, and remove it afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.sqlite3'}"
        return
    if not postgres_answers():
        pytest.skip("no PostgreSQL at 127.0.0.1:5432 with database 'test' and user 'postgres' without password")
    schema = f"cds_test_{os.getpid()}_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            yield f"{POSTGRES}?options=-csearch_path%3D{schema}"
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


def store_at(address: str, **options: Any) -> Store:  # noqa: ANN401 - options of Store
    return Store(database_url(address, Path()), **options)


@contextmanager
def opened(kind: str, folder: Path, **options: Any) -> Iterator[Store]:  # noqa: ANN401 - options of Store
    """Give a store in an empty database."""
    with database(kind, folder) as address:
        store = store_at(address, **options)
        yield store
        store.close()


def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    """Read a whole table, sorted."""
    found = store.read(lambda connection: [dict(row) for row in connection.execute(select(table)).mappings()])
    return sorted(found, key=str)
