"""`cds-service diff OLD NEW` tells in words whose answers change between two versions of the rules."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli.main import commands
from tests.clinic import FIBROMYALGIA, INGREDIENT, call, condition, dosage, order
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The shipped rules, and the same with another threshold and another word on a card."""
    old, new = tmp_path_factory.mktemp("old"), tmp_path_factory.mktemp("new")
    for folder in (old, new):
        shutil.copytree(ROOT / "rules", folder / "rules")
        shutil.copytree(ROOT / "cards", folder / "cards")
    edit(new / "rules/naltrexone/titration-ceiling.yaml", "value: 4.5}", "value: 5.5}")
    edit(new / "cards/opioid-conflict.yaml", "can precipitate", "may precipitate")
    return old, new


def edit(file: Path, found: str, instead: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert found in text
    file.write_text(text.replace(found, instead), encoding="utf-8")


def test_a_changed_threshold_is_told_by_the_cases_and_calls_whose_answers_change(versions: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = versions
    (tmp_path / "five.json").write_text(json.dumps(call(order(INGREDIENT, dosage(5)), conditions=[condition(FIBROMYALGIA)])))
    (tmp_path / "broken.json").write_text("{")
    given = ["diff", str(old), str(new), "--today", "2026-11-22", "--calls", str(tmp_path)]
    told = CliRunner().invoke(commands, given)
    assert told.exit_code == 1
    assert "titration-ceiling, case '5 mg'\n  before: info\n  after:  says nothing\n" in told.output
    assert "sentinel '6 mg'\n  before: 6 mg a day is above the usual maintenance of 4.5 mg a day" in told.output
    assert "request 'five'\n" in told.output
    heads = [line for line in told.output.splitlines() if line.startswith("  after:  [critical]")]
    assert (heads != [], [line for line in heads if "may precipitate" not in line]) == (True, [])
    assert ("children" in told.output, "request 'broken'" in told.output) == (False, False)

    as_json = CliRunner().invoke(commands, [*given, "--json"])
    changes = {change["about"]: change for change in json.loads(as_json.output)["changes"]}
    assert as_json.exit_code == 1
    assert changes["titration-ceiling, case '5 mg'"]["after"] == ["says nothing"]
    assert told.output.splitlines()[-1] == f"{len(changes)} of {json.loads(as_json.output)['asked']} answers change."


def test_the_same_rules_change_no_answer(versions: tuple[Path, Path]) -> None:
    told = CliRunner().invoke(commands, ["diff", str(versions[0]), str(versions[0])])
    assert (told.exit_code, told.output.startswith("0 of ")) == (0, True)


def test_rules_that_cannot_be_loaded_are_refused(versions: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "cards").mkdir()
    told = CliRunner().invoke(commands, ["diff", str(versions[0]), str(tmp_path)])
    assert "TERM-001" in str(told.exception)
