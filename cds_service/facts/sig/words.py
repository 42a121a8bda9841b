"""Floor 3: words of a dosing text looked up in the closed vocabulary, longest phrase first; numbers put together from their parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from cds_service.facts.sig.reasons import Refused
from cds_service.facts.sig.scan import FRACTION, Raw
from cds_service.facts.sig.vocabulary import LONGEST_PHRASE, NUMBER_WORDS, PHRASES, TENS, Meaning

NAMED: Final = "named"
"""A number right behind a name of the drug: "take X 1 nightly" may mean 1 mg."""
_HALF: Final = Decimal("0.5")
_QUARTER: Final = Decimal("0.25")
_UNREAD: Final = Meaning("")
_UNITS: Final = ("MASS", "VOLUME", "PIECE")
_HUNDRED: Final = 100
_TEN: Final = 10
_BULLET: Final = 2
"""Place of the first dash between two numbers behind a dash that only heads the text."""


@dataclass(frozen=True, slots=True)
class Item:
    """One phrase or number: its kind, the value that the kind carries, and for a number how it was written."""

    kind: str
    value: str = ""
    number: Decimal = Decimal(0)


END: Final = Item("END")


def at(items: Sequence[Item], index: int) -> Item:
    """Return the item there, or an empty one before the start and past the end."""
    return items[index] if 0 <= index < len(items) else END


def words(raws: Sequence[Raw], names: frozenset[str]) -> tuple[Item, ...]:
    """Turn scanned words into items of the vocabulary, without fillers; raises Refused for a word that is not understood."""
    return _with_numbers(_looked_up(_without_dashes(raws), names))


def _meaning(raw: Raw) -> Meaning:
    """Look one word up by itself."""
    return PHRASES.get((raw.text,), _UNREAD)


def _without_dashes(raws: Sequence[Raw]) -> list[Raw]:
    """Turn each dash into what it stands for: a range, nothing between words, or a pause."""
    kept = []
    for index, raw in enumerate(raws):
        if raw.kind != "dash":
            kept.append(raw)
        elif 0 < index < len(raws) - 1 and (meant := _dash(raws, index)):
            kept.append(meant)
    return kept


def _dash(raws: Sequence[Raw], index: int) -> Raw | None:
    """Say what the dash there stands for."""
    before, dash, after = raws[index - 1 : index + 2]
    is_tight = dash.is_tight and after.is_tight
    if before.kind == after.kind == "number":
        is_mixed = is_tight and after.text == FRACTION and before.text != FRACTION
        is_chain = index > _BULLET and raws[index - 2].kind == "dash"
        return None if is_mixed and not is_chain else dash
    if _meaning(before).kind == _meaning(after).kind == "DAYS" or _is_range_of_units(raws, index):
        return dash
    is_joined = is_tight and after.kind == "word" and before.kind in ("word", "number")
    return None if is_joined else replace(dash, kind="sep")


def _is_range_of_units(raws: Sequence[Raw], index: int) -> bool:
    """Tell whether an amount before and an amount after the dash have units of one kind: "1.5 mg - 4.5 mg"."""
    unit = _meaning(raws[index - 1]).kind
    ahead = [raw for raw in raws[index + 2 : index + 4] if raw.kind != "number"]
    return unit in _UNITS and raws[index + 1].kind == "number" and bool(ahead) and _meaning(ahead[0]).kind == unit


def _looked_up(raws: Sequence[Raw], names: frozenset[str]) -> list[Item]:
    """Look up phrases from left to right; unreadable units are told before words that are not understood."""
    items: list[Item] = []
    unread = is_named = False
    index = 0
    while index < len(raws):
        length, item = _longest(raws, index)
        if item is None:
            unread |= raws[index].text not in names
        elif item.kind != "FILL":
            items.append(replace(item, value=NAMED) if is_named and item.value == "digits" else item)
        is_named = item is None
        index += length
    _refuse(items, unread=unread)
    return items


def _refuse(items: Sequence[Item], *, unread: bool) -> None:
    """Refuse what no context can save."""
    kinds = {item.kind for item in items}
    if "BADUNIT" in kinds:
        raise Refused("sig-unreadable-unit")
    if unread:
        raise Refused("sig-unread-words")
    if "PROTOCOL" in kinds or ("DIRECTED" in kinds and kinds & {"INCREASE", "DECREASE", "MAY"}):
        raise Refused("sig-as-directed")
    if "AMBIGUOUS" in kinds:
        raise Refused("sig-ambiguous")


_MARKS: Final = {
    "sep": Item("SEP"), "and": Item("AND"), "slash": Item("PER", "/"), "open": Item("OPEN"), "close": Item("CLOSE"), "equals": Item("EQ"),
    "dash": Item("TO", "-"), "hash": Item("HASH"),
}  # fmt: skip


def _longest(raws: Sequence[Raw], index: int) -> tuple[int, Item | None]:
    """Return how many words the longest phrase there takes, and its item; `None` for a word that is not in the vocabulary."""
    raw = raws[index]
    for length in range(LONGEST_PHRASE, 0, -1):
        part = raws[index : index + length]
        meaning = PHRASES.get(tuple(word.text for word in part))
        if meaning and all(word.kind in ("word", "slash") for word in part):
            return len(part), Item(meaning.kind, meaning.value)
    if raw.kind == "number":
        return 1, Item("NUMBER", _notation(raw), raw.value)
    if raw.kind in ("clock", "date"):
        return 1, Item(raw.kind.upper(), raw.text)
    if raw.kind == "word":
        number = NUMBER_WORDS.get(raw.text)
        return 1, None if number is None else Item("NUMBER", "word", Decimal(number))
    return 1, _MARKS[raw.kind]


def _notation(raw: Raw) -> str:
    """Tell how a number was written."""
    return FRACTION if raw.text == FRACTION else "decimal" if raw.is_decimal else "digits"


def _with_numbers(items: Sequence[Item]) -> tuple[Item, ...]:
    """Put numbers together: "one and a half", "twenty-eight", "1 1/2", "three (3)"."""
    built: list[Item] = []
    index = 0
    while index < len(items):
        length, item = _number(items, index)
        built.append(item)
        index += length
    return tuple(_without_doubles(built))


def _number(items: Sequence[Item], index: int) -> tuple[int, Item]:
    """Read the number that begins there and say how many items it takes; any other item is one as it is."""
    taken, part = _part(items, index)
    if taken:
        return taken, Item("NUMBER", number=part)
    item = items[index]
    if item.kind != "NUMBER":
        return 1, item
    following = at(items, index + 1)
    if item.value == "word" and item.number in TENS and _is_unit(following):
        return 2, Item("NUMBER", number=item.number + following.number)
    if _is_unit(item) and following.value == "word" and following.number == _HUNDRED:
        return 2, Item("NUMBER", number=item.number * following.number)
    skipped = 2 if at(items, index + 1).kind == "AND" else 1
    taken, part = _part(items, index + skipped)
    if taken and item.value in ("digits", NAMED, "word"):
        if skipped == 1 and (items[index + 1].value != FRACTION or item.value == "word"):
            raise Refused("sig-ambiguous")  # "1 half tablet" and "one 1/2 tablet": a half, or one and a half?
        return skipped + taken, Item("NUMBER", number=item.number + part)
    return 1, item


def _is_unit(item: Item) -> bool:
    """A number word below ten."""
    return item.kind == "NUMBER" and item.value == "word" and item.number < _TEN


def _part(items: Sequence[Item], index: int) -> tuple[int, Decimal]:
    """Read a part of one: "1/2", "half", "a half", "one-half", "half a", "three quarters"; 0 items where there is none."""
    first, second = at(items, index), at(items, index + 1)
    if first.kind == "NUMBER" and first.value == FRACTION:
        return 1, first.number
    if first.kind == "HALF":
        return 1 + _articles(items, index + 1), _HALF
    if first.kind == "QUARTER":
        return 1 + _articles(items, index + 1), _QUARTER
    count = Decimal(1) if first.kind == "A" else first.number if first.kind == "NUMBER" and first.value == "word" else Decimal(0)
    if second.kind == "HALF" and count == 1:
        return 2 + _articles(items, index + 2), _HALF
    if second.kind == "QUARTER" and count in (1, 3):
        return 2 + _articles(items, index + 2), _QUARTER * count
    return 0, count


def _articles(items: Sequence[Item], index: int) -> int:
    """Count "of a", "a" after a half of something that is counted by itself."""
    length = int(at(items, index).kind == "OF")
    length += at(items, index + length).kind == "A"
    return length if at(items, index + length).kind == "PIECE" else 0


def _without_doubles(items: Sequence[Item]) -> list[Item]:
    """Drop a number that repeats the one before it in brackets: "three (3)"; refuse it where it differs."""
    kept: list[Item] = []
    index = 0
    while index < len(items):
        kept.append(items[index])
        is_double = [at(items, index + ahead).kind for ahead in range(4)] == ["NUMBER", "OPEN", "NUMBER", "CLOSE"]
        if is_double and items[index].number != items[index + 2].number:
            raise Refused("sig-contradictory")
        index += 4 if is_double else 1
    return kept
