"""The JSON Schema for editors and the tables of the reference come from the registry, and are fresh."""

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from cds_service.cli.rules import schema
from cds_service.located import as_plain, read_yaml
from cds_service.rulebook.rulebook import load_rulebook
from cds_service.rulebook.schema import rule_schema, schema_text, with_tables
from tests.rulebook_pack import VOCABULARY, base, files_in

ROOT = Path(__file__).parent.parent
SCHEMA = jsonschema.Draft202012Validator(rule_schema())
RULES = sorted(
    path
    for path in (ROOT / "rules").glob("*/*.yaml")
    if path.parent.name not in {"sites", "drugs"} and not path.name.endswith(".test.yaml")
)


def as_editors_read(text: str) -> object:
    """Numbers of `version` and `priority` as numbers, as an editor's YAML reader gives them."""
    tree = as_plain(read_yaml(text, "x.yaml"))
    return {key: int(value) if key in {"version", "priority"} else value for key, value in tree.items()}


def test_the_schema_file_is_the_one_that_the_registry_gives() -> None:
    assert (ROOT / "rules" / "rule.schema.json").read_text() == schema_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text()))


def test_the_tables_of_the_reference_are_the_ones_that_registry_and_codes_give() -> None:
    document = (ROOT / "docs" / "rule-format.md").read_text()
    assert document == with_tables(document)
    for needed in ("`order.daily_dose`", "`days_short_of_opioid_free`", "| RULE-064 |"):
        assert needed in document


def test_a_document_without_places_for_tables_stays_as_it_is() -> None:
    assert with_tables("a <!-- order-facts --> b") == "a <!-- order-facts --> b"


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_rule_of_the_pack_meets_the_schema(path: Path) -> None:
    assert [error.message for error in SCHEMA.iter_errors(as_editors_read(path.read_text()))] == []


def test_the_sample_meets_the_schema() -> None:
    assert SCHEMA.is_valid(as_editors_read(base()["pack/conflict.yaml"]))


@pytest.mark.parametrize(
    "name",
    [
        "RULE-001", "RULE-002", "RULE-003", "RULE-004", "RULE-006", "RULE-006-severity", "RULE-007", "RULE-008", "RULE-010-none", "RULE-011",
        "RULE-012-none", "RULE-014", "RULE-015", "RULE-015-type", "RULE-019", "RULE-019-group", "RULE-019-tests", "RULE-019-any", "RULE-020",
        "RULE-021", "RULE-021-inside", "RULE-022", "RULE-023",
    ],
)  # fmt: skip
def test_the_schema_refuses_what_an_editor_can_see(name: str) -> None:
    assert not SCHEMA.is_valid(as_editors_read(files_in(ROOT / "tests" / "rulebook_broken" / name)["pack/conflict.yaml"]))


def test_the_command_writes_schema_and_tables(tmp_path: Path) -> None:
    (tmp_path / "rule-format.md").write_text("<!-- error-codes --><!-- /error-codes -->")
    result = CliRunner().invoke(schema, ["write", "--rules", str(tmp_path), "--docs", str(tmp_path)])
    assert result.exit_code == 0
    assert (tmp_path / "rule.schema.json").read_text() == schema_text()
    assert "RULE-001" in (tmp_path / "rule-format.md").read_text()


def test_the_command_does_without_the_reference(tmp_path: Path) -> None:
    result = CliRunner().invoke(schema, ["write", "--rules", str(tmp_path), "--docs", str(tmp_path)])
    assert (result.exit_code, sorted(path.name for path in tmp_path.iterdir())) == (0, ["rule.schema.json"])


def test_the_rule_of_the_reference_and_its_cases_load() -> None:
    blocks = (ROOT / "docs" / "rule-format.md").read_text().split("```yaml\n")[1:]
    rule, cases, site = (block.partition("```")[0] for block in blocks)
    words = VOCABULARY.drug_classes | {"naltrexone", "opioid-agonist"}
    vocabulary = type(VOCABULARY)(words, VOCABULARY.valuesets, VOCABULARY.cards | {"opioid-conflict"})
    files = {
        "manifest.yaml": base()["manifest.yaml"],
        "a/opioid-conflict.yaml": rule,
        "a/opioid-conflict.test.yaml": cases,
        "sites/north-clinic.yaml": site,
    }
    loaded = load_rulebook(files, vocabulary, "north-clinic")
    assert [problem for result in loaded.run_cases() for problem in result.problems] == []
    assert loaded.rules[0].site_override == "status, thresholds.margin"
