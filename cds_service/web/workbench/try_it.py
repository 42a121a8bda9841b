"""Floor 7: the page "Try it": one order, the cards as an EHR shows them, and how each rule came to its answer."""

from flask import Blueprint, Response

from cds_service.web.workbench.shell import Shell
from cds_service.web.workbench.sources import Sources


def add_try_it(blueprint: Blueprint, shell: Shell, sources: Sources) -> None:
    """Add the page to the blueprint."""

    @blueprint.get("")
    def try_it() -> Response:
        return shell.page("try_it.html", version=sources.pack().rulebook.manifest.version)

    @blueprint.post("")
    def try_this() -> Response:
        return shell.page("try_it.html", version=sources.pack().rulebook.manifest.version)
