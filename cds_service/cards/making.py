"""Makes the cards of one answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from cds_service.cards.extension import extension
from cds_service.cards.gather import Gathered, Orders, gathered, orders_of, parts
from cds_service.cards.library import CardLibrary, in_language
from cds_service.cards.profiles import ProfileName, profile_named
from cds_service.cards.suggestions import Situation, has_conflict, suggestions
from cds_service.cards.writing import Setting, detail, links, summary
from cds_service.fhir.chart import Chart
from cds_service.hooks.answer import Card
from cds_service.rulebook.types import Finding


@dataclass(frozen=True, slots=True)
class CardOptions:
    """What cards depend on beside findings and chart: the client's language and abilities, the decision, the day, the pack."""

    language: str
    profile: ProfileName
    decision_id: str
    today: date
    rule_pack_version: str
    new_uuid: Callable[[], str]


def make_cards(findings: Sequence[Finding], chart: Chart, library: CardLibrary, options: CardOptions) -> tuple[Card, ...]:
    """Write the cards of the findings of active rules, strongest first; the same arguments give the same cards, uuids aside."""
    return tuple(card for card, _ in make_grounded_cards(findings, chart, library, options))


def make_grounded_cards(
    findings: Sequence[Finding], chart: Chart, library: CardLibrary, options: CardOptions
) -> tuple[tuple[Card, tuple[Finding, ...]], ...]:
    """Write the cards as `make_cards` does, each with the findings that it tells of."""
    orders = orders_of(chart)
    words = in_language(library.words, options.language)
    profile = profile_named(options.profile)
    decision = "" if profile.takes_extension else options.decision_id
    setting = Setting(library, words, options.language, options.today, options.rule_pack_version, decision, has_conflict(findings))
    situation = Situation(chart, orders, library, profile, options.language, words, findings, options.today)
    return tuple((_card(card, orders, setting, situation, options), card.findings) for card in gathered(findings, library, orders))


def _card(card: Gathered, orders: Orders, setting: Setting, situation: Situation, options: CardOptions) -> Card:
    library = setting.library
    language = library.language_of((library.card(finding.rule.card) for finding in card.findings), options.language)
    words = in_language(library.words, language)
    setting, situation = replace(setting, language=language, words=words), replace(situation, language=language, words=words)
    told = parts(card, library, orders, words)
    uuid = options.new_uuid()
    suggested = suggestions(card, situation, options.new_uuid)
    reasons = [code for part in told for code in part.card.override_reasons]
    return Card(
        uuid=uuid,
        summary=summary(told, setting),
        indicator=card.severity.word,
        source=told[0].card.source,
        detail=detail(card, told, setting),
        suggestions=suggested,
        selectionBehavior=situation.profile.selection if suggested else "",
        overrideReasons=library.override_reasons(reasons, language),
        links=links(told, setting),
        extension=extension(card.findings, options.decision_id, library) if situation.profile.takes_extension else None,
    )
