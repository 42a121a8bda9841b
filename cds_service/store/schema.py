"""The tables of the store. None holds an id, name, text or date of a patient; docs/store.md tells each column.

A change here needs a step in `migrations/versions` and a new `HEAD`; a test compares the two on both databases.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Column, Date, DateTime, Dialect, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

HEAD: Final = "0003"
"""The newest step in `migrations/versions`."""
_NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}


class Moment(TypeDecorator[datetime]):
    """A moment in UTC on both databases: SQLite keeps no time zone, so it is put on again there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turn a moment to UTC; SQLite then drops the zone."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give a moment its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata: Final = MetaData(naming_convention=_NAMES)

decisions: Final = Table(
    "decisions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("time", Moment(), nullable=False),
    Column("client", String(200), nullable=False),
    Column("site", String(100), nullable=False),
    Column("hook", String(40), nullable=False),
    Column("service", String(200), nullable=False),
    Column("user_reference", String(400), nullable=False),
    Column("pack_version", String(100), nullable=False),
    Column("pack_hash", String(128), nullable=False),
    Column("patient_read", String(10), nullable=False),
    Column("conditions_read", String(10), nullable=False),
    Column("medications_read", String(10), nullable=False),
    Column("history_read", String(10), nullable=False),
    Column("latency_ms", Float(), nullable=False),
    Column("digest", String(64), nullable=False),
    Index(None, "time"),
)
"""One row for each answer. `*_read` says how complete a kind of data was, empty where none was needed."""

cards: Final = Table(
    "cards",
    metadata,
    Column("uuid", String(36), primary_key=True),
    Column("decision", String(36), ForeignKey("decisions.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer(), nullable=False),
    Column("indicator", String(10), nullable=False),
    Index(None, "decision"),
)
"""One row for each card sent; its rules are the findings that name it."""

findings: Final = Table(
    "findings",
    metadata,
    Column("decision", String(36), ForeignKey("decisions.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer(), primary_key=True),
    Column("rule", String(200), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("site_override", String(400), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("fate", String(10), nullable=False),
    Column("card", String(36), nullable=False),
    Index(None, "rule"),
)
"""One row for each rule that fired or lacked data, for each order.

`fate` is shown, silent (the rule is being tried out), withheld (an info at order-select), overridden (a clinician had overridden it
before, and the site respects that), or incomplete: the rule could not be judged, and `severity` is empty. `card` is the uuid of the card that tells of it, empty where none does.
"""

feedback: Final = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("card", String(256), nullable=False),
    Column("service", String(200), nullable=False),
    Column("client", String(200), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("accepted_suggestions", Text(), nullable=False),
    Column("outcome_timestamp", Moment(), nullable=True),
    Column("received_at", Moment(), nullable=False),
    Index(None, "card"),
    Index(None, "received_at", "id"),
)
"""One row for each thing that a client said of a card. `id` is made from what was said, so that a repeat is the same row.

`card` need not be one of ours: Epic sends its own numbers, and a decision may be written after its feedback.
`accepted_suggestions` holds the ids with a space between them.
"""

feedback_reasons: Final = Table(
    "feedback_reasons",
    metadata,
    Column("feedback", String(64), ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer(), primary_key=True),
    Column("system", String(256), nullable=False),
    Column("code", String(256), nullable=False),
    Column("display", String(256), nullable=False),
)
"""The override reasons of a feedback; Epic may send several."""

feedback_comments: Final = Table(
    "feedback_comments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("feedback", String(64), ForeignKey("feedback.id", ondelete="CASCADE"), nullable=False),
    Column("text", Text(), nullable=False),
    Column("received_at", Moment(), nullable=False),
    Index(None, "feedback"),
    Index(None, "received_at"),
)
"""What clinicians typed: the one place that can hold a word about a patient, kept apart and for a shorter time."""

replay: Final = Table(
    "replay",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("expires", Moment(), nullable=False),
    Index(None, "expires"),
)
"""Tokens that were used, by a hash of issuer and token id, until they expire."""

override_marks: Final = Table(
    "override_marks",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("card", String(36), primary_key=True),
    Column("client", String(200), nullable=False),
    Column("expires", Moment(), nullable=False),
    Index(None, "expires"),
)
"""What a shown card said of which order, as a keyed hash that expires: an override of the card is recognised by it at the next call.

Only where a site respects overrides. Nobody can find the patient, the encounter or the order from a mark without the key.
"""

unknown_codes: Final = Table(
    "unknown_codes",
    metadata,
    Column("day", Date(), primary_key=True),
    Column("client", String(200), primary_key=True),
    Column("system", String(100), primary_key=True),
    Column("code", String(40), primary_key=True),
    Column("word", String(80), primary_key=True),
    Column("orders", Integer(), nullable=False),
)
"""How many orders of a UTC day had a code that no table knows, beside a name that one does: `word` is the service's own name for the drug.

`system` and `code` are empty where the order had no code that is safe to keep. A `word` ends with "?" where the name is only nearly one.
"""


def _usage(name: str, *columns: Column[Any], key: Iterable[Column[Any]] = ()) -> Table:
    """Make a roll-up table: one row for each day, week or month (`span`, by its first day), client, site, hook and `key`; `columns` are counts."""
    texts = (("span", 5), ("client", 200), ("site", 100), ("hook", 40))
    span, *place = (Column(name, String(length), primary_key=True) for name, length in texts)
    return Table(name, metadata, span, Column("day", Date(), primary_key=True), *place, *key, *columns)


def _counts(*names: str) -> list[Column[Any]]:
    return [Column(name, Integer(), nullable=False) for name in names]


usage_answers: Final = _usage(
    "usage_answers",
    *_counts("decisions", "with_cards", "with_data", "incomplete"),
    *_counts("patient_incomplete", "conditions_incomplete", "medications_incomplete", "history_incomplete"),
    *_counts("cards", "accepted", "overridden"),
)
"""Decisions and their cards. `with_data` counts the decisions that needed data of the chart, `incomplete` those that lacked some of it;
`accepted` and `overridden` count cards, by what was said of them up to the latest roll-up."""

usage_latency: Final = _usage(
    "usage_latency", *_counts("decisions"), key=[Column("band", Integer(), primary_key=True, autoincrement=False)]
)
"""Decisions by how long they took; `band` is a place in the list of bounds of `analytics.latency`."""

usage_rules: Final = _usage(
    "usage_rules",
    *_counts("decisions", "fired", "shown", "silent", "withheld", "respected", "incomplete", "cards", "accepted", "overridden"),
    *(Column(name, Integer(), nullable=False, server_default="0") for name in ("timed", "milliseconds")),
    key=[Column("rule", String(200), primary_key=True), Column("version", Integer(), primary_key=True, autoincrement=False)],
)
"""What became of each version of each rule: `decisions` in which it fired, findings by their fate (`respected`: fate overridden),
`cards` that told of it and what was said of these; how many `milliseconds` the `timed` of the decisions took together (a day that an
older program rolled up has none)."""

usage_reasons: Final = Table(
    "usage_reasons",
    metadata,
    Column("span", String(5), nullable=False),
    Column("day", Date(), nullable=False),
    *(Column(name, String(length), nullable=False) for name, length in (("client", 200), ("site", 100), ("hook", 40), ("rule", 200))),
    Column("version", Integer(), nullable=False),
    *(Column(name, String(256), nullable=False) for name in ("system", "code", "display")),
    *_counts("overrides"),
    Index(None, "span", "day"),
)
"""Overrides of each rule by the reason given; without a key, because three texts of an EHR's choice are too long for one."""

days_rolled_up: Final = Table(
    "days_rolled_up",
    metadata,
    Column("day", Date(), primary_key=True),
    Column("decisions", Integer(), nullable=False),
    Column("rolled_at", Moment(), nullable=False),
)
"""Which days stand in the roll-up tables, and how many decisions each had; a day that was not over then is counted again."""

chores: Final = Table(
    "chores",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("busy_until", Moment(), nullable=False),
    Column("done_up_to", Moment(), nullable=True),
)
"""What one process at a time does in the background: until when it has the turn, and up to which moment the work is done."""
