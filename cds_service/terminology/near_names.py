"""Floor 7: words that nearly spell a drug of the tables: a letter too many, too few or another, or two neighbours swapped.

For those who keep the tables, never for advice: what is only nearly a name may be another drug.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cds_service.terminology.drugs import Drug
from cds_service.terminology.words import Phrases, cut

_SHORTEST: Final = 7
_LONGEST: Final = 20
"""Letters: shorter names differ from other drugs by a letter, longer ones are a name and its salt in one word."""


@dataclass(frozen=True, slots=True)
class NearNames:
    """Names that rules concern, by what is left of them without one of their letters; `known` are the words that need no guess."""

    ingredients: Mapping[str, str]
    shortened: Mapping[str, Collection[str]]
    known: Collection[str]

    def find(self, text: str) -> str:
        """Return the ingredient that a word of the text nearly names, empty where none does."""
        words = dict.fromkeys(token.text for token in cut(text).tokens if token.kind == "word")
        return next((ingredient for word in words if (ingredient := self._near(word))), "")

    def _near(self, word: str) -> str:
        if word in self.known or not _SHORTEST - 1 <= len(word) <= _LONGEST + 1:
            return ""
        too_few = self.shortened.get(word, ())
        shorter = tuple(_shortened(word))
        too_many = (name for name in shorter if name in self.ingredients)
        other = (name for one in shorter for name in self.shortened.get(one, ()) if _is_one_slip(word, name))
        return next((self.ingredients[name] for names in (too_few, too_many, other) for name in names), "")


def near_names(names: Phrases[Drug]) -> NearNames:
    """Take the names of one word from the tables."""
    ingredients = {
        words[0]: drug.ingredient
        for phrases in names.by_first.values()
        for words, drug in phrases
        if len(words) == 1 and drug.classes and words[0].isalpha() and _SHORTEST <= len(words[0]) <= _LONGEST
    }
    shortened: dict[str, list[str]] = defaultdict(list)
    for name in ingredients:
        for one in dict.fromkeys(_shortened(name)):
            shortened[one].append(name)
    return NearNames(ingredients, dict(shortened), frozenset(names.by_first))


def _shortened(word: str) -> Iterator[str]:
    return (word[:place] + word[place + 1 :] for place in range(len(word)))


def _is_one_slip(word: str, name: str) -> bool:
    """Tell whether two words of one length differ in one letter, or in two neighbours that changed places."""
    places = [place for place in range(len(word)) if word[place] != name[place]] if len(word) == len(name) else []
    if len(places) == 1:
        return True
    first = places[0] if places else 0
    is_pair = places == [first, first + 1]
    return is_pair and word[first : first + 2] == name[first + 1] + name[first]
