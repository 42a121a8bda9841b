"""The installation's own key, from which digests are made that nobody else can make or undo."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

_NAME: Final = "digest.key"
_BYTES: Final = 32


def installation_key(folder: Path) -> bytes | None:
    """Read the key of a data folder, made there at first use for the service's own user alone; None where that is not possible.

    Machines that share one database and are to make the same digests need a copy of the file.
    """
    path = folder / _NAME
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make(path)
        key = path.read_bytes()
        return key if len(key) >= _BYTES else None
    return None


def passing_key() -> bytes:
    """Make a key that lives as long as the process: digests are then comparable within it alone."""
    return secrets.token_bytes(_BYTES)


def _make(path: Path) -> None:
    """Write a key whole or not at all: processes that start together must read the same one."""
    draft = path.with_name(f"{_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
