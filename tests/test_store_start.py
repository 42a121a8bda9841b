"""The service starts with its store, and without it."""

import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.memory import open_memory
from cds_service.observe import LOG, write_log_to
from cds_service.settings import Settings, read_settings
from cds_service.store.key import installation_key
from cds_service.store.migration import revision
from cds_service.store.recorder import Caller
from cds_service.store.schema import HEAD


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before = (LOG.handlers[:], LOG.propagate, LOG.level)
    stream = io.StringIO()
    write_log_to(stream)
    yield stream
    LOG.handlers[:], LOG.propagate = before[:2]
    LOG.setLevel(before[2])


def settings(folder: Path, **more: str) -> Settings:
    return read_settings(data_dir=folder, **{"database_url": "", **more})


def test_a_start_makes_folder_tables_and_key(tmp_path: Path, log: io.StringIO) -> None:
    memory = open_memory(settings(tmp_path / "new" / "data"), Caller)
    assert sorted(path.name for path in (tmp_path / "new" / "data").iterdir()) == ["cds-service.sqlite3", "digest.key"]
    assert memory.feedback.store.read(revision) == HEAD
    assert memory.recorder.key == installation_key(tmp_path / "new" / "data")
    assert memory.recorder.with_user is True
    assert log.getvalue() == ""
    memory.feedback.store.close()


def test_a_start_without_the_store_is_told_and_goes_on(tmp_path: Path, log: io.StringIO) -> None:
    (tmp_path / "data").write_text("in the way")
    memory = open_memory(settings(tmp_path / "data"), Caller)
    assert '"event": "trouble", "part": "store", "what": "store is away: FileExistsError"' in log.getvalue()
    assert "no key of digests can be kept" in log.getvalue()
    assert len(memory.recorder.key) == 32


def test_a_start_with_an_absent_postgresql_tells_neither_address_nor_password(tmp_path: Path, log: io.StringIO) -> None:
    open_memory(settings(tmp_path, database_url="postgresql://someone:secret@127.0.0.1:1/nothing"), Caller)
    assert "store is away: OperationalError" in log.getvalue()
    assert not {word for word in ("secret", "someone", "127.0.0.1") if word in log.getvalue()}


def test_a_start_that_may_not_migrate_leaves_the_database_alone(tmp_path: Path) -> None:
    open_memory(settings(tmp_path, migrate_database="false"), Caller)
    assert [path.name for path in tmp_path.iterdir()] == ["digest.key"]


def test_users_are_left_out_where_the_settings_say_so(tmp_path: Path) -> None:
    assert open_memory(settings(tmp_path, record_users="false"), Caller).recorder.with_user is False


def test_the_key_is_made_once_for_the_service_alone(tmp_path: Path) -> None:
    key = installation_key(tmp_path)
    assert key is not None
    assert (len(key), installation_key(tmp_path), stat.S_IMODE((tmp_path / "digest.key").stat().st_mode)) == (32, key, 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["digest.key"]


def test_a_key_that_is_too_short_is_none(tmp_path: Path) -> None:
    (tmp_path / "digest.key").write_bytes(b"short")
    assert installation_key(tmp_path) is None


def test_a_key_from_elsewhere_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "digest.key").write_bytes(b"k" * 40)
    assert installation_key(tmp_path) == b"k" * 40
