"""What a card may suggest, by the rules of DESIGN.md ("Cards"): the most dangerous part, so every doubt leaves a suggestion out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.cards import drafts
from cds_service.cards.gather import Gathered, Orders
from cds_service.cards.library import CardLibrary, Offer, OfferTexts, Words, in_language
from cds_service.cards.offered import amount, fact_value, fact_words, order_values
from cds_service.cards.profiles import Profile
from cds_service.cards.schedule import Step, usual_steps
from cds_service.cards.text import rendered_line
from cds_service.facts.exposures import is_start, same_ingredient
from cds_service.facts.registry import OrderFacts
from cds_service.fhir.chart import Chart, Completeness, ConditionRecord, Kind, MedicationRecord
from cds_service.fhir.elements import Dosage, Timing
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.hooks.answer import Action, Coding, Suggestion
from cds_service.quantities import Quantity, QuantityRange, in_unit
from cds_service.rulebook.types import Finding

_NOT_HAD: Final = frozenset(("refuted", "entered-in-error"))
_OVER: Final = frozenset(("inactive", "resolved"))


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything beside a finding that decides about suggestions; `findings` are all of the call, those of silent rules too."""

    chart: Chart
    orders: Orders
    library: CardLibrary
    profile: Profile
    language: str
    words: Words
    findings: Sequence[Finding]
    today: date


def suggestions(card: Gathered, situation: Situation, new_uuid: Callable[[], str]) -> tuple[Suggestion, ...]:
    """Return the card's suggestions, each with its uuid."""
    made = (*_removals(card, situation), *_changes(card, situation))
    return tuple(replace(one, uuid=new_uuid()) for one in made)


def has_conflict(findings: Sequence[Finding]) -> bool:
    """Tell whether drugs stand against each other anywhere in the call: then no suggestion starts or continues one."""
    return any(finding.rule.kind == "opioid-conflict" for finding in findings)


def _removals(card: Gathered, situation: Situation) -> Iterator[Suggestion]:
    """Take away the drafts that findings object to: in one suggestion, or one each where a client cannot join actions."""
    removed: dict[str, tuple[Offer, Finding]] = {}
    for finding, offer in _offers(card, situation.library, "remove-order"):
        record = situation.orders.records.get(finding.facts.order)
        if record and record.id and _is_of_drugs(finding.facts, offer):
            removed.setdefault(finding.facts.order, (offer, finding))
    pairs = list(removed.values())
    for group in [pairs] if situation.profile.joins_actions else [[pair] for pair in pairs]:
        if group:
            yield _removal(group, situation)


def _removal(group: Sequence[tuple[Offer, Finding]], situation: Situation) -> Suggestion:
    """Recommended only where, for every draft, a certain exposure says what the card file names (an opioid in use)."""
    written = [_written(offer, finding, situation, {}) for offer, finding in group]
    records = [situation.orders.records[finding.facts.order] for _, finding in group]
    actions = tuple(
        Action("delete", words.description, resourceId=f"{record.resource_type}/{record.id}")
        for words, record in zip(written, records, strict=True)
    )
    return Suggestion(written[0].label, "", actions, isRecommended=all(_is_recommended(offer, finding) for offer, finding in group))


def _changes(card: Gathered, situation: Situation) -> Iterator[Suggestion]:
    """Change a draft: none of these where the client takes no updates, or where continuing it is in doubt."""
    if not situation.profile.takes_updates:
        return
    makers = {"start-low": _low_start, "start-titration": _titration, "record-indication": _recorded_indication}
    done: set[tuple[str, str]] = set()
    for kind, maker in makers.items():
        for finding, offer in _offers(card, situation.library, kind):
            record = situation.orders.records.get(finding.facts.order)
            if record and (kind, finding.facts.order) not in done and _may_go_on(finding, offer, record, situation):
                made = maker(finding, offer, record, situation)
                done.add((kind, finding.facts.order))
                yield from [made] if made else []


def _offers(card: Gathered, library: CardLibrary, kind: str) -> Iterator[tuple[Finding, Offer]]:
    for finding in card.findings:
        for offer in library.card(finding.rule.card).offers:
            if offer.kind == kind and offer.covers(finding) and _said(finding) & offer.says:
                yield finding, offer


def _said(finding: Finding) -> frozenset[str]:
    return frozenset(match.says for match in finding.matched) or frozenset((finding.says,))


def _is_of_drugs(facts: OrderFacts, offer: Offer) -> bool:
    """The ordered drug must surely be of a class named, and of none that must never be touched."""
    drugs = fact_words(facts, "order.drug")
    return bool(drugs & offer.drugs) and not drugs & offer.never_drugs


def _is_recommended(offer: Offer, finding: Finding) -> bool:
    return any(match.is_certain and match.says in offer.recommended for match in finding.matched)


def _may_go_on(finding: Finding, offer: Offer, record: MedicationRecord, situation: Situation) -> bool:
    """No change of a draft beside an opioid conflict, an incomplete medication list, a draft half read or a rule that objects."""
    beside = {other.rule.id for other in situation.findings if other.facts.order == finding.facts.order}
    return (
        not has_conflict(situation.findings)
        and _lists_are_complete(finding.facts, situation.chart)
        and not beside & offer.not_beside
        and record.is_readable
        and not record.dropped
        and drafts.is_complete(record.raw)
        and _is_of_drugs(finding.facts, offer)
    )


def _lists_are_complete(facts: OrderFacts, chart: Chart) -> bool:
    return all(_is_complete(facts, chart, kind) for kind in (Kind.MEDICATIONS, Kind.HISTORY))


def _is_complete(facts: OrderFacts, chart: Chart, kind: Kind) -> bool:
    """The fact and the chart must not contradict completeness, and one of them must assert it."""
    told = {*fact_words(facts, f"data.{kind}"), *([chart.completeness[kind].value] if kind in chart.completeness else [])}
    return told == {Completeness.COMPLETE.value} and kind.value not in facts.exposures_lack


def _low_start(finding: Finding, offer: Offer, record: MedicationRecord, situation: Situation) -> Suggestion | None:
    """Offer the usual first dose: of the ordered product where it can deliver it, else of a product that can be compounded."""
    limit = finding.limits.get(offer.limit)
    mg = in_unit(limit, "mg/d") if limit else None
    if mg is None or not isinstance(record.drug, DrugMatch) or not _is_plain_order(finding.facts, record.drug, offer):
        return None
    if not _stands_alone(record, situation):
        return None
    if situation.profile.applies_product_alone and not _is_one_piece_a_day(record):
        return None  # the old dose would stay in force, of the new product
    words = _written(offer, finding, situation, {"dose": amount(Quantity(mg, "mg"), situation.words), "ingredient": record.drug.ingredient})
    doses = [drafts.NightlyDose(mg, words.sig)]
    if not situation.profile.applies_product_alone and _delivers(mg, record.drug, finding.facts, offer):
        return _update(words, drafts.with_doses(record.raw, doses))
    product = _compounded(record.drug, words, offer)
    return _update(words, drafts.with_product(record.raw, doses, product)) if product else None


def _compounded(drug: DrugMatch, words: "_Written", offer: Offer) -> drafts.Product | None:
    """Name the product that is to be compounded: the code of the ingredient and a text."""
    coding = Coding(offer.product_system, drug.ingredient_code, drug.ingredient)
    return drafts.Product(words.product, coding, offer.product_route) if drug.ingredient_code else None


def _titration(finding: Finding, offer: Offer, record: MedicationRecord, situation: Situation) -> Suggestion | None:
    """Offer the usual steps as one order, where the client applies whole orders: nothing of it is lost then."""
    steps = usual_steps(finding, situation.library.card(finding.rule.card).schedule)
    is_plain = isinstance(record.drug, DrugMatch) and _is_plain_order(finding.facts, record.drug, offer)
    if (
        len(steps) < len(("first", "last"))
        or not isinstance(record.drug, DrugMatch)
        or not is_plain
        or not _stands_alone(record, situation)
        or situation.profile.applies_product_alone
    ):
        return None
    values = [_step_values(step, record.drug, situation) for step in steps]
    written = [_written(offer, finding, situation, one) for one in values]
    doses = [drafts.NightlyDose(step.mg, words.sig, step.days) for step, words in zip(steps, written, strict=True)]
    if all(_delivers(step.mg, record.drug, finding.facts, offer) for step in steps):
        return _update(written[0], drafts.with_doses(record.raw, doses, written[0].note))
    product = _compounded(record.drug, written[0], offer)
    return _update(written[0], drafts.with_product(record.raw, doses, product, written[0].note)) if product else None


def _step_values(step: Step, drug: DrugMatch, situation: Situation) -> dict[str, object]:
    days = amount(Quantity(Decimal(step.days), "d"), situation.words) if step.days else ""
    return {"dose": amount(Quantity(step.mg, "mg"), situation.words), "days": days, "ingredient": drug.ingredient}


def _is_plain_order(facts: OrderFacts, drug: DrugMatch, offer: Offer) -> bool:
    """No change to an order that contradicts itself, is taken as needed, or goes another way than the suggestion's."""
    routes = fact_words(facts, "order.route")
    return (
        not drug.contradicts
        and fact_value(facts, "order.agrees_with_itself") is not False
        and fact_value(facts, "order.is_as_needed") is not True
        and not (offer.routes and routes and not routes & offer.routes)
    )


def _stands_alone(record: MedicationRecord, situation: Situation) -> bool:
    """Tell whether no other draft of this signing starts the same drug: what both together would give after a change is nobody's plan."""
    return not any(other.where != record.where and is_start(other) and same_ingredient(other, record) for other in situation.chart.orders)


def _is_one_piece_a_day(record: MedicationRecord) -> bool:
    """Tell whether the elements alone say one tablet or capsule once a day, so that another product gives its own strength a day."""
    line = record.dosages[0] if len(record.dosages) == 1 else Dosage(text="none, or several")
    timing = line.timing or Timing()
    amounts = {(in_unit(Quantity(end, dose.amount.unit), "{piece}")) for dose in line.doses for end in (dose.amount.low, dose.amount.high)}
    is_once = timing.frequency in (None, 1) and timing.frequency_max is None and len(timing.when) <= 1 and len(timing.time_of_day) <= 1
    is_daily = timing.period == 1 and timing.period_unit == "d" and not timing.day_of_week
    return amounts == {Decimal(1)} and is_once and is_daily and not (line.text or line.patient_instruction)


def _delivers(mg: Decimal, drug: DrugMatch, facts: OrderFacts, offer: Offer) -> bool:
    """A liquid delivers what can be measured; pieces deliver whole multiples of their strength."""
    concentration = _strength(drug, "mg/mL")
    if concentration:
        return mg / concentration >= offer.smallest_volume
    known = fact_value(facts, "order.product_strength")
    is_one = isinstance(known, QuantityRange) and known.unit == "mg" and known.low == known.high
    piece = known.low if isinstance(known, QuantityRange) and is_one else _strength(drug, "mg/{piece}")
    return bool(piece) and mg % piece == 0


def _strength(drug: DrugMatch, unit: str) -> Decimal:
    value = in_unit(drug.strength, unit) if isinstance(drug.strength, Quantity) else None
    return value if value and value > 0 else Decimal(0)


def _recorded_indication(finding: Finding, offer: Offer, record: MedicationRecord, situation: Situation) -> Suggestion | None:
    """Offer to record as reason the one Condition of the list that is the indication found."""
    has_reason = record.reasons or record.reason_references or record.raw.get("reasonCode") or record.raw.get("reasonReference")
    matching = _matching_conditions(finding.facts, situation)
    if has_reason or situation.profile.applies_product_alone or len(matching) != 1:
        return None
    condition, match = matching[0]
    words = _written(offer, finding, situation, {"condition": match.name})
    return _update(words, drafts.with_reason(record.raw, condition.id, match.name)) if condition.id else None


def _matching_conditions(facts: OrderFacts, situation: Situation) -> list[tuple[ConditionRecord, ConditionMatch]]:
    """Conditions that the indication was taken from; none where it came from elsewhere or the list was not read in full."""
    from_list = fact_words(facts, "order.indication_source") == {"problem-list"}
    if not from_list or not _is_complete(facts, situation.chart, Kind.CONDITIONS):
        return []
    wanted = fact_words(facts, "order.indication")
    found = ((condition, _match(condition, wanted)) for condition in situation.chart.conditions if _is_had(condition, situation.today))
    return [(condition, match) for condition, match in found if match]


def _match(condition: ConditionRecord, wanted: frozenset[str]) -> ConditionMatch | None:
    in_remission = condition.clinical_status == "remission"
    counting = (match for match in condition.matches if match.counts_in_remission or not in_remission)
    return next((match for match in counting if match.valueset in wanted), None)


def _is_had(condition: ConditionRecord, today: date) -> bool:
    is_past = condition.abated is not None and condition.abated <= today
    return condition.verification_status not in _NOT_HAD and condition.clinical_status not in _OVER and not is_past


@dataclass(frozen=True, slots=True)
class _Written:
    """The rendered words of a suggestion."""

    label: str
    description: str
    product: str
    sig: str
    note: str


def _written(offer: Offer, finding: Finding, situation: Situation, values: dict[str, object]) -> _Written:
    texts: OfferTexts = in_language(offer.texts, situation.language)
    label, description = texts.label, texts.description
    if situation.profile.applies_product_alone:
        label, description = texts.label_product_alone or label, texts.description_product_alone or description
    offered = {"order": order_values(finding, situation.words), **values}
    product, sig, note = (rendered_line(template, offered) if template else "" for template in (texts.product, texts.sig, texts.note))
    return _Written(rendered_line(label, offered), rendered_line(description, offered), product, sig, note)


def _update(words: _Written, resource: drafts.Draft) -> Suggestion:
    return Suggestion(words.label, "", (Action("update", words.description, resource),))
