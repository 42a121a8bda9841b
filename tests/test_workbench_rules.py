"""The pages "Rules": every rule, number, source, case and code is there, in words made from the rule files."""

import csv
import io
import json
from dataclasses import replace
from datetime import date

import pytest
from flask.testing import FlaskClient

from cds_service.rulebook.types import Status
from cds_service.rulebook.wording import Clause, conditions_of, exceptions_of, facts_named, severities_of
from cds_service.service import Pack
from cds_service.web.workbench.rules import Change, history_of
from cds_service.web.workbench.sources import Sources
from tests.conftest import ROOT
from tests.workbench_floor import bench_with

RULES = sorted(path.stem for path in (ROOT / "rules/naltrexone").glob("*.yaml") if not path.name.endswith(".test.yaml"))
SETS = sorted(path.stem for path in (ROOT / "rules/valuesets").glob("*.json"))


@pytest.fixture(scope="module")
def pages(pack: Pack) -> FlaskClient:
    return bench_with(pack).test_client()


def page(pages: FlaskClient, path: str) -> str:
    answer = pages.get(f"/workbench{path}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def told(clauses: tuple[Clause, ...]) -> list[str]:
    return [line for clause in clauses for line in (clause.text, *told(clause.below))]


def test_the_catalogue_names_every_rule_the_gravest_in_force_first(pages: FlaskClient) -> None:
    text = page(pages, "/rules")
    assert [rule for rule in RULES if f'/workbench/rules/{rule}"' not in text] == []
    assert (
        text.index('/rules/opioid-conflict"')
        < text.index('/rules/dose-mismatch"')
        < text.index('/rules/titration-bedtime"')
        < text.index('/rules/pain-plan"')
    )


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_a_page_with_its_numbers_sources_and_cases(rule: str, pages: FlaskClient, pack: Pack) -> None:
    text = page(pages, f"/rules/{rule}")
    shipped = pack.rulebook.as_shipped[rule]
    for name in shipped.thresholds:
        assert name.replace("_", " ") in text
    assert text.count("Last checked") == len(shipped.references)
    assert f"{len(pack.rulebook.cases[rule])} of {len(pack.rulebook.cases[rule])} hold" in text


def test_a_rule_is_told_in_sentences_of_its_own_lines(pack: Pack) -> None:
    rule = pack.rulebook.as_shipped["opioid-conflict"]
    lines = told(conditions_of(rule))
    assert lines[0] == "the order's drug is naltrexone"
    assert "its days since last dose is at most 14 days (late refill)" in lines
    assert "it is not current" in lines
    assert told(exceptions_of(rule)) == ["the order is being stopped"]
    assert severities_of(rule) == ("critical", "warning")
    assert dict(facts_named(rule))["exposure: is current"] == "in use now, or to be started in this signing"


def test_each_kind_of_line_becomes_a_sentence(pack: Pack) -> None:
    rules = pack.rulebook.as_shipped
    assert "what was read of medications is not complete" in told(conditions_of(rules["incomplete-data"]))
    assert "the order's drug is not known" in told(conditions_of(rules["incomplete-data"]))
    mismatch = told(conditions_of(rules["dose-mismatch"]))
    assert "the order does not agree with itself" in mismatch
    assert "the order's daily dose is one of 15 mg a day, 30 mg a day or 45 mg a day" in mismatch
    assert "the order's indication is not known" in mismatch
    assert "the order has steps" in told(conditions_of(rules["titration-step"]))


def test_a_failing_case_and_an_old_source_are_told_in_the_catalogue(pack: Pack) -> None:
    rule = pack.rulebook.as_shipped["titration-bedtime"]
    broken = replace(rule, when=rule.unless)
    book = replace(pack.rulebook, as_shipped={**pack.rulebook.as_shipped, rule.id: broken}, hash="other")

    def change(sources: Sources) -> Sources:
        return replace(sources, pack=lambda: replace(pack, rulebook=book), today=lambda: date(2028, 1, 1))

    text = page(bench_with(pack, change).test_client(), "/rules")
    assert text.count("over a year ago") == len(RULES)
    assert f"of {len(pack.rulebook.cases[rule.id])} fail" in text


def test_a_change_of_the_site_is_told_on_the_page_of_the_rule(pack: Pack) -> None:
    changed = tuple(
        replace(rule, status=Status.SILENT, site_override="status") if rule.id == "children" else rule for rule in pack.rulebook.rules
    )
    book = replace(pack.rulebook, rules=changed, site="north")
    client = bench_with(pack, lambda sources: replace(sources, pack=lambda: replace(pack, rulebook=book))).test_client()
    assert "This site has changed: status." in page(client, "/rules/children")
    assert "as the site north has it in force" in page(client, "/rules")


@pytest.mark.parametrize("name", SETS)
def test_each_value_set_shows_all_its_codes(name: str, pages: FlaskClient) -> None:
    text = page(pages, f"/value-sets/{name}")
    codes = json.loads((ROOT / f"rules/valuesets/{name}.json").read_text(encoding="utf-8"))["expansion"]["contains"]
    assert [one["code"] for one in codes if one["code"].replace(".", "") not in text.replace(".", "")] == []


def test_each_drug_class_shows_its_ingredients(pages: FlaskClient) -> None:
    text = page(pages, "/drug-classes/opioid-agonist")
    assert "methadone" in text
    assert ">14<" in text
    assert "loperamide" not in text


def test_all_references_stand_on_one_page_with_their_rules(pages: FlaskClient, pack: Pack) -> None:
    text = page(pages, "/references")
    for rule in pack.rulebook.rules:
        for one in rule.references:
            assert one.url in text
        assert f'/rules/{rule.id}"' in text


def test_the_thirteen_source_attributes_are_told_as_page_json_and_csv(pages: FlaskClient) -> None:
    text, content = page(pages, "/source-attributes"), json.loads(page(pages, "/source-attributes.json"))
    rows = list(csv.reader(io.StringIO(page(pages, "/source-attributes.csv"))))
    assert len(content["attributes"]) == 13
    assert [row[0] for row in rows[1:14]] == [one["attribute"] for one in content["attributes"]]
    assert "used by one rule, children" in text
    assert len(content["citations"]) == len(rows) - 14


def test_the_history_of_a_rule_is_what_the_change_log_says_of_it() -> None:
    changes = "# Changelog\n\n## 2.0\n\n- `one`: now a\n  warning.\n- `two`: gone.\n\n## 1.0\n\n### Added\n- `one` and `two`.\n"
    assert history_of(changes, "one") == (Change("2.0", "one: now a warning."), Change("1.0", "one and two."))
    assert history_of(changes, "on") == ()


def test_the_page_of_a_rule_shows_its_history_or_says_that_there_is_none(pages: FlaskClient, pack: Pack) -> None:
    assert "with chronic liver disease: information" in page(pages, "/rules/liver-disease")
    silent = bench_with(pack, lambda sources: replace(sources, changes=lambda: "")).test_client()
    assert "No change log that names this rule" in page(silent, "/rules/liver-disease")


@pytest.mark.parametrize("path", ["/rules/no-such-rule", "/value-sets/no-such-set", "/drug-classes/no-such-class"])
def test_what_is_not_there_is_not_found(path: str, pages: FlaskClient) -> None:
    assert pages.get(f"/workbench{path}").status_code == 404
