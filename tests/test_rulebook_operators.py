"""What each operator answers about each sort of value."""

import pytest

from cds_service.facts.registry import Fact, OrderFacts, Value
from cds_service.rulebook.operators import FALSE, LACKING, MAYBE, TRUE, asked, found, negated, standing
from cds_service.rulebook.types import Line
from cds_service.unknown import Unknown
from tests.rulebook_pack import NO_DATE, NOT_SENT, TODAY, judge, rule, span

LACKS = {TRUE: "fired", FALSE: "quiet", MAYBE: "held", LACKING: "incomplete"}


def answer(test: str, content: Value) -> str:
    """Ask a rule of one test about the order's fact, through the whole evaluation."""
    checked = rule(f"{{{test}}}", unless="{order.has_steps: {is: true}}", if_unknown="hold")
    name = test.partition(":")[0]
    return judge(checked, OrderFacts("MedicationRequest/1", {name: Fact(content)})).state


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("above", [FALSE, FALSE, TRUE, MAYBE, FALSE, MAYBE]),
        ("at_least", [FALSE, TRUE, TRUE, MAYBE, MAYBE, TRUE]),
        ("below", [TRUE, FALSE, FALSE, MAYBE, MAYBE, FALSE]),
        ("at_most", [TRUE, TRUE, FALSE, MAYBE, TRUE, MAYBE]),
        ("is", [FALSE, TRUE, FALSE, MAYBE, MAYBE, MAYBE]),
    ],
)
def test_a_quantity_or_range_is_compared_with_a_limit(operator: str, expected: list[int]) -> None:
    test = f"order.daily_dose: {{{operator}: 4.5 mg/d}}"
    values = ("4.499 mg/d", "4.5 mg/d", "4.501 mg/d", "4 to 5 mg/d", "4 to 4.5 mg/d", "4.5 to 5 mg/d")
    assert [answer(test, span(text)) for text in values] == [LACKS[standing] for standing in expected]


@pytest.mark.parametrize(
    ("text", "state"),
    [("45 mg/d", "fired"), ("15 mg/d", "fired"), ("30 mg/d", "quiet"), ("40 to 50 mg/d", "held"), ("16 to 44 mg/d", "quiet")],
)
def test_a_quantity_is_one_of_several(text: str, state: str) -> None:
    assert answer("order.daily_dose: {one_of: [15 mg/d, 45 mg/d]}", span(text)) == state


def test_a_single_limit_may_stand_for_a_list() -> None:
    assert answer("order.daily_dose: {one_of: 15 mg/d}", span("15 mg/d")) == "fired"


@pytest.mark.parametrize(("limit", "state"), [("0.0045 g/d", "fired"), ("4501 ug/d", "quiet"), ("31.5 mg/wk", "fired")])
def test_a_limit_may_stand_in_another_unit(limit: str, state: str) -> None:
    assert answer(f"order.daily_dose: {{at_least: {limit}}}", span("4.5 mg/d")) == state


def test_a_value_whose_unit_does_not_convert_is_unknown() -> None:
    assert answer("order.daily_dose: {above: 4.5 mg/d}", span("5 mL/d")) == "held"


@pytest.mark.parametrize("operator", ["in", "any_in", "one_of"])
def test_some_word_of_the_fact_is_in_the_list(operator: str) -> None:
    test = f"order.drug: {{{operator}: [blocker, depot]}}"
    values = ([["blocker"], ["agonist", "depot"], ["agonist"], []],)
    assert [answer(test, frozenset(words)) for words in values[0]] == ["fired", "fired", "quiet", "quiet"]


def test_no_word_of_the_fact_is_in_the_list() -> None:
    values: list[list[str]] = [["blocker"], ["agonist", "depot"], ["agonist"], []]
    states = [answer("order.drug: {none_in: [blocker, depot]}", frozenset(words)) for words in values]
    assert states == ["quiet", "quiet", "fired", "fired"]


def test_a_single_word_is_read_like_a_set_of_one() -> None:
    assert [answer("order.route: {in: [oral, nasal]}", word) for word in ("oral", "topical", "")] == ["fired", "quiet", "quiet"]


@pytest.mark.parametrize(("content", "operand", "state"), [(True, "true", "fired"), (True, "false", "quiet"), (False, "false", "fired")])
def test_a_truth_is_what_is_asked(content: bool, operand: str, state: str) -> None:  # noqa: FBT001
    assert answer(f"order.is_first: {{is: {operand}}}", content) == state


@pytest.mark.parametrize(
    "test",
    ["order.daily_dose: {above: 1 mg/d}", "order.drug: {in: blocker}", "order.drug: {none_in: blocker}", "order.is_first: {is: true}"],
)
def test_a_test_of_an_unknown_value_is_unknown_with_its_cause(test: str) -> None:
    assert (answer(test, NO_DATE), answer(test, NOT_SENT)) == ("held", "incomplete")


def test_whether_a_value_is_known_is_never_unknown() -> None:
    contents: list[Value] = [NO_DATE, NOT_SENT, span("1 mg/d")]
    assert [answer("order.daily_dose: {is_known: true}", content) for content in contents] == ["quiet", "quiet", "fired"]
    assert [answer("order.daily_dose: {is_known: false}", content) for content in contents] == ["fired", "fired", "quiet"]


@pytest.mark.parametrize(
    ("test", "content"),
    [
        ("order.daily_dose: {above: 1 mg/d}", True),
        ("order.daily_dose: {above: 1 mg/d}", frozenset(["blocker"])),
        ("order.daily_dose: {one_of: [1 mg/d]}", "oral"),
        ("order.drug: {in: blocker}", span("1 mg")),
        ("order.drug: {none_in: blocker}", False),
        ("order.is_first: {is: true}", span("1 mg")),
        ("order.is_first: {is: false}", frozenset[str]()),
    ],
)
def test_a_value_of_the_wrong_type_is_unknown_never_false(test: str, content: Value) -> None:
    assert answer(test, content) == "held"


def test_only_what_is_known_is_turned_round() -> None:
    assert [negated(answer) for answer in (FALSE, LACKING, MAYBE, TRUE)] == [TRUE, LACKING, MAYBE, FALSE]


def test_the_standings_rise_from_false_over_missing_and_unknown_to_true() -> None:
    assert FALSE < LACKING < MAYBE < TRUE


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (True, "true"),
        (False, "false"),
        (Unknown("no-dose"), "unknown: no-dose"),
        (NOT_SENT, "unknown: not-sent (conditions missing)"),
        (frozenset(["b", "a"]), "a, b"),
        (frozenset[str](), "none"),
        ("oral", "oral"),
        (span("1.50 mg/d"), "1.5 mg/d"),
        (span("1.5 to 3 mg/d"), "1.5 to 3 mg/d"),
    ],
)
def test_a_value_reads_as_a_person_writes_it(content: Value, text: str) -> None:
    assert found(content) == text


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("order.daily_dose: {above: $limit}", "order.daily_dose above $limit (4.5 mg/d)"),
        ("order.daily_dose: {at_most: 50.0 mg/d}", "order.daily_dose at_most 50 mg/d"),
        ("order.daily_dose: {one_of: [45 mg/d, 15 mg/d]}", "order.daily_dose one_of [45 mg/d, 15 mg/d]"),
        ("order.drug: {none_in: [depot, agonist]}", "order.drug none_in [agonist, depot]"),
        ("order.is_first: {is: false}", "order.is_first is false"),
        (
            "order.route: {in: [topical, oral, nasal, rectal, buccal, other]}",
            "order.route in [buccal, nasal, oral, other, rectal, topical]",
        ),
        ("order.is_first: {is_known: false}", "order.is_first is_known false"),
        ("order.drug: {is_known: true}", "order.drug is_known true"),
    ],
)
def test_a_test_reads_as_a_person_writes_it(test: str, text: str) -> None:
    checked = rule(f"{{{test}}}")
    (line,) = checked.when.lines
    assert isinstance(line, Line)
    assert asked(line, {name: threshold.on(TODAY) for name, threshold in checked.thresholds.items()}) == text


def test_a_threshold_holds_from_its_day_on_and_the_first_one_before_that() -> None:
    checked = rule("{order.daily_dose: {above: $limit}}")
    facts = OrderFacts("MedicationRequest/1", {"order.daily_dose": Fact(span("5 mg/d"))})
    days = [TODAY.replace(year=2019), TODAY, TODAY.replace(year=2027, month=1, day=1)]
    assert [judge(checked, facts, day).state for day in days] == ["fired", "fired", "quiet"]


def test_a_range_against_a_threshold_or_a_known_standing_is_the_same_with_and_without_conversion() -> None:
    checked = rule("{order.daily_dose: {above: 4.5 mg/d}}")
    (line,) = checked.when.lines
    assert isinstance(line, Line)
    assert [standing(line, span(text), {}) for text in ("4 to 5 mg/d", "4000 to 5000 ug/d", "5 mg/d", "5000 ug/d")] == [
        MAYBE,
        MAYBE,
        TRUE,
        TRUE,
    ]
