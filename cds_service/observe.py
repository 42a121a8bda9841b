"""Floor 7: one line of JSON in the log for each call and each unforeseen error, without patient data and without the caller's words."""

import json
import logging
import sys
import traceback
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

LOG: Final = logging.getLogger("cds_service")
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is kept of one HTTP exchange: names of the program's own, numbers, and an id that the answer carries too.

    `route` is the template that matched, never the address that was sent; `service` is empty unless it is one of ours.
    """

    request: str
    method: str
    route: str
    service: str
    status: int
    ms: float


def log_call(record: CallRecord) -> None:
    """Write the line of one call."""
    LOG.info(_line("call", asdict(record)))


def log_refusal(request_id: str, code: str, client: str) -> None:
    """Write why a token was refused, as a code of docs/errors.md: the caller is not told."""
    LOG.warning(_line("refused", {"request": request_id, "code": code, "client": client}))


def log_error(request_id: str, error: BaseException) -> None:
    """Write the line of an unforeseen error: its type and where it came through, never its text, which may hold patient data."""
    frames = [f"{_place(frame.filename)}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__, limit=-20)]
    LOG.error(_line("error", {"request": request_id, "code": "HTTP-500", "exception": type(error).__qualname__, "frames": frames}))


def log_trouble(part: str, what: str) -> None:
    """Write a line about a part of the service that fails or comes back, in words of the program's own."""
    LOG.warning(_line("trouble", {"part": part, "what": what}))


def log_pack(site: str, version: str, pack_hash: str) -> None:
    """Write by which rule pack the process advises a site from now on."""
    LOG.info(_line("pack", {"site": site, "version": version, "hash": pack_hash}))


def write_log_to(stream: TextIO | None = None, level: str = "info") -> None:
    """Send the lines to a stream (standard output where none is named), from the given level upwards."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.handlers[:] = [handler]
    LOG.propagate = False
    LOG.setLevel(level.upper())


def _line(event: str, members: dict[str, Any]) -> str:
    """Write one line; control characters and everything beyond ASCII are escaped, so that nothing can look like another line."""
    return json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **members}, ensure_ascii=True)


def _place(filename: str) -> str:
    """Shorten a file name to the part inside the program or its library."""
    path = Path(filename)
    return str(path.relative_to(_HERE.parent)) if path.is_relative_to(_HERE) else path.name
