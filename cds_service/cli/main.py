"""Floor 8: the command `cds-service` and its subcommands."""

import sys
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

from cds_service import __version__
from cds_service.errors import CdsError

COMMANDS: Final = MappingProxyType(
    {
        "serve": "cds_service.cli.serve",
        "settings": "cds_service.cli.settings",
        "clients": "cds_service.cli.clients",
        "check": "cds_service.cli.rules",
        "test": "cds_service.cli.rules",
        "diff": "cds_service.cli.diff",
        "evaluate": "cds_service.cli.evaluate",
        "doctor": "cds_service.cli.doctor",
        "call": "cds_service.cli.call",
        "schema": "cds_service.cli.rules",
        "terminology": "cds_service.cli.terminology",
        "feedback": "cds_service.cli.feedback",
        "store": "cds_service.cli.store",
        "report": "cds_service.cli.report",
    },
)
"""Each subcommand with the module that holds it under its own name; read only when it is called, so that all start quickly."""
MISTAKE: Final = 2
"""Exit status where the input, not the program, is wrong."""


class _Commands(click.Group):
    """A group whose subcommands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name all subcommands for the help text."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import one subcommand."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cds-service")
def commands() -> None:
    """Decision support for medication orders as a CDS Hooks service."""


def main() -> None:
    """Run the command line; a mistake in settings, rules or requests ends with a plain message and status 2."""
    try:
        commands()
    except CdsError as error:
        click.echo(str(error), err=True)
        sys.exit(MISTAKE)
