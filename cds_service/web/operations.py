"""Floor 7: what a person or a supervisor of processes asks of the service, besides advice."""

from flask import Blueprint, Response

from cds_service import __version__
from cds_service.hooks.json_text import json_text
from cds_service.web.errors import json_response


def operations() -> Blueprint:
    """Make the routes `/` and `/health`."""
    blueprint = Blueprint("operations", __name__)
    blueprint.add_url_rule("/", "start", _start)
    blueprint.add_url_rule("/health", "health", _health)
    return blueprint


def _start() -> Response:
    """Say to somebody who opens the bare address what this is and where to go."""
    return json_response(json_text({"what": "CDS Hooks service", "discovery": "/cds-services", "health": "/health"}))


def _health() -> Response:
    """Say that the process lives: whether a supervisor should restart it, not whether the network around it works."""
    return json_response(json_text({"status": "ok", "version": __version__}))
