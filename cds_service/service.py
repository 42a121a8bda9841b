"""Floor 6: one function, `decide`, takes a call and a chart through facts, findings and cards; no I/O, no clock."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from cds_service.cards import CardLibrary, CardOptions, ProfileName, make_grounded_cards
from cds_service.facts.order import FactContext, order_facts
from cds_service.facts.registry import OrderFacts
from cds_service.facts.written import texts_read
from cds_service.fhir.chart import Chart, Completeness, Kind
from cds_service.fhir.terminology import ConditionIndex, DrugIndex
from cds_service.fhir.unknown_codes import UnknownCode, unknown_codes
from cds_service.hooks.answer import Card
from cds_service.hooks.call import HookCall
from cds_service.rulebook.evaluation import evaluate
from cds_service.rulebook.rulebook import Rulebook
from cds_service.rulebook.types import Finding, Outcome, Severity, Status


@dataclass(frozen=True, slots=True)
class Pack:
    """All that the service knows: rules, cards, drug tables and value sets, loaded together or not at all."""

    rulebook: Rulebook
    cards: CardLibrary
    drugs: DrugIndex
    conditions: ConditionIndex
    context: FactContext


class Overrides(Protocol):
    """Knows what a clinician overrode; how it does that is not for this floor to know."""

    def marks(self, call: HookCall, chart: Chart, findings: Sequence[Finding]) -> tuple[str, ...]:
        """Return a mark for each finding, by which an override of it is recognised; empty where it must be shown whatever was said."""

    def overridden(self, marks: Collection[str]) -> Collection[str]:
        """Return those of the marks whose finding was overridden."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What site and client ask of an answer: language, client profile, and whether info findings show while drafting."""

    language: str = "en"
    profile: ProfileName = "standard"
    info_at_order_select: bool = False
    with_trace: bool = False
    overrides: Overrides | None = None
    """Where the site respects overrides: what was overridden is not said again."""


@dataclass(frozen=True, slots=True)
class ClientWishes:
    """What the client of one call asks of its answer, and which FHIR bases it may name; without a registry any on loopback.

    An empty member stands for what the settings say; `languages` stand in order of preference.
    """

    name: str = ""
    languages: tuple[str, ...] = ()
    profile: ProfileName | None = None
    site: str = ""
    fhir_servers: tuple[str, ...] | Literal["loopback-only"] = "loopback-only"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and why: nothing in it but `cards`, `facts` and the traces names or describes the patient."""

    id: str
    hook: str
    pack_version: str
    pack_hash: str
    completeness: Mapping[Kind, Completeness]
    outcomes: tuple[Outcome, ...]
    shown: tuple[Finding, ...]
    cards: tuple[Card, ...]
    grounds: tuple[tuple[Finding, ...], ...] = ()
    """For each card, the findings that it tells of."""
    facts: tuple[OrderFacts, ...] = ()
    """What was read of each draft that was judged, in the order sent."""
    overridden: tuple[Finding, ...] = ()
    """Findings that were not shown because a clinician had overridden them before."""
    unknown_codes: tuple[UnknownCode, ...] = ()
    """Codes on the orders that no table knows, where the name told the drug: none that could be about the patient."""
    marks: tuple[tuple[str, str], ...] = ()
    """Mark and card uuid of each finding shown whose override is to be respected; nobody can tell patient or order from a mark."""


def decide(call: HookCall, chart: Chart, pack: Pack, today: date, wishes: Wishes, new_id: Callable[[], str] | None = None) -> Decision:
    """Judge every selected draft order by every rule that concerns it, and put what is to be said into cards.

    `today` is the day in the site's time zone; `new_id` makes the decision's and the cards' uuids (random by default).
    """
    fresh = new_id or _random_id
    decision_id = fresh()
    chart = texts_read(chart, pack.context.drug_words, today)
    orders = [order_facts(index, chart, pack.context, today) for index in sorted(chart.selected)]
    outcomes = tuple(outcome for facts in orders for outcome in _judge(call.hook, facts, pack.rulebook, today, wishes))
    speaking = tuple(_to_show(outcomes, call.hook, wishes))
    marks = _marks(call, chart, speaking, wishes)
    heard = frozenset(wishes.overrides.overridden(marks.keys()) if wishes.overrides else ())
    silenced = frozenset(finding for mark in heard for finding in marks.get(mark, ()))
    shown = tuple(finding for finding in speaking if id(finding) not in silenced)
    options = CardOptions(
        language=wishes.language,
        profile=wishes.profile,
        decision_id=decision_id,
        today=today,
        rule_pack_version=pack.rulebook.manifest.version,
        new_uuid=fresh,
    )
    written = make_grounded_cards(shown, chart, pack.cards, options)
    return Decision(
        id=decision_id,
        hook=call.hook,
        pack_version=pack.rulebook.manifest.version,
        pack_hash=pack.rulebook.hash,
        completeness=chart.completeness,
        outcomes=outcomes,
        shown=shown,
        cards=tuple(card for card, _ in written),
        grounds=tuple(findings for _, findings in written),
        facts=tuple(orders),
        overridden=tuple(finding for finding in speaking if id(finding) in silenced),
        unknown_codes=unknown_codes(chart, (call.patient_id, call.encounter_id), pack.drugs.nearly_named),
        marks=tuple(_marks_of_cards(marks, written)),
    )


def _judge(hook: str, facts: OrderFacts, rulebook: Rulebook, today: date, wishes: Wishes) -> Iterable[Outcome]:
    """Evaluate the rules that concern this draft, found by the classes of its drug."""
    drug = facts.facts["order.drug"].value
    classes = drug if isinstance(drug, frozenset) else frozenset[str]()
    return [evaluate(rule, facts, today, trace=wishes.with_trace) for rule in rulebook.rules_for(hook, classes)]


def _to_show(outcomes: Iterable[Outcome], hook: str, wishes: Wishes) -> Iterable[Finding]:
    """Keep the findings of active rules; info findings wait for the signing, so that nothing is said twice.

    What could not be checked never waits: without it an answer would look like one that found nothing.
    """
    for outcome in outcomes:
        finding = outcome.finding
        if finding is None or outcome.rule.status is not Status.ACTIVE:
            continue
        is_advice = finding.severity is Severity.INFO and finding.rule.kind != "incomplete"
        if is_advice and hook == "order-select" and not wishes.info_at_order_select:
            continue
        yield finding


def _marks(call: HookCall, chart: Chart, findings: Sequence[Finding], wishes: Wishes) -> Mapping[str, Collection[int]]:
    """Return the findings (by identity) of each mark; none where overrides are not respected."""
    found: dict[str, set[int]] = {}
    for finding, mark in zip(findings, wishes.overrides.marks(call, chart, findings) if wishes.overrides else (), strict=False):
        if mark:
            found.setdefault(mark, set()).add(id(finding))
    return found


def _marks_of_cards(marks: Mapping[str, Collection[int]], written: Iterable[tuple[Card, Sequence[Finding]]]) -> Iterable[tuple[str, str]]:
    """Pair the marks with the cards that tell of their findings; a critical card is shown again as a whole, so it has none."""
    for card, findings in written:
        told = {id(finding) for finding in findings}
        if card.indicator != Severity.CRITICAL.word:
            yield from ((mark, card.uuid) for mark, ids in marks.items() if not told.isdisjoint(ids))


def _random_id() -> str:
    return str(uuid.uuid4())
