"""JSON goes out as it came in: digits of numbers, order of keys, any text."""

import json
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import jiter
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.hooks.json_text import json_text

Json = Any
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(text: str) -> Json:
    return jiter.from_json(text.encode(), float_mode="decimal", allow_inf_nan=False, catch_duplicate_keys=True)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("4.50"), "4.50"),
        (Decimal("0.10"), "0.10"),
        (Decimal("-0.0"), "-0.0"),
        (Decimal("1E+2"), "1E+2"),
        (Decimal("1E-9"), "1E-9"),
        (Decimal("1E+999999"), "1E+999999"),
        (3, "3"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ('\u00fc \U0001f600 "quoted" \\ \n', '"\u00fc \U0001f600 \\"quoted\\" \\\\ \\n"'),
        ({"b": 1, "a": [1, ("x",)]}, '{"b":1,"a":[1,["x"]]}'),
        (MappingProxyType({"k\n": MappingProxyType({})}), '{"k\\n":{}}'),
        ([], "[]"),
    ],
)
def test_a_value_is_written_as_json(value: object, written: str) -> None:
    assert json_text(value) == written


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), Decimal("Infinity"), Decimal("sNaN"), float("nan"), float("inf"), object(), {1, 2}, b"x"]
)
def test_what_json_does_not_know_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text({"a": [value]})


@given(VALUES)
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_strict_json_that_means_the_same(value: Json) -> None:
    assert json.loads(json_text(value), parse_float=Decimal) == _plain(value)


@pytest.mark.parametrize("number", ["4.50", "1.0", "0.333333333333333333333333333", "1e-7", "100", "-2.50"])
def test_numbers_survive_a_round_trip_with_their_digits(number: str) -> None:
    assert json_text(read(f'{{"value":{number}}}')).lower().replace("e+", "e") == f'{{"value":{number}}}'


def _plain(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
