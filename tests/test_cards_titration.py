"""The usual steps of a titration: dates on the card, and the whole order that it offers."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest

from cds_service.cards import load_cards, rule_problems
from cds_service.cards.schedule import rows, usual_steps
from cds_service.facts.registry import OrderFacts, Value
from cds_service.fhir.chart import Chart, Completeness, Kind
from cds_service.hooks.answer import Suggestion, as_json
from cds_service.quantities import Quantity, QuantityRange, exactly
from cds_service.rulebook.types import Finding, Severity
from cds_service.unknown import Unknown
from tests.cards_floor import (
    CANONICAL,
    COMPLETE,
    DRAFT,
    ORDER,
    card_files,
    cards,
    chart,
    conflict,
    drug,
    exposure,
    finding,
    library,
    order_facts,
    record,
    rules,
    words,
)  # fmt: skip

SCHEDULE = library().cards["titration-start"].schedule
WORDS = library().words["en"]
LIQUID = drug(strength=Quantity(Decimal(1), "mg/mL"))


def start(facts: OrderFacts | None = None, **limits: str) -> Finding:
    """A first order at 4.5 mg that begins today; keywords change thresholds ("2 mg/d")."""
    one = finding("titration-start", "above-usual-start", facts or begun())
    changed = {name: Quantity(Decimal(text.split()[0]), text.split()[1]) for name, text in limits.items()}
    return replace(one, limits={**one.limits, **changed})


def begun(**facts: Value) -> OrderFacts:
    """Facts of an order that begins on 22 November 2026."""
    return order_facts(ORDER, **{"begins": "2026-11-22", **facts})


def offered(one: Finding, seen: Chart | None = None, *others: Finding, **more: Any) -> list[Suggestion]:  # noqa: ANN401
    """The titrations that the cards of some findings suggest."""
    suggestions = [each for card in cards([one, *others], seen, **more) for each in card.suggestions]
    return [each for each in suggestions if each.label.startswith("Order the usual steps")]


def resource(suggestion: Suggestion) -> dict[str, Any]:
    """The whole order of a suggestion, valid R4 when written as JSON."""
    (action,) = suggestion.actions
    text = json.dumps(as_json(action)["resource"], default=float)
    MedicationRequest.model_validate_json(text)
    plain: dict[str, Any] = json.loads(text)
    return plain


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        ({}, [("1.5", 0, 14), ("3.0", 14, 14), ("4.5", 28, 0)]),
        ({"usual_target": "4 mg/d"}, [("1.5", 0, 14), ("3.0", 14, 14), ("4", 28, 0)]),
        ({"usual_step": "3 mg/d", "longest_step": "3 wk"}, [("1.5", 0, 21), ("4.5", 21, 0)]),
        ({"usual_target": "1.5 mg/d"}, [("1.5", 0, 0)]),
        ({"usual_target": "1 mg/d"}, []),
        ({"usual_step": "0 mg/d"}, []),
        ({"usual_start": "0 mg/d"}, []),
        ({"longest_step": "0 d"}, []),
        ({"usual_step": "0.01 mg/d"}, []),
        ({"usual_step": "1 d"}, []),
        ({"usual_start": "0.1 mg/d", "usual_step": "0.1 mg/d", "usual_target": "2 mg/d"}, [(f"{0.1 * turn:.1f}", 14 * (turn - 1), 14 if turn < 20 else 0) for turn in range(1, 21)]),
        ({"usual_start": "0.1 mg/d", "usual_step": "0.1 mg/d", "usual_target": "2.1 mg/d"}, []),
    ],
)  # fmt: skip
def test_the_steps_come_from_the_thresholds(limits: dict[str, str], steps: list[tuple[str, int, int]]) -> None:
    found = usual_steps(start(None, **limits), SCHEDULE)
    assert [(step.mg, step.begins, step.days) for step in found] == [(Decimal(mg), begins, days) for mg, begins, days in steps]


def test_a_card_without_a_schedule_or_a_threshold_has_no_steps() -> None:
    assert usual_steps(start(), None) == usual_steps(replace(start(), limits={}), SCHEDULE) == ()


@pytest.mark.parametrize(
    ("facts", "days"),
    [
        ({}, ["2026-11-22 1.5", "2026-12-06 3", "2026-12-20 4.5"]),
        ({"starting_daily_dose": exactly(1, "mg/d")}, ["2026-11-22 1", "2026-12-06 1.5", "2026-12-20 3", "2027-01-03 4.5"]),
        ({"starting_daily_dose": exactly("1.5", "mg/d")}, ["2026-11-22 1.5", "2026-12-06 3", "2026-12-20 4.5"]),
        ({"starting_daily_dose": exactly(-1, "mg/d")}, ["2026-11-22 1.5", "2026-12-06 3", "2026-12-20 4.5"]),
        ({"starting_daily_dose": exactly(0, "mg/d")}, ["2026-11-22 1.5", "2026-12-06 3", "2026-12-20 4.5"]),
        ({"starting_daily_dose": QuantityRange(Decimal("0.5"), Decimal(1), "mg/d")}, ["2026-11-22 1.5", "2026-12-06 3", "2026-12-20 4.5"]),
        ({"starting_daily_dose": Unknown("no-dose")}, ["2026-11-22 1.5", "2026-12-06 3", "2026-12-20 4.5"]),
        ({"begins": "9999-12-01"}, []),
        ({"begins": "someday"}, []),
        ({"begins": Unknown("no-date")}, []),
    ],
)  # fmt: skip
def test_each_step_has_its_date(facts: dict[str, Value], days: list[str]) -> None:
    assert [f"{row.day} {row.dose.number}" for row in rows(start(begun(**facts)), SCHEDULE, WORDS)] == days


def test_the_titration_is_a_whole_order_of_the_compounded_strength() -> None:
    (suggestion,) = offered(start())
    changed = resource(suggestion)
    assert (suggestion.isRecommended, suggestion.actions[0].type) == (False, "update")
    assert changed["medicationCodeableConcept"]["text"] == "naltrexone 1.5 mg oral capsule (compounded)"
    assert [line["sequence"] for line in changed["dosageInstruction"]] == [1, 2, 3]
    assert [line["doseAndRate"][0]["doseQuantity"]["value"] for line in changed["dosageInstruction"]] == [1.5, 3, 4.5]
    assert [line["timing"]["repeat"].get("boundsDuration", {}).get("value") for line in changed["dosageInstruction"]] == [14, 14, None]
    assert {line["route"]["coding"][0]["code"] for line in changed["dosageInstruction"]} == {"26643006"}
    assert [note["text"].partition(":")[0] for note in changed["note"]] == ["patient prefers the pharmacy in town", "To be compounded"]
    assert changed["dispenseRequest"] == {"validityPeriod": {"start": "2026-11-22"}}
    assert "text" not in changed


def test_a_product_that_delivers_every_step_is_kept() -> None:
    changed = resource(offered(start(), chart(record(drug=LIQUID)))[0])
    assert changed["medicationCodeableConcept"] == DRAFT["medicationCodeableConcept"]


def test_a_product_that_delivers_the_first_step_alone_is_replaced() -> None:
    changed = resource(offered(start(usual_target="4 mg/d"), chart(record(drug=drug(strength=Quantity(Decimal("1.5"), "mg/{piece}")))))[0])
    assert changed["medicationCodeableConcept"]["text"] == "naltrexone 1.5 mg oral capsule (compounded)"


def test_the_draft_itself_is_not_touched() -> None:
    before = copy.deepcopy(DRAFT)
    offered(start())
    assert before == DRAFT


BLOCKS: Mapping[str, Callable[[], list[Suggestion]]] = {
    "an opioid conflict": lambda: offered(start(), None, conflict(exposure("tramadol", "proposed", Severity.INFO))),
    "liver disease": lambda: offered(start(), None, finding("liver-disease", "caution", severity=Severity.INFO)),
    "pregnancy": lambda: offered(start(), None, finding("pregnancy-lactation")),
    "a child": lambda: offered(start(), None, finding("children")),
    "the injection": lambda: offered(start(), None, finding("depot-with-oral")),
    "another naltrexone": lambda: offered(start(), None, finding("duplicate-naltrexone", "two-regimens")),
    "a dose that does not fit": lambda: offered(start(), None, finding("dose-mismatch", "product")),
    "a list that was not sent": lambda: offered(start(begun(data_medications=words("missing")))),
    "a history read in part": lambda: offered(start(), chart(completeness={**COMPLETE, Kind.HISTORY: Completeness.PARTIAL})),
    "a draft half read": lambda: offered(start(), chart(record(is_readable=False))),
    "a cream": lambda: offered(start(begun(route=words("topical")))),
    "a dose as needed": lambda: offered(start(begun(is_as_needed=True))),
    "a drug that is not known": lambda: offered(start(), chart(record(drug=Unknown("no-code")))),
    "an ingredient without a code": lambda: offered(start(), chart(record(drug=drug(ingredient_code="")))),
    "a client that takes no updates": lambda: offered(start(), profile="epic"),
    "a client that applies the product alone": lambda: offered(start(), profile="sandbox"),
    "a schedule of one step": lambda: offered(start(usual_target="1.5 mg/d")),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_no_titration_is_offered_beside(name: str) -> None:
    assert BLOCKS[name]() == []


def test_the_schedule_names_thresholds_of_its_rules() -> None:

    files = card_files()
    files["titration-start.yaml"] = files["titration-start.yaml"].replace("step: usual_step", "step: usual_stp")
    told = {str(problem).partition(" ")[2] for problem in rule_problems(load_cards(files, CANONICAL), rules().values())}
    assert told == {
        f"CARD-014 card 'titration-start' quotes 'usual_stp', no threshold of rule '{rule}'; did you mean 'usual_step'?"
        for rule in ("titration-start", "titration-restart")
    }
