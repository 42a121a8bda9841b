"""The words of a card: its sections one after the other, references, and the line that says what it rests on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from jinja2 import TemplateError

from cds_service.cards.gather import Part
from cds_service.cards.library import CardLibrary, Closing, Section, Words, in_language
from cds_service.cards.offered import Limit, amount, fact_value, fact_words, name_of, section_values
from cds_service.cards.schedule import rows
from cds_service.cards.text import (
    DETAIL_LIMIT,
    SUMMARY_LIMIT,
    cut_at_line,
    cut_at_word,
    markdown_text,
    plain_text,
    rendered_block,
    rendered_line,
)
from cds_service.facts.registry import OrderFacts
from cds_service.hooks.answer import Link
from cds_service.rulebook.types import Finding, Reference

_IN_DETAIL: Final = Limit(12)
_IN_SUMMARY: Final = (Limit(3), Limit(2), Limit(1), Limit(1, 40))
"""Names are shortened before the consequence is."""
_PARAGRAPH: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the words of all cards of one answer share; `decision` is written where a card has no extension to carry it."""

    library: CardLibrary
    words: Words
    language: str
    today: date
    pack: str
    decision: str
    has_conflict: bool = False
    """Two drugs stand against each other in this call: nothing is dated or planned before that is settled."""


def summary(parts: Sequence[Part], setting: Setting) -> str:
    """Return one sentence under 140 characters: that of the first section, with the headings of the others where they are of other cards."""
    first = ""
    for limit in _IN_SUMMARY:
        first = _summary(parts[0], setting, limit)
        if len(first) <= SUMMARY_LIMIT:
            break
    titles = dict.fromkeys(_title(part, setting) for part in parts[1:] if part.card.id != parts[0].card.id)
    if titles:
        whole = rendered_line(setting.words.also, {"first": first.rstrip("."), "titles": ", ".join(titles)})
        first = whole if len(whole) <= SUMMARY_LIMIT else first
    return cut_at_word(first, SUMMARY_LIMIT - 1)


def sections(parts: Sequence[Part], setting: Setting) -> tuple[tuple[str, str], ...]:
    """Return heading and words of each section, the closing words last."""
    return (*((_title(part, setting), _body(part, setting)) for part in parts), *_closings(parts, setting))


def detail(findings: Sequence[Finding], parts: Sequence[Part], told: Sequence[tuple[str, str]], setting: Setting) -> str:
    """Return the Markdown: what `sections` gave, references, basis; at most 20,000 characters, of which the last two are never cut."""
    texts = [body if len(told) == 1 else f"**{title}**{_PARAGRAPH}{body}" for title, body in told]
    foot = cut_at_line(
        _PARAGRAPH.join(text for text in (_references(parts, setting), _basis(findings, setting)) if text), DETAIL_LIMIT // 2
    )
    return cut_at_line(_PARAGRAPH.join(texts), DETAIL_LIMIT - len(foot) - len(_PARAGRAPH)) + _PARAGRAPH + foot


def references(parts: Sequence[Part], setting: Setting) -> tuple[Reference, ...]:
    """List the references of the rules, then those of the card files, that the words told rest on, each source once."""
    wanted = [(part, _cites(part, setting)) for part in parts]
    of_rules = ((reference, keys) for part, keys in wanted for reference in part.finding.rule.references)
    of_cards = ((reference, keys) for part, keys in wanted for reference in part.card.references)
    cited: dict[str, Reference] = {}
    for reference, keys in (*of_rules, *of_cards):
        if not keys or reference.id in keys:
            cited.setdefault(reference.url or reference.title, reference)
    return tuple(cited.values())


def links(parts: Sequence[Part], setting: Setting) -> tuple[Link, ...]:
    """Turn references with an https address into links (CDS Hooks: absolute addresses alone)."""
    return tuple(Link(plain_text(one.title), one.url) for one in references(parts, setting) if one.url.startswith("https://"))


def _cites(part: Part, setting: Setting) -> frozenset[str]:
    """Return the keys of the references that a section and its rule's closing words rest on; none where the card does not say."""
    rule = part.finding.rule.id
    key = in_language(part.card.texts, setting.language).section_key(rule, part.says)
    own = part.card.cites.get(key or "")
    if own is None:
        return frozenset()
    values = _values(part, setting)
    both = [own, *([part.card.cites[rule]] if rule in part.card.cites else [])]
    return frozenset(key.strip() for one in both for key in rendered_line(one.template, values).split(","))


def is_stale(reference: Reference, today: date) -> bool:
    """Tell whether nobody has looked at the source for more than 12 months."""
    last = reference.checked
    return (today.year - 1, today.month, today.day) > (last.year, last.month, last.day)


def _section(part: Part, setting: Setting) -> Section:
    found = in_language(part.card.texts, setting.language).section(part.finding.rule.id, part.says)
    return found or _otherwise(setting)


def _otherwise(setting: Setting) -> Section:
    return in_language(setting.library.otherwise.texts, setting.language).sections["default"]


def _values(part: Part, setting: Setting, limit: Limit = _IN_DETAIL) -> dict[str, object]:
    tables = in_language(part.card.texts, setting.language).tables
    offered = section_values(part.finding, setting.words, part.orders, part.exposures, limit)
    schedule = () if setting.has_conflict else rows(part.finding, part.card.schedule, setting.words)
    return {**offered, "tables": tables, "schedule": schedule, "has_conflict": setting.has_conflict}


def _rendered(part: Part, setting: Setting, values: Mapping[str, object], render: Callable[[Section, Mapping[str, object]], str]) -> str:
    """Render what a section says; where a text meets a value that it cannot show, the general words take its place."""
    try:
        return render(_section(part, setting), values)
    except TemplateError:
        return render(_otherwise(setting), values)


def _summary(part: Part, setting: Setting, limit: Limit) -> str:
    return _rendered(part, setting, _values(part, setting, limit), lambda section, values: rendered_line(section.summary, values))


def _title(part: Part, setting: Setting) -> str:
    return _rendered(part, setting, _values(part, setting), lambda section, values: rendered_line(section.title, values))


def _body(part: Part, setting: Setting) -> str:
    return _rendered(part, setting, _values(part, setting), lambda section, values: rendered_block(section.body, values))


def _closings(parts: Sequence[Part], setting: Setting) -> Iterator[tuple[str, str]]:
    """Close each rule once, in the order in which the rules speak."""
    firsts: dict[str, Part] = {}
    for part in parts:
        firsts.setdefault(part.finding.rule.id, part)
    for rule, part in firsts.items():
        closing = in_language(part.card.texts, setting.language).closings.get(rule)
        if closing:
            yield from _closed(closing, part, setting)


def _closed(closing: Closing, part: Part, setting: Setting) -> Iterator[tuple[str, str]]:
    values = _values(part, setting)
    try:
        yield rendered_line(closing.title, values), rendered_block(closing.body, values)
    except TemplateError:
        return


def _references(parts: Sequence[Part], setting: Setting) -> str:
    cited = references(parts, setting)
    lines = [_cited(reference, setting) for reference in cited]
    return _PARAGRAPH.join((f"**{setting.words.references}**", "\n".join(lines))) if lines else ""


def _cited(reference: Reference, setting: Setting) -> str:
    """`- title, section, year`, marked where nobody looked at it for more than 12 months."""
    year = str(reference.published.year) if reference.published else ""
    told = "" if year and year in reference.title else year
    stale = rendered_line(setting.words.stale, {"day": reference.checked.isoformat()}) if is_stale(reference, setting.today) else ""
    section = f"{setting.words.section} {reference.section}" if reference.section else ""
    cited = ", ".join(part for part in (reference.title, section, told) if part)
    return f"- {markdown_text(cited)}{'.' if not stale else f' ({stale}).'}"


def _basis(findings: Sequence[Finding], setting: Setting) -> str:
    rules = {finding.rule.id: finding.rule for finding in findings}
    told = [
        rendered_line(setting.words.rule, {"rule": rule.id, "version": rule.version, "site": rule.site_override}) for rule in rules.values()
    ]
    orders = {finding.facts.order: finding for finding in findings}
    used = [_input(finding, setting) for finding in orders.values()]
    sources = [setting.words.sources[word] for word in sorted(_sources(findings)) if word in setting.words.sources]
    joined = {"rules": "; ".join(told), "inputs": "; ".join(dict.fromkeys([*used, *sources]))}
    return rendered_line(setting.words.basis, {**joined, "pack": setting.pack, "decision": setting.decision})


def _input(finding: Finding, setting: Setting) -> str:
    """One order with the dose and the place of the indication that were used; neither is told where doses are not this service's to read."""
    facts = finding.facts
    is_dosed = not fact_words(facts, "order.dose_class") & setting.library.undosed
    return rendered_line(
        setting.words.input,
        {
            "name": name_of(facts.facts.get("order.name"), setting.words),
            "dose": str(amount(_dose(facts), setting.words)) if is_dosed else "",
            "indication": _indication(facts, setting) if is_dosed else "",
        },
    )


def _dose(facts: OrderFacts) -> object:
    return fact_value(facts, "order.daily_dose")


def _indication(facts: OrderFacts, setting: Setting) -> str:
    source = next(iter(sorted(fact_words(facts, "order.indication_source"))), "unknown")
    return setting.words.indications.get(source, setting.words.indications.get("unknown", ""))


def _sources(findings: Sequence[Finding]) -> frozenset[str]:
    """Words for what told of the exposures that were matched."""
    items = (match.item["source"].value for finding in findings for match in finding.matched if "source" in match.item)
    return frozenset(word for value in items if isinstance(value, frozenset) for word in value)
