"""Floor 7: text cut into words, numbers and signs, and phrases found among them as whole words, in one pass."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

LONGEST_TEXT: Final = 10_000
"""Characters of a text that are read. Reading is linear, so this only keeps one text from taking a whole call's time."""
_TOKEN: Final = re.compile(r"([0-9]+(?:[.,·][0-9]+)?)|([^\W\d_]+)|([^\s\w]|_)")
_LONG_NUMBER: Final = 5
_LONG: Final = "#####"
"""Stands in the tables for any whole number of five digits or more."""
_INVISIBLE: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))
"""Control characters but tab and line ends."""

Value = TypeVar("Value")


class Token(NamedTuple):
    """A number, a word (case folded, accents removed) or a sign, with its place in the folded text."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Words:
    """A text as tokens; `spoken` are the indexes of those that names are made of (words, numbers, "#")."""

    tokens: tuple[Token, ...]
    spoken: tuple[int, ...]
    is_cut: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands at each spoken index."""
        return tuple(_spoken_text(self.tokens[index]) for index in self.spoken)


class Found(NamedTuple, Generic[Value]):
    """A phrase found: the first and last place among the spoken words, and what the table says of it."""

    first: int
    last: int
    value: Value


def cut(text: str) -> Words:
    """Cut a text into tokens, in time that grows with its length alone."""
    folded = fold(text[:LONGEST_TEXT])
    tokens = tuple(_token(match) for match in _TOKEN.finditer(folded))
    spoken = tuple(index for index, token in enumerate(tokens) if token.kind != "sign" or token.text == "#")
    return Words(tokens, spoken, is_cut=len(text) > LONGEST_TEXT)


def fold(text: str) -> str:
    """Make texts comparable: one case, no accents, no invisible characters that could split a name unseen.

    A symbol stands apart: a trade mark sign would else become letters at the end of the name that it follows.
    """
    visible = text.translate(_INVISIBLE)
    if visible.isascii():
        return visible.lower()
    apart = "".join(f" {character} " if unicodedata.category(character) == "So" else character for character in visible)
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", apart).casefold())
    return "".join(character for character in folded if unicodedata.category(character) not in {"Mn", "Cf", "Me"})


def _token(match: re.Match[str]) -> Token:
    kind = ("number", "word", "sign")[(match.lastindex or 1) - 1]
    return Token(kind, match.group(), match.start())


def _spoken_text(token: Token) -> str:
    is_long = token.kind == "number" and len(token.text) >= _LONG_NUMBER and token.text.isdigit()
    return _LONG if is_long else token.text


def phrase(text: str) -> tuple[str, ...]:
    """Return a name of a table as the words that are looked for; `#####` is kept."""
    parts = text.split(_LONG)
    words = [cut(part).texts for part in parts]
    return tuple(word for index, part in enumerate(words) for word in ((_LONG, *part) if index else part))


@dataclass(frozen=True, slots=True)
class Phrases(Generic[Value]):
    """Names of a table, by their first word, longest first."""

    by_first: Mapping[str, tuple[tuple[tuple[str, ...], Value], ...]]

    def find(self, words: Sequence[str]) -> list[Found[Value]]:
        """Find every phrase, from left to right, the longest at each place, none inside another."""
        found: list[Found[Value]] = []
        place = 0
        while place < len(words):
            hit = self._at(words, place)
            if hit:
                found.append(hit)
            place = hit.last + 1 if hit else place + 1
        return found

    def _at(self, words: Sequence[str], place: int) -> Found[Value] | None:
        for candidate, value in self.by_first.get(words[place], ()):
            end = place + len(candidate)
            if tuple(words[place:end]) == candidate:
                return Found(place, end - 1, value)
        return None

    def holds(self, words: Sequence[str]) -> bool:
        """Tell whether any phrase stands in the words."""
        return any(self._at(words, place) for place in range(len(words)))

    def ends_at(self, words: Sequence[str], end: int, longest: int) -> bool:
        """Tell whether a phrase of at most `longest` words ends right before a place."""
        return any(_whole(self, words[start:end]) for start in range(max(0, end - longest), end))

    def starts_at(self, words: Sequence[str], start: int) -> bool:
        """Tell whether a phrase starts at a place."""
        return start < len(words) and self._at(words, start) is not None


def _whole(phrases: Phrases[Value], words: Sequence[str]) -> bool:
    return any(candidate == tuple(words) for candidate, _ in phrases.by_first.get(words[0], ()))


def phrases_of(entries: Iterable[tuple[str, Value]]) -> Phrases[Value]:
    """Make phrases of names; a name without a word or number in it is left out, the first of two equal ones is kept."""
    by_first: defaultdict[str, dict[tuple[str, ...], Value]] = defaultdict(dict)
    for text, value in entries:
        words = phrase(text)
        if words:
            by_first[words[0]].setdefault(words, value)
    return Phrases({first: tuple(sorted(them.items(), key=lambda item: -len(item[0]))) for first, them in by_first.items()})
