"""Floor 7: what one code or one name stands for, and the facts about an ingredient that the tables keep once."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Final

from cds_service.quantities import Quantity
from cds_service.terminology.words import Phrases
from cds_service.unknown import Unknown

_KEY_MARK: Final = "|"
NO_INTERVAL: Final = Unknown("no-interval")


class Level(IntEnum):
    """How exactly a code or a name tells the product."""

    FAMILY = 0
    INGREDIENT = 1
    PRODUCT = 2
    STRENGTH = 3


@dataclass(frozen=True, slots=True)
class Drug:
    """What a code or a name stands for; `classes` is empty for a drug that no rule concerns (a look-alike).

    `others` are further ingredients of the product that the tables know. `key` ("system|code", or the name) orders
    equals, so that the order of codings never matters.
    """

    name: str
    classes: frozenset[str]
    ingredient: str
    level: Level
    key: str = ""
    others: frozenset[str] = frozenset()
    strength: Quantity | None = None
    form: str = ""
    route: str = ""
    brand: str = ""

    @property
    def ingredients(self) -> frozenset[str]:
        """All ingredients that the tables know."""
        return self.others | {self.ingredient}

    @property
    def is_coded_product(self) -> bool:
        """Tell whether the name is that of a product table, which says all that is to be said."""
        return _KEY_MARK in self.key

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sort by how exact, then how much is said, then by code or name."""
        return (self.level, len(self.classes), self.key)


@dataclass(frozen=True, slots=True)
class IngredientFacts:
    """What holds for every product of an ingredient, save those of a class without interval."""

    code: str
    opioid_free_days: Decimal | Unknown


@dataclass(frozen=True, slots=True)
class Combination:
    """What two ingredients in one product are; `main` is the one that names the product."""

    classes: frozenset[str]
    main: str
    other: str


@dataclass(frozen=True, slots=True)
class ClassWord:
    """A word that makes a product of an ingredient one of a class, unless a phrase of the group `unless` stands beside it.

    `needs_strength`: only where no strength is stated, or one that products of the class have.
    """

    adds: frozenset[str]
    unless: str
    needs_strength: bool


@dataclass(frozen=True, slots=True)
class NameTables:
    """All that is needed to read a name."""

    names: Phrases[Drug]
    guards_before: Phrases[str]
    guards_after: Phrases[str]
    longest_guard: int
    connectors: frozenset[str]
    joins: frozenset[str]
    """The connectors that part the ingredients of one product: "/", "and", no comma."""
    fillers: frozenset[str]
    unnaming: frozenset[str]
    """Words that tell no drug: fillers, forms, "see note"."""
    forms: Phrases[str]
    routes: tuple[tuple[str, Phrases[str]], ...]
    """In order of precedence: the first that is named counts."""
    groups: Mapping[str, Phrases[str]]
    class_words: Mapping[str, Phrases[ClassWord]]
    combinations: Mapping[frozenset[str], Combination]
    strengths_of: Mapping[tuple[str, str], frozenset[Quantity]]
    """(ingredient, class) → strengths of the products that the tables hold."""
