"""`cds-service report` tells what became of the advice as CSV, JSON and one page that needs nothing else."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.analytics.pictures import label, pictures
from cds_service.analytics.report import Filters, Window
from cds_service.analytics.usage import usage
from cds_service.cli.main import commands
from cds_service.cli.report import _fitting
from cds_service.store.engine import Store
from tests.analytics_floor import Made, Told, code_seen, plant, say, series
from tests.store_floor import opened

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened("sqlite", tmp_path) as one:
        yield one


def run(store: Store, *words: str, status: int = 0) -> str:
    found = CliRunner().invoke(commands, ["report", *words], env={"CDS_DATABASE_URL": f"sqlite:///{store.url.database}"})
    assert found.exit_code == status, found.output
    return found.output


def fill(store: Store, **more: Any) -> Made:  # noqa: ANN401 - of the second decision
    now = datetime.now(UTC)
    made = Made(now - timedelta(days=1), findings=[Told("conflict"), Told("dose", "silent", card=None)])
    plant(store, made, Made(now, client="other", findings=[Told("conflict", version=2)], **more))
    say(store, made.card(), "overridden", "will-monitor", comment=HOSTILE, at=now)
    code_seen(store, day=now.date(), system="urn:local", code="123", word="some drug", orders=4)
    return made


def test_the_page_needs_nothing_else(store: Store) -> None:
    fill(store)
    page = run(store)
    assert page.startswith("<!doctype html>")
    assert re.findall(r"<script|<link|<img|<iframe|@import|url\(|(?:src|href)=|\son[a-z]+=", page) == []
    assert set(re.findall(r"https?://[^\s\"<]+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_page_tells_numbers_charts_and_tables(store: Store) -> None:
    fill(store)
    page = run(store)
    assert (page.count("<svg"), page.count("<figcaption>"), page.count("<summary>Numbers</summary>")) == (
        7,
        8,
        7,
    )  # no kind of data was missing
    assert '<tr><th scope="row">conflict</th><td>2</td><td>2</td><td>2</td><td>0</td><td>1</td><td>1</td>' in page
    assert "No rule fell silent, none floods" in page
    assert "Will-Monitor" in page
    assert "urn:local" in page


def test_the_page_of_an_empty_store_says_so(store: Store) -> None:
    page = run(store)
    assert page.count("Nothing to show in this time.") == 8
    assert "No rule fired in this time." in page


def test_an_alarm_stands_at_the_top(store: Store) -> None:
    today = datetime.now(UTC).date()
    series(store, today - timedelta(days=3), 28, calls=20, fires=5)
    series(store, today, 3, calls=20, fires=0)
    page = run(store)
    assert "Rules to look at" in page
    assert "some-rule fell silent: fired in 0 of 60 decisions in the last 3 days" in page


def test_comments_are_shown_only_where_asked_for_and_are_inert(store: Store) -> None:
    fill(store)
    assert "alert(1)" not in run(store)
    assert "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in run(store, "--comments")
    assert "alert(1)" not in run(store, "--format", "json")


def test_the_csv_has_a_line_for_each_rule_and_version_and_period(store: Store) -> None:
    fill(store)
    lines = list(csv.DictReader(io.StringIO(run(store, "--format", "csv"))))
    whole = [line for line in lines if line["period"] == "all"]
    assert [(line["rule"], line["version"], line["fired"], line["overridden"], line["override_rate"]) for line in whole] == [
        ("conflict", "2", "1", "0", ""),
        ("conflict", "1", "1", "1", "1.0000"),
        ("dose", "1", "1", "0", ""),
    ]
    assert whole[1]["reasons"] == "Will-Monitor (1)"
    assert len(lines) == 3 * 31


def test_the_csv_holds_no_formula(store: Store) -> None:
    plant(store, Made(datetime.now(UTC), findings=[Told("=1+1")]))
    assert next(line["rule"] for line in csv.DictReader(io.StringIO(run(store, "--format", "csv")))) == "'=1+1"


def test_the_json_tells_everything(store: Store) -> None:
    fill(store)
    told = json.loads(run(store, "--format", "json"))
    assert told["usage"]["counts"]["decisions"] == 2
    assert told["usage"]["shares"]["override_rate"] == {
        "part": 1,
        "whole": 1,
        "value": 1.0,
        "low": pytest.approx(0.2065, abs=1e-4),
        "high": 1.0,
    }
    assert [(rule["rule"], rule["version"], rule["shares"]["override_rate"]["value"]) for rule in told["usage"]["rules"]] == [
        ("conflict", 2, None),
        ("conflict", 1, 1.0),
        ("dose", 1, None),
    ]
    assert (told["alarms"], told["comments"], told["codes"][0]["orders"]) == ([], [], 4)


@pytest.mark.parametrize(("words", "decisions"), [((), 2), (("--client", "other"), 1), (("--rule", "dose"), 2), (("--hook", "none"), 0)])
def test_filters_are_taken(store: Store, words: tuple[str, ...], decisions: int) -> None:
    fill(store)
    told = json.loads(run(store, "--format", "json", *words))
    assert told["usage"]["counts"]["decisions"] == decisions
    if "--rule" in words:
        assert [rule["rule"] for rule in told["usage"]["rules"]] == ["dose"]


def test_the_window_is_taken_and_the_file_written(store: Store, tmp_path: Path) -> None:
    fill(store)
    assert (
        run(
            store,
            "--since",
            "2026-01-05",
            "--until",
            "2026-03-05",
            "--by",
            "month",
            "--format",
            "json",
            "--output",
            str(tmp_path / "r.json"),
        )
        == ""
    )
    told = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [period["start"] for period in told["usage"]["periods"]] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert told["usage"]["counts"]["decisions"] == 0


def test_a_window_that_ends_before_it_begins_is_refused(store: Store) -> None:
    assert "found 2026-03-05, after 2026-01-05; expected a day no later than --until" in run(
        store, "--since", "2026-03-05", "--until", "2026-01-05", status=2
    )


@pytest.mark.parametrize(("days", "by"), [(1, "day"), (62, "day"), (63, "week"), (365, "week"), (800, "month")])
def test_periods_fit_the_window(days: int, by: str) -> None:
    assert _fitting(date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=days)) == by


def test_periods_are_named_shortly() -> None:
    day = date(2026, 11, 2)
    assert [label(day, Window(day, day, by)) for by in ("day", "week", "month")] == ["2 Nov", "2 Nov", "Nov 2026"]


def test_the_charts_add_up_the_versions_of_a_rule(store: Store) -> None:
    fill(store)
    today = datetime.now(UTC).date()
    drawn = {chart.title: chart for chart in pictures(usage(store, Window(today - timedelta(days=3), today, "day"), Filters()))}
    fires = drawn["Which rules fire"]
    assert [fires.labels, *((one.name, one.values) for one in fires.series)] == [
        ("conflict", "dose"),
        ("shown", (2, 0)),
        ("silent, on trial", (0, 1)),
    ]
    assert drawn["Which rules are overridden"].series[0].values == (100.0,)
