"""The first tables: decisions with cards and findings, feedback with reasons and comments, spent tokens.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _decisions()
    _feedback()
    op.create_table(
        "replay",
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_replay"),
    )
    op.create_index("ix_replay_expires", "replay", ["expires"])


def downgrade() -> None:
    """Remove the tables with all they hold."""
    for table in ("replay", "feedback_comments", "feedback_reasons", "feedback", "findings", "cards", "decisions"):
        op.drop_table(table)


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("site", sa.String(100), nullable=False),
        sa.Column("hook", sa.String(40), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("user_reference", sa.String(400), nullable=False),
        sa.Column("pack_version", sa.String(100), nullable=False),
        sa.Column("pack_hash", sa.String(128), nullable=False),
        sa.Column("patient_read", sa.String(10), nullable=False),
        sa.Column("conditions_read", sa.String(10), nullable=False),
        sa.Column("medications_read", sa.String(10), nullable=False),
        sa.Column("history_read", sa.String(10), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_time", "decisions", ["time"])
    op.create_table(
        "cards",
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("decision", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("indicator", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_cards"),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name="fk_cards_decision", ondelete="CASCADE"),
    )
    op.create_index("ix_cards_decision", "cards", ["decision"])
    op.create_table(
        "findings",
        sa.Column("decision", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("site_override", sa.String(400), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("fate", sa.String(10), nullable=False),
        sa.Column("card", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("decision", "position", name="pk_findings"),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name="fk_findings_decision", ondelete="CASCADE"),
    )
    op.create_index("ix_findings_rule", "findings", ["rule"])


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("card", sa.String(256), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("accepted_suggestions", sa.Text(), nullable=False),
        sa.Column("outcome_timestamp", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    op.create_index("ix_feedback_card", "feedback", ["card"])
    op.create_index("ix_feedback_received_at_id", "feedback", ["received_at", "id"])
    op.create_table(
        "feedback_reasons",
        sa.Column("feedback", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("system", sa.String(256), nullable=False),
        sa.Column("code", sa.String(256), nullable=False),
        sa.Column("display", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("feedback", "position", name="pk_feedback_reasons"),
        sa.ForeignKeyConstraint(["feedback"], ["feedback.id"], name="fk_feedback_reasons_feedback", ondelete="CASCADE"),
    )
    op.create_table(
        "feedback_comments",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("feedback", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback_comments"),
        sa.ForeignKeyConstraint(["feedback"], ["feedback.id"], name="fk_feedback_comments_feedback", ondelete="CASCADE"),
    )
    op.create_index("ix_feedback_comments_feedback", "feedback_comments", ["feedback"])
    op.create_index("ix_feedback_comments_received_at", "feedback_comments", ["received_at"])
