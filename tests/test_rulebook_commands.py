"""The commands `check` and `test`: what they print, and with which exit code."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli import rules
from cds_service.cli.rules import check, vocabulary_of
from cds_service.errors import Location, Problem, RulebookInvalid
from cds_service.pack import files_in
from cds_service.rulebook.vocabulary import Vocabulary
from tests.rulebook_pack import BROKEN

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rules, "read_pack", lambda *_: None)  # the sample has no terminology of its own
    pack = tmp_path / "rules"
    shutil.copytree(BROKEN / "base", pack)
    (pack / "drugs").mkdir()
    (pack / "valuesets").mkdir()
    (pack / "drugs" / "classes.csv").write_text('class,meaning\nblocker,"a, b"\nagonist,c\ndepot,d\ncombination,e\n')
    for name in ("pain", "dependence"):
        (pack / "valuesets" / f"{name}.json").write_text("{}")
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "conflict.yaml").write_text("x")
    (tmp_path / "cards" / "override-reasons.yaml").write_text("x")
    return tmp_path


def run(command: object, folder: Path, *more: str) -> tuple[int, str, str]:
    arguments = ["--rules", str(folder / "rules"), "--cards", str(folder / "cards"), *more]
    result = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    return result.exit_code, result.stdout.replace(str(folder) + "/", ""), result.stderr


def replace(folder: Path, name: str, path: str) -> None:
    shutil.copy(BROKEN / name / path, folder / "rules" / path)


def test_the_vocabulary_comes_from_the_files(folder: Path) -> None:
    found = vocabulary_of(files_in(folder / "rules"), files_in(folder / "cards"))
    assert found == Vocabulary(
        frozenset(["blocker", "agonist", "depot", "combination"]), frozenset(["pain", "dependence"]), frozenset(["conflict"])
    )
    assert vocabulary_of({}, {"card.schema.json": "{}", "library.yaml": ""}) == Vocabulary()
    assert vocabulary_of({"drugs/classes.csv": "class\n\n", "valuesets/sets.csv": "", "other/pain.json": ""}, {}) == Vocabulary()


def test_check_tells_of_cards_and_terminology_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RulebookInvalid([Problem(Location("cards/conflict.yaml", 1, 2), "CARD-001", "no text")])

    monkeypatch.setattr(rules, "read_pack", refuse)
    assert run(check, folder, "--today", "2026-11-22") == (1, "cards/conflict.yaml:1:2 CARD-001 no text\n", "1 problems, 0 warnings\n")


def test_the_shipped_pack_passes_both_commands() -> None:
    result = CliRunner().invoke(check, ["--rules", str(ROOT / "rules"), "--cards", str(ROOT / "cards"), "--today", "2026-11-22"])
    assert (result.exit_code, result.stdout) == (0, "")
    result = CliRunner().invoke(rules.test, ["--rules", str(ROOT / "rules"), "--cards", str(ROOT / "cards")])
    assert (result.exit_code, result.stdout) == (0, "")


def test_away_from_a_checkout_the_shipped_rules_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(check, [])
    assert (ended.exit_code, "does not exist" in ended.output) == (0, False)


def test_a_sound_pack_passes_both_commands(folder: Path) -> None:
    assert run(check, folder, "--today", "2026-11-22") == (0, "", "0 problems, 0 warnings\n")
    assert run(rules.test, folder) == (0, "", "7 cases, 0 failed\n")


def test_check_takes_the_sites_own_terminology_into_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drugs.csv").write_text("system,code,name,ingredient,product,strength,per,form,route\nx,1,Aspirin,aspirine,,,,,\n")
    monkeypatch.setenv("CDS_SITE_TERMINOLOGY_DIR", str(tmp_path))
    (tmp_path / "index").write_text("no index")
    monkeypatch.setenv("CDS_TERMINOLOGY_FILE", str(tmp_path / "index"))
    shipped = ["--rules", str(ROOT / "rules"), "--cards", str(ROOT / "cards"), "--today", "2026-11-22"]
    result = CliRunner().invoke(check, shipped)
    assert [line.split(" ")[1] for line in result.stdout.splitlines()] == ["TERM-006", "TERM-016"]
    monkeypatch.delenv("CDS_TERMINOLOGY_FILE")
    (tmp_path / "drugs.csv").write_text("system,code,name,ingredient,product,strength,per,form,route\nx,1,Aspirin,another-drug,,,,,\n")
    assert CliRunner().invoke(check, shipped).stdout == ""


def test_check_prints_one_line_for_each_problem(folder: Path) -> None:
    replace(folder, "RULE-014", "pack/conflict.yaml")
    code, out, err = run(check, folder)
    line = "rules/pack/conflict.yaml:22:45 RULE-014 no fact 'days_short_of_opiod_free'; did you mean 'days_short_of_opioid_free'?\n"
    assert (code, out, err) == (1, line, "1 problems, 0 warnings\n")


def test_check_refuses_an_active_rule_whose_cases_do_not_suffice(folder: Path) -> None:
    replace(folder, "RULE-062-unknown", "pack/conflict.test.yaml")
    assert run(check, folder, "--today", "2026-11-22")[:2] == (
        1,
        "rules/pack/conflict.yaml:1:1 RULE-062 rule 'conflict' has no unknown case\n",
    )


def test_a_due_reference_is_a_warning_and_no_failure(folder: Path) -> None:
    code, out, err = run(check, folder, "--today", "2027-11-23")
    assert (code, err) == (0, "0 problems, 1 warnings\n")
    assert out == "rules/pack/conflict.yaml:1:1 RULE-064 reference 'label' was last checked on 2026-11-22 (warning)\n"


def test_check_writes_json(folder: Path) -> None:
    replace(folder, "RULE-062-unknown", "pack/conflict.test.yaml")
    code, out, _ = run(check, folder, "--json", "--today", "2027-11-23")
    found = json.loads(out)
    assert code == 1
    assert found["problems"] == [
        {"file": "rules/pack/conflict.yaml", "line": 1, "column": 1, "code": "RULE-062", "message": "rule 'conflict' has no unknown case"}
    ]
    assert [warning["code"] for warning in found["warnings"]] == ["RULE-064"]


def test_check_knows_the_site(folder: Path) -> None:
    assert run(check, folder, "--site", "north", "--today", "2026-11-22")[0] == 0
    assert run(check, folder, "--site", "south")[:2] == (1, "rules/sites/south.yaml:1:1 RULE-042 no site 'south'; there is: north\n")


def test_check_takes_today_from_the_clock_when_not_told(folder: Path) -> None:
    assert run(check, folder)[0] == 0


def test_test_prints_one_line_for_each_case_that_fails(folder: Path) -> None:
    replace(folder, "RULE-060", "pack/conflict.test.yaml")
    code, out, err = run(rules.test, folder)
    assert (code, err) == (1, "7 cases, 1 failed\n")
    assert out.startswith("rules/pack/conflict.test.yaml:4:5 RULE-060 case 'in use': expected {fires: warning,")


def test_test_writes_json(folder: Path) -> None:
    replace(folder, "RULE-060", "pack/conflict.test.yaml")
    code, out, _ = run(rules.test, folder, "--json")
    found = json.loads(out)
    assert (code, len(found)) == (1, 7)
    assert (found[0]["passed"], found[0]["problems"][0]["code"]) == (False, "RULE-060")
    assert found[1] == {"rule": "conflict", "name": "being stopped", "state": "quiet", "passed": True, "problems": []}


def test_test_runs_the_rules_that_are_named(folder: Path) -> None:
    (folder / "rules" / "pack" / "other.yaml").write_text(
        (folder / "rules" / "pack" / "conflict.yaml").read_text().replace("id: conflict", "id: other")
    )
    assert run(rules.test, folder, "other") == (0, "", "0 cases, 0 failed\n")
    assert run(rules.test, folder, "conflict", "other") == (0, "", "7 cases, 0 failed\n")


@pytest.mark.parametrize(("arguments", "message"), [(["zzz"], "no rule zzz; there are: conflict"), (["--nonsense"], "No such option")])
def test_a_command_that_cannot_do_its_work_says_so(folder: Path, arguments: list[str], message: str) -> None:
    code, out, err = run(rules.test, folder, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_test_does_not_run_rules_that_cannot_be_loaded(folder: Path) -> None:
    replace(folder, "RULE-014", "pack/conflict.yaml")
    code, out, err = run(rules.test, folder)
    assert (code, out) == (2, "")
    assert "RULE-014" in err


def test_a_file_that_is_no_text_ends_the_command(folder: Path) -> None:
    (folder / "rules" / "pack" / "conflict.yaml").write_bytes(b"\xff\xfe")
    code, _, err = run(check, folder)
    assert code == 2
    assert "cannot be read as UTF-8 text" in err
