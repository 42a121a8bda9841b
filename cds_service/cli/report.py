"""Floor 8: `cds-service report`: what was advised and what became of it, as CSV, JSON, or a page to read and pass on."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from cds_service.analytics.alarms import alarms
from cds_service.analytics.codes import codes
from cds_service.analytics.comments import comments
from cds_service.analytics.report import Filters, Window
from cds_service.analytics.spans import Span
from cds_service.analytics.usage import usage
from cds_service.analytics.writing import Report, as_csv, as_html, as_json
from cds_service.memory import open_store
from cds_service.settings import read_settings

_DAY: Final = click.DateTime(["%Y-%m-%d"])
_MONTH_OF_DAYS: Final = 29
_MOST_DAYS: Final = 62
_MOST_WEEKS: Final = 400


@click.command()
@click.option("--format", "form", type=click.Choice(["html", "csv", "json"]), default="html", show_default=True, help="How to write it.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write to.  [standard output]")
@click.option("--since", type=_DAY, help="First day, in CDS_TIME_ZONE.  [30 days, today included]")
@click.option("--until", type=_DAY, help="Last day.  [today]")
@click.option("--by", type=click.Choice(["day", "week", "month"]), help="Length of a period.  [by the length of the whole]")
@click.option("--rule", help="This rule alone.")
@click.option("--version", type=int, help="This version of a rule alone.")
@click.option("--client", help="This client alone.")
@click.option("--site", help="This site alone.")
@click.option("--hook", help="This hook alone.")
@click.option("--comments", "with_comments", is_flag=True, help="Show what clinicians typed too; it may name a patient.")
def report(
    form: str,
    output: Path | None,
    since: datetime | None,
    until: datetime | None,
    by: Span | None,
    *,
    with_comments: bool,
    **filters: str | int,
) -> None:
    """Report the use of the advice: how often rules fired, what clinicians did, and which rules fell silent or flood."""
    settings, now = read_settings(), datetime.now(UTC)
    last = until.date() if until else now.astimezone(settings.zone).date()
    first = since.date() if since else last - timedelta(days=_MONTH_OF_DAYS)
    if first > last:
        raise click.BadParameter(f"found {first}, after {last}; expected a day no later than --until", param_hint="--since")
    window, chosen = Window(first, last, by or _fitting(first, last)), Filters(**filters)  # type: ignore[arg-type]
    with open_store(settings) as store:
        told = Report(
            usage(store, window, chosen, zone=settings.zone, now=now),
            alarms(store, chosen, zone=settings.zone, now=now),
            codes(store, window, chosen),
            comments(store, window, chosen, zone=settings.zone) if with_comments else (),
        )
    text = _written(told, form)
    if output:
        output.write_text(text, encoding="utf-8", newline="")
    else:
        click.echo(text, nl=False)


def _fitting(first: date, last: date) -> Span:
    """Choose periods of which a chart can show all."""
    days = (last - first).days
    return "day" if days <= _MOST_DAYS else "week" if days <= _MOST_WEEKS else "month"


def _written(told: Report, form: str) -> str:
    if form == "html":
        return as_html(told)
    return as_csv(told) if form == "csv" else json.dumps(as_json(told), ensure_ascii=False, indent=2) + "\n"
