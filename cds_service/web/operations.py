"""Floor 7: what a person or a supervisor of processes asks of the service, besides advice."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, current_app, request

from cds_service import __version__
from cds_service.hooks.json_text import json_text
from cds_service.web.errors import json_response

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The text format of Prometheus."""


@dataclass(frozen=True, slots=True)
class PackInForce:
    """The rule pack by which a site is advised; the empty site is that of the settings."""

    site: str
    version: str
    hash: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this process gives the answers that are expected of its rules: it does where there is no reason against it.

    `refused` says why newer rule files were not taken over; the process is ready all the same.
    """

    reasons: tuple[str, ...] = ()
    packs: tuple[PackInForce, ...] = ()
    refused: tuple[str, ...] = ()


def operations(figures: Callable[[], bytes], readiness: Callable[[], Readiness]) -> Blueprint:
    """Make the routes `/`, `/health`, `/ready` and `/metrics`; `figures` writes the metrics."""
    blueprint = Blueprint("operations", __name__)
    blueprint.add_url_rule("/", "start", _start)
    blueprint.add_url_rule("/health", "health", _health)
    blueprint.add_url_rule("/ready", "ready", lambda: _ready(readiness()))
    blueprint.add_url_rule("/metrics", "metrics", lambda: Response(figures(), content_type=METRICS_TYPE))
    return blueprint


def _start() -> Response:
    """Say to somebody who opens the bare address what this is and where to go; lead a browser to the workbench, where there is one."""
    wants_page = request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    if wants_page and "workbench" in current_app.blueprints:
        response = Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "workbench"})
        response.vary.add("Accept")
        return response
    return json_response(json_text({"what": "CDS Hooks service", "discovery": "/cds-services", "health": "/health", "ready": "/ready"}))


def _health() -> Response:
    """Say that the process lives: whether a supervisor should restart it, not whether the network around it works."""
    return json_response(json_text({"status": "ok", "version": __version__}))


def _ready(readiness: Readiness) -> Response:
    """Say whether a balancer should send calls here: not whether the network around or the store works, without which there is advice too."""
    told: dict[str, object] = {
        "status": "not ready" if readiness.reasons else "ready",
        "reasons": list(readiness.reasons),
        "packs": [asdict(pack) for pack in readiness.packs],
        "newerPackRefused": list(readiness.refused),
    }
    status = HTTPStatus.SERVICE_UNAVAILABLE if readiness.reasons else HTTPStatus.OK
    return json_response(json_text({name: value for name, value in told.items() if value}), status)
