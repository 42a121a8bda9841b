"""What fires, what is held, what is incomplete; how severe, how sure, and by which exposures."""

from typing import Any

import pytest

from cds_service.facts.registry import OrderFacts
from cds_service.quantities import Quantity
from cds_service.rulebook.evaluation import evaluate
from cds_service.rulebook.types import Finding, Outcome, Severity
from cds_service.unknown import Unknown
from tests.rulebook_pack import NO_DATE, NOT_SENT, TODAY, item, judge, order, rule

CONFLICT = """
  order.drug: {in: blocker}
  exposures:
    some:
      drug: {in: agonist}
      any:
        - {severity: critical, says: in-use, is_current: {is: true}}
        - {severity: warning, says: recent, days_short_of_opioid_free: {above: 0 d}}
"""
IN_USE = item(drug=["agonist"], is_current=True)
RECENT = item(drug=["agonist"], is_current=False, days_short_of_opioid_free="3 d")
OVER = item(drug=["agonist"], is_current=False, days_short_of_opioid_free="-3 d")
UNDATED = item(drug=["agonist"], is_current=False, days_short_of_opioid_free=NO_DATE)
UNCLEAR = item(drug=["agonist"], is_current=NO_DATE, days_short_of_opioid_free="-3 d")
OTHER = item(drug=["blocker"], is_current=True)


def finding(outcome: Outcome) -> Finding:
    assert outcome.state == "fired"
    assert outcome.finding is not None
    return outcome.finding


def gist(outcome: Outcome) -> tuple[str, str, bool]:
    found = finding(outcome)
    return found.severity.word, found.says, found.is_certain


def test_a_rule_fires_where_every_line_holds() -> None:
    checked = rule("{order.drug: {in: blocker}, order.is_first: {is: true}}", severity="warning")
    outcome = judge(checked, order(drug="blocker", is_first=True))
    assert gist(outcome) == ("warning", "", True)
    assert (outcome.rule, outcome.order, outcome.lacks, outcome.trace) == (checked, "MedicationRequest/1", (), ())
    assert finding(outcome).limits == {"limit": Quantity(finding(outcome).limits["limit"].value, "mg/d")}
    assert str(finding(outcome).limits["limit"].value) == "4.5"


def test_a_false_line_makes_a_rule_quiet_whatever_else_is_unknown() -> None:
    checked = rule("{order.is_first: {is: true}, order.drug: {in: blocker}, order.is_renewal: {is: true}}")
    outcome = judge(checked, order(is_first=NO_DATE, drug="agonist", is_renewal=NOT_SENT))
    assert (outcome.state, outcome.finding, outcome.lacks) == ("quiet", None, ())


@pytest.mark.parametrize(("stopped", "state"), [(True, "quiet"), (False, "fired"), (NO_DATE, "fired"), (NOT_SENT, "fired")])
def test_a_rule_is_silenced_only_where_unless_surely_holds(stopped: object, state: str) -> None:
    checked = rule("{order.drug: {in: blocker}}")
    assert judge(checked, order(drug="blocker", is_being_stopped=stopped)).state == state


@pytest.mark.parametrize("content", [NO_DATE, NOT_SENT])
def test_what_is_unknown_is_silenced_too_where_unless_surely_holds(content: Unknown) -> None:
    assert judge(rule("{order.is_first: {is: true}}"), order(is_first=content, is_being_stopped=True)).state == "quiet"


def test_a_rule_without_unless_is_never_silenced() -> None:
    checked = rule("{order.drug: {in: blocker}}", unless="")
    assert judge(checked, order(drug="blocker")).state == "fired"
    trace = evaluate(checked, order(drug="blocker"), TODAY, trace=True).trace
    assert [line.asked for line in trace] == ["when", "order.drug in [blocker]"]


def test_a_fact_that_is_not_there_is_an_unknown_attribute() -> None:
    checked = rule("{order.is_first: {is: true}}", if_unknown="hold")
    assert judge(checked, order()).state == "held"


@pytest.mark.parametrize(("if_unknown", "state"), [("fire", "fired"), ("hold", "held")])
def test_an_unknown_attribute_fires_or_is_held_as_the_rule_says(if_unknown: str, state: str) -> None:
    outcome = judge(rule("{order.is_first: {is: true}}", if_unknown=if_unknown), order(is_first=NO_DATE))
    assert (outcome.state, outcome.lacks) == (state, ())


@pytest.mark.parametrize("if_unknown", ["fire", "hold"])
def test_a_missing_kind_of_data_makes_a_rule_incomplete_and_is_named(if_unknown: str) -> None:
    checked = rule("{order.is_first: {is: true}, order.is_renewal: {is: true}}", if_unknown=if_unknown)
    facts = order(is_first=Unknown("x", missing="medications"), is_renewal=Unknown("x", missing="history"))
    outcome = judge(checked, facts)
    assert (outcome.state, outcome.lacks, outcome.finding) == ("incomplete", ("history", "medications"), None)


def test_a_missing_kind_is_named_once_and_only_where_it_is_the_cause() -> None:
    text = "{any: [{order.is_first: {is: true}}, {order.has_steps: {is: true}}], all: [{order.is_renewal: {is: true}}], order.drug: {in: blocker}}"
    facts = order(is_first=NOT_SENT, is_renewal=NOT_SENT, has_steps=False, drug=NO_DATE)
    assert judge(rule(text), facts).lacks == ("conditions",)


def test_a_kind_missing_for_an_alternative_that_another_one_makes_needless_is_not_named() -> None:
    text = "{any: [{order.is_first: {is: true}}, {order.has_steps: {is: true}}], order.is_renewal: {is: true}}"
    facts = order(is_first=Unknown("x", missing="history"), has_steps=True, is_renewal=NOT_SENT)
    assert judge(rule(text), facts).lacks == ("conditions",)


@pytest.mark.parametrize(
    ("text", "fire", "hold"),
    [
        ("{order.is_first: {is: true}, order.has_steps: {is: true}}", "incomplete", "incomplete"),
        ("{any: [{order.is_first: {is: true}}, {order.has_steps: {is: true}}]}", "fired", "held"),
        ("{any: [{order.has_steps: {is: true}}, {order.is_first: {is: true}}]}", "fired", "held"),
    ],
)
def test_of_mixed_causes_the_attribute_counts_where_it_stays_unknown_without_what_is_missing(text: str, fire: str, hold: str) -> None:
    facts = order(is_first=NOT_SENT, has_steps=NO_DATE)
    states = [judge(rule(text, if_unknown=if_unknown), facts).state for if_unknown in ("fire", "hold")]
    assert states == [fire, hold]


@pytest.mark.parametrize(
    ("first", "steps", "state"),
    [
        (True, True, "fired"),
        (True, False, "fired"),
        (False, True, "fired"),
        (False, False, "quiet"),
        (NO_DATE, True, "fired"),
        (NOT_SENT, False, "incomplete"),
    ],
)
def test_one_alternative_is_enough(first: object, steps: object, state: str) -> None:
    checked = rule("{any: [{order.is_first: {is: true}}, {order.has_steps: {is: true}}]}", if_unknown="hold")
    assert judge(checked, order(is_first=first, has_steps=steps)).state == state


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"is_first": True, "has_steps": True}, "fired"),
        ({"is_first": True, "has_steps": False}, "quiet"),
        ({"is_first": False, "has_steps": True}, "quiet"),
    ],
)
def test_every_set_of_alternatives_must_hold(given: dict[str, Any], state: str) -> None:
    text = "{any: [{order.is_first: {is: true}}], all: [{any: [{order.has_steps: {is: true}}]}, {order.drug: {in: blocker}}]}"
    assert judge(rule(text), order(drug="blocker", **given)).state == state


def test_the_groups_of_all_hold_together_even_about_one_fact() -> None:
    text = "{all: [{order.drug: {in: blocker}}, {order.drug: {in: depot}}]}"
    states = [judge(rule(text), order(drug=words)).state for words in (["blocker", "depot"], ["blocker"], ["depot"])]
    assert states == ["fired", "quiet", "quiet"]


@pytest.mark.parametrize(
    ("exposures", "expected"),
    [
        ([IN_USE], ("critical", "in-use", True)),
        ([RECENT], ("warning", "recent", True)),
        ([OTHER, RECENT, IN_USE], ("critical", "in-use", True)),
        ([UNDATED], ("warning", "recent", False)),
        ([UNCLEAR], ("warning", "in-use", False)),
        ([UNDATED, RECENT], ("warning", "recent", True)),
        ([UNCLEAR, IN_USE], ("critical", "in-use", True)),
    ],
)
def test_the_strongest_exposure_gives_severity_and_text(exposures: list[dict[str, object]], expected: tuple[str, str, bool]) -> None:
    assert gist(judge(rule(CONFLICT), order(*exposures, drug="blocker"))) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exposures", "lack", "state"),
    [
        ([], (), "quiet"),
        ([OTHER], (), "quiet"),
        ([OVER], (), "quiet"),
        ([], ("medications",), "incomplete"),
        ([OVER, OTHER], ("medications",), "incomplete"),
        ([IN_USE], ("medications",), "fired"),
        ([UNDATED], ("medications",), "held"),
        ([UNDATED], (), "held"),
    ],
)
def test_a_list_that_is_not_complete_proves_nothing(exposures: list[dict[str, object]], lack: tuple[str, ...], state: str) -> None:
    outcome = judge(rule(CONFLICT, if_unknown="hold"), order(*exposures, lack=lack, drug="blocker"))  # type: ignore[arg-type]
    assert (outcome.state, outcome.lacks) == (state, lack if state == "incomplete" else ())


def test_every_exposure_that_meets_the_group_is_listed_with_its_own_severity_and_text() -> None:
    outcome = judge(rule(CONFLICT), order(RECENT, OTHER, UNDATED, IN_USE, OVER, UNCLEAR, drug="blocker"))
    matched = [(found.item, found.severity.word, found.says, found.is_certain) for found in finding(outcome).matched]
    assert matched == [
        (RECENT, "warning", "recent", True),
        (UNDATED, "warning", "recent", False),
        (IN_USE, "critical", "in-use", True),
        (UNCLEAR, "warning", "in-use", False),
    ]
    assert gist(outcome) == ("critical", "in-use", True)


def test_a_rule_that_holds_back_what_is_unknown_lists_only_sure_exposures() -> None:
    outcome = judge(rule(CONFLICT, if_unknown="hold"), order(UNDATED, RECENT, drug="blocker"))
    assert [found.item for found in finding(outcome).matched] == [RECENT]


def test_an_unknown_attribute_of_an_exposure_is_never_a_missing_kind() -> None:
    undated = item(drug=["agonist"], is_current=False, days_short_of_opioid_free=NOT_SENT)
    assert gist(judge(rule(CONFLICT), order(undated, drug="blocker"))) == ("warning", "recent", False)
    assert judge(rule(CONFLICT, if_unknown="hold"), order(undated, drug="blocker")).state == "held"


def test_an_attribute_that_an_exposure_does_not_have_is_unknown() -> None:
    assert judge(rule(CONFLICT, if_unknown="hold"), order(item(drug=["agonist"]), drug="blocker")).state == "held"


def test_what_is_unknown_elsewhere_caps_the_sure_exposures_too() -> None:
    found = finding(judge(rule(CONFLICT), order(IN_USE, drug=NO_DATE)))
    assert (found.severity, found.is_certain, found.says) == (Severity.WARNING, False, "in-use")
    assert [(one.severity, one.is_certain) for one in found.matched] == [(Severity.WARNING, True)]


@pytest.mark.parametrize(("proposed", "expected"), [(True, "info"), (False, "critical"), (NO_DATE, "critical")])
def test_an_exposure_that_is_surely_no_more_than_proposed_counts_as_info(proposed: object, expected: str) -> None:
    exposure = item(drug=["agonist"], is_current=True, is_proposed=proposed)
    found = finding(judge(rule(CONFLICT), order(exposure, drug="blocker")))
    assert (found.severity.word, found.matched[0].severity.word, found.says) == (expected, expected, "in-use")


def test_a_proposed_exposure_does_not_weaken_another_one() -> None:
    proposed = item(drug=["agonist"], is_current=True, is_proposed=True)
    found = finding(judge(rule(CONFLICT), order(proposed, RECENT, drug="blocker")))
    assert (found.severity.word, found.says) == ("warning", "recent")


@pytest.mark.parametrize(("proposal", "expected"), [(True, "info"), (False, "critical"), (NO_DATE, "critical")])
def test_everything_about_an_order_that_is_surely_a_proposal_is_info(proposal: object, expected: str) -> None:
    found = finding(judge(rule(CONFLICT), order(IN_USE, drug="blocker", is_proposal=proposal)))
    assert (found.severity.word, found.matched[0].severity.word) == (expected, expected)


def test_a_proposal_that_is_uncertain_is_info_too() -> None:
    assert gist(judge(rule("{order.is_first: {is: true}}", severity="critical"), order(is_first=NO_DATE, is_proposal=True)))[0] == "info"


@pytest.mark.parametrize(("first", "expected"), [(True, ("critical", "", True)), (NO_DATE, ("warning", "", False))])
def test_what_is_unknown_never_makes_a_critical_finding(first: object, expected: tuple[str, str, bool]) -> None:
    assert gist(judge(rule("{order.is_first: {is: true}}", severity="critical"), order(is_first=first))) == expected


def test_what_is_unknown_does_not_raise_an_info() -> None:
    assert gist(judge(rule("{order.is_first: {is: true}}"), order(is_first=NO_DATE))) == ("info", "", False)


GRADED = """{any: [
  {severity: info, says: a, order.is_first: {is: true}},
  {severity: critical, says: b, order.has_steps: {is: true}},
  {severity: warning, says: c, order.is_renewal: {is: true}},
  {severity: critical, says: d, order.is_at_bedtime: {is: true}}]}"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"is_first": True}, ("info", "a", True)),
        ({"is_first": True, "is_renewal": True}, ("warning", "c", True)),
        ({"is_at_bedtime": True, "has_steps": True}, ("critical", "b", True)),
        ({"is_first": True, "has_steps": NO_DATE}, ("info", "a", True)),
        ({"is_renewal": NO_DATE, "has_steps": NO_DATE}, ("warning", "b", False)),
        ({"is_first": NO_DATE, "is_renewal": NOT_SENT}, ("info", "a", False)),
    ],
)
def test_the_strongest_alternative_that_surely_holds_counts_else_the_strongest_that_may(
    given: dict[str, Any], expected: tuple[str, str, bool]
) -> None:
    base: dict[str, Any] = {"is_first": False, "has_steps": False, "is_renewal": False, "is_at_bedtime": False}
    assert gist(judge(rule(GRADED), order(**{**base, **given}))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{any: [{order.is_first: {is: true}}]}", ("warning", "")),
        ("{any: [{says: a, order.is_first: {is: true}}]}", ("warning", "a")),
        ("{any: [{severity: info, order.is_first: {is: true}}]}", ("info", "")),
        ("{any: [{order.is_first: {is: true}}, {severity: info, says: a, order.is_first: {is: true}}]}", ("info", "a")),
        ("{any: [{severity: info, says: a, order.is_first: {is: true}}, {says: b, order.is_first: {is: true}}]}", ("warning", "b")),
        ("{any: [{severity: critical, says: a, any: [{order.is_first: {is: true}}]}]}", ("critical", "a")),
        ("{any: [{severity: critical, says: a, any: [{severity: info, order.is_first: {is: true}}]}]}", ("info", "a")),
        ("{any: [{severity: critical, says: a, any: [{says: b, order.is_first: {is: true}}]}]}", ("critical", "b")),
        ("{any: [{any: [{severity: info, says: b, order.is_first: {is: true}}]}, {order.is_first: {is: true}}]}", ("info", "b")),
        (
            "{any: [{severity: info, order.is_first: {is: true}}], all: [{any: [{severity: critical, says: z, order.is_first: {is: true}}]}]}",
            ("critical", "z"),
        ),
        ("{any: [{order.is_first: {is: true}}], all: [{any: [{severity: info, says: z, order.is_first: {is: true}}]}]}", ("info", "z")),
        ("{any: [{severity: critical, says: a, order.is_first: {is: true}, exposures: {some: {drug: {in: agonist}}}}]}", ("critical", "a")),
        ("{any: [{severity: critical, exposures: {some: {any: [{severity: info, says: b, drug: {in: agonist}}]}}}]}", ("info", "b")),
        (
            "{any: [{severity: critical, says: a, order.is_first: {is: true}}], exposures: {some: {any: [{severity: info, says: b, drug: {in: agonist}}]}}}",
            ("critical", "a"),
        ),
        ("{any: [{severity: info, says: a, order.is_first: {is: true}}], exposures: {some: {drug: {in: agonist}}}}", ("info", "a")),
        (
            "{any: [{severity: info, says: a, order.is_first: {is: true}}, {severity: critical, says: c, exposures: {some: {drug: {in: agonist}}}}]}",
            ("critical", "c"),
        ),
    ],
)
def test_an_alternative_takes_what_it_does_not_state_from_around_it_and_yields_to_one_that_states(
    text: str, expected: tuple[str, str]
) -> None:
    assert gist(judge(rule(text, severity="warning"), order(IN_USE, is_first=True)))[:2] == expected


def test_an_order_line_beside_a_proposed_exposure_counts_for_itself() -> None:
    text = "{any: [{severity: warning, says: a, order.is_first: {is: true}}, {severity: critical, says: b, exposures: {some: {drug: {in: agonist}}}}]}"
    proposed = item(drug=["agonist"], is_proposed=True)
    assert gist(judge(rule(text), order(proposed, is_first=True)))[:2] == ("warning", "a")


def test_an_exposure_met_in_two_alternatives_is_listed_once_at_its_strongest() -> None:
    some = "exposures: {some: {drug: {in: agonist}}}"
    for first, second in (("info", "warning"), ("warning", "info")):
        text = f"{{any: [{{severity: {first}, says: {first}, {some}}}, {{severity: {second}, says: {second}, {some}}}]}}"
        matched = finding(judge(rule(text), order(IN_USE))).matched
        assert [(found.severity.word, found.says) for found in matched] == [("warning", "warning")]


@pytest.mark.parametrize(
    ("exposures", "lack", "state"),
    [
        ([], (), "fired"),
        ([OTHER], (), "fired"),
        ([IN_USE], (), "quiet"),
        ([item(drug=NO_DATE)], (), "held"),
        ([], ("history",), "incomplete"),
        ([IN_USE], ("history",), "quiet"),
    ],
)
def test_none_is_the_opposite_of_some(exposures: list[dict[str, object]], lack: tuple[str, ...], state: str) -> None:
    checked = rule("{exposures: {none: {drug: {in: agonist}}}}", if_unknown="hold")
    outcome = judge(checked, order(*exposures, lack=lack))  # type: ignore[arg-type]
    assert (outcome.state, outcome.lacks) == (state, lack if state == "incomplete" else ())


def test_exposures_that_must_not_be_are_not_listed() -> None:
    checked = rule("{exposures: {none: {drug: {in: agonist}}}}")
    assert finding(judge(checked, order(item(drug=NO_DATE)))).matched == ()


def test_a_trace_is_written_only_when_asked_for_and_tells_everything() -> None:
    checked = rule(CONFLICT)
    facts = order(RECENT, drug="blocker", is_being_stopped=NO_DATE, lack=("history", "medications"))
    trace = evaluate(checked, facts, TODAY, trace=True).trace
    assert [(line.depth, line.asked, line.answer, line.found) for line in trace] == [
        (0, "when", "true", ""),
        (1, "order.drug in [blocker]", "true", "blocker"),
        (1, "some exposure", "true", "1 known; lacking: history, medications"),
        (2, "exposure 0", "true", ""),
        (3, "drug in [agonist]", "true", "agonist"),
        (3, "any of", "true", ""),
        (4, "alternative critical in-use", "false", ""),
        (5, "is_current is true", "false", "false"),
        (4, "alternative warning recent", "true", ""),
        (5, "days_short_of_opioid_free above 0 d", "true", "3 d"),
        (0, "unless", "unknown", ""),
        (1, "order.is_being_stopped is true", "unknown", "unknown: no-date"),
    ]
    assert (trace[1].rests_on, trace[4].rests_on) == (("draftOrders.entry[0]",), ("MedicationRequest/drug",))
    assert [line.where.line for line in trace if line.where] == [2, 14, 15, 15, 17, 19, 19, 19, 20, 20, 2, 22]


def test_a_trace_tells_of_facts_that_were_not_there_and_of_quiet_rules() -> None:
    checked = rule("{exposures: {none: {drug: {in: agonist}}}, any: [{order.is_first: {is: false}}]}", unless="{order.drug: {in: depot}}")
    trace = evaluate(checked, OrderFacts("MedicationRequest/1", {}), TODAY, trace=True).trace
    assert [(line.depth, line.asked, line.answer, line.found) for line in trace] == [
        (0, "when", "unknown", ""),
        (1, "none exposure", "true", "0 known"),
        (1, "any of", "unknown", ""),
        (2, "alternative", "unknown", ""),
        (3, "order.is_first is false", "unknown", "unknown: not-given"),
        (0, "unless", "unknown", ""),
        (1, "order.drug in [depot]", "unknown", "unknown: not-given"),
    ]


def test_a_trace_says_unknown_of_what_was_not_sent() -> None:
    trace = evaluate(rule("{order.is_first: {is: true}}", unless=""), order(is_first=NOT_SENT), TODAY, trace=True).trace
    assert [(line.answer, line.found) for line in trace] == [("unknown", ""), ("unknown", "unknown: not-sent (conditions missing)")]


TWO = """{any: [
  {severity: warning, says: first, exposures: {some: {drug: {in: agonist}}}},
  {severity: warning, says: second, exposures: {some: {drug: {in: [agonist, depot]}}}}]}"""


def test_matched_exposures_stand_in_the_order_of_the_list_and_of_equal_texts_the_first_counts() -> None:
    depot, agonist = item(drug=["depot"]), item(drug=["agonist"])
    matched = finding(judge(rule(TWO), order(depot, agonist))).matched
    assert [(found.item, found.says) for found in matched] == [(depot, "second"), (agonist, "first")]
