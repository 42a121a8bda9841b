"""Makes the cards of one answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from cds_service.cards.extension import extension
from cds_service.cards.gather import Gathered, Orders, Part, gathered, orders_of, parts
from cds_service.cards.library import CardLibrary, in_language
from cds_service.cards.profiles import ProfileName, profile_named
from cds_service.cards.suggestions import Situation, has_conflict, suggestions
from cds_service.cards.writing import Setting, detail, links, sections, summary
from cds_service.fhir.chart import Chart
from cds_service.hooks.answer import Card
from cds_service.rulebook.types import Finding, Severity


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
    drafts = [_draft(card, orders, setting, situation, options) for card in gathered(findings, library, orders)]
    return tuple((_card(draft, options), draft.findings) for draft in _joined(drafts))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A card before it is written, with heading and words of each section.

    `others` are findings about further orders, of which it says the same; suggestions are for its own alone.
    """

    own: Gathered
    told: tuple[Part, ...]
    says: tuple[tuple[str, str], ...]
    setting: Setting
    situation: Situation
    others: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that the card tells of."""
        return (*self.own.findings, *self.others)


def _draft(card: Gathered, orders: Orders, setting: Setting, situation: Situation, options: CardOptions) -> _Draft:
    library = setting.library
    language = library.language_of((library.card(finding.rule.card) for finding in card.findings), options.language)
    words = in_language(library.words, language)
    setting, situation = replace(setting, language=language, words=words), replace(situation, language=language, words=words)
    told = parts(card, library, orders, words)
    return _Draft(card, told, sections(told, setting), setting, situation)


def _joined(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Put information that says no more than an earlier card of the signing into that one: a titration in three orders is told once."""
    kept: list[_Draft] = []
    for draft in drafts:
        is_info = draft.own.severity is Severity.INFO
        same = (place for place, one in enumerate(kept) if one.own.severity is Severity.INFO and set(draft.says) <= set(one.says))
        place = next(same, None) if is_info else None
        if place is None:
            kept.append(draft)
        else:
            kept[place] = replace(kept[place], others=(*kept[place].others, *draft.findings))
    return kept


def _card(draft: _Draft, options: CardOptions) -> Card:
    told, setting, profile = draft.told, draft.setting, draft.situation.profile
    uuid = options.new_uuid()
    suggested = suggestions(draft.own, draft.situation, options.new_uuid)
    reasons = [code for part in told for code in part.card.override_reasons]
    return Card(
        uuid=uuid,
        summary=summary(told, setting),
        indicator=draft.own.severity.word,
        source=told[0].card.source,
        detail=detail(draft.findings, told, draft.says, setting),
        suggestions=suggested,
        selectionBehavior=profile.selection if suggested else "",
        overrideReasons=setting.library.override_reasons(reasons, setting.language),
        links=links(told, setting),
        extension=extension(draft.findings, options.decision_id, setting.library) if profile.takes_extension else None,
    )
