"""Floor 7: what a product's name says: which drugs, joined or merely mentioned, of which class, and how strong."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from cds_service.quantities import Quantity
from cds_service.terminology.drugs import ClassWord, Drug, Level, NameTables
from cds_service.terminology.strengths import Stated, stated_strengths
from cds_service.terminology.words import Found, Words, cut, fold

_WORDS: Final = re.compile(r"[^\W\d_]+|[0-9]+")
_LONGEST_PARTNER: Final = 3
"""Words that the name of a further ingredient may have, before its strength ("alpha lipoic acid")."""


@dataclass(frozen=True, slots=True)
class NameReading:
    """What one name says.

    `drugs` are those that rules concern, the first named first; more than one only where they are not joined in one
    product. `mentioned` names the look-alikes. `strengths` are those of the first drug (of the text, where it names
    none). A text is informative where it holds more than forms, strengths and words such as "see note".
    """

    drugs: tuple[Drug, ...]
    mentioned: frozenset[str]
    strengths: frozenset[Quantity]
    is_clear: bool
    is_informative: bool
    is_cut: bool
    form: str
    route: str


def is_of_no_listed_drug(tables: NameTables, text: str) -> bool:
    """Tell at a glance whether a text names something and surely no drug of the tables: nine drugs in ten on any list."""
    words = _WORDS.findall(fold(text))
    return tables.names.by_first.keys().isdisjoint(words) and not tables.unnaming.issuperset(word for word in words if word.isalpha())


def read_name(tables: NameTables, text: str, form: str) -> NameReading:
    """Read one name; `form` is the dose form as the Medication words it, and helps to tell a depot."""
    words = cut(text)
    texts = words.texts
    found = [hit for hit in tables.names.find(texts) if not _is_guarded(tables, texts, hit)]
    stated = stated_strengths(words)
    concerning = _concerning(tables, words, found)
    own = _owned(tables, words, found, stated, concerning[0]) if concerning else stated
    strengths = frozenset(one.strength for one in own)
    around = (*texts, *cut(form).texts)
    drugs = tuple(_with_class_words(tables, drug, around, strengths) for drug in concerning)
    return NameReading(
        drugs,
        frozenset(hit.value.ingredient for hit in found if not hit.value.classes),
        _listed_alone(tables, drugs, strengths),
        all(one.is_clear for one in own),
        bool(found) or _is_informative(tables, words),
        words.is_cut,
        _first(tables, around),
        _route(tables, around),
    )


def _is_guarded(tables: NameTables, texts: Sequence[str], hit: Found[Drug]) -> bool:
    """Tell whether a name is only mentioned to say that it is not there ("without …", "… free")."""
    before = tables.guards_before.ends_at(texts, hit.first, tables.longest_guard)
    return before or tables.guards_after.starts_at(texts, hit.last + 1)


def _concerning(tables: NameTables, words: Words, found: Sequence[Found[Drug]]) -> tuple[Drug, ...]:
    """Keep one drug for each ingredient, join combinations, leave out what a named product holds anyway."""
    exact: dict[str, Drug] = {}
    for hit in found:
        drug = hit.value
        exact[drug.ingredient] = max(exact.get(drug.ingredient, drug), drug, key=lambda one: one.rank)
    held = {other for drug in exact.values() for other in drug.others}
    left = [drug for drug in exact.values() if drug.ingredient not in held]
    joined = _joined(tables, words, found, left)
    return tuple(drug for drug in joined if drug.classes)


def _joined(tables: NameTables, words: Words, found: Sequence[Found[Drug]], drugs: list[Drug]) -> list[Drug]:
    """Make one product of two ingredients that the tables know as a combination and that the text joins."""
    for pair in _pairs(words, tables, found):
        combination = tables.combinations.get(pair)
        here = {drug.ingredient for drug in drugs}
        if combination and pair <= here:
            product = combined(combination.main, combination.other, combination.classes)
            return [product if drug.ingredient == combination.main else drug for drug in drugs if drug.ingredient != combination.other]
    return drugs


def combined(main: str, other: str, classes: frozenset[str]) -> Drug:
    """Make the product of two ingredients, named by its main one first."""
    return Drug(f"{main} / {other}", classes, main, Level.PRODUCT, key=f"{main} / {other}", others=frozenset({other}))


def _pairs(words: Words, tables: NameTables, found: Sequence[Found[Drug]]) -> list[frozenset[str]]:
    """Return the pairs of neighbouring names with nothing between them but strengths, salts, forms and joining words."""
    return [
        frozenset({one.value.ingredient, other.value.ingredient})
        for one, other in pairwise(found)
        if all(_is_filler(tables, words, place) for place in range(words.spoken[one.last] + 1, words.spoken[other.first]))
    ]


def _is_filler(tables: NameTables, words: Words, place: int) -> bool:
    token = words.tokens[place]
    return token.kind == "number" or token.text in tables.fillers or token.text in tables.connectors


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the main name, other known names and joining words end in a text: sorted, so that each look-up is a bisection."""

    main: tuple[int, ...]
    ends: frozenset[int]
    foreign: frozenset[int]
    joins: tuple[int, ...]


def _owned(tables: NameTables, words: Words, found: Sequence[Found[Drug]], stated: Sequence[Stated], main: Drug) -> tuple[Stated, ...]:
    """Keep the strengths of the main ingredient: in a combination those right after its name, else all but those of partners."""
    ends = tuple(words.spoken[hit.last] for hit in found if hit.value.ingredient == main.ingredient)
    places = _Places(
        ends,
        frozenset(ends),
        frozenset(words.spoken[hit.last] for hit in found if hit.value.ingredient != main.ingredient),
        tuple(place for place, token in enumerate(words.tokens) if token.text in tables.joins),
    )
    named = [(one, _named_before(tables, words, one.first)) for one in stated]
    if main.others:
        right_after = tuple(one for one, before in named if before in places.ends)
        return right_after or tuple(stated)
    return tuple(one for one, before in named if one.is_listed or not _is_of_another(tables, words, places, one.first, before))


def _named_before(tables: NameTables, words: Words, place: int) -> int:
    """Return the token before a strength, salts, forms and brackets skipped; -1 where there is none."""
    before = place - 1
    while before >= 0 and words.tokens[before].kind != "number" and _is_skipped(tables, words.tokens[before].text):
        before -= 1
    return before


def _is_skipped(tables: NameTables, text: str) -> bool:
    return text in tables.fillers and text not in tables.joins


def _is_of_another(tables: NameTables, words: Words, places: _Places, place: int, before: int) -> bool:
    """Tell whether a strength belongs to another ingredient, by the word before it."""
    if before < 0 or before in places.ends:
        return False
    return before in places.foreign or (_is_partner(tables, words, places, before) and _is_parted(places, place))


def _is_partner(tables: NameTables, words: Words, places: _Places, last: int) -> bool:
    """Tell whether the words that end here stand for an ingredient: a joining word or the start of the text before them."""
    place = last
    while place >= 0 and last - place < _LONGEST_PARTNER and words.tokens[place].kind == "word" and not _is_filler(tables, words, place):
        if place in places.ends:
            return False
        place -= 1
    return place < last and (place < 0 or words.tokens[place].text in tables.joins)


def _is_parted(places: _Places, place: int) -> bool:
    """Tell whether a strength stands after the main name, or is parted from it by a joining word."""
    following = bisect_right(places.main, place)
    if following > 0:
        return True
    join = bisect_right(places.joins, place)
    return join < len(places.joins) and places.joins[join] < places.main[0]


def _with_class_words(tables: NameTables, drug: Drug, around: Sequence[str], strengths: frozenset[Quantity]) -> Drug:
    """Add the classes that words of the text make of an ingredient ("extended-release injectable", "powder")."""
    class_words = tables.class_words.get(drug.ingredient)
    if class_words is None or drug.level > Level.INGREDIENT:
        return drug
    told = {hit.value for hit in class_words.find(around)}
    applying = [word for word in told if _applies(tables, drug.ingredient, word, around, strengths)]
    adds = frozenset(name for word in applying for name in word.adds)
    return replace(drug, classes=drug.classes | adds, level=Level.PRODUCT) if adds else drug


def _applies(tables: NameTables, ingredient: str, word: ClassWord, around: Sequence[str], strengths: frozenset[Quantity]) -> bool:
    if word.unless and tables.groups[word.unless].holds(around):
        return False
    listed = frozenset().union(*(tables.strengths_of.get((ingredient, name), frozenset()) for name in word.adds))
    return not word.needs_strength or not strengths or bool(strengths & listed)


def _listed_alone(tables: NameTables, drugs: Sequence[Drug], strengths: frozenset[Quantity]) -> frozenset[Quantity]:
    """Of several strengths in the name of a combination keep the one that products of its kind have ("8-90 MG")."""
    if len(strengths) < len(("one", "another")) or len(drugs) != 1 or not drugs[0].others:
        return strengths
    groups = [tables.strengths_of.get((drugs[0].ingredient, name), frozenset()) for name in drugs[0].classes]
    listed = frozenset.intersection(*groups) & strengths
    return listed if len(listed) == 1 else strengths


def _is_informative(tables: NameTables, words: Words) -> bool:
    """Tell whether a text names anything at all."""
    return any(token.kind == "word" and token.text not in tables.unnaming for token in words.tokens)


def _first(tables: NameTables, around: Sequence[str]) -> str:
    found = tables.forms.find(around)
    return found[0].value if found else ""


def _route(tables: NameTables, around: Sequence[str]) -> str:
    return next((route for route, phrases in tables.routes if phrases.holds(around)), "")
