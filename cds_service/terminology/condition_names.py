"""Floor 7: conditions named in a text, less those that it denies, screens for, or tells of somebody else."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cds_service.terminology.words import Found, Phrases, Words, cut

_WINDOW: Final = 12
"""Words after a name in which a guard is looked for."""
_NEAREST_GUARDS: Final = 3
"""Guards before a name that are looked at: one of them may reach where a nearer one does not."""


@dataclass(frozen=True, slots=True)
class ConditionName:
    """A name of the table: how cards write it, and the sets that it stands for."""

    shown: str
    valuesets: tuple[str, ...]
    is_whole_text: bool


@dataclass(frozen=True, slots=True)
class Guard:
    """A phrase that takes a name back, at most `reach` words away; `valuesets` limits it to some sets, empty means all."""

    reach: int
    crosses_commas: bool
    valuesets: frozenset[str]


@dataclass(frozen=True, slots=True)
class ConditionNames:
    """All names, what takes them back, and the words at which that ends."""

    names: Phrases[ConditionName]
    before: Phrases[Guard]
    after: Phrases[Guard]
    breaks: frozenset[str]
    soft_breaks: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Breaks:
    """Where clauses and where list items end, as sorted places among the tokens."""

    hard: tuple[int, ...]
    soft: tuple[int, ...]

    def part(self, start: int, end: int, *, crosses_commas: bool) -> bool:
        """Tell whether something between two tokens ends what a guard reaches."""
        return _any_between(self.hard, start, end) or (not crosses_commas and _any_between(self.soft, start, end))


def _any_between(places: Sequence[int], start: int, end: int) -> bool:
    return bisect_right(places, start) < bisect_left(places, end)


def named_conditions(tables: ConditionNames, text: str) -> tuple[tuple[str, str], ...]:
    """Return (value set, name as cards write it) for every condition that a text says the patient has."""
    words = cut(text)
    texts = words.texts
    breaks = _breaks(tables, words)
    before = tables.before.find(texts)
    told = []
    for hit in tables.names.find(texts):
        if hit.value.is_whole_text and (hit.first, hit.last) != (0, len(texts) - 1):
            continue
        taken_back = [*_before(words, breaks, before, hit), *_after(tables, words, breaks, hit)]
        told += [(one, hit.value.shown) for one in hit.value.valuesets if not any(_takes_back(guard, one) for guard in taken_back)]
    return tuple(told)


def _breaks(tables: ConditionNames, words: Words) -> _Breaks:
    hard = tuple(place for place, token in enumerate(words.tokens) if token.text in tables.breaks)
    soft = tuple(place for place, token in enumerate(words.tokens) if token.text in tables.soft_breaks)
    return _Breaks(hard, soft)


def _takes_back(guard: Guard, valueset: str) -> bool:
    return not guard.valuesets or valueset in guard.valuesets


def _before(words: Words, breaks: _Breaks, guards: Sequence[Found[Guard]], hit: Found[ConditionName]) -> list[Guard]:
    """Return the guards before a name that reach it."""
    end = bisect_left(guards, hit.first, key=lambda guard: guard.last)
    near = guards[max(0, end - _NEAREST_GUARDS) : end]
    return [guard.value for guard in near if _reaches(words, breaks, guard.value, (guard.last, hit.first))]


def _after(tables: ConditionNames, words: Words, breaks: _Breaks, hit: Found[ConditionName]) -> list[Guard]:
    """Return the guards after a name that reach back to it."""
    window = words.spoken[hit.last + 1 : hit.last + 1 + _WINDOW]
    texts = [words.tokens[place].text for place in window]
    found = tables.after.find(texts)
    places = ((guard, hit.last + 1 + guard.first) for guard in found)
    return [guard.value for guard, place in places if _reaches(words, breaks, guard.value, (hit.last, place))]


def _reaches(words: Words, breaks: _Breaks, guard: Guard, ends: tuple[int, int]) -> bool:
    """Tell whether a guard and a name, given by the spoken places that face each other, are near and in one clause."""
    one, other = ends
    start, end = words.spoken[one], words.spoken[other]
    return other - one - 1 <= guard.reach and not breaks.part(start, end, crosses_commas=guard.crosses_commas)
