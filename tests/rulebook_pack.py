"""A small pack of rules for the tests of the rulebook; its broken variants stand in rulebook_broken/."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from cds_service.errors import RulebookInvalid
from cds_service.facts.registry import Fact, OrderFacts, Value
from cds_service.quantities import QuantityRange, parse_quantity
from cds_service.rulebook.cases import Case, read_cases
from cds_service.rulebook.evaluation import evaluate
from cds_service.rulebook.loader import read_rule
from cds_service.rulebook.reading import Reader
from cds_service.rulebook.rulebook import Rulebook, load_rulebook
from cds_service.rulebook.types import Outcome, Rule
from cds_service.rulebook.vocabulary import Vocabulary
from cds_service.unknown import Unknown

BROKEN = Path(__file__).parent / "rulebook_broken"
VOCABULARY = Vocabulary(
    frozenset(["blocker", "agonist", "depot", "combination"]), frozenset(["pain", "dependence"]), frozenset(["conflict", "dose"])
)
TODAY = date(2026, 11, 22)
NO_DATE = Unknown("no-date")
NOT_SENT = Unknown("not-sent", missing="conditions")

RULE = """
id: sample
title: A sample
kind: dose
status: active
version: 1
hooks: [order-sign]
about: order
card: dose
severity: {severity}
thresholds:
  limit: {{unit: mg/d, site_may: nothing, in_force: [{{from: 2020-01-01, value: 4.5}}, {{from: 2027-01-01, value: 6}}], reference: label}}
when: {when}
unless: {unless}
if_unknown: {if_unknown}
references:
  label: {{title: The label, checked: 2026-11-22}}
"""


def files_in(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.y*ml"))}


def base() -> dict[str, str]:
    return files_in(BROKEN / "base")


def pack(files: Mapping[str, str] | None = None, site: str = "") -> Rulebook:
    return load_rulebook({**base(), **(files or {})}, VOCABULARY, site)


def rule(when: str, *, unless: str = "{order.is_being_stopped: {is: true}}", if_unknown: str = "fire", severity: str = "info") -> Rule:
    text = RULE.format(when=when, unless=unless, if_unknown=if_unknown, severity=severity)
    text = text if unless else text.replace("unless: \n", "")
    reader = Reader()
    found = read_rule(text, "rules/pack/sample.yaml", VOCABULARY, reader)
    if found is None:
        raise RulebookInvalid(reader.problems)
    return found


def cases_of(text: str) -> tuple[Case, ...]:
    reader = Reader()
    found = read_cases(text, "rules/pack/sample.test.yaml", frozenset(["sample"]), VOCABULARY, reader)
    if reader.problems:
        raise RulebookInvalid(reader.problems)
    return found


def span(text: str) -> QuantityRange:
    low, _, high = text.partition(" to ")
    upper = parse_quantity(high or low)
    assert upper is not None
    lower = parse_quantity(f"{low} {upper.unit}") if high else upper
    assert lower is not None
    return QuantityRange(lower.value, upper.value, upper.unit)


def value(given: object) -> Value:
    if isinstance(given, bool | Unknown | frozenset):
        return given
    if isinstance(given, list):
        return frozenset(given)
    text = str(given)
    return span(text) if text[0].isdigit() or text[0] == "-" else frozenset([text])


def item(**given: object) -> Mapping[str, Fact]:
    return {name: Fact(value(content), (f"MedicationRequest/{name}",)) for name, content in given.items()}


def order(*exposures: Mapping[str, Fact], lack: tuple[str, ...] = (), **given: object) -> OrderFacts:
    facts = {f"order.{name}": Fact(value(content), ("draftOrders.entry[0]",)) for name, content in given.items()}
    return OrderFacts("MedicationRequest/1", facts, exposures, lack)


def judge(checked: Rule, facts: OrderFacts, today: date = TODAY) -> Outcome:
    return evaluate(checked, facts, today)
