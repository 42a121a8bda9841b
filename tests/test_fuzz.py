"""Recorded requests, mutated by hypothesis: never an error of the server, and each answer valid by the specification."""

import copy
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clinic import Json
from tests.test_answers_over_http import SCHEMA, paths

ROOT = Path(__file__).parent.parent
RECORDED = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "fixtures/calls").glob("*.json"))]
FEEDBACK = [path.read_bytes() for path in sorted((ROOT / "fixtures/feedback").glob("*.json"))]
PLACES = [list(paths(request)) for request in RECORDED]
SOME = settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from(["2026-11-22", "0000-00-00", "1e400", "mg", "{pill}", "Patient/..", "<img src=x>", "{{7*7}}", "\u202e", "9" * 400]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3), max_leaves=6
)


@st.composite
def mutated(draw: st.DrawFn) -> Json:
    """A recorded request with up to six places replaced, removed, repeated or put elsewhere."""
    number = draw(st.integers(0, len(RECORDED) - 1))
    request: Json = copy.deepcopy(RECORDED[number])
    for _ in range(draw(st.integers(1, 6))):
        _change(request, draw(st.sampled_from(PLACES[number])), draw)
    return request


def _change(request: Json, path: tuple[str | int, ...], draw: st.DrawFn) -> None:
    holder: Any = request
    for key in path[:-1]:
        try:
            holder = holder[key]
        except (KeyError, IndexError, TypeError):
            return  # an earlier change took the place away
    key = path[-1]
    if isinstance(holder, dict) and key in holder:
        _change_member(holder, str(key), draw)
    elif isinstance(holder, list) and isinstance(key, int) and key < len(holder):
        holder.insert(key, copy.deepcopy(holder[key])) if draw(st.booleans()) else holder.__setitem__(key, draw(values))


def _change_member(holder: Json, key: str, draw: st.DrawFn) -> None:
    how = draw(st.sampled_from(["replace", "remove", "wrap", "rename"]))
    if how == "replace":
        holder[key] = draw(values)
    elif how == "wrap":
        holder[key] = [holder[key]]
    else:
        value = holder.pop(key)
        if how == "rename":
            holder[draw(st.sampled_from([f"_{key}", key.upper(), "extension", "resource", "id"]))] = value


def _judge(status: int, body: Mapping[str, Any]) -> object:
    """What is wrong with an answer, if anything."""
    if status == 200:
        return [error.message for error in SCHEMA.iter_errors(body)]
    return [] if 400 <= status < 500 and body["resourceType"] == "OperationOutcome" else status


@SOME
@given(request=mutated())
def test_a_mutated_request_gets_a_valid_answer_or_a_refusal(request: Json, client: FlaskClient) -> None:
    hook = request.get("hook")
    answer = client.post(f"/cds-services/naltrexone-{hook if hook == 'order-select' else 'order-sign'}", json=request)
    assert _judge(answer.status_code, answer.get_json()) == []


@SOME
@given(place=st.floats(0, 1), junk=st.binary(max_size=8), cut=st.booleans(), number=st.integers(0, len(RECORDED) - 1))
def test_a_damaged_body_gets_a_valid_answer_or_a_refusal(place: float, junk: bytes, cut: bool, number: int, client: FlaskClient) -> None:  # noqa: FBT001
    body = json.dumps(RECORDED[number]).encode()
    at = int(place * len(body))
    damaged = body[:at] + junk + (b"" if cut else body[at + len(junk) :])
    answer = client.post(f"/cds-services/naltrexone-{RECORDED[number]['hook']}", data=damaged, content_type="application/json")
    assert _judge(answer.status_code, answer.get_json()) == []


@SOME
@given(place=st.floats(0, 1), junk=st.binary(max_size=8), body=st.sampled_from(FEEDBACK))
def test_damaged_feedback_is_refused_or_taken(place: float, junk: bytes, body: bytes, client: FlaskClient) -> None:
    at = int(place * len(body))
    damaged = body[:at] + junk + body[at + len(junk) :]
    answer = client.post("/cds-services/naltrexone-order-sign/feedback", data=damaged, content_type="application/json")
    assert answer.status_code in {400, 503}  # without a store nothing is taken, and nothing breaks
    assert answer.get_json()["resourceType"] == "OperationOutcome"


READERS = import_module("benchmarks.fuzz_readers").READERS


@pytest.mark.parametrize("name", READERS)
def test_the_harness_of_each_reader_takes_any_bytes(name: str) -> None:
    read, seeds = READERS[name]
    for body in (b"", b"{}", b"\xff", b"\n", *seeds()[:20]):
        read(body)
        read(body[: len(body) // 2])
