"""The card files as loaded: texts as compiled templates, suggestions, override reasons and shared words."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeVar

from jinja2 import Template

from cds_service.hooks.answer import Coding, Source
from cds_service.rulebook.types import Finding, Reference

T = TypeVar("T")
ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class Section:
    """What a finding says: heading, summary (plain text) and body (Markdown); `limits` are the thresholds that it quotes."""

    title: Template
    summary: Template
    body: Template
    limits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Closing:
    """What is told once for a rule after its sections."""

    title: Template
    body: Template
    limits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CardTexts:
    """The texts of a card in one language."""

    sections: Mapping[str, Section]
    closings: Mapping[str, Closing]
    tables: Mapping[str, Mapping[str, str]]

    def section(self, rule: str, says: str) -> Section | None:
        """Find the text for what a rule says."""
        key = self.section_key(rule, says)
        return None if key is None else self.sections[key]

    def section_key(self, rule: str, says: str) -> str | None:
        """Name the text for what a rule says: the rule's own first, then that of the key alone, then the default.

        A rule that says nothing in particular gets the card's first text.
        """
        keys = (f"{rule}/{says}", says, f"{rule}/default", "default", *([] if says else self.sections))
        return next((key for key in keys if key in self.sections), None)


@dataclass(frozen=True, slots=True)
class OfferTexts:
    """The words of a suggestion in one language."""

    label: Template
    description: Template
    product: Template | None = None
    sig: Template | None = None
    note: Template | None = None
    label_product_alone: Template | None = None
    description_product_alone: Template | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A suggestion and the conditions under which it stands (docs/cards.md)."""

    kind: str
    says: frozenset[str]
    texts: Mapping[str, OfferTexts]
    rule: str = ""
    recommended: frozenset[str] = frozenset()
    drugs: frozenset[str] = frozenset()
    never_drugs: frozenset[str] = frozenset()
    not_beside: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    limit: str = ""
    smallest_volume: Decimal = Decimal(0)
    product_system: str = ""
    product_route: Coding | None = None

    def covers(self, finding: Finding) -> bool:
        """Tell whether the finding's rule may bring this suggestion; which words it must say is looked at beside its exposures."""
        return not self.rule or finding.rule.id == self.rule


@dataclass(frozen=True, slots=True)
class Schedule:
    """The usual steps of a drug, each number the name of a threshold: first dose, rise, last dose, and days between."""

    start: str
    step: str
    target: str
    every: str


@dataclass(frozen=True, slots=True)
class Citation:
    """The keys of references as a template, with commas between them, and all the keys that it can give."""

    template: Template
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class CardFile:
    """One card file."""

    id: str
    source: Source
    gathered: str
    texts: Mapping[str, CardTexts]
    references: tuple[Reference, ...] = ()
    cites: Mapping[str, "Citation"] = field(default_factory=lambda: MappingProxyType({}))
    """By section key, or by rule id for its closing words, what they rest on; a section without any rests on all references."""
    offers: tuple[Offer, ...] = ()
    override_reasons: tuple[str, ...] = ()
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """The words that all cards share, in one language."""

    unknown: str
    unnamed: str
    no_indication: str
    to: str
    conjunction: str
    more: Template
    references: str
    section: str
    stale: Template
    also: Template
    rule: Template
    basis: Template
    input: Template
    indications: Mapping[str, str]
    sources: Mapping[str, str]
    units: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class CardLibrary:
    """All card files with what they share; the one thing beside findings that cards are made of."""

    cards: Mapping[str, CardFile]
    words: Mapping[str, Words]
    otherwise: CardFile
    """Stands in for a card that no file describes, so that no finding is ever lost."""
    reasons: Mapping[str, Mapping[str, str]]
    extension: str
    undosed: frozenset[str]
    canonical: str

    def card(self, card_id: str) -> CardFile:
        """Return the card of that id, or the one that stands in for it."""
        return self.cards.get(card_id, self.otherwise)

    def language_of(self, cards: Iterable[CardFile], language: str) -> str:
        """Choose the language of one whole card: the one wanted where every text of it has it, else English; never half and half."""
        used = tuple(cards)
        reasons = (self.reasons[code] for card in used for code in card.override_reasons)
        offers = (offer.texts for card in used for offer in card.offers)
        texts: tuple[Container[str], ...] = (self.words, self.otherwise.texts, *(card.texts for card in used), *reasons, *offers)
        name = spoken(self.words, language)
        return name if name and all(name in one for one in texts) else ENGLISH

    def override_reasons(self, codes: Iterable[str], language: str) -> tuple[Coding, ...]:
        """Return the override reasons as Codings with system, code and display (CDS Hooks, overrideReasons)."""
        system = f"{self.canonical}/CodeSystem/override-reasons"
        return tuple(Coding(system, code, in_language(self.reasons[code], language)) for code in dict.fromkeys(codes))


def in_language(texts: Mapping[str, T], language: str) -> T:
    """Choose the texts of a language ("es-MX", then "es"); English, which every file has, where there are none."""
    return texts[spoken(texts, language) or ENGLISH]


def spoken(texts: Container[str], language: str) -> str:
    """Name the language, as a file does, in which some texts stand for who wants a language; empty where there are none."""
    wanted = language.replace("_", "-")
    return next((name for name in (wanted, wanted.partition("-")[0].lower()) if name in texts), "")
