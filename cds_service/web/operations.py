"""Floor 7: what a person or a supervisor of processes asks of the service, besides advice."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, current_app, request

from cds_service import __version__
from cds_service.hooks.json_text import json_text
from cds_service.web.errors import json_response

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The text format of Prometheus."""


def operations(figures: Callable[[], bytes]) -> Blueprint:
    """Make the routes `/`, `/health` and `/metrics`; `figures` writes the metrics."""
    blueprint = Blueprint("operations", __name__)
    blueprint.add_url_rule("/", "start", _start)
    blueprint.add_url_rule("/health", "health", _health)
    blueprint.add_url_rule("/metrics", "metrics", lambda: Response(figures(), content_type=METRICS_TYPE))
    return blueprint


def _start() -> Response:
    """Say to somebody who opens the bare address what this is and where to go; lead a browser to the workbench, where there is one."""
    wants_page = request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    if wants_page and "workbench" in current_app.blueprints:
        response = Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "workbench"})
        response.vary.add("Accept")
        return response
    return json_response(json_text({"what": "CDS Hooks service", "discovery": "/cds-services", "health": "/health"}))


def _health() -> Response:
    """Say that the process lives: whether a supervisor should restart it, not whether the network around it works."""
    return json_response(json_text({"status": "ok", "version": __version__}))
