"""Floor 4: what an operator answers about a value, in a logic of four standings, and how tests and values read as text."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cds_service.facts.registry import FactType, Value
from cds_service.quantities import Quantity, QuantityRange, plain, range_in
from cds_service.rulebook.types import Line, Operand, Operator, ThresholdName, Truth
from cds_service.unknown import Unknown

FALSE: Final = 0
LACKING: Final = 1
"""Unknown because a whole kind of data is missing."""
MAYBE: Final = 2
"""Unknown because an attribute of something known could not be read."""
TRUE: Final = 3
"""Rising: all of a group hold as little as the least (min), one of several as much as the most (max).

So LACKING beside MAYBE in a group is LACKING, in alternatives MAYBE: what stays unknown when everything that is missing
is taken as false is unknown for its attribute.
"""
TRUTHS: Final[tuple[Truth, ...]] = ("false", "unknown", "unknown", "true")
"""The answer of a trace, by standing."""
NOT_GIVEN: Final = Unknown("not-given")
_PLACES: Final = 12

Limits = Mapping[str, Quantity]
"""Thresholds in force on the day of the evaluation, by name."""

FITTING: Final[Mapping[FactType, tuple[Operator, ...]]] = MappingProxyType(
    {
        "quantity": ("above", "at_least", "below", "at_most", "is", "one_of", "is_known"),
        "words": ("in", "any_in", "none_in", "one_of", "is_known"),
        "truth": ("is", "is_known"),
        "text": (),
    }
)
"""Operators that go with each type of fact."""


def standing(line: Line, value: Value, limits: Limits) -> int:
    """Answer one test of one value; `is_known` alone is never unknown, and a value of the wrong type always is."""
    operand = line.operand
    if line.operator == "is_known":
        return FALSE if isinstance(value, Unknown) is operand else TRUE
    if isinstance(value, Unknown):
        return LACKING if value.missing else MAYBE
    if isinstance(value, bool):
        return MAYBE if not isinstance(operand, bool) else TRUE if value is operand else FALSE
    if isinstance(value, QuantityRange):
        return _of_quantity(line, value, limits)
    words = value if isinstance(value, frozenset) else (value,)
    return MAYBE if not isinstance(operand, frozenset) else TRUE if operand.isdisjoint(words) is (line.operator == "none_in") else FALSE


def negated(answer: int) -> int:
    """Return true for false and the reverse; what is unknown stays unknown."""
    return TRUE - answer if answer in (TRUE, FALSE) else answer


def limits_of(operand: Operand, limits: Limits) -> tuple[Quantity, ...]:
    """Return the quantities that an operand names, thresholds with their value of the day."""
    if isinstance(operand, ThresholdName):
        return (limits[operand.name],)
    if isinstance(operand, Quantity):
        return (operand,)
    return operand if isinstance(operand, tuple) else ()


def converted(value: QuantityRange, unit: str) -> QuantityRange | None:
    """Express a range in another unit, rounded so that 31.5 mg/wk is 4.5 mg/d; `None` where the dimensions differ."""
    if value.unit == unit:
        return value
    other = range_in(value, unit)
    return None if other is None else QuantityRange(round(other.low, _PLACES), round(other.high, _PLACES), unit)


def asked(line: Line, limits: Limits) -> str:
    """Write a test as a person reads it: "order.daily_dose above $usual (4.5 mg/d)"."""
    return f"{line.fact} {line.operator} {_operand_text(line.operand, limits)}"


def found(value: Value) -> str:
    """Write a value as a person reads it."""
    if isinstance(value, Unknown):
        return f"unknown: {value.reason}" + (f" ({value.missing} missing)" if value.missing else "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    return str(value)


def quantity_text(quantity: Quantity) -> str:
    """Write a quantity: "4.5 mg/d"."""
    return f"{plain(quantity.value)} {quantity.unit}"


def _operand_text(operand: Operand, limits: Limits) -> str:
    if isinstance(operand, ThresholdName):
        return f"${operand.name} ({quantity_text(limits[operand.name])})"
    if isinstance(operand, bool):
        return found(operand)
    if isinstance(operand, Quantity):
        return quantity_text(operand)
    words = sorted(operand) if isinstance(operand, frozenset) else [quantity_text(quantity) for quantity in operand]
    return f"[{', '.join(words)}]"


def _of_quantity(line: Line, value: QuantityRange, limits: Limits) -> int:
    operand = line.operand
    if isinstance(operand, tuple):
        return max(_against("is", value, limit) for limit in operand)
    if isinstance(operand, ThresholdName):
        operand = limits[operand.name]
    return _against(line.operator, value, operand) if isinstance(operand, Quantity) else MAYBE


def _against(operator: str, value: QuantityRange, limit: Quantity) -> int:
    """Compare a range with a limit: true if all of it holds, false if none of it does."""
    same = converted(value, limit.unit)
    if same is None:
        return MAYBE
    return _COMPARE[operator](same, limit)


def _above(value: QuantityRange, limit: Quantity) -> int:
    return TRUE if value.low > limit.value else FALSE if value.high <= limit.value else MAYBE


def _at_least(value: QuantityRange, limit: Quantity) -> int:
    return TRUE if value.low >= limit.value else FALSE if value.high < limit.value else MAYBE


def _below(value: QuantityRange, limit: Quantity) -> int:
    return negated(_at_least(value, limit))


def _at_most(value: QuantityRange, limit: Quantity) -> int:
    return negated(_above(value, limit))


def _equal(value: QuantityRange, limit: Quantity) -> int:
    if not value.low <= limit.value <= value.high:
        return FALSE
    return TRUE if value.low == value.high else MAYBE


_COMPARE: Final[Mapping[str, Callable[[QuantityRange, Quantity], int]]] = MappingProxyType(
    {"above": _above, "at_least": _at_least, "below": _below, "at_most": _at_most, "is": _equal}
)
