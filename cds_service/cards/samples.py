"""Renders every text with sample values when the cards are loaded, so that a wrong placeholder stops the start and not a signing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from jinja2 import Template, TemplateError

from cds_service.cards.library import CardFile, CardLibrary, CardTexts, Closing, Offer, Section, Words
from cds_service.cards.offered import Amount, Gap, Named
from cds_service.cards.schedule import Row
from cds_service.cards.shape import at
from cds_service.cards.text import SUMMARY_LIMIT, markdown_text, rendered_block, rendered_line, word_count
from cds_service.errors import Location, Problem
from cds_service.facts.registry import FACTS
from cds_service.located import Located, Sequence

WORDS_LIMIT: Final = 120
Values = Mapping[str, object]
_GAPS: Final = (("medications", "missing"), ("history", "partial"), ("conditions", "failed"))


class _AnyLimit(dict[str, Amount]):
    """Stands for the thresholds of whatever rule uses the text: those are compared with the rule itself (`rule_problems`)."""

    def __missing__(self, name: str) -> Amount:
        """Give a sample amount for any threshold."""
        return Amount("1.5", "1.5 mg a day", is_known=True)


def sample_values(*, known: bool) -> dict[str, object]:
    """Offer a value for everything that a finding offers: all known, or all unknown."""
    amount = Amount("4.5", "4.5 mg a day", is_known=True) if known else Amount("unknown", "unknown", is_known=False)
    empty: dict[str, object] = {"quantity": amount, "truth": known or "unknown", "words": ("sample",) if known else (), "text": "sample"}
    order = {name.removeprefix("order."): empty[kind.type] for name, kind in FACTS.items() if name.startswith("order.")}
    drug = Named("sample", "sample name", frozenset(("sample",)), amount, amount, amount, is_certain=known)
    return {
        "rule": {"id": "sample-rule", "title": "Sample title"},
        "order": order,
        "limits": _AnyLimit(),
        "drugs": (drug, replace(drug, drug="other", name="other name")) if known else (),
        "drug_names": "sample name and other name",
        "drug_classes": ("sample",),
        "order_names": "sample order",
        "schedule": (Row("2026-01-01", amount), Row("2026-01-15", amount), Row("2026-01-29", amount)) if known else (),
        "gaps": () if known else tuple(Gap(kind, state) for kind, state in _GAPS),
        "reason": "" if known else "sample-reason",
        "is_certain": known,
        "has_conflict": not known,
    }


def sample_problems(library: CardLibrary, trees: Mapping[str, Located]) -> Iterator[Problem]:
    """List what is wrong with the texts of a library: CARD-005 placeholders, CARD-006 summaries, CARD-010 length, CARD-011 markup."""
    for card in library.cards.values():
        tree = trees[f"{card.id}.yaml"]
        for language, texts in card.texts.items():
            yield from _text_problems(at(tree, "texts", language), texts)
        yield from _offer_problems(card, tree)
    shared = trees["library.yaml"]
    for language, texts in library.otherwise.texts.items():
        yield from _section_problems(at(shared, "otherwise", language), texts.sections["default"], {})
    for language, words in library.words.items():
        yield from _word_problems(at(shared, "words", language), words)


def _text_problems(tree: Located, texts: CardTexts) -> Iterator[Problem]:
    yield from _table_problems(at(tree, "tables"), texts.tables)
    for key, section in texts.sections.items():
        yield from _section_problems(at(tree, "sections", key), section, texts.tables)
    for key, closing in texts.closings.items():
        yield from _body_problems(at(tree, "closings", key), closing, texts.tables)


def _section_problems(tree: Located, section: Section, tables: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _body_problems(tree, section, tables)
    for text in _tried(section.summary, tables, at(tree, "summary").where):
        if isinstance(text, Problem):
            yield text
        elif len(text) > SUMMARY_LIMIT:
            yield Problem(
                at(tree, "summary").where, "CARD-012", f"a summary is at most {SUMMARY_LIMIT} characters; this one has {len(text)}"
            )
        elif ". " in text or not text.endswith((".", "?")):
            yield Problem(at(tree, "summary").where, "CARD-012", "a summary is one sentence and ends with a full stop or question mark")


def _body_problems(tree: Located, section: Section | Closing, tables: Mapping[str, Any]) -> Iterator[Problem]:
    yield from (text for text in _tried(section.title, tables, at(tree, "title").where) if isinstance(text, Problem))
    where = at(tree, "body").where
    for text in _tried(section.body, tables, where):
        if isinstance(text, Problem):
            yield text
        elif word_count(text) > WORDS_LIMIT:
            yield Problem(where, "CARD-010", f"a section is at most {WORDS_LIMIT} words; this one has {word_count(text)}")
        elif any(mark in text for mark in ("<", ">", "://", "www.")):
            yield Problem(where, "CARD-011", "no '<', '>' or address in a text: clients read them as markup or links")


def _table_problems(tree: Located, tables: Mapping[str, Mapping[str, str]]) -> Iterator[Problem]:
    for name, phrases in tables.items():
        for key, phrase in phrases.items():
            if markdown_text(phrase) != phrase:
                yield Problem(at(tree, name, key).where, "CARD-011", "a phrase of a table is plain words: marks would be escaped")


def _offer_problems(card: CardFile, tree: Located) -> Iterator[Problem]:
    place = at(tree, "suggestions")
    for item, offer in zip(place.items if isinstance(place, Sequence) else (), card.offers, strict=True):
        for language in offer.texts:
            yield from _problems_of_words(at(item, "texts", language), offer, language)


def _problems_of_words(tree: Located, offer: Offer, language: str) -> Iterator[Problem]:
    dosed = {"dose": "1.5 mg", "ingredient": "sample"}
    kinds = {"start-low": dosed, "start-titration": {**dosed, "days": "14 days"}, "record-indication": {"condition": "sample"}}
    own = kinds.get(offer.kind, {})
    values = {"order": sample_values(known=True)["order"], **own}
    texts = offer.texts[language]
    for name in ("label", "description", "product", "sig", "note", "label_product_alone", "description_product_alone"):
        template: Template | None = getattr(texts, name)
        if template:
            yield from _problem_of(template, values, at(tree, name).where)


def _word_problems(tree: Located, words: Words) -> Iterator[Problem]:
    values: dict[str, Values] = {
        "more": {"count": 2},
        "stale": {"day": "2026-01-01"},
        "also": {"first": "sample", "titles": "sample"},
        "rule": {"rule": "sample", "version": 1, "site": ""},
        "basis": {"rules": "sample", "pack": "1", "decision": "", "inputs": "sample"},
        "input": {"name": "sample", "dose": "", "indication": ""},
    }
    for name, offered in values.items():
        yield from _problem_of(getattr(words, name), offered, at(tree, name).where)


def _problem_of(template: Template, values: Values, where: Location) -> Iterator[Problem]:
    try:
        rendered_line(template, values)
    except TemplateError as error:
        yield Problem(where, "CARD-005", f"template: {error.message}")


def _tried(template: Template, tables: Mapping[str, Any], where: Location) -> Iterator[str | Problem]:
    for known in (True, False):
        try:
            yield rendered_block(template, {**sample_values(known=known), "tables": tables})
        except TemplateError as error:
            yield Problem(where, "CARD-005", f"template: {error.message}")
            return
