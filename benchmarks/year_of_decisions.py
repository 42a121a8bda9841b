"""Fill a store with a synthetic year of decisions, roll it up, and time what a page of the workbench asks for.

python -m benchmarks.year_of_decisions --decisions 1000000
python -m benchmarks.year_of_decisions --decisions 1000000 --database postgresql
python -m benchmarks.year_of_decisions --decisions 50000 --keep sqlite:////tmp/year.sqlite3   # for screenshots: the database stays

Patients do not occur; rules are the shipped ones by name. One rule is planted to fall silent ten days before the end, one to flood on the last day.
"""

import argparse
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, Table, insert

from cds_service.analytics.alarms import alarms
from cds_service.analytics.codes import codes
from cds_service.analytics.comments import comments
from cds_service.analytics.report import Filters, Window
from cds_service.analytics.rollup import roll_up
from cds_service.analytics.usage import choices, usage
from cds_service.store.engine import Store
from cds_service.store.schema import cards, decisions, feedback, feedback_comments, feedback_reasons, findings, unknown_codes
from tests.store_floor import DATABASES, database, store_at

RULES = sorted(path.stem for path in (Path(__file__).parent.parent / "rules" / "naltrexone").glob("*.yaml") if ".test" not in path.name)
PLACES = (("epic-main", "main", 0.6), ("epic-north", "north", 0.3), ("clinic", "", 0.1))
REASONS = ("will-monitor", "tolerated-before", "not-applicable", "specialist-advice")
COMMENTS = (
    *("will monitor", "discussed with pharmacy", "tolerated before", "short course only", "ok", "see note"),
    *("wrong, the opioid was stopped weeks ago", "does not apply here", "same alert every time, please fix", "why does this fire?"),
)
BATCH = 5000
READ_WORDS = ("complete",) * 18 + ("partial", "missing")
Row = dict[str, Any]


@dataclass
class Batch:
    """Rows of some decisions, by table, in the order in which they may be inserted."""

    rows: dict[Table, list[Row]] = field(
        default_factory=lambda: {table: [] for table in (decisions, cards, findings, feedback, feedback_reasons, feedback_comments)}
    )

    def insert(self, connection: Connection) -> None:
        """Insert all rows."""
        for table, rows in self.rows.items():
            if rows:
                connection.execute(insert(table), rows)


@dataclass
class Year:
    """A year of decisions that ends today: the same numbers give the same year, uuids included."""

    number: int
    last: date
    dice: random.Random = field(default_factory=lambda: random.Random(2026))

    def moments(self) -> Iterator[datetime]:
        """Give the moments of all decisions: working days are busy, nights and weekends are not; the last day ends at noon."""
        days = [self.last - timedelta(days=back) for back in range(364, -1, -1)]
        weights = [0.25 if day.weekday() >= 5 else 1.0 for day in days]
        weights[-1] /= 2
        for day, weight in zip(days, weights, strict=True):
            for _ in range(round(self.number * weight / sum(weights))):
                hour = self.dice.choices(range(24), [1, 1, 1, 1, 1, 2, 4, 8, 12, 12, 12, 10, 8, 9, 10, 10, 8, 6, 4, 3, 3, 2, 2, 1])[0]
                hour = hour // 2 if day == self.last else hour
                yield datetime(day.year, day.month, day.day, hour, self.dice.randrange(60), self.dice.randrange(60), tzinfo=UTC)

    def batches(self) -> Iterator[Batch]:
        """Give all decisions, some thousands at a time."""
        moments = self.moments()
        while some := list(islice(moments, BATCH)):
            batch = Batch()
            for moment in some:
                self.add(batch, moment)
            yield batch

    def add(self, batch: Batch, moment: datetime) -> None:
        """Add one decision: three in twenty concern a rule."""
        dice, name = self.dice, self.uuid()
        client, site, _ = dice.choices(PLACES, [weight for *_, weight in PLACES])[0]
        concerned = dice.random() < 0.15
        reads = [dice.choice(READ_WORDS) if concerned else "" for _ in range(4)]
        hook = dice.choice(("order-select", "order-sign", "order-sign"))
        batch.rows[decisions].append(
            {
                "id": name,
                "time": moment,
                "client": client,
                "site": site,
                "hook": hook,
                "service": f"some-{hook}",
                "digest": name,
                "user_reference": "",
                "pack_version": "2026.11.0",
                "pack_hash": "h",
                "latency_ms": round(dice.lognormvariate(2.2, 0.5), 2),
                **dict(zip(("patient_read", "conditions_read", "medications_read", "history_read"), reads, strict=True)),
            }
        )
        if concerned:
            self.judge(batch, name, moment, hook, client)

    def judge(self, batch: Batch, decision: str, moment: datetime, hook: str, client: str) -> None:
        """Let some rules fire: the first ones often, the last ones hardly ever."""
        fired = [rule for place, rule in enumerate(RULES) if self.fires(place, moment)]
        if not fired:
            return
        card, is_withheld = self.uuid(), hook == "order-select" and self.dice.random() < 0.5
        for place, rule in enumerate(fired):
            fate = self.fate(rule, is_withheld=is_withheld)
            version = 1 if (moment.date() - self.last).days < -100 else 2
            named = {
                "rule": rule,
                "version": version,
                "site_override": "",
                "kind": "other",
                "severity": "" if fate == "incomplete" else "warning",
            }
            batch.rows[findings].append(
                {"decision": decision, "position": place, **named, "fate": fate, "card": card if fate == "shown" else ""}
            )
        if any(row["card"] == card for row in batch.rows[findings][-len(fired) :]):
            batch.rows[cards].append({"uuid": card, "decision": decision, "position": 0, "indicator": "warning"})
            self.answer(batch, card, moment, client)

    def fires(self, place: int, moment: datetime) -> bool:
        """Throw the dice for a rule; the second falls silent ten days before the end, the last floods on the last day."""
        days_left = (self.last - moment.date()).days
        if place == 1 and days_left < 10:
            return False
        return self.dice.random() < (0.9 if place == len(RULES) - 1 and days_left == 0 else 0.5 / (place + 1))

    def fate(self, rule: str, *, is_withheld: bool) -> str:
        """Tell what becomes of a finding; one rule is being tried out."""
        if rule == RULES[5]:
            return "silent"
        return "incomplete" if self.dice.random() < 0.04 else "withheld" if is_withheld else "shown"

    def answer(self, batch: Batch, card: str, moment: datetime, client: str) -> None:
        """Say something of two cards in three, mostly an override with a reason, now and then with a comment."""
        dice = self.dice
        if dice.random() > 0.67:
            return
        said, outcome = self.uuid(), "overridden" if dice.random() < 0.7 else "accepted"
        later = moment + timedelta(minutes=dice.randrange(90))
        row = {"id": said, "card": card, "service": "some", "client": client, "outcome": outcome, "accepted_suggestions": ""}
        batch.rows[feedback].append({**row, "outcome_timestamp": moment, "received_at": later})
        if outcome == "overridden":
            reason = dice.choices(REASONS, [5, 3, 2, 1])[0]
            shown = reason.replace("-", " ")
            batch.rows[feedback_reasons].append(
                {"feedback": said, "position": 0, "system": "urn:reasons", "code": reason, "display": shown}
            )
        if dice.random() < 0.1:
            batch.rows[feedback_comments].append({"id": said, "feedback": said, "text": dice.choice(COMMENTS), "received_at": later})

    def uuid(self) -> str:
        """Make the next uuid of this year."""
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))


def fill(store: Store, number: int, now: datetime) -> None:
    """Put a year of decisions, and some unknown codes, into an empty store."""
    store.migrate()
    for batch in Year(number, now.date()).batches():
        store.write(batch.insert)
    row = {"client": "clinic", "system": "http://hl7.org/fhir/sid/ndc", "word": "some drug"}
    seen = [{**row, "day": now.date() - timedelta(days=back), "code": f"0000000{back % 3}", "orders": back % 5 + 1} for back in range(60)]
    store.write(lambda connection: connection.execute(insert(unknown_codes), [*seen]))


def timed(what: str, work: Callable[[], Any], times: int = 5) -> None:
    """Print how long something takes: the median of some times."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    print(f"{what}: {median(taken):.0f} ms", flush=True)


def measure(store: Store, number: int) -> None:
    """Fill, roll up, and time what a page asks for."""
    now = datetime.now(UTC)
    timed(f"fill with {number:,} decisions", lambda: fill(store, number, now), 1)
    timed("roll up the year", lambda: roll_up(store, UTC, now), 1)
    timed("roll up once more", lambda: roll_up(store, UTC, now), 1)
    year, month = Window(now.date() - timedelta(days=364), now.date(), "month"), Window(now.date() - timedelta(days=29), now.date(), "day")
    weeks = Window(now.date() - timedelta(days=364), now.date(), "week")
    timed("usage of a year by month", lambda: usage(store, year, now=now))
    timed("usage of a year by week", lambda: usage(store, weeks, now=now))
    timed("usage of a month by day", lambda: usage(store, month, now=now))
    timed("usage of a year, one rule at one client", lambda: usage(store, weeks, Filters(rule=RULES[0], client="clinic"), now=now))
    timed("choices", lambda: choices(store, now=now))
    timed("alarms", lambda: alarms(store, now=now))
    timed("comments of a year", lambda: comments(store, year))
    timed("unknown codes of a year", lambda: codes(store, year))
    for alarm in alarms(store, now=now):
        print("alarm:", alarm)


@contextmanager
def opened(kind: str, keep: str) -> Iterator[Store]:
    """Give an empty store, which goes afterwards unless it is to be kept."""
    if keep:
        with store_at(keep) as store:
            yield store
        return
    with tempfile.TemporaryDirectory() as folder, database(kind, Path(folder)) as address, store_at(address) as store:
        yield store


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--keep", default="", help="Address of an empty database that stays.")
    given = parser.parse_args()
    with opened(given.database, given.keep) as filled:
        measure(filled, given.decisions)
