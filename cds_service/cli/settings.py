"""Floor 8: `cds-service settings`, the table of docs/settings.md and what is in force."""

import click

from cds_service.settings import PREFIX, read_settings, settings_table


@click.command()
@click.option("--markdown", is_flag=True, help="Write the table of docs/settings.md instead.")
def settings(*, markdown: bool) -> None:
    """Show the settings in force."""
    if markdown:
        click.echo(settings_table(), nl=False)
        return
    for name, value in read_settings().model_dump().items():
        shown = ",".join(value) if isinstance(value, tuple) else value
        click.echo(f"{PREFIX}{name.upper()}={shown}")
