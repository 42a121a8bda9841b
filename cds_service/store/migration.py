"""Brings the tables of a database to the shape that this program knows, by Alembic's steps."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from cds_service.errors import StoreUnavailable
from cds_service.store.schema import HEAD

STEPS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 6_173_420_001
"""Key of the lock under which PostgreSQL lets one program at a time change the tables."""


def migrate(connection: Connection, *, only_check: bool = False) -> None:
    """Run the steps that are missing, inside the caller's transaction; raises StoreUnavailable where that cannot be done.

    Programs that start together wait for one another: SQLite by its write lock, PostgreSQL by an advisory lock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    found = revision(connection)
    if found == HEAD:
        return
    if only_check or (found or "") > HEAD:
        raise StoreUnavailable(f"of another shape: its tables are at step {found or 'none'}, this program knows step {HEAD}")
    _upgrade(connection)


def revision(connection: Connection) -> str | None:
    """Return the step at which the tables are, or None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - only a database that is behind needs Alembic, and it takes a while to import
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
