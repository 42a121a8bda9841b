"""Floor 7: the workbench: pages in a browser on which those who own the rules try them, read them and see how they are used."""

from flask import Blueprint

from cds_service.web.workbench.attributes import add_attributes
from cds_service.web.workbench.decisions import add_decisions
from cds_service.web.workbench.rules import add_rules
from cds_service.web.workbench.shell import Shell, shell_of
from cds_service.web.workbench.sources import Sources
from cds_service.web.workbench.try_it import add_try_it
from cds_service.web.workbench.use import add_use

__all__ = ["Sources", "workbench"]


def workbench(sources: Sources, public_url: str = "") -> Blueprint:
    """Make the pages under `/workbench`, which compute and show and change nothing; `public_url` is where browsers reach the service."""
    blueprint = Blueprint("workbench", __name__, url_prefix="/workbench")
    shell: Shell = shell_of(sources.pack().rulebook.manifest.title, public_url)
    shell.serve(blueprint)
    add_try_it(blueprint, shell, sources)
    add_decisions(blueprint, shell, sources)
    add_rules(blueprint, shell, sources)
    add_attributes(blueprint, shell, sources)
    add_use(blueprint, shell, sources)
    return blueprint
