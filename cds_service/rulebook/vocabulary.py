"""Floor 4: the words that rules may use, gathered from the drug tables, value sets and card files by whoever reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cds_service.facts.registry import EXPOSURES, FACTS, FactKind


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Drug classes (rules/drugs/classes.csv), ids of value sets (rules/valuesets) and ids of cards (cards/)."""

    drug_classes: frozenset[str] = frozenset()
    valuesets: frozenset[str] = frozenset()
    cards: frozenset[str] = frozenset()

    def words_of(self, kind: FactKind) -> frozenset[str]:
        """Return the words that a fact can hold."""
        sources = {"drug-classes": self.drug_classes, "valuesets": self.valuesets}
        return sources.get(kind.words_from, frozenset(kind.words))


@dataclass(frozen=True, slots=True)
class Subject:
    """What the lines of a group speak of: the order, or one item of `exposures`; which facts there are."""

    kinds: Mapping[str, FactKind]
    has_exposures: bool


ORDER: Final = Subject(FACTS, has_exposures=True)
EXPOSURE: Final = Subject(MappingProxyType(dict(EXPOSURES)), has_exposures=False)
