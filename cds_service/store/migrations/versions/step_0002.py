"""Roll-ups by day, week and month, marks of shown cards for overrides, counts of unknown codes.

Revision ID: 0002
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PLACE = ("span", "day", "client", "site", "hook")
_LENGTHS = {"span": 5, "client": 200, "site": 100, "hook": 40, "rule": 200, "system": 256, "code": 256, "display": 256}


def upgrade() -> None:
    """Make the tables; what there is stays as it is, and is rolled up by the service or by `cds-service store roll-up`."""
    _marks_and_codes()
    _rollups()
    op.create_table(
        "chores",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("busy_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_up_to", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_chores"),
    )


def downgrade() -> None:
    """Remove the tables with all they hold."""
    rollups = ("days_rolled_up", "usage_reasons", "usage_rules", "usage_latency", "usage_answers")
    for table in ("chores", *rollups, "unknown_codes", "override_marks"):
        op.drop_table(table)


def _marks_and_codes() -> None:
    op.create_table(
        "override_marks",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("card", sa.String(36), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mark", "card", name="pk_override_marks"),
    )
    op.create_index("ix_override_marks_expires", "override_marks", ["expires"])
    op.create_table(
        "unknown_codes",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("system", sa.String(100), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("word", sa.String(80), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "client", "system", "code", "word", name="pk_unknown_codes"),
    )


def _rollups() -> None:
    counts = ("decisions", "with_cards", "with_data", "incomplete")
    kinds = ("patient_incomplete", "conditions_incomplete", "medications_incomplete", "history_incomplete")
    said = ("cards", "accepted", "overridden")
    fates = ("decisions", "fired", "shown", "silent", "withheld", "respected", "incomplete")
    _usage("usage_answers", (), (*counts, *kinds, *said))
    _usage("usage_latency", ("band",), ("decisions",))
    _usage("usage_rules", ("rule", "version"), (*fates, *said))
    reasons = (*_PLACE, "rule", "version", "system", "code", "display", "overrides")
    op.create_table("usage_reasons", *(_column(name) for name in reasons))
    op.create_index("ix_usage_reasons_span_day", "usage_reasons", ["span", "day"])
    op.create_table(
        "days_rolled_up",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.Column("rolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_days_rolled_up"),
    )


def _usage(name: str, key: Iterable[str], counts: Iterable[str]) -> None:
    keys = (*_PLACE, *key)
    op.create_table(name, *(_column(column) for column in (*keys, *counts)), sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"))


def _column(name: str) -> sa.Column[Any]:
    """Make a column by its name: texts have a length, the day is a date, all else are numbers."""
    if name in _LENGTHS:
        return sa.Column(name, sa.String(_LENGTHS[name]), nullable=False)
    return sa.Column(name, sa.Date() if name == "day" else sa.Integer(), nullable=False)
