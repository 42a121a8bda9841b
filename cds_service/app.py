"""Floor 8: settings and an advisor become a Flask application."""

import gc
import re
import time
import uuid
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, g, request

from cds_service.advisor import PackAdvisor
from cds_service.observe import CallRecord, log_call, log_error, write_log_to
from cds_service.pack import read_pack
from cds_service.service import Wishes
from cds_service.settings import Settings, read_settings
from cds_service.web.cds_services import Advisor, cds_services
from cds_service.web.cors import allow_origins
from cds_service.web.errors import answer_errors
from cds_service.web.operations import operations

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASHES: Final = re.compile("/{2,}")
_METHODS: Final = frozenset(["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"])
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Sent with every answer unless a route says otherwise: advice is about a patient and stays in no cache."""


def create_app(settings: Settings, advisor: Advisor) -> Flask:
    """Build the application; the same settings and advisor give the same application, without any global state."""
    app = Flask("cds_service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    _log_each_call(app, frozenset(service.id for service in advisor.services()))
    answer_errors(app, lambda error: log_error(g.request_id, error))
    allow_origins(app, settings.cors_origins)
    app.register_blueprint(cds_services(advisor, settings.hooks_version))
    app.register_blueprint(operations())
    app.wsgi_app = _single_slashes(app.wsgi_app)  # type: ignore[method-assign,assignment]
    return app


@cache
def from_environment() -> Flask:
    """Build the application from the CDS_* variables, once for each process; raises SettingsRefused and RulebookInvalid."""
    settings = read_settings()
    write_log_to(level=settings.log_level)
    return create_app(settings, advisor_for(settings))


def advisor_for(settings: Settings) -> Advisor:
    """Load rules, cards and terminology of the settings' folders into an advisor."""
    pack = read_pack(settings.rules_dir, settings.cards_dir, settings.site)
    return PackAdvisor(pack, settings.zone, wishes_of(settings))


def wishes_of(settings: Settings, *, with_trace: bool = False) -> Wishes:
    """Take from the settings what site and client ask of an answer."""
    return Wishes(profile=settings.client_profile, info_at_order_select=settings.info_at_order_select, with_trace=with_trace)


def settle_memory() -> None:
    """Take what start-up built out of the garbage collector's sight: collections during calls then cost a half (PERFORMANCE.md)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _log_each_call(app: Flask, services: frozenset[str]) -> None:
    """Give each request an id, and write its line when the answer is ready."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.request_id = str(uuid.uuid4())

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-Id"] = g.request_id
        log_call(_record(response, services))
        return response


def _record(response: Response, services: frozenset[str]) -> CallRecord:
    """Sum up one exchange for the log, in words of the program's own."""
    service = (request.view_args or {}).get("service_id", "")
    return CallRecord(
        request=g.request_id,
        method=request.method if request.method in _METHODS else "other",
        route=request.url_rule.rule if request.url_rule else "none",
        service=service if service in services else "",
        status=response.status_code,
        ms=round((time.perf_counter() - g.started) * 1000, 1),
    )


def _single_slashes(application: "WSGIApplication") -> "WSGIApplication":
    """Read `//id` and `id/` as `/id`: clients join addresses carelessly, and a redirect would break a browser's preflight."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ["PATH_INFO"] = _SLASHES.sub("/", environ.get("PATH_INFO", "")).rstrip("/") or "/"
        return application(environ, start_response)

    return answer
