"""Floor 1: Decimal quantities over a closed table of UCUM units; a unit that is not in the table does not convert."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

LARGEST: Final = Decimal(10) ** 12
"""Numbers beyond this are no dose, no count and no number of days: they are refused as unreadable."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A UCUM unit: its dimension and how many of the dimension's base unit it is worth (mg, mL, d, one piece)."""

    code: str
    dimension: str
    factor: Decimal


def _units() -> Mapping[str, Unit]:
    """Build the closed table from one line for each unit: code, dimension, worth in the base unit."""
    table = """
        kg mass 1000000
        g mass 1000
        mg mass 1
        ug mass 0.001
        ng mass 0.000001
        L volume 1000
        dL volume 100
        mL volume 1
        s time 0.000011574074074074074074074
        min time 0.00069444444444444444444444
        h time 0.041666666666666666666666667
        d time 1
        wk time 7
        mo time 30.4375
        a time 365.25
        {piece} count 1
        1 count 1
    """
    rows = (line.split() for line in table.strip().splitlines())
    return MappingProxyType({code: Unit(code, dimension, Decimal(factor)) for code, dimension, factor in rows})


UNITS: Final = _units()

PIECES: Final = frozenset(
    [
        "tablet",
        "tablets",
        "tab",
        "tabs",
        "tbl",
        "pill",
        "pills",
        "capsule",
        "capsules",
        "cap",
        "caps",
        "capsule(s)",
        "tablet(s)",
        "patch",
        "patches",
        "film",
        "films",
        "strip",
        "strips",
        "lozenge",
        "lozenges",
        "troche",
        "troches",
        "suppository",
        "suppositories",
        "kit",
        "kits",
        "dose",
        "doses",
        "vial",
        "vials",
        "syringe",
        "syringes",
        "unit-dose",
        "each",
        "ea",
        "piece",
        "pieces",
        "injection",
        "injections",
        "caplet",
        "caplets",
        "softgel",
        "softgels",
        "gelcap",
        "gelcaps",
        "odt",
        "kapsel",
        "kapseln",
        "tablette",
        "tabletten",
        "filmtablette",
        "filmtabletten",
        "gélule",
        "gélules",
        "gelule",
        "gelules",
        "comprimé",
        "comprimés",
        "comprime",
        "comprimes",
        "cápsula",
        "cápsulas",
        "capsula",
        "capsulas",
        "comprimido",
        "comprimidos",
        "tableta",
        "tabletas",
        "compressa",
        "compresse",
    ],
)
"""Names of a counted dose form, as UCUM annotations ({tbl}), HL7 order units (TAB) and texts write them, some in other languages."""

_SYNONYMS: Final = MappingProxyType(
    {
        "mgs": "mg", "mcgs": "ug", "gms": "g", "mls": "mL", "ccs": "mL",
        "mcg": "ug", "µg": "ug", "μg": "ug", "microgram": "ug", "micrograms": "ug", "milligram": "mg", "milligrams": "mg",
        "gram": "g", "grams": "g", "gm": "g", "ml": "mL", "cc": "mL", "milliliter": "mL", "milliliters": "mL",
        "millilitre": "mL", "millilitres": "mL", "l": "L", "liter": "L", "litre": "L", "day": "d", "days": "d",
        "week": "wk", "weeks": "wk", "month": "mo", "months": "mo", "year": "a", "years": "a", "hour": "h", "hours": "h",
        "hr": "h", "hrs": "h", "minute": "min", "minutes": "min", "second": "s", "seconds": "s",
    },
)  # fmt: skip
_PARENTHESES: Final = re.compile(r"[{}()\[\].]")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit of the table; a rate such as "mg/d" or "mg/mL" names both units with a slash."""

    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class QuantityRange:
    """From `low` to `high`, both included, in one unit; a single value has both the same."""

    low: Decimal
    high: Decimal
    unit: str

    def __str__(self) -> str:
        """`4.5 mg/d`, or `1.5 to 3 mg/d` where the two ends differ."""
        if self.low == self.high:
            return f"{plain(self.low)} {self.unit}"
        return f"{plain(self.low)} to {plain(self.high)} {self.unit}"


def plain(value: Decimal) -> str:
    """Write a Decimal without exponent and without trailing zeros, rounded to three decimals: "4.5", "50", "0.333"."""
    text = f"{value.quantize(Decimal('0.001')):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exactly(value: Decimal | int | str, unit: str) -> QuantityRange:
    """Return the range that holds one value alone."""
    number = Decimal(value)
    return QuantityRange(number, number, unit)


def unit_named(text: str | None) -> Unit | None:
    """Find the unit that a UCUM code, an annotation or an everyday word means; `None` where the table has none."""
    if not text:
        return None
    stripped = text.strip()
    if stripped in UNITS:
        return UNITS[stripped]
    word = _PARENTHESES.sub("", stripped).strip().lower()
    if word in PIECES or word.partition(",")[0].strip() in PIECES:  # "Capsule, Oral"
        return UNITS["{piece}"]
    return UNITS.get(_SYNONYMS.get(word, word))


def in_unit(quantity: Quantity, unit: str) -> Decimal | None:
    """Express a quantity, simple or a rate, in another unit; `None` where the dimensions differ or a unit is unknown."""
    factor = _factor(quantity.unit, unit)
    return None if factor is None else quantity.value * factor


def range_in(value: QuantityRange, unit: str) -> QuantityRange | None:
    """Express a range in another unit; `None` where the dimensions differ."""
    factor = _factor(value.unit, unit)
    return None if factor is None else QuantityRange(value.low * factor, value.high * factor, unit)


def same_dimension(one: str, other: str) -> bool:
    """Tell whether two units, simple or rates, can be converted into each other."""
    return _factor(one, other) is not None


def parse_quantity(text: str) -> Quantity | None:
    """Read "4.5 mg/d" or "7 d" as written in a rule or a case file; `None` where it is not a number and a known unit."""
    number, _, unit = text.strip().partition(" ")
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", number, re.ASCII) or not same_dimension(unit, unit):
        return None
    return Quantity(Decimal(number), unit)


def _factor(unit: str, target: str) -> Decimal | None:
    """Worth of one `unit` in `target` units, part by part around the slash."""
    parts, wanted = unit.split("/"), target.split("/")
    if len(parts) != len(wanted) or len(parts) > len(("numerator", "denominator")):
        return None
    factor = Decimal(1)
    for index, (one, other) in enumerate(zip(parts, wanted, strict=True)):
        here, there = unit_named(one), unit_named(other)
        if here is None or there is None or here.dimension != there.dimension:
            return None
        worth = here.factor / there.factor
        factor = factor * worth if index == 0 else factor / worth
    return factor
