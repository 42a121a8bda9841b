"""Floor 7: strengths as names state them ("2 MG CAP", "1 mg/mL", "2 mg per 5 mL") and as Medication.ingredient gives them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from cds_service.fhir.elements import Ratio
from cds_service.quantities import Quantity, Unit, in_unit, unit_named
from cds_service.terminology.words import Token, Words
from cds_service.unknown import Unknown

PER_PIECE: Final = "mg/{piece}"
PER_ML: Final = "mg/mL"
NO_STRENGTH: Final = Unknown("no-strength")
AMBIGUOUS: Final = Unknown("ambiguous-strength")
CONTRADICTORY: Final = Unknown("contradictory-strength")
_SMALL_MASSES: Final = frozenset({"mg", "ug", "ng"})
"""Grams are what a jar holds, not what a tablet does."""
_JOINS: Final = frozenset({"-", "/", "\N{FRACTION SLASH}", "\N{EN DASH}", "\N{EM DASH}", "to"})
_PER: Final = frozenset({"/", "per"})
_LONGEST_NUMBER: Final = 12
_THOUSAND: Final = 3


@dataclass(frozen=True, slots=True)
class Stated:
    """A strength found in a name, with the tokens that it takes.

    Unclear where its digits can be read in two ways; listed where several numbers share one unit ("8-90 MG").
    """

    strength: Quantity
    first: int
    last: int
    is_clear: bool = True
    is_listed: bool = False


class _Number(NamedTuple):
    value: Decimal
    is_clear: bool


class _Denominator(NamedTuple):
    amount: Decimal
    unit: str
    last: int


def stated_strengths(words: Words) -> tuple[Stated, ...]:
    """Find every strength in a name, from left to right; a dose a day, a percentage and the grams of a jar are none."""
    stated: list[Stated] = []
    place = 0
    while place < len(words.tokens):
        here, place = _at(words.tokens, place)
        stated += here
    return tuple(stated)


def _at(tokens: Sequence[Token], first: int) -> tuple[list[Stated], int]:
    """Read the numbers that start at a token, their unit and what they are in; return them and the next token to look at."""
    numbers, place = _numbers(tokens, first)
    if not numbers:
        return [], first + 1
    unit_place = place + (_text(tokens, place) == "-")
    unit = _mass(_text(tokens, unit_place))
    if unit is None:
        return [], place
    divisor = _denominator(tokens, unit_place)
    if divisor is None:
        return [], unit_place + 1
    found = [
        Stated(
            Quantity(_tidy(number.value * unit.factor / divisor.amount), divisor.unit),
            first,
            divisor.last,
            number.is_clear,
            len(numbers) > 1,
        )
        for number in numbers
        if number.value > 0
    ]
    return found, divisor.last + 1


def _numbers(tokens: Sequence[Token], first: int) -> tuple[list[_Number], int]:
    """Read one number, or several joined as "20-0.8" and "1 to 2"; return them and the token after the last."""
    numbers: list[_Number] = []
    place = first
    while place < len(tokens) and tokens[place].kind == "number":
        numbers.append(_number(tokens, place))
        place += 1
        if _text(tokens, place) in _JOINS and place + 1 < len(tokens) and tokens[place + 1].kind == "number":
            place += 1
        else:
            break
    return numbers, place


def _number(tokens: Sequence[Token], place: int) -> _Number:
    """Read a number with decimal point or comma; ".5" is 0.5, while "1,500", "1 500" and a point after a letter are unclear."""
    text = tokens[place].text.replace(",", ".").replace("·", ".")
    whole, _, fraction = text.partition(".")
    if len(text) > _LONGEST_NUMBER:
        return _Number(Decimal(1), is_clear=False)
    if _follows_point(tokens, place):
        is_start = place == 1 or not _touches(tokens[place - 2], tokens[place - 1])
        return _Number(Decimal(f"0.{whole}"), is_clear=is_start and not fraction and tokens[place - 1].text == ".")
    is_grouped = "," in tokens[place].text and len(fraction) == _THOUSAND and whole.strip("0") != ""
    is_spaced = place > 0 and tokens[place - 1].kind == "number" and len(whole) == _THOUSAND and not fraction
    return _Number(Decimal(text), is_clear=not is_grouped and not is_spaced)


def _follows_point(tokens: Sequence[Token], place: int) -> bool:
    return place > 0 and tokens[place - 1].text in {".", ",", "·"} and _touches(tokens[place - 1], tokens[place])


def _touches(one: Token, other: Token) -> bool:
    return one.start + len(one.text) == other.start


def _text(tokens: Sequence[Token], place: int) -> str:
    return tokens[place].text if place < len(tokens) else ""


def _mass(word: str) -> Unit | None:
    unit = unit_named(word) or unit_named(word.removesuffix("s"))
    return unit if unit and unit.code in _SMALL_MASSES else None


def _denominator(tokens: Sequence[Token], unit_place: int) -> _Denominator | None:
    """Read what a mass is in: one piece where nothing is said; `None` for a rate (a day, an hour, a kilogram)."""
    one_piece = _Denominator(Decimal(1), PER_PIECE, unit_place)
    per = _text(tokens, unit_place + 1)
    if per not in _PER and per != "in":
        return one_piece
    place = unit_place + 2
    has_number = place < len(tokens) and tokens[place].kind == "number"
    amount = _number(tokens, place).value if has_number else Decimal(1)
    last = place + has_number
    unit = unit_named(_text(tokens, last))
    if unit is None or (per == "in" and not has_number) or amount <= 0:
        return one_piece
    return _per(amount, unit, last, one_piece)


def _per(amount: Decimal, unit: Unit, last: int, one_piece: _Denominator) -> _Denominator | None:
    """Keep volumes and pieces; the mass of the next ingredient ("20 mg/0.8 mg") is no denominator."""
    if unit.dimension == "volume":
        return _Denominator(amount * unit.factor, PER_ML, last)
    if unit.dimension == "count":
        return _Denominator(amount, PER_PIECE, last)
    return one_piece if unit.code in _SMALL_MASSES else None


def ratio_strength(ratio: Ratio | None) -> Quantity | None:
    """Work out what Medication.ingredient.strength says; `None` where it is absent or a mass in a mass, which says nothing."""
    if ratio is None or ratio.denominator.value <= 0 or ratio.numerator.value <= 0:
        return None
    mass = in_unit(ratio.numerator, "mg")
    unit = unit_named(ratio.denominator.unit or "1")
    if mass is None or unit is None or unit.dimension not in {"volume", "count"}:
        return None
    per = PER_ML if unit.dimension == "volume" else PER_PIECE
    return Quantity(_tidy(mass / (ratio.denominator.value * unit.factor)), per)


def _tidy(value: Decimal) -> Decimal:
    """Drop trailing zeros, so that "1500 mcg" is 1.5 mg and "300 mg/1.5 mL" is 200 mg/mL, without an exponent."""
    return Decimal(f"{value.normalize():f}")


class Settled(NamedTuple):
    """The one strength that all sources leave possible, or why there is none."""

    strength: Quantity | Unknown
    contradicts: bool = False


def settle(certain: Sequence[Quantity], named: Iterable[frozenset[Quantity]], *, all_clear: bool) -> Settled:
    """Bring together the strengths of codes and ratios (the first decides the unit) and those that each name allows."""
    possible: defaultdict[str, list[frozenset[Quantity]]] = defaultdict(list)
    for group in (*(frozenset({strength}) for strength in certain), *named):
        for unit in {strength.unit for strength in group}:
            possible[unit].append(frozenset(strength for strength in group if strength.unit == unit))
    left = {unit: frozenset.intersection(*groups) for unit, groups in possible.items()}
    if not all(left.values()):
        return Settled(CONTRADICTORY, contradicts=True)
    if certain:
        return Settled(certain[0])
    return _only(frozenset().union(*left.values()), all_clear=all_clear)


def _only(candidates: frozenset[Quantity], *, all_clear: bool) -> Settled:
    if len(candidates) == 1 and all_clear:
        return Settled(next(iter(candidates)))
    return Settled(AMBIGUOUS if candidates or not all_clear else NO_STRENGTH)
