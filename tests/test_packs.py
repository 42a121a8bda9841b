"""The rules, cards and cases that are shipped."""

from datetime import date

from cds_service.cards import rule_problems
from cds_service.service import Pack


def test_the_shipped_rules_have_no_problem(pack: Pack) -> None:
    assert pack.rulebook.problems() == ()


def test_the_shipped_references_were_checked_within_a_year(pack: Pack) -> None:
    assert pack.rulebook.warnings(date(2026, 11, 22)) == ()


def test_every_case_of_the_shipped_rules_holds(pack: Pack) -> None:
    results = pack.rulebook.run_cases()
    assert len(results) > 150
    assert [result.case.name for result in results if not result.is_as_expected or result.indecisive] == []


def test_every_text_that_a_shipped_rule_can_say_stands_in_a_card(pack: Pack) -> None:
    assert rule_problems(pack.cards, pack.rulebook.rules) == []
