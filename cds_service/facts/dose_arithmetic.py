"""Floor 3: exact arithmetic for doses: spans of fractions, so that a weekly total divides into days without a rest and a class boundary holds."""

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final

from cds_service.quantities import LARGEST, QuantityRange

_FINEST: Final = -30
"""A number with more decimals than this is hostile or broken: turning it into a fraction could cost the whole deadline."""
_ROUNDED: Final = -18
"""More decimals than anybody writes: a quotient that was cut off (a concentration), to be read as the fraction it came from."""
_PRECISION: Final = Context(prec=28)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `low` to `high`, both included and never below 0, in a unit that the holder knows."""

    low: Fraction
    high: Fraction

    def __add__(self, other: "Span") -> "Span":
        """Both together: two concurrent doses."""
        return Span(self.low + other.low, self.high + other.high)

    def __mul__(self, other: "Span") -> "Span":
        """A dose times how often, a count times its strength."""
        return Span(self.low * other.low, self.high * other.high)

    def __truediv__(self, other: "Span") -> "Span":
        """So often in so long: the least is the fewest in the longest."""
        return Span(self.low / other.high, self.high / other.low)


def one(value: Fraction | int) -> Span:
    """Return the span that holds one value alone."""
    return Span(Fraction(value), Fraction(value))


def is_number(value: Decimal) -> bool:
    """Tell whether a number can be worked with: finite, not absurdly large, not absurdly fine."""
    if not value.is_finite() or abs(value) > LARGEST:
        return False
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= _FINEST


def exact(value: Decimal) -> Fraction:
    """Turn a number that `is_number` into a fraction; a cut-off quotient becomes the fraction that it came from."""
    exponent = value.as_tuple().exponent
    fraction = Fraction(value)
    if isinstance(exponent, int) and exponent < _ROUNDED:
        return fraction.limit_denominator(10**6) or fraction
    return fraction


def decimal(value: Fraction) -> Decimal:
    """Turn a fraction into a Decimal: exact where it ends, else to 28 digits."""
    return _PRECISION.divide(Decimal(value.numerator), Decimal(value.denominator))


def as_range(span: Span, unit: str) -> QuantityRange:
    """Turn a span into the range that facts carry."""
    return QuantityRange(decimal(span.low), decimal(span.high), unit)
