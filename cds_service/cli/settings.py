"""Floor 8: `cds-service settings`, the table of docs/settings.md and what is in force."""

import click
from pydantic.fields import FieldInfo

from cds_service.settings import PREFIX, Settings, declared, read_settings


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


def settings_table() -> str:
    """Return the Markdown table of all settings for docs/settings.md."""
    rows = (_row(name, field) for name, field in Settings.model_fields.items())
    return "\n".join(["| Variable | Default | Allowed | What it does |", "| --- | --- | --- | --- |", *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    """Write one setting as a row of the table."""
    extra = declared(field)
    return f"| `{PREFIX}{name.upper()}` | {extra.get('default') or _plainly(field.default)} | {extra['allowed']} | {field.description} |"


def _plainly(default: object) -> str:
    """Write a default as the variable would hold it."""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    text = ",".join(default) if isinstance(default, tuple) else str("" if default is None else default)
    return f"`{text}`" if text else "empty"
