"""The commands on the store: what was done with the cards as CSV and JSON, and forgetting what was kept long enough."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service import memory
from cds_service.cli.main import commands
from cds_service.errors import SettingsRefused, StoreUnavailable
from cds_service.hooks.feedback import FeedbackItem, OverrideReason
from cds_service.settings import read_settings
from cds_service.store.decisions import DecisionRows, keep_decisions
from cds_service.store.engine import Store
from cds_service.store.feedback import FeedbackBook, lines_since
from cds_service.store.schema import HEAD, cards, decisions, feedback, feedback_comments, feedback_reasons, findings, override_marks, replay
from tests.conftest import NOON
from tests.store_floor import DATABASES, database, rows, store_at
from tests.test_store_writer import made

CARD = "33333333-3333-4333-8333-333333333333"


@dataclass
class Kept:
    """A store and the variables that lead the commands to it."""

    store: Store
    variables: dict[str, str]

    def keep(self, *items: FeedbackItem, at: datetime = NOON) -> None:
        FeedbackBook(self.store).keep(items, service="some-service", client="ehr", received_at=at)

    def run(self, *arguments: str) -> str:
        ended = CliRunner().invoke(commands, arguments, env=self.variables)
        assert ended.exit_code == 0, ended.output
        return ended.output

    def csv(self, *arguments: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.run("feedback", "export", *arguments))))


@pytest.fixture(params=DATABASES)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    with database(request.param, tmp_path) as address:
        store = store_at(address)
        yield Kept(store, {"CDS_DATABASE_URL": address, "CDS_DATA_DIR": str(tmp_path)})
        store.close()


def decision(name: str = "d1", card: str = CARD, **more: Any) -> DecisionRows:  # noqa: ANN401 - columns
    found = {"decision": name, "site_override": "", "kind": "other", "severity": "info", "fate": "shown", "card": card}
    told = ({**found, "position": 0, "rule": "first-rule", "version": 2}, {**found, "position": 1, "rule": "second-rule", "version": 1})
    again = (
        {**found, "position": 2, "rule": "first-rule", "version": 2},
        {**found, "position": 3, "rule": "hidden", "version": 1, "card": ""},
    )
    row = made(name, user_reference="Practitioner/u1", site="north", **more).decision
    return DecisionRows(row, ({"uuid": card, "decision": name, "position": 0, "indicator": "info"},), (*told, *again))


def keep_decision(store: Store, rows_of: DecisionRows) -> None:
    store.write(lambda connection: keep_decisions(connection, [rows_of]))


REASONS = (OverrideReason("s", "c", "d"), OverrideReason("", "", "e"))
ITEM = FeedbackItem(CARD, "overridden", ("s1", "s2"), REASONS, NOON - timedelta(hours=1), "a comment")


def test_a_line_tells_card_rules_outcome_reason_user_time_and_place(kept: Kept) -> None:
    keep_decision(kept.store, decision())
    kept.keep(ITEM)
    assert kept.csv() == [
        {
            "card": CARD,
            "known": "true",
            "rule": "first-rule; second-rule",
            "version": "2; 1",
            "outcome": "overridden",
            "accepted_suggestions": "s1; s2",
            "reason_system": "s",
            "reason_code": "c",
            "reason": "d; e",
            "user": "Practitioner/u1",
            "time": "2026-11-22T11:00:00+00:00",
            "received_at": "2026-11-22T12:00:00+00:00",
            "client": "ehr",
            "site": "north",
            "service": "some-service",
            "decision": "d1",
        }
    ]
    assert json.loads(kept.run("feedback", "export", "--format", "json")) == [
        {
            "card": CARD,
            "known": True,
            "rules": [{"rule": "first-rule", "version": 2}, {"rule": "second-rule", "version": 1}],
            "outcome": "overridden",
            "acceptedSuggestions": ["s1", "s2"],
            "reasons": [{"system": "s", "code": "c", "display": "d"}, {"system": "", "code": "", "display": "e"}],
            "user": "Practitioner/u1",
            "time": "2026-11-22T11:00:00+00:00",
            "receivedAt": "2026-11-22T12:00:00+00:00",
            "client": "ehr",
            "site": "north",
            "service": "some-service",
            "decision": "d1",
        }
    ]


def test_feedback_on_a_card_that_is_none_of_ours_is_told_as_unknown(kept: Kept) -> None:
    kept.keep(FeedbackItem("123456", "accepted"))
    [line] = kept.csv()
    assert (line["card"], line["known"], line["rule"], line["user"], line["decision"]) == ("123456", "false", "", "", "")
    assert line["time"] == line["received_at"]


def test_a_decision_that_is_written_after_its_feedback_makes_the_card_known(kept: Kept) -> None:
    kept.keep(FeedbackItem(CARD, "accepted"))
    keep_decision(kept.store, decision())
    assert [line["known"] for line in kept.csv()] == ["true"]


def test_comments_are_not_exported(kept: Kept) -> None:
    kept.keep(ITEM)
    assert all("a comment" not in kept.run("feedback", "export", "--format", form) for form in ("csv", "json"))


def test_an_empty_store_gives_a_header_or_an_empty_list(kept: Kept) -> None:
    assert kept.run("feedback", "export").startswith("card,known,rule,version,")
    assert json.loads(kept.run("feedback", "export", "--format", "json")) == []


@pytest.mark.parametrize("form", ["csv", "json"])
def test_where_the_store_does_not_answer_nothing_is_written(form: str, tmp_path: Path) -> None:
    away = {"CDS_DATABASE_URL": "postgresql://someone:secret@127.0.0.1:1/nothing", "CDS_DATA_DIR": str(tmp_path)}
    ended = CliRunner().invoke(commands, ["feedback", "export", "--format", form], env=away)
    assert (ended.stdout, type(ended.exception)) == ("", StoreUnavailable)


@pytest.mark.parametrize("form", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_is_never_a_formula(tmp_path: Path, form: str) -> None:
    with database("sqlite", tmp_path) as address:
        store = store_at(address)
        one = Kept(store, {"CDS_DATABASE_URL": address, "CDS_DATA_DIR": str(tmp_path)})
        one.keep(FeedbackItem(f"{form}1", "overridden", reasons=(OverrideReason(display=f"{form}cmd|' /C calc'!A0"),)))
        store.close()
        [line] = one.csv()
        assert (line["card"][0], line["reason"][0]) == ("'", "'")
        [plain] = json.loads(one.run("feedback", "export", "--format", "json"))
        assert plain["card"] == f"{form}1"


@pytest.mark.parametrize(
    ("since", "cards_told"),
    [("2026-11-23", ["late"]), ("2026-11-22T13:45:00", ["late"]), ("2026-11-22", ["early", "late"]), ("2026-11-24", [])],
)
def test_since_is_a_day_or_moment_of_the_site(kept: Kept, since: str, cards_told: list[str]) -> None:
    kept.variables["CDS_TIME_ZONE"] = "Pacific/Chatham"  # 13:45 ahead of UTC
    kept.keep(FeedbackItem("early", "accepted"), at=datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC))
    kept.keep(FeedbackItem("late", "accepted"), at=datetime(2026, 11, 22, 12, 0, tzinfo=UTC))
    assert [line["card"] for line in kept.csv("--since", since)] == cards_told


@pytest.mark.parametrize("number", [499, 500, 501, 1203])
def test_lines_come_in_the_order_received_whatever_their_number(kept: Kept, number: int) -> None:
    for start in range(0, number, 300):
        items = [FeedbackItem(f"{place:05}", "accepted") for place in range(start, min(start + 300, number))]
        kept.keep(*items, at=NOON + timedelta(seconds=start))
    told = [line.card for line in lines_since(kept.store)]
    assert sorted(told) == [f"{place:05}" for place in range(number)]
    assert [int(card) // 300 for card in told] == sorted(int(card) // 300 for card in told)


OLD = datetime.now(UTC) - timedelta(days=100)


def fill(kept: Kept) -> None:
    keep_decision(kept.store, decision("old", "old-card", time=OLD))
    keep_decision(kept.store, decision("new", "new-card", time=datetime.now(UTC)))
    kept.keep(FeedbackItem("old-card", "overridden", reasons=REASONS, comment="old"), at=OLD)
    kept.keep(FeedbackItem("new-card", "overridden", reasons=REASONS, comment="new"), at=datetime.now(UTC))
    tokens = [{"token": "old", "expires": OLD}, {"token": "new", "expires": datetime.now(UTC) + timedelta(hours=1)}]
    kept.store.write(lambda connection: connection.execute(replay.insert(), tokens))
    mark = {"mark": "m", "card": "c", "client": "", "expires": OLD}
    kept.store.write(lambda connection: connection.execute(override_marks.insert(), mark))


def counts(store: Store) -> list[int]:
    return [len(rows(store, table)) for table in (decisions, cards, findings, feedback, feedback_reasons, feedback_comments, replay)]


def test_a_dry_run_counts_and_deletes_nothing(kept: Kept) -> None:
    fill(kept)
    told = kept.run("store", "prune", "--dry-run", "--decisions-days", "90").splitlines()
    assert told == [f"{table}: 1 would be deleted" for table in ("feedback_comments", "feedback", "decisions", "override_marks", "replay")]
    assert counts(kept.store) == [2, 2, 8, 2, 4, 2, 2]


def test_pruning_deletes_what_is_older_with_all_that_belongs_to_it(kept: Kept) -> None:
    fill(kept)
    assert kept.run("store", "prune", "--decisions-days", "90").splitlines()[2] == "decisions: 1 deleted"
    assert counts(kept.store) == [1, 1, 4, 1, 2, 1, 1]
    assert [row["id"] for row in rows(kept.store, decisions)] == ["new"]


def test_by_default_comments_go_and_decisions_and_feedback_stay(kept: Kept) -> None:
    fill(kept)
    assert kept.run("store", "prune").splitlines() == ["feedback_comments: 1 deleted", "override_marks: 1 deleted", "replay: 1 deleted"]
    assert counts(kept.store) == [2, 2, 8, 2, 4, 1, 1]
    assert [row["text"] for row in rows(kept.store, feedback_comments)] == ["new"]


def test_settings_say_how_long_things_are_kept(kept: Kept) -> None:
    fill(kept)
    kept.variables |= {"CDS_KEEP_DECISIONS_DAYS": "99", "CDS_KEEP_COMMENTS_DAYS": "0"}
    assert [line.partition(":")[0] for line in kept.run("store", "prune").splitlines()] == [
        "feedback",
        "decisions",
        "override_marks",
        "replay",
    ]
    assert kept.run("store", "prune", "--decisions-days", "101").splitlines()[0] == "feedback: 0 deleted"


def test_many_old_rows_are_deleted_chunk_by_chunk(kept: Kept) -> None:
    tokens = [{"token": str(number), "expires": OLD} for number in range(4500)]
    kept.store.write(lambda connection: connection.execute(replay.insert(), tokens))
    assert kept.run("store", "prune").splitlines()[-1] == "replay: 4500 deleted"


def test_the_tables_are_brought_up_to_date_by_hand(kept: Kept) -> None:
    kept.variables["CDS_MIGRATE_DATABASE"] = "false"
    refused = CliRunner().invoke(commands, ["feedback", "export"], env=kept.variables)
    assert isinstance(refused.exception, StoreUnavailable)
    for _ in range(2):
        assert kept.run("store", "migrate") == f"The tables are at step {HEAD}.\n"
    assert kept.csv() == []


def test_a_postgresql_without_its_driver_is_refused_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "find_spec", lambda name: None if name == "psycopg" else find_spec(name))
    with pytest.raises(SettingsRefused, match="SET-005 CDS_DATABASE_URL: found PostgreSQL, but not the package 'psycopg'"):
        memory.open_store(read_settings(database_url="postgresql://u:secret@h/d"))
