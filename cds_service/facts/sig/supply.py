"""Floor 3: what a dosing text says to the pharmacy: how much to dispense and refill, and tablets dissolved for measuring."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

from cds_service.facts.sig.amounts import MG, in_mg
from cds_service.facts.sig.reasons import Refused
from cds_service.facts.sig.words import Item, at
from cds_service.quantities import exactly

_FEWEST_DISPENSED: Final = 7
_UNITS: Final = ("PIECE", "VOLUME")
_BEFORE: Final = frozenset({"TAKE", "OPEN", "CLOSE", "NUMBER", "A", "MASS", "PIECE", "AND", "SEP"})


def without_supply(items: Sequence[Item]) -> list[Item]:
    """Leave out what is to be dispensed and refilled: "#30", "disp 30 capsules", "# 30 cap, 0 refills", "90 mL, 3 refills"."""
    kept: list[Item] = []
    index = 0
    while index < len(items):
        length = _supply(items, index)
        if not length:
            kept.append(items[index])
        index += length or 1
    return kept


def _supply(items: Sequence[Item], index: int) -> int:
    """Return how many items say what to dispense or to refill there."""
    item = items[index]
    if item.kind in ("HASH", "DISPENSE"):
        return _dispensed(items, index)
    if item.kind == "REFILLS":
        return _refills(items, index)
    if [at(items, index + ahead).kind for ahead in range(3)] == ["NUMBER", "UNIT", "SUPPLY"]:
        return 3
    if [item.kind, at(items, index + 1).kind] == ["NUMBER", "SUPPLY"]:
        return 2
    if item.kind == "NUMBER" and at(items, index + 1).kind == "REFILLS" and _ends(items, index + 2):
        return 2
    is_amount = item.kind == "NUMBER" and item.number >= _FEWEST_DISPENSED and at(items, index + 1).kind in _UNITS
    follows_pause = at(items, index - 1).kind == at(items, index + 2).kind == "SEP"
    return 2 if is_amount and follows_pause and _says_refills(items, index + 3) else 0


def _dispensed(items: Sequence[Item], index: int) -> int:
    """Read "#30", "dispense 30 capsules", "qty: 30"; "#1 capsule" may be a dose."""
    length = 2 if items[index].kind == "DISPENSE" and at(items, index + 1).kind == "HASH" else 1
    number, unit = at(items, index + length), at(items, index + length + 1)
    length += 1 + (unit.kind in _UNITS)
    is_small = items[index].kind == "HASH" and number.number < _FEWEST_DISPENSED
    if number.kind != "NUMBER" or is_small or not (_ends(items, index + length) or _says_refills(items, index + length)):
        raise Refused("sig-ambiguous")
    return length


def _refills(items: Sequence[Item], index: int) -> int:
    """Read "refills: 3", "refill x3"."""
    skipped = int(at(items, index + 1).kind == "TIMESFOR")
    if at(items, index + 1 + skipped).kind != "NUMBER" or not _ends(items, index + 2 + skipped):
        raise Refused("sig-ambiguous")
    return 2 + skipped


def _ends(items: Sequence[Item], index: int) -> bool:
    """A pause or the end stands there."""
    return at(items, index).kind in ("SEP", "CLOSE", "END")


def _says_refills(items: Sequence[Item], index: int) -> bool:
    """Refills stand there."""
    kinds = (at(items, index).kind, at(items, index + 1).kind)
    return kinds in (("NUMBER", "REFILLS"), ("REFILLS", "NUMBER"))


def dissolved(items: Sequence[Item], piece_mg: Decimal | None) -> Sequence[Item]:
    """Turn "dissolve 1 tablet in 50 mL of water, take 1.5 mL" into "1 mg/mL, take 1.5 mL".

    `piece_mg` is the mass in one unit of the ordered product. Raises Refused where it is not clear what is dissolved in what.
    """
    place = next((index for index, item in enumerate(items) if item.kind in ("IN", "WITH") and _is_volume(items, index + 1)), 0)
    before = items[:place]
    is_mixing = any(item.value == "mix" for item in before) and all(item.kind in _BEFORE for item in before)
    if not is_mixing:
        return items
    mg = _mixed_mg(before, piece_mg)
    rest = _after_note(items, place + 3, mg / items[place + 1].number)
    return (Item("NUMBER", number=mg), Item("MASS", MG), Item("PER"), *items[place + 1 : place + 3], Item("SEP"), *rest)


def _is_volume(items: Sequence[Item], index: int) -> bool:
    """A number of millilitres stands there."""
    return (at(items, index).kind, at(items, index + 1).kind) == ("NUMBER", "VOLUME") and at(items, index).number > 0


def _mixed_mg(before: Sequence[Item], piece_mg: Decimal | None) -> Decimal:
    """Return how many mg are dissolved."""
    pieces = [item for item in before if item.kind == "PIECE"]
    numbers = [item.number for item in before if item.kind == "NUMBER"]
    masses = [exactly(one.number, unit.value) for one, unit in pairwise(before) if unit.kind == "MASS"]
    mg = in_mg(masses[0]) if len(masses) == 1 else None
    each = mg.high if mg else piece_mg
    counts = numbers[: len(numbers) - len(masses)]
    if len(masses) > 1 or len(counts) > 1 or each is None or len(pieces) > 1:
        raise Refused("sig-ambiguous")
    if piece_mg is not None and each != piece_mg and pieces:
        raise Refused("sig-contradictory")
    return each * (counts[0] if counts else 1)


def _after_note(items: Sequence[Item], index: int, worth: Decimal) -> Sequence[Item]:
    """Return what follows, without "(1 mg/mL)", which must be the concentration that was worked out."""
    opens = at(items, index).kind in ("OPEN", "EQ")
    note = items[index + opens : index + opens + 4]
    if [item.kind for item in note] == ["NUMBER", "MASS", "PER", "VOLUME"]:
        stated = in_mg(exactly(note[0].number, note[1].value))
        if stated is None or stated.high != worth:
            raise Refused("sig-contradictory")
        index += opens + 4
    while at(items, index).kind in ("CLOSE", "SEP", "AND", "THEN"):
        index += 1
    return items[index:]


_GAP: Final = frozenset({"ROUTE", "FREQ", "RECURS", "MOMENT", "COUNT", "EVERY", "UNIT", "A", "AT", "PER", "TAKE"})
_LONGEST_GAP: Final = 6
_NOTE: Final = (["OPEN", "NUMBER", "MASS", "CLOSE"], ["OPEN", "NUMBER", "MASS", "TOTAL", "CLOSE"])


def with_notes_beside(items: Sequence[Item]) -> Sequence[Item]:
    """Put the note of "1 tablet by mouth daily (50 mg total)" directly behind the count that it explains."""
    for index in range(len(items)):
        length = next((len(note) for note in _NOTE if [at(items, index + ahead).kind for ahead in range(len(note))] == note), 0)
        if not length:
            continue
        behind = index
        while index - behind < _LONGEST_GAP and at(items, behind - 1).kind in _GAP:
            behind -= 1
        if at(items, behind - 1).kind in _UNITS:
            note = items[index : index + length]
            return (*items[:behind], *note, *items[behind:index], *items[index + length :])
    return items


def starting_first(items: Sequence[Item]) -> Sequence[Item]:
    """Put "increase by 1.5 mg weekly to 4.5 mg, starting at 1.5 mg nightly" into the order in which it is taken."""
    first = next((item for item in items if item.kind not in ("SEP", "TAKE")), None)
    begins = [index for index, item in enumerate(items) if item.kind == "TAKE" and item.value == "start"]
    if first is None or first.kind != "INCREASE" or len(begins) != 1 or at(items, begins[0] + 1).kind != "NUMBER":
        return items
    return (*items[begins[0] :], Item("SEP"), *items[: begins[0]])
