"""Compares card files with the rules that use them: what a rule can say has a text, and a text quotes only what its rule knows."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple

from cds_service.cards.library import CardFile, CardLibrary, in_language
from cds_service.errors import Location, Problem, nearest
from cds_service.rulebook.types import Group, Quantified, Rule


def rule_problems(library: CardLibrary, rules: Iterable[Rule]) -> list[Problem]:
    """List CARD-013 (a rule's card or text is missing) and CARD-014 (no such threshold): reasons not to start."""
    return [problem for rule in rules for problem in _rule_problems(library, rule)]


def unused_cards(library: CardLibrary, rules: Iterable[Rule]) -> list[Problem]:
    """List CARD-015, cards that no rule names: a text nobody can see hides that a rule lost it; for `check`, not for the start."""
    used = {rule.card for rule in rules}
    unused = sorted(library.cards.keys() - used)
    return [Problem(Location(f"{card_id}.yaml", 1, 1), "CARD-015", f"no rule uses card '{card_id}'") for card_id in unused]


def says_of(rule: Rule) -> frozenset[str]:
    """Collect the text keys that a rule can say: its own and those of its alternatives; an empty one where it has none."""
    return frozenset((*_says(rule.when), *([rule.says] if rule.says else []))) or frozenset(("",))


def _says(group: Group) -> Iterator[str]:
    for alternative in (alternative for alternatives in group.sets for alternative in alternatives):
        yield from [alternative.says] if alternative.says else []
        yield from _says(alternative.group)
    for line in group.lines:
        if isinstance(line, Quantified):
            yield from _says(line.group)


def _rule_problems(library: CardLibrary, rule: Rule) -> Iterator[Problem]:
    card = library.cards.get(rule.card)
    if card is None:
        yield Problem(
            rule.where, "CARD-013", f"rule '{rule.id}' names card '{rule.card}', which no file describes{nearest(rule.card, library.cards)}"
        )
        return
    texts = in_language(card.texts, "en")
    for says in sorted(says_of(rule)):
        section = texts.section(rule.id, says)
        if section is None:
            yield Problem(rule.where, "CARD-013", f"rule '{rule.id}' says '{says}', for which card '{card.id}' has no text")
        else:
            yield from _limit_problems(rule, card, section.limits)
    yield from _citation_problems(rule, card)
    if rule.id in texts.closings:
        yield from _limit_problems(rule, card, texts.closings[rule.id].limits)


def _citation_problems(rule: Rule, card: CardFile) -> Iterator[Problem]:
    """What the rule's sections and closing words cite is a reference of the rule or of the card."""
    known = {reference.id for reference in (*rule.references, *card.references)}
    texts = in_language(card.texts, "en")
    own = {texts.section_key(rule.id, says) or "" for says in says_of(rule)} | {rule.id}
    for key in sorted(own & card.cites.keys()):
        for name in sorted(card.cites[key].keys - known):
            message = f"card '{card.id}' cites '{name}' for '{key}', no reference of the card or of rule '{rule.id}'{nearest(name, known)}"
            yield Problem(rule.where, "CARD-016", message)


def _limit_problems(rule: Rule, card: CardFile, limits: frozenset[str]) -> Iterator[Problem]:
    offered = {offer.limit for offer in card.offers if offer.limit and offer.rule in {"", rule.id}}
    scheduled = frozenset(astuple(card.schedule)) if card.schedule else frozenset[str]()
    for name in sorted((limits | offered | scheduled) - rule.thresholds.keys()):
        yield Problem(
            rule.where, "CARD-014", f"card '{card.id}' quotes '{name}', no threshold of rule '{rule.id}'{nearest(name, rule.thresholds)}"
        )
