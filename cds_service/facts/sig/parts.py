"""Floor 3: the phrases of a dosing text as data: amounts, frequencies, moments, weekdays, lengths, limits and changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from lark import Token, Tree

from cds_service.facts.sig.reasons import Refused
from cds_service.facts.sig.vocabulary import WEEK
from cds_service.facts.sig.words import NAMED, Item
from cds_service.quantities import QuantityRange

PIECE: Final = "{piece}"
_WIDEST_RANGE: Final = 10
"""A wider range is two strengths of a combination ("5-325 mg") or a lost decimal point ("1-45 mg")."""
_MOST_BARE: Final = 2
"""A larger bare number may be milligrams: "take 3 at bedtime" is three capsules to one and 3 mg to another."""


@dataclass(frozen=True, slots=True)
class Word:
    """A phrase that is one word: THEN, SEP, AND, PRN, TAKE, INCREASE …; ROUTE carries its route."""

    kind: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Stated:
    """One statement of a dose.

    `amount` is a mass, a volume or a count (unit empty: a bare number); `strength` is the mass in one of a count, or in
    `per` mL for a concentration. A product without a count ("50 mg tablet") has a strength alone; `is_many`: "tablets".
    """

    amount: QuantityRange | None = None
    strength: QuantityRange | None = None
    per: QuantityRange | None = None
    is_many: bool = False
    can_count: bool = True
    """A bare number that can be a count of units: 1, 2, one, 1/2."""


@dataclass(frozen=True, slots=True)
class Dose:
    """What is taken at one time, in one or more statements; `share` says whether a mass is "each" or "total"."""

    stated: tuple[Stated, ...]
    notes: tuple[Stated, ...] = ()
    share: str = ""


@dataclass(frozen=True, slots=True)
class Frequency:
    """So many times in a period; unit empty: only so many times. `is_counted`: the times were said ("once daily")."""

    low: int
    high: int
    period_low: Decimal = Decimal(1)
    period_high: Decimal = Decimal(1)
    unit: str = ""
    is_counted: bool = False
    is_every: bool = False
    """"every day", not "daily": it may stand beside "twice a day"."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An EventTiming code; `recurs` where the word itself repeats ("nightly")."""

    code: str
    recurs: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day, HH:MM."""

    time: str


@dataclass(frozen=True, slots=True)
class Days:
    """Weekdays, in the order of the week."""

    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Length:
    """So long; unit "dose": so many doses."""

    length: QuantityRange


@dataclass(frozen=True, slots=True)
class After:
    """After so long."""

    length: QuantityRange
    is_more: bool


@dataclass(frozen=True, slots=True)
class Label:
    """Week 2, days 8 to 14, week 3 and onward."""

    first: int
    last: int
    unit: str
    is_ongoing: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """Not more than; `is_daily` where the words say a day."""

    dose: Dose
    is_daily: bool


@dataclass(frozen=True, slots=True)
class By:
    """Raised or lowered by."""

    dose: Dose


@dataclass(frozen=True, slots=True)
class Goal:
    """Raised or lowered to."""

    dose: Dose


@dataclass(frozen=True, slots=True)
class UpTo:
    """Up to: a limit, or the goal of a change."""

    dose: Dose


Part = Word | Dose | Frequency | Moment | Clock | Days | Length | After | Label | Limit | By | Goal | UpTo
_Node = Tree[Token]


def parts(phrases: Sequence[_Node]) -> tuple[Part, ...]:
    """Turn the phrases of a parsed text into data; raises Refused for numbers that cannot be meant."""
    return tuple(_READ[phrase.data](phrase) for phrase in phrases)


def _trees(node: _Node, name: str) -> Iterator[_Node]:
    """Yield the children that are phrases of one name."""
    return (child for child in node.children if isinstance(child, Tree) and child.data == name)


def _items(node: _Node, *kinds: str) -> tuple[Item, ...]:
    """Return the children that are single items of these kinds."""
    return tuple(child.value for child in node.children if isinstance(child, Token) and child.type in kinds)


def _ends(node: _Node) -> tuple[Decimal, Decimal]:
    """Return both ends of a range, in order and above 0."""
    numbers = [item.number for item in _items(node, "NUMBER")]
    low, high = numbers[0], numbers[-1]
    if low <= 0:
        raise Refused("sig-ambiguous")
    if len(numbers) > 1 and low >= high:
        raise Refused("sig-contradictory")
    return low, high


def _only(node: _Node) -> QuantityRange:
    """Return the one range of a phrase, without unit."""
    return QuantityRange(*_ends(next(_trees(node, "range"))), "")


def _whole(node: _Node) -> tuple[int, int]:
    """Return the ends of a range of whole numbers."""
    low, high = _ends(node)
    if low % 1 or high % 1:
        raise Refused("sig-ambiguous")
    return int(low), int(high)


def _measured(node: _Node, unit_kind: str) -> QuantityRange:
    """Return an amount with its unit; "1.5 mg to 4.5 mg" names it twice."""
    ends = [_ends(tree) for tree in _trees(node, "range")]
    units = {item.value for item in _items(node, unit_kind)}
    if len(ends) > 1 and (len(units - {"one", "many"}) > 1 or any(low != high for low, high in ends)):
        raise Refused("sig-ambiguous")
    low, high = ends[0][0], ends[-1][1]
    if len(ends) > 1 and low >= high:
        raise Refused("sig-contradictory")
    if high > low * _WIDEST_RANGE:
        raise Refused("sig-ambiguous")
    return QuantityRange(low, high, PIECE if unit_kind == "PIECE" else next(iter(units)))


def _mass(node: _Node) -> Stated:
    return Stated(_measured(node, "MASS"))


def _volume(node: _Node) -> Stated:
    return Stated(_measured(node, "VOLUME"))


def _pieces(node: _Node) -> Stated:
    return Stated(_measured(node, "PIECE"))


def _product(node: _Node) -> Stated:
    """Read "50 mg tablet"."""
    return Stated(strength=_measured(node, "MASS"), is_many=_items(node, "PIECE")[0].value == "many")


def _packs(node: _Node) -> Stated:
    """Read "three 1.5 mg capsules"."""
    count, strength = (_ends(tree) for tree in _trees(node, "range"))
    return Stated(QuantityRange(*count, PIECE), strength=QuantityRange(*strength, _items(node, "MASS")[0].value))


def _bare(node: _Node) -> Stated:
    """Read a number without a unit: a count only where it can hardly be milligrams."""
    numbers = _items(next(_trees(node, "range")), "NUMBER")
    amount = _only(node)
    can_count = amount.high <= _MOST_BARE and all(item.value not in ("decimal", NAMED) for item in numbers)
    return Stated(amount, can_count=can_count)


def _concentration(node: _Node) -> Stated:
    """Read "1 mg/mL", "4.5 mg per 5 mL"."""
    ranges = [_ends(tree) for tree in _trees(node, "range")]
    per = ranges[1] if len(ranges) > 1 else (Decimal(1), Decimal(1))
    return Stated(
        strength=QuantityRange(*ranges[0], _items(node, "MASS")[0].value), per=QuantityRange(*per, _items(node, "VOLUME")[0].value)
    )


_STATED: Final[Mapping[str, Callable[[_Node], Stated]]] = MappingProxyType(
    {
        "mass": _mass, "volume": _volume, "pieces": _pieces, "product": _product, "packs": _packs, "bare": _bare,
        "concentration": _concentration,
    },
)  # fmt: skip


def _statements(node: _Node) -> tuple[Stated, ...]:
    """Return the statements that stand directly in a phrase."""
    return tuple(_STATED[child.data](child) for child in node.children if isinstance(child, Tree) and child.data in _STATED)


def _dose(node: _Node) -> Dose:
    """Read an amount with its share and what stands in brackets after it."""
    notes = tuple(stated for note in _trees(node, "note") for stated in _statements(note))
    shares = [
        item.kind
        for holder in (node, *_trees(node, "note"))
        for share in _trees(holder, "share")
        for item in _items(share, "EACH", "TOTAL")
    ]
    if len(set(shares)) > 1:
        raise Refused("sig-contradictory")
    return Dose(_statements(node), notes, shares[0] if shares else "")


def _dose_of(node: _Node) -> Dose:
    """Return the dose inside a limit or a change."""
    return _dose(next(_trees(node, "dose")))


def _times(node: _Node) -> tuple[int, int]:
    """Read "twice", "2-3 times", "up to 3 times"."""
    for most in _trees(node, "most_times"):
        return 1, _times(most)[1]
    times = next(_trees(node, "times"))
    counts = [int(item.value) for item in _items(times, "COUNT")]
    if len(counts) > 1 and counts[0] >= counts[1]:
        raise Refused("sig-contradictory")
    return (counts[0], counts[-1]) if counts else _whole(next(_trees(times, "range")))


def _frequency(node: _Node) -> Frequency:
    """Read how often: a word, so many times in a period, every so long."""
    is_counted = any(True for name in ("times", "most_times") for _ in _trees(node, name))
    low, high = _times(node) if is_counted else (1, 1)
    for word in _items(node, "FREQ"):
        return _with_word(word, low, high, is_counted=is_counted)
    periods = [_ends(tree) for tree in _trees(node, "range")]
    period = periods[0] if periods else (Decimal(1), Decimal(1))
    units = _items(node, "UNIT")
    if units and units[0].value == "min":
        raise Refused("sig-ambiguous")
    is_every = bool(_items(node, "EVERY"))
    return Frequency(low, high, *period, units[0].value if units else "", is_counted, is_every)


def _with_word(word: Item, low: int, high: int, *, is_counted: bool) -> Frequency:
    """Combine "daily", "weekly", "bid" with the times before it; "twice bid" says two things."""
    often, number, unit = word.value.split()
    if is_counted and (often, number) != ("1", "1"):
        raise Refused("sig-contradictory")
    low, high = (low, high) if is_counted else (int(often), int(often))
    return Frequency(low, high, Decimal(number), Decimal(number), unit, is_counted)


def _moment(node: _Node) -> Moment | Clock:
    """Read a time of the day; how long before it ("an hour before bedtime") does not matter to the dose."""
    for clock in _items(node, "CLOCK"):
        return Clock(clock.value)
    code, _, recurs = _items(node, "MOMENT", "LEAD")[0].value.partition(" ")
    if _items(node, "UNIT") and _items(node, "UNIT")[0].value not in ("h", "min"):
        raise Refused("sig-ambiguous")
    return Moment(code, recurs=bool(recurs))


def _days(node: _Node) -> Days:
    """Read a list of weekdays; "Monday to Friday" counts those between."""
    named: list[str] = []
    is_through = False
    for item in _items(node, "DAYS", "DAYJOIN"):
        if item.kind == "DAYJOIN":
            is_through = item.value in ("to", "-", "through")
            continue
        named += _between(named[-1], item.value) if is_through else item.value.split(",")
        is_through = False
    if len(set(named)) != len(named):
        raise Refused("sig-ambiguous")
    return Days(tuple(day for day in WEEK if day in named))


def _between(first: str, last: str) -> list[str]:
    """Return the weekdays after the first up to the last."""
    if last not in WEEK:
        raise Refused("sig-ambiguous")
    start, length = WEEK.index(first), (WEEK.index(last) - WEEK.index(first)) % len(WEEK)
    return [WEEK[(start + step) % len(WEEK)] for step in range(1, length + 1)]


def _length(node: _Node) -> Length:
    """Read how long, or for how many doses."""
    low, high = _ends(next(_trees(node, "range")))
    units = _items(node, "UNIT")
    unit = units[0].value if units else "dose"
    if unit == "min" or (unit == "dose" and (low != high or low % 1)):
        raise Refused("sig-ambiguous")
    return Length(QuantityRange(low, high, unit))


def _after(node: _Node) -> After:
    """Read after how long."""
    unit = _items(node, "UNIT")[0].value
    if unit == "min":
        raise Refused("sig-ambiguous")
    return After(QuantityRange(*_ends(next(_trees(node, "range"))), unit), is_more=bool(_items(node, "MORE")))


def _label(node: _Node) -> Label:
    """Read which week or day."""
    unit = _items(node, "LABEL")[0].value
    if unit not in ("d", "wk", "mo"):
        raise Refused("sig-ambiguous")
    return Label(*_whole(next(_trees(node, "range"))), unit, is_ongoing=bool(_items(node, "ONGOING")))


def _word(node: _Node) -> Word:
    """Read a phrase of one word."""
    (item,) = (child.value for child in node.children if isinstance(child, Token))
    return Word(item.kind, item.value)


_READ: Final[Mapping[str, Callable[[_Node], Part]]] = MappingProxyType(
    {
        "dose": _dose, "frequency": _frequency, "moment": _moment, "days": _days, "length": _length, "after": _after, "label": _label,
        "limit": lambda node: Limit(_dose_of(node), is_daily=bool(_items(node, "MAXDAY"))),
        "meals": lambda _node: Word("MEALS"),
        "by": lambda node: By(_dose_of(node)),
        "goal": lambda node: Goal(_dose_of(node)),
        "upto": lambda node: UpTo(_dose_of(node)),
        "word": _word,
    },
)  # fmt: skip
