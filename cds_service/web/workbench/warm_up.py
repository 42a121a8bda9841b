"""Floor 7: renders the pages once when a process starts, behind its calls: the first reader waits for no template and no statement to be compiled."""

import threading
from contextlib import suppress
from typing import Final

from flask import Flask
from werkzeug.exceptions import HTTPException

_PAGES: Final = ("/workbench", "/workbench/rules", "/workbench/use")


def warm_up_behind(app: Flask) -> threading.Thread:
    """Begin `warm_up` on a thread of its own, which does not keep the process alive."""
    thread = threading.Thread(target=warm_up, args=(app,), name="warm-up", daemon=True)
    thread.start()
    return thread


def warm_up(app: Flask) -> None:
    """Render each page without sending it to anybody; an application without a workbench has none, and a store that is away is told by its page."""
    for path in _PAGES:
        with app.test_request_context(path), suppress(HTTPException):
            app.dispatch_request()
