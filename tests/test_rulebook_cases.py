"""Case files: how facts and expectations are read, run and required."""

from decimal import Decimal

import pytest

from cds_service.errors import RulebookInvalid
from cds_service.quantities import QuantityRange, exactly
from cds_service.rulebook.cases import Case
from cds_service.rulebook.readiness import unready
from cds_service.rulebook.running import run_cases
from cds_service.unknown import Unknown
from tests.rulebook_pack import TODAY, base, cases_of, pack, rule

BODY = "{name: one, facts: %s, expect: %s%s}"


def listed(*cases: str) -> tuple[Case, ...]:
    return cases_of("rule: sample\ntoday: 2026-11-22\ncases:\n" + "".join(f"  - {case}\n" for case in cases))


def case(facts: str, expect: str = "quiet", because: str = "") -> str:
    return BODY % (facts, expect, f", because: {because}" if because else "")


def read(facts: str) -> Case:
    return listed(case(facts))[0]


def problems(when: str, *cases: str, if_unknown: str = "fire") -> list[str]:
    results = run_cases(rule(when, if_unknown=if_unknown, severity="warning"), listed(*cases))
    return [problem.message for result in results for problem in result.problems]


def test_facts_are_read_by_their_type_and_into_their_unit() -> None:
    facts = read(
        "{order: {drug: [blocker, depot], route: oral, daily_dose: 0.0015 to 0.003 g/d, single_dose: 4.5 mg, is_first: true, name: A name, largest_step: -1.5 mg/d},"
        " data: {medications: partial}, patient: {conditions: [pain]}}"
    ).facts.facts
    assert facts["order.drug"].value == frozenset(["blocker", "depot"])
    assert facts["order.route"].value == frozenset(["oral"])
    assert facts["order.daily_dose"].value == QuantityRange(Decimal("1.5"), Decimal(3), "mg/d")
    assert facts["order.single_dose"].value == exactly("4.5", "mg")
    assert facts["order.is_first"].value is True
    assert facts["order.name"].value == "A name"
    assert facts["order.largest_step"].value == exactly("-1.5", "mg/d")
    assert facts["data.medications"].value == frozenset(["partial"])
    assert facts["patient.conditions"].value == frozenset(["pain"])


def test_what_a_case_does_not_give_is_unknown() -> None:
    facts = read("{order: {is_first: false}, exposures: [{is_current: false}]}").facts
    assert facts.facts["order.drug"].value == Unknown("not-given")
    assert facts.exposures[0]["drug"].value == Unknown("not-given")
    assert (facts.facts["order.is_first"].value, facts.exposures[0]["is_current"].value) == (False, False)


def test_unknown_is_written_as_a_word_or_with_its_reason_and_kind() -> None:
    facts = read(
        "{order: {daily_dose: unknown, drug: unknown, is_first: {unknown: no-date, missing: history}, dose_class: unknown, single_dose: {unknown: no-dose}}}"
    ).facts.facts
    assert facts["order.daily_dose"].value == Unknown("stated-unknown")
    assert facts["order.drug"].value == Unknown("stated-unknown")
    assert facts["order.is_first"].value == Unknown("no-date", missing="history")
    assert facts["order.dose_class"].value == frozenset(["unknown"])
    assert facts["order.single_dose"].value == Unknown("no-dose")


def test_lacks_and_no_words_are_read() -> None:
    facts = read("{order: {indication: []}, lacks: [medications, conditions]}").facts
    assert facts.exposures_lack == ("conditions", "medications")
    assert facts.facts["order.indication"].value == frozenset()
    assert read("{lacks: history}").facts.exposures_lack == ("history",)


def test_a_case_knows_what_it_gives() -> None:
    assert read("{order: {is_first: true}, exposures: [{}, {drug: blocker}], lacks: [history]}").given == {
        "order.is_first",
        "exposures.1.drug",
        "lacks",
    }


def test_a_case_may_have_its_own_day() -> None:
    one = "{name: one, today: 2027-01-01, facts: {order: {daily_dose: 5 mg/d}}, expect: quiet, because: order.daily_dose}"
    two = "{name: two, facts: {order: {daily_dose: 5 mg/d}}, expect: {fires: warning}}"
    assert [found.today for found in listed(one, two)] == [TODAY.replace(year=2027, month=1, day=1), TODAY]
    results = run_cases(rule("{order.daily_dose: {above: $limit}}", severity="warning"), listed(one, two))
    assert [result.is_as_expected for result in results] == [True, True]


WHEN = "{any: [{severity: critical, says: a, order.is_first: {is: true}}], exposures: {none: {drug: {in: agonist}}}}"


@pytest.mark.parametrize(
    ("facts", "expect", "answer"),
    [
        ("{order: {is_first: true}}", "quiet", "expected quiet; the rule says {fires: critical, says: a, certain: true}"),
        ("{order: {is_first: true}}", "held", "expected held; the rule says {fires: critical, says: a, certain: true}"),
        ("{order: {is_first: true}}", "{fires: critical}", ""),
        ("{order: {is_first: true}}", "{fires: critical, says: a, certain: true}", ""),
        ("{order: {is_first: true}}", "{fires: warning}", "expected {fires: warning}; the rule says {fires: critical, says: a, certain: true}"),
        ("{order: {is_first: true}}", "{fires: critical, says: b}", "expected {fires: critical, says: b}; the rule says {fires: critical, says: a, certain: true}"),
        ("{order: {is_first: true}}", "{fires: critical, certain: false}", "expected {fires: critical, certain: false}; the rule says {fires: critical, says: a, certain: true}"),
        ("{order: {is_first: unknown}}", "{fires: warning, certain: false}", ""),
        ("{order: {is_first: false}}", "quiet", ""),
        ("{order: {is_first: false}}", "{fires: warning}", "expected {fires: warning}; the rule says quiet"),
        ("{order: {is_first: true}, lacks: [history, conditions]}", "{incomplete: [conditions, history]}", ""),
        ("{order: {is_first: true}, lacks: [history, conditions]}", "{incomplete: history}", "expected incomplete: [history]; the rule says incomplete: [conditions, history]"),
        ("{order: {is_first: true}, lacks: [history]}", "held", "expected held; the rule says incomplete: [history]"),
    ],
)  # fmt: skip
def test_an_outcome_is_compared_with_what_the_case_expects(facts: str, expect: str, answer: str) -> None:
    assert problems(WHEN, case(facts, expect)) == ([f"case 'one': {answer}"] if answer else [])


def test_a_held_rule_is_expected_as_held() -> None:
    assert problems(WHEN, case("{order: {is_first: unknown}}", "held"), if_unknown="hold") == []


INDECISIVE = "case 'one': the answer stays the same whatever '{}' is"


@pytest.mark.parametrize(
    ("when", "facts", "expect", "because", "is_decisive"),
    [
        ("{order.is_first: {is: true}}", "{order: {is_first: true}}", "{fires: warning}", "order.is_first", True),
        ("{order.is_first: {is: true}}", "{order: {is_first: true, has_steps: true}}", "{fires: warning}", "order.has_steps", False),
        ("{order.is_first: {is_known: false}}", "{order: {is_first: unknown}}", "{fires: warning}", "order.is_first", True),
        ("{order.daily_dose: {is_known: false}}", "{order: {daily_dose: unknown}}", "{fires: warning}", "order.daily_dose", True),
        ("{order.daily_dose: {above: $limit}}", "{order: {daily_dose: 9 mg/d}}", "{fires: warning}", "order.daily_dose", True),
        ("{order.daily_dose: {is: 9 mg/d}}", "{order: {daily_dose: 8 mg/d}}", "quiet", "order.daily_dose", True),
        ("{order.daily_dose: {one_of: [9 mg/d, 10 mg/d]}}", "{order: {daily_dose: 8 mg/d}}", "quiet", "order.daily_dose", True),
        ("{order.daily_dose: {above: 9 mg/d, below: 10.5 mg/d}}", "{order: {daily_dose: 8 mg/d}}", "quiet", "order.daily_dose", True),
        ("{order.daily_dose: {above: 9 mg/d, below: 9 mg/d}}", "{order: {daily_dose: 8 mg/d}}", "quiet", "order.daily_dose", False),
        ("{order.daily_dose: {is_known: false}}", "{order: {daily_dose: 8 mg/d}}", "quiet", "order.daily_dose", True),
        ("{order.is_first: {is: true}}", "{order: {is_first: false}}", "quiet", "order.is_first", True),
        ("{order.daily_dose: {above: 9 mg/wk}}", "{order: {daily_dose: 2 mg/d}}", "{fires: warning}", "order.daily_dose", True),
        ("{exposures: {some: {days_since_last_dose: {at_most: 7 d}}}}", "{exposures: [{days_since_last_dose: 8 d}]}", "quiet", "exposures.0.days_since_last_dose", True),
        ("{order.drug: {in: blocker, none_in: depot}}", "{order: {drug: [blocker, depot]}}", "quiet", "order.drug", True),
        ("{all: [{order.drug: {in: blocker}}, {order.drug: {in: depot}}]}", "{order: {drug: agonist}}", "quiet", "order.drug", True),
        ("{order.drug: {none_in: [blocker, depot]}}", "{order: {drug: depot}}", "quiet", "order.drug", True),
        ("{exposures: {some: {drug: {in: agonist}}}}", "{exposures: [{drug: blocker}, {drug: agonist}]}", "{fires: warning}", "exposures.1.drug", True),
        ("{exposures: {some: {drug: {in: agonist}}}}", "{exposures: [{drug: agonist}, {drug: agonist}]}", "{fires: warning}", "exposures.1.drug", False),
        ("{exposures: {some: {drug: {in: agonist}}}}", "{lacks: [history]}", "{incomplete: [history]}", "lacks", True),
        ("{exposures: {some: {drug: {in: agonist}}}}", "{exposures: [{drug: agonist}], lacks: [history]}", "{fires: warning}", "lacks", False),
        ("{exposures: {some: {drug: {in: agonist}}}}", "{exposures: [], lacks: []}", "quiet", "lacks", True),
    ],
)  # fmt: skip
def test_the_fact_under_because_must_decide(when: str, facts: str, expect: str, because: str, is_decisive: bool) -> None:  # noqa: FBT001
    assert problems(when, case(facts, expect, because)) == ([] if is_decisive else [INDECISIVE.format(because)])


def test_each_of_several_facts_under_because_must_decide() -> None:
    found = problems(
        "{order.is_first: {is: true}}",
        case("{order: {is_first: true, has_steps: true}}", "{fires: warning}", "[order.is_first, order.has_steps]"),
    )
    assert found == [INDECISIVE.format("order.has_steps")]


def test_a_case_that_fails_is_not_blamed_twice() -> None:
    found = problems("{order.is_first: {is: true}}", case("{order: {has_steps: true, is_first: true}}", "quiet", "order.has_steps"))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ("{order: {daily_dose: 5}}", "RULE-031"),
        ("{order: {daily_dose: 3 to 1 mg/d}}", "RULE-031"),
        ("{order: {daily_dose: x to 1 mg/d}}", "RULE-031"),
        ("{order: {daily_dose: [1 mg/d]}}", "RULE-001"),
        ("{order: {daily_dose: {unknown: x, why: y}}}", "RULE-002"),
        ("{order: {daily_dose: {missing: history}}}", "RULE-003"),
        ("{order: {daily_dose: {unknown: x, missing: histories}}}", "RULE-006"),
        ("{order: {route: orally}}", "RULE-018"),
        ("{orders: {}}", "RULE-002"),
        ("{exposures: [drug]}", "RULE-001"),
        ("{exposures: {drug: blocker}}", "RULE-001"),
        ("{order: blocker}", "RULE-001"),
        ("facts", "RULE-001"),
    ],
)
def test_facts_that_cannot_be_read_are_refused(facts: str, code: str) -> None:
    with pytest.raises(RulebookInvalid) as caught:
        read(facts)
    assert [problem.code for problem in caught.value.problems] == [code]


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ("fires", "RULE-032"),
        ("{fired: info}", "RULE-032"),
        ("[quiet]", "RULE-032"),
        ("{fires: bad}", "RULE-006"),
        ("{fires: info, why: x}", "RULE-002"),
        ("{incomplete: [all]}", "RULE-006"),
        ("{fires: info, certain: 1}", "RULE-022"),
    ],
)
def test_expectations_that_cannot_be_read_are_refused(expect: str, code: str) -> None:
    with pytest.raises(RulebookInvalid) as caught:
        listed(case("{}", expect))
    assert [problem.code for problem in caught.value.problems] == [code]


def test_items_and_keys_of_a_case_file_are_checked() -> None:
    with pytest.raises(RulebookInvalid) as caught:
        listed("one", "{name: two}")
    assert [problem.code for problem in caught.value.problems] == ["RULE-001", "RULE-003", "RULE-003"]


@pytest.mark.parametrize(
    ("when", "facts", "is_boundary"),
    [
        ("{order.daily_dose: {above: $limit}}", "{order: {daily_dose: 4.5 mg/d}}", True),
        ("{order.daily_dose: {above: $limit}}", "{order: {daily_dose: 4 to 4.5 mg/d}}", True),
        ("{order.daily_dose: {above: $limit}}", "{order: {daily_dose: 4.5 to 5 mg/d}}", True),
        ("{order.daily_dose: {above: 4500 ug/d}}", "{order: {daily_dose: 4.5 mg/d}}", True),
        ("{order.daily_dose: {above: $limit}}", "{order: {daily_dose: 4 to 5 mg/d, increase: 4.5 mg/d}}", False),
        ("{order.daily_dose: {above: $limit}}", "{order: {daily_dose: unknown}}", False),
        (
            "{exposures: {some: {days_since_last_dose: {above: 7 d}}}}",
            "{exposures: [{days_since_last_dose: 1 d}, {days_since_last_dose: 1 wk}]}",
            True,
        ),
        ("{exposures: {some: {days_since_last_dose: {above: 7 d}}}}", "{exposures: [{days_since_last_dose: 8 d}]}", False),
        ("{order.is_first: {is: true}}", "{}", True),
    ],
)
def test_a_rule_with_limits_needs_a_case_on_a_limit(when: str, facts: str, is_boundary: bool) -> None:  # noqa: FBT001
    messages = [problem.message for problem in unready(rule(when), listed(case(facts)))]
    assert ("rule 'sample' has no boundary case" in messages) is not is_boundary


@pytest.mark.parametrize(
    ("when", "facts", "is_unknown"),
    [
        ("{order.is_first: {is: true}}", "{order: {is_first: unknown}}", True),
        ("{order.is_first: {is: true}}", "{order: {has_steps: unknown, is_first: true}}", False),
        ("{order.is_first: {is: true}}", "{}", False),
        ("{order.is_first: {is: true}}", "{order: {is_being_stopped: unknown}}", True),
        ("{order.is_first: {is: true}}", "{lacks: [history]}", False),
        ("{exposures: {some: {drug: {in: agonist}}}}", "{lacks: [history]}", True),
        ("{exposures: {some: {drug: {in: agonist}}}}", "{exposures: [{}, {drug: unknown}]}", True),
        ("{exposures: {some: {drug: {in: agonist}}}}", "{exposures: [{is_current: unknown}, {drug: agonist}]}", False),
    ],
)
def test_a_rule_needs_a_case_that_states_something_unknown_that_it_uses(when: str, facts: str, is_unknown: bool) -> None:  # noqa: FBT001
    messages = [problem.message for problem in unready(rule(when), listed(case(facts)))]
    assert ("rule 'sample' has no unknown case" in messages) is not is_unknown


def test_every_case_of_the_pack_is_run() -> None:
    assert [result.case.name for result in pack().run_cases()] == [
        "in use",
        "being stopped",
        "another drug",
        "too soon",
        "on the day",
        "no date",
        "no list",
    ]
    assert pack({"pack/conflict.test.yaml": base()["pack/conflict.test.yaml"].split("  - name: being")[0]}).run_cases()[0].outcome.trace
