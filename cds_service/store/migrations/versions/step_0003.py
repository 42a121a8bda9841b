"""How long decisions took, by rule: what was rolled up before counts none as timed, and keeps all else that it counts.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNTS = ("timed", "milliseconds")


def upgrade() -> None:
    """Add the counts; `cds-service store roll-up --all` fills them for the days of which decisions are left."""
    for name in _COUNTS:
        op.add_column("usage_rules", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the counts."""
    for name in _COUNTS:
        op.drop_column("usage_rules", name)
