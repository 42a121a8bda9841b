"""Floor 8: `cds-service store`: the tables of the database, and how long things are kept in them."""

from datetime import UTC, datetime, timedelta

import click

from cds_service.analytics.rollup import roll_up
from cds_service.errors import StoreUnavailable
from cds_service.memory import open_store
from cds_service.settings import read_settings
from cds_service.store.pruning import Limits, due
from cds_service.store.pruning import prune as prune_store
from cds_service.store.replay import SLACK
from cds_service.store.schema import HEAD
from cds_service.unknown import Unknown

_DAYS = click.IntRange(0, 36500)


@click.group()
def store() -> None:
    """The database of decisions and feedback."""


@store.command()
def migrate() -> None:
    """Bring the tables up to date; what is up to date stays as it is."""
    with open_store(read_settings()) as tables:
        tables.migrate()
    click.echo(f"The tables are at step {HEAD}.")


@store.command(name="roll-up")
@click.option("--all", "everything", is_flag=True, help="Count every day again of which decisions are left.")
def roll_up_command(*, everything: bool) -> None:
    """Bring the roll-ups of the analytics up to date; the service does so itself about once a minute."""
    settings = read_settings()
    with open_store(settings) as tables:
        number = roll_up(tables, settings.zone, datetime.now(UTC), everything=everything)
    click.echo("Another process is at it." if isinstance(number, Unknown) else f"Days counted: {number}")


@store.command()
@click.option("--dry-run", is_flag=True, help="Count what would be deleted, and delete nothing.")
@click.option("--decisions-days", type=_DAYS, help="Keep decisions and feedback so long.  [CDS_KEEP_DECISIONS_DAYS]")
@click.option("--comments-days", type=_DAYS, help="Keep what clinicians typed so long.  [CDS_KEEP_COMMENTS_DAYS]")
def prune(decisions_days: int | None, comments_days: int | None, *, dry_run: bool) -> None:
    """Delete what was kept long enough; 0 days keeps a kind for ever, and roll-ups stay: they are brought up to date first."""
    settings, now = read_settings(), datetime.now(UTC)
    decisions = _before(now, settings.keep_decisions_days if decisions_days is None else decisions_days)
    comments = _before(now, settings.keep_comments_days if comments_days is None else comments_days)
    limits = Limits(decisions=decisions, feedback=decisions, comments=comments, tokens=now - SLACK, marks=now)
    with open_store(settings) as tables:
        if not dry_run and isinstance(roll_up(tables, settings.zone, now), Unknown):
            raise StoreUnavailable("busy: another process is rolling up; try again in a minute")
        counted = (due if dry_run else prune_store)(tables, limits)
    for table, number in counted.items():
        click.echo(f"{table}: {number} {'would be deleted' if dry_run else 'deleted'}")


def _before(now: datetime, days: int) -> datetime | None:
    """Turn a number of days into the moment before which things are forgotten."""
    return now - timedelta(days=days) if days else None
