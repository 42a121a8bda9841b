"""Floor 5: JSON values written as text, with the numbers of a request exactly as they were sent."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

_SCALAR: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
"""Made once: `json.dumps` makes an encoder for each value, and an answer has hundreds."""


def json_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a JSON value for a response: keys in their order, Decimals with their own digits, never NaN or infinity.

    The standard library cannot write a Decimal as a number without passing through float, which would turn a
    clinician's 4.50 into 4.5. Raises ValueError for a number that JSON does not know and for a type that is none of its own.
    """
    if isinstance(value, str):
        return _SCALAR(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json_text(str(name))}:{json_text(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(json_text(part) for part in value) + "]"
    if isinstance(value, Decimal):
        return _number(value)
    if value is None or isinstance(value, bool | int | float):
        return _SCALAR(value)
    raise ValueError(f"no JSON type: {type(value).__name__}")


def _number(value: Decimal) -> str:
    """Write a Decimal as Python does: "4.50", "1E+2" and "0E-8" are JSON numbers."""
    if not value.is_finite():
        raise ValueError("no JSON number: not finite")
    return str(value)
