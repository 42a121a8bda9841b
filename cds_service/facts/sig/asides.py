"""Floor 3: what stands beside the instruction of a dosing text: cautions that say nothing of the dose, and slips of the pen.

Both work on scanned words, before the vocabulary is looked up, and only where nothing about dose or timing can get lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from string import ascii_lowercase
from typing import Final

from cds_service.facts.sig.scan import Raw
from cds_service.facts.sig.vocabulary import LONGEST_PHRASE, NUMBER_WORDS, PHRASES

_HARMLESS: Final = frozenset({"FILL", "TAKE", "INDICATION", "AND", "OF", "A", "TO", "FOR", "WITH", "CAUTION", "AT", "ON"})
"""What a caution may hold beside words that are not in the vocabulary: nothing that could change dose, timing or length."""
_OF_TIME: Final = _HARMLESS | {"PRECONDITION", "NUMBER", "UNIT", "DATE", "FIRST", "MORE", "AFTER", "IN"}
"""What a precondition ("opioid free for 7 to 10 days", "do not fill before 12/1/2026") may hold besides."""
_STRONG: Final = frozenset(".\n;!")
_SHORTEST: Final = 4
_SLIPPED: Final = frozenset({"PIECE", "TAKE", "RECURS", "MOMENT", "FREQ", "ROUTE"})
"""Kinds of words that a slip of the pen is mended to; never a number, a unit of mass or time, a change or a limit."""
_KNOWN: Final = frozenset(word for phrase in PHRASES for word in phrase) | frozenset(NUMBER_WORDS)
_MENDABLE: Final = frozenset(phrase[0] for phrase, meaning in PHRASES.items() if len(phrase) == 1 and meaning.kind in _SLIPPED)
_SHORT_PIECES: Final = {"t": "tab", "c": "cap"}
_JOINTS: Final = frozenset({"and", "to"})
_ENDINGS: Final = frozenset({("then", "stop"), ("and", "stop"), ("then", "discontinue"), ("and", "discontinue")})
_NOON: Final = 12
_MIDNIGHT: Final = 24
_EVENING: Final = 20
_BEFORE_DAWN: Final = 5
"""Hours of the day between which "at night" is what a window means."""


def tidied(raws: Sequence[Raw], names: frozenset[str]) -> list[Raw]:
    """Return the words of a text with slips of the pen mended, pharmacy short forms spread, and cautions left out."""
    return list(_without_cautions(_spread(_with_windows(_without_end([_mended(raw, names) for raw in raws])))))


def _without_end(raws: Sequence[Raw]) -> Sequence[Raw]:
    """Leave "then stop" out at the very end; anywhere else a pause begins with it, which stays unread."""
    end = len(raws)
    while end and raws[end - 1].kind == "sep":
        end -= 1
    return raws[: end - 2] if tuple(raw.text for raw in raws[max(0, end - 2) : end]) in _ENDINGS else raws


def _with_windows(raws: Sequence[Raw]) -> list[Raw]:
    """Read "between 9 pm and 3 am" as "at night", and leave the hours out of "at bedtime (9 pm - midnight)"; other hours stay unread."""
    kept: list[Raw] = []
    index = 0
    while index < len(raws):
        begins, ends = _hour(raws, index + 1), 0
        if raws[index].text in ("between", "(") and begins:
            joint = index + 1 + begins[0]
            last = _hour(raws, joint + 1) if joint < len(raws) and (raws[joint].kind == "dash" or raws[joint].text in _JOINTS) else None
            if last and begins[1] >= _EVENING and (last[1] > begins[1] or last[1] <= _BEFORE_DAWN):
                ends = joint + 1 + last[0]
        if ends and raws[index].text == "between":
            kept += (Raw("word", "at"), Raw("word", "night"))
        elif ends and ends < len(raws) and raws[ends].kind == "close":
            ends += 1
        else:
            kept.append(raws[index])
            ends = index + 1
        index = ends
    return kept


def _hour(raws: Sequence[Raw], index: int) -> tuple[int, int] | None:
    """Return how many words an hour of the day takes there, and the hour; `None` where none stands."""
    if index < len(raws) and raws[index].text == "midnight":
        return 1, _MIDNIGHT
    if index + 1 >= len(raws) or raws[index].kind != "number" or raws[index + 1].text not in ("am", "pm"):
        return None
    hour = raws[index].value
    if raws[index].is_decimal or not 1 <= hour <= _NOON:
        return None
    return 2, int(hour) % _NOON + _NOON * (raws[index + 1].text == "pm")


def _spread(raws: Sequence[Raw]) -> list[Raw]:
    """Read "T1T" and "TK 1 T PO" as "take 1 tablet", and "1C" as "1 capsule"; "1T" may be a tablespoon and stays unread."""
    spread = list(raws)
    for index in range(1, len(raws)):
        number, unit = raws[index - 1], raws[index]
        is_taken = index > 1 and raws[index - 2].text == "t" and number.is_tight
        is_written_out = index > 1 and raws[index - 2].text == "tk" and [raw.text for raw in raws[index + 1 : index + 2]] == ["po"]
        is_short = unit.is_tight and (is_taken or unit.text == "c")
        if number.kind == "number" and unit.text in _SHORT_PIECES and (is_short or is_written_out):
            spread[index] = replace(unit, text=_SHORT_PIECES[unit.text])
            if is_taken:
                spread[index - 2] = Raw("word", "take")
    return spread


def _mended(raw: Raw, names: frozenset[str]) -> Raw:
    """Mend one slip (a letter too few, too many, wrong, or two changed about) in a word that can only be one other."""
    if raw.kind != "word" or len(raw.text) < _SHORTEST or raw.text in _KNOWN or raw.text in names:
        return raw
    meant = {word for word in _one_slip_away(raw.text) if word in _KNOWN}
    mended = {word for word in meant if word in _MENDABLE and len(word) >= _SHORTEST}
    return replace(raw, text=mended.pop()) if len(meant) == len(mended) == 1 else raw


def _one_slip_away(word: str) -> Iterator[str]:
    """Yield every word that is one slip away; the first letter is seldom wrong and stays, unless it changed places."""
    yield word[1] + word[0] + word[2:]
    for index in range(1, len(word)):
        head, tail = word[:index], word[index:]
        yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in ascii_lowercase:
            yield head + letter + tail
            yield head + letter + tail[1:]
    yield from (word + letter for letter in ascii_lowercase)


def _without_cautions(raws: Sequence[Raw]) -> Iterator[Raw]:
    """Leave out each sentence that begins as a caution does ("do not take with …") and says nothing of dose or timing."""
    index = 0
    while index < len(raws):
        begins = index == 0 or raws[index - 1].kind in ("sep", "dash")
        end = _caution(raws, index) if begins else index
        if end == index:
            yield raws[index]
            end += 1
        index = end


def _caution(raws: Sequence[Raw], start: int) -> int:
    """Return the place after the caution that begins there; the same place where none does."""
    begin = start + (raws[start].text == "and")
    kind, length = _opener(raws, begin)
    index, harmless = begin + length, _OF_TIME if kind == "PRECONDITION" else _HARMLESS
    if index == begin:
        return start
    while index < len(raws) and raws[index].text not in _STRONG:
        kind, length = _phrase(raws, index)
        if kind not in harmless and (kind or raws[index].kind not in ("word", "sep", "slash", "dash")):
            return start
        index += length
    return index


def _opener(raws: Sequence[Raw], start: int) -> tuple[str, int]:
    """Return kind and length of the longest phrase there that begins a caution or a precondition; length 0 where none does."""
    phrases = (tuple(raw.text for raw in raws[start : start + length]) for length in range(LONGEST_PHRASE, 0, -1))
    found = ((PHRASES[phrase].kind, len(phrase)) for phrase in phrases if phrase in PHRASES)
    return next((opener for opener in found if opener[0] in ("CAUTION", "PRECONDITION")), ("", 0))


def _phrase(raws: Sequence[Raw], index: int) -> tuple[str, int]:
    """Return the kind of the longest phrase there and its length; an empty kind for what is not in the vocabulary."""
    for length in range(LONGEST_PHRASE, 0, -1):
        phrase = tuple(raw.text for raw in raws[index : index + length])
        if phrase in PHRASES:
            return PHRASES[phrase].kind, len(phrase)
    if raws[index].kind in ("number", "date"):
        return raws[index].kind.upper(), 1
    return ("NUMBER" if raws[index].text in NUMBER_WORDS else ""), 1
