"""Builders for tests of the card floor: findings of the shipped rules over facts made by hand."""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from cds_service.cards import CardLibrary, CardOptions, ProfileName, load_cards, make_cards
from cds_service.facts.registry import Fact, Item, OrderFacts, Value
from cds_service.fhir.chart import Chart, Completeness, ConditionRecord, Kind, MedicationRecord
from cds_service.fhir.elements import Concept, Medication
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.hooks.answer import Card
from cds_service.quantities import Quantity, exactly
from cds_service.rulebook.rulebook import load_rulebook
from cds_service.rulebook.types import Finding, MatchedExposure, Rule, Severity, Status
from cds_service.rulebook.vocabulary import Vocabulary
from cds_service.unknown import Unknown

ROOT = Path(__file__).parent.parent
CANONICAL = "https://naltrexone-cds.example"
TODAY = date(2026, 11, 22)
ORDER = "MedicationRequest/mr-1"
USES = ["fibromyalgia", "other-ldn-use", "pruritus", "alcohol-dependence", "alcohol-use", "opioid-dependence", "opioid-use"]
COMPLETE = dict.fromkeys(Kind, Completeness.COMPLETE)


def card_files() -> dict[str, str]:
    """The shipped card files."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "cards").glob("*.yaml"))}


@cache
def library() -> CardLibrary:
    """The shipped cards."""
    return load_cards(card_files(), CANONICAL)


@cache
def rules() -> Mapping[str, Rule]:
    """The shipped rules; every word that a rule or the manifest uses counts as known."""
    files = {path.relative_to(ROOT / "rules").as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / "rules").rglob("*.yaml")}
    words = frozenset(word for text in files.values() for word in re.findall(r"[a-z][a-z-]+", text))
    cards = frozenset(name.removesuffix(".yaml") for name in card_files())
    book = load_rulebook(files, Vocabulary(drug_classes=words, valuesets=words, cards=cards))
    return {rule.id: rule for rule in book.rules}


def words(*members: str) -> frozenset[str]:
    """The value of a fact of words."""
    return frozenset(members)


def order_facts(order: str = ORDER, **changed: Value) -> OrderFacts:
    """Facts of a new low-dose order of 4.5 mg for fibromyalgia; arguments change them ("daily_dose", "data_medications")."""
    facts: dict[str, Value] = {
        "order.drug": words("naltrexone"),
        "order.name": "naltrexone",
        "order.route": words("oral"),
        "order.daily_dose": exactly("4.5", "mg/d"),
        "order.starting_daily_dose": exactly("4.5", "mg/d"),
        "order.single_dose": exactly("4.5", "mg"),
        "order.dose_class": words("low-dose"),
        "order.has_steps": False,
        "order.product_strength": Unknown("no-strength"),
        "order.agrees_with_itself": True,
        "order.is_as_needed": False,
        "order.is_readable": True,
        "order.indication": words("fibromyalgia"),
        "order.indication_source": words("problem-list"),
        "order.indication_names": "Fibromyalgia",
        "data.medications": words("complete"),
        "data.history": words("complete"),
        "data.conditions": words("complete"),
        "data.patient": words("complete"),
    }
    named = {(name.replace("_", ".", 1) if name.startswith("data_") else f"order.{name}"): value for name, value in changed.items()}
    return OrderFacts(order, {name: Fact(value, ("draftOrders.entry[0]",)) for name, value in {**facts, **named}.items()})


def exposure(
    name: str = "oxycodone",
    says: str = "in-use",
    severity: Severity = Severity.CRITICAL,
    *,
    certain: bool = True,
    where: str = "",
    **changed: Value,
) -> MatchedExposure:
    """An opioid in use; arguments change its facts."""
    item: dict[str, Value] = {
        "drug": words("opioid", "opioid-agonist"),
        "name": name,
        "source": words("listed"),
        "is_current": True,
        "is_proposed": False,
        "days_since_last_dose": exactly(0, "d"),
        "opioid_free_days": exactly(10, "d"),
        "days_short_of_opioid_free": exactly(10, "d"),
        **changed,
    }
    rests = (where,) if where else ()
    facts: Item = {key: Fact(value, rests) for key, value in item.items()}
    return MatchedExposure(facts, severity, says, certain)


def finding(
    rule: str,
    says: str = "",
    facts: OrderFacts | None = None,
    matched: Iterable[MatchedExposure] = (),
    severity: Severity | None = None,
    **changed: Any,  # noqa: ANN401 - fields of Rule
) -> Finding:
    """A finding of a shipped rule, shown though the rule may be silent; further arguments change the rule ("status", "version")."""
    one = replace(rules()[rule], **{"status": Status.ACTIVE, **changed})
    met = tuple(matched)
    strongest = max((match.severity for match in met), default=one.severity)
    limits = {name: threshold.on(TODAY) for name, threshold in one.thresholds.items()}
    return Finding(one, severity or strongest, says, facts or order_facts(), met, limits)


def conflict(*matched: MatchedExposure, **more: Any) -> Finding:  # noqa: ANN401
    """A naltrexone order beside opioids."""
    met = matched or (exposure(),)
    return finding("opioid-conflict", met[0].says, matched=met, **more)


def drug(**changed: Any) -> DrugMatch:  # noqa: ANN401 - fields of DrugMatch
    """What the tables say of the ordered product: a capsule of 4.5 mg."""
    match = DrugMatch(
        classes=words("naltrexone"),
        ingredient="naltrexone",
        name="naltrexone",
        matched_by="name",
        strength=Quantity(Decimal("4.5"), "mg/{piece}"),
        opioid_free_days=Unknown("no-interval"),
        ingredient_code="7243",
    )
    return replace(match, **changed)


DRAFT: Mapping[str, Any] = {
    "resourceType": "MedicationRequest",
    "id": "mr-1",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">4.5 mg</div>'},
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "Encounter/e1"},
    "authoredOn": "2026-11-22",
    "medicationCodeableConcept": {"text": "NALTREXONE (LDN) 4.5 MG CAP - COMPOUND"},
    "note": [{"text": "LDN 4.5 mg, 30 caps"}, {"text": "patient prefers the pharmacy in town"}],
    "dosageInstruction": [
        {
            "text": "1 capsule at bedtime",
            "patientInstruction": "take one 4.5 mg capsule",
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
            "route": {"coding": [{"system": "http://snomed.info/sct", "code": "26643006"}]},
            "doseAndRate": [{"doseQuantity": {"value": Decimal("4.5"), "unit": "mg"}}],
        }
    ],
    "dispenseRequest": {
        "validityPeriod": {"start": "2026-11-22"},
        "numberOfRepeatsAllowed": 3,
        "quantity": {"value": 30},
        "expectedSupplyDuration": {"value": 30, "unit": "d"},
    },
}


def record(raw: Mapping[str, Any] = DRAFT, where: str = "draftOrders.entry[0] MedicationRequest/mr-1", **changed: Any) -> MedicationRecord:  # noqa: ANN401
    """A draft as floor 2 reads it."""
    made = MedicationRecord("MedicationRequest", str(raw.get("id", "")), where, Medication(Concept()), drug(), is_draft=True, raw=raw)
    return replace(made, **changed)


def condition(id_: str = "c-1", valueset: str = "fibromyalgia", **changed: Any) -> ConditionRecord:  # noqa: ANN401
    """A Condition of the problem list."""
    match = ConditionMatch(valueset, "Fibromyalgia", "Fibromyalgia", "code")
    return replace(ConditionRecord(id_, "conditions.entry[0]", Concept(), (match,), "active", "confirmed"), **changed)


def chart(*orders: MedicationRecord, **changed: Any) -> Chart:  # noqa: ANN401 - fields of Chart
    """A chart that was read in full."""
    drafts = orders or (record(),)
    return replace(Chart(drafts, frozenset(range(len(drafts))), completeness=COMPLETE), **changed)


def numbered() -> Callable[[], str]:
    """A source of uuids that counts."""
    numbers = itertools.count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


def cards(
    findings: Sequence[Finding],
    seen: Chart | None = None,
    profile: ProfileName = "standard",
    language: str = "en",
    shelf: CardLibrary | None = None,
    today: date = TODAY,
) -> tuple[Card, ...]:
    """Make the cards of some findings."""
    options = CardOptions(language, profile, "decision-1", today, "2026.11.0", numbered())
    return make_cards(findings, seen or chart(), shelf or library(), options)
