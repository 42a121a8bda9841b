"""Floor 3: the statements of one dose of a dosing text brought together: a count, its strength, a volume, a mass."""

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from cds_service.facts.sig.parts import PIECE, Dose, Stated
from cds_service.facts.sig.reasons import Refused
from cds_service.fhir.elements import Dose as DoseElement
from cds_service.quantities import QuantityRange, range_in

MG: Final = "mg"
_ML: Final = "mL"


class Counting(Enum):
    """Whether a bare number can be a count of units: not at all, where it is small, or whatever it is (units were named before)."""

    NEVER = auto()
    SMALL = auto()
    ANY = auto()


def in_mg(amount: QuantityRange) -> QuantityRange | None:
    """Express a mass in mg; `None` for a count or a volume."""
    return range_in(amount, MG)


def doses_of(stated: Sequence[Dose], header: Dose | None, piece_mg: Decimal | None, *, counts: Counting) -> tuple[DoseElement, ...]:
    """Return the one dose that the statements mean, as it was stated in each way.

    `header` is the product that heads the text, `piece_mg` the known mass in one unit of the ordered product. `counts`:
    whether a bare number is a count of units here. Raises Refused where statements contradict each other, or where
    "2 capsules (9 mg)" may mean 9 mg each or in all and `piece_mg` does not settle it.
    """
    amounts = _Claims(stated, header, piece_mg, counts=counts).amounts()
    if len({amount.low == amount.high for amount in amounts}) > 1:
        raise Refused("sig-ambiguous")
    return tuple(DoseElement("", amount) for amount in amounts)


class _Claims:
    """What was stated about one dose, by kind."""

    def __init__(self, stated: Sequence[Dose], header: Dose | None, piece_mg: Decimal | None, *, counts: Counting) -> None:
        """Collect the statements in their order."""
        main = [statement for dose in stated for statement in dose.stated]
        if len({_unit(statement) for statement in main}) < len(main):
            raise Refused("sig-ambiguous")
        notes = [statement for dose in stated for statement in dose.notes]
        shares = {dose.share for dose in stated} - {""}
        self.is_each = shares == {"EACH"}
        self.is_total = shares == {"TOTAL"}
        self.piece_mg = piece_mg
        self.order = [*main, *notes]
        self.counts = _one_of([_count(statement, counts=counts) for statement in self.order if _is_count(statement)])
        self.volumes = _one_of([statement.amount for statement in self.order if statement.amount and statement.amount.unit == _ML])
        self.masses = [statement.amount for statement in self.order if statement.amount and in_mg(statement.amount)]
        self.header = header.stated[0] if header else None
        products = [statement for statement in self.order if statement.strength and not statement.per]
        self.strength = _one_of([statement.strength for statement in products if statement.strength])
        self.is_one = bool(products) and not self.counts and all(not statement.is_many for statement in products)
        self.concentrations = [statement for statement in self.order if statement.per]
        first = main[0].amount
        self.leads_with_mass = bool(first and in_mg(first)) and bool(notes)

    def amounts(self) -> tuple[QuantityRange, ...]:
        """Return the dose in each way it was stated, in the order of the statements."""
        if self.volumes or self.concentrations:
            return self._of_volume()
        strength = self.strength
        if self.counts and self.header and not self.masses:
            strength = strength or self.header.strength
        if strength:
            return self._of_product(strength)
        if self.counts and self.masses:
            return self._of_count_and_mass()
        return (self.counts,) if self.counts else self._agreed_masses()

    def _agreed_masses(self) -> tuple[QuantityRange, ...]:
        """Return the masses stated, which must be the same."""
        if self.is_each or len({_ends(mass) for mass in self.masses}) > 1:
            raise Refused("sig-contradictory" if not self.is_each else "sig-ambiguous")
        return tuple(dict.fromkeys(self.masses))

    def _of_count_and_mass(self) -> tuple[QuantityRange, ...]:
        """Settle whether a mass beside a count is of all or of each."""
        count = self.counts
        assert count is not None  # noqa: S101 - the caller looked
        is_clear = self.is_total or self.leads_with_mass or count.low == count.high == 1
        if self.is_each:
            return self._with_strength(count, self._agreed_mass())
        if not is_clear and self.piece_mg is None:
            raise Refused("sig-ambiguous")
        mass = self._agreed_mass()
        if not is_clear and self.piece_mg is not None:
            return self._settled(count, mass, self.piece_mg)
        pair = (*dict.fromkeys(self.masses), count)
        return pair if self.leads_with_mass else pair[::-1]

    def _agreed_mass(self) -> QuantityRange:
        """Return the one mass stated."""
        masses = {_ends(mass): mass for mass in self.masses}
        if len(masses) > 1:
            raise Refused("sig-contradictory")
        return next(iter(masses.values()))

    def _settled(self, count: QuantityRange, mass: QuantityRange, piece_mg: Decimal) -> tuple[QuantityRange, ...]:
        """Settle "2 capsules (9 mg)" by what one unit of the ordered product holds."""
        total = QuantityRange(count.low * piece_mg, count.high * piece_mg, MG)
        if _ends(mass) not in (_ends(total), (piece_mg, piece_mg)):
            raise Refused("sig-contradictory")
        return (count, total)

    def _of_product(self, strength: QuantityRange) -> tuple[QuantityRange, ...]:
        """Multiply a count by the strength stated beside it, or at the head of the text."""
        if self.is_total and not self.masses:
            raise Refused("sig-ambiguous")
        if self.counts:
            return self._with_strength(self.counts, strength)
        if not self.is_one:
            raise Refused("sig-ambiguous")
        return self._with_strength(QuantityRange(Decimal(1), Decimal(1), PIECE), strength)

    def _with_strength(self, count: QuantityRange, strength: QuantityRange) -> tuple[QuantityRange, ...]:
        """Return count and mass, which must agree with any mass stated beside them."""
        each = _single_mg(strength)
        total = QuantityRange(count.low * each, count.high * each, MG)
        stated = self.masses if not self.is_each else []
        if any(_ends(mass) != _ends(total) for mass in stated):
            raise Refused("sig-contradictory")
        return (total, count) if self.leads_with_mass else (count, total)

    def _of_volume(self) -> tuple[QuantityRange, ...]:
        """Work a volume out with the concentration stated; a mass stated too must agree."""
        header = [self.header] if self.header and self.header.per else []
        worths = {_mg_in_ml(statement) for statement in (*self.concentrations, *header)}
        if len(worths) > 1:
            raise Refused("sig-contradictory")
        if self.volumes is None or self.counts or self.strength:
            raise Refused("sig-ambiguous")
        worked_out = [QuantityRange(self.volumes.low * worth, self.volumes.high * worth, MG) for worth in worths]
        if len({_ends(mass) for mass in (*self.masses, *worked_out)}) > 1:
            raise Refused("sig-contradictory")
        masses = tuple(dict.fromkeys(self.masses)) or tuple(worked_out)
        return (*masses, self.volumes) if self.leads_with_mass else (self.volumes, *masses)


def _unit(statement: Stated) -> str | None:
    """Name the unit of an amount, one for all masses and one for all counts; `None` for a strength alone."""
    amount = statement.amount
    if amount is None:
        return None
    return MG if in_mg(amount) else amount.unit or PIECE


def _is_count(statement: Stated) -> bool:
    """A counted or a bare number."""
    return statement.amount is not None and statement.amount.unit in (PIECE, "")


def _count(statement: Stated, *, counts: Counting) -> QuantityRange:
    """Return a count; a bare number must be one that can be a count, where a count can stand."""
    amount = statement.amount
    assert amount is not None  # noqa: S101 - `_is_count` looked
    if not amount.unit and not (counts is Counting.ANY or (counts is Counting.SMALL and statement.can_count)):
        raise Refused("sig-ambiguous")
    return QuantityRange(amount.low, amount.high, PIECE)


def _one_of(amounts: Sequence[QuantityRange | None]) -> QuantityRange | None:
    """Return the one amount stated; raises Refused for two."""
    distinct = list(dict.fromkeys(amount for amount in amounts if amount is not None))
    if len(distinct) > 1:
        raise Refused("sig-contradictory")
    return distinct[0] if distinct else None


def _ends(mass: QuantityRange) -> tuple[Decimal, Decimal]:
    """Return both ends of a mass in mg."""
    known = in_mg(mass)
    assert known is not None  # noqa: S101 - only masses are collected
    return known.low, known.high


def _single_mg(strength: QuantityRange) -> Decimal:
    """Return a strength in mg; a range is none."""
    low, high = _ends(strength)
    if low != high:
        raise Refused("sig-ambiguous")
    return low


def _mg_in_ml(statement: Stated) -> Decimal:
    """Return the mg in one mL of a concentration."""
    assert statement.strength is not None  # noqa: S101 - a concentration has both
    assert statement.per is not None  # noqa: S101 - as above
    if statement.per.low != statement.per.high:
        raise Refused("sig-ambiguous")
    return _single_mg(statement.strength) / statement.per.low
