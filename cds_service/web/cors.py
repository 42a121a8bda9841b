"""Floor 7: which browser pages may call the service: an allow-list of origins, never `*` and never an unlisted origin."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request
from flask_cors import CORS

from cds_service.settings import LOOPBACK

_LOOPBACK_PAGES: Final = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
_METHODS: Final = ("GET", "POST", "OPTIONS")
_HEADERS: Final = ("authorization", "content-type")
"""By name: by the Fetch standard `*` does not cover Authorization."""
_PREFLIGHT_SECONDS: Final = 600
_NOT_WORKBENCH: Final = r"/(?!workbench(/|\Z)).*"
"""Everything but the workbench: no other page may read what it shows."""


def allow_origins(app: Flask, origins: Iterable[str]) -> None:
    """Send CORS headers to the listed origins on every answer, errors included, and answer each OPTIONS on the spot."""
    app.after_request(_name_what_is_allowed)  # Flask calls the last registered first: this one after Flask-CORS
    CORS(
        app,
        resources=_NOT_WORKBENCH,
        origins=[_pattern(origin) for origin in origins],
        methods=_METHODS,
        allow_headers=_HEADERS,
        max_age=_PREFLIGHT_SECONDS,
        always_send=False,
        vary_header=False,
        intercept_exceptions=False,
    )
    app.before_request(_answer_options)


def _pattern(origin: str) -> re.Pattern[str]:
    """Compile one entry so that it matches whole origins only; Flask-CORS anchors patterns at their start alone."""
    return re.compile((_LOOPBACK_PAGES if origin == LOOPBACK else re.escape(origin)) + r"\Z", re.IGNORECASE)


def _answer_options() -> Response | None:
    """Answer a preflight before routing and before any check of the caller: browsers send no token with it."""
    if request.method != "OPTIONS":
        return None
    response = Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": ", ".join(_METHODS)})
    del response.headers["Content-Type"]
    return response


def _name_what_is_allowed(response: Response) -> Response:
    """Add what Flask-CORS sends only when asked (older Chromium: private network), and keep caches apart by origin."""
    response.vary.add("Origin")
    if request.method == "OPTIONS" and "Access-Control-Allow-Origin" in response.headers:
        response.headers.setdefault("Access-Control-Allow-Headers", ", ".join(_HEADERS))
        response.headers.setdefault("Access-Control-Allow-Methods", ", ".join(_METHODS))
        response.headers["Access-Control-Allow-Private-Network"] = "true"
    return response
