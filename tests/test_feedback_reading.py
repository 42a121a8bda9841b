"""Feedback is read as EHRs send it, and refused where it is none."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.errors import RequestRefused
from cds_service.hooks.feedback import LONGEST_COMMENT, FeedbackItem, OverrideReason, read_feedback
from tests.conftest import ROOT

UUID = "33333333-3333-4333-8333-333333333333"
EPIC = "com.epic.cdshooks.feedback.overrideReason"
Json = dict[str, Any]


def read(*items: object) -> tuple[FeedbackItem, ...]:
    return read_feedback(json.dumps({"feedback": list(items)}).encode())


def one(**members: object) -> FeedbackItem:
    """Read one item: an overridden card, with these members."""
    [item] = read({"card": UUID, "outcome": "overridden", **members})
    return item


def recorded(name: str) -> FeedbackItem:
    [item] = read_feedback((ROOT / "fixtures" / "feedback" / f"{name}.json").read_bytes())
    return item


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_public_sandbox_accepting_a_suggestion() -> None:
    assert recorded("sandbox-accepted") == FeedbackItem(
        "22222222-2222-4222-8222-222222222222",
        "accepted",
        accepted=("22222222-aaaa-4222-8222-222222222222",),
        outcome_at=at("2026-11-22T10:35:24.768"),
    )


def test_the_public_sandbox_overriding_with_a_reason() -> None:
    reason = OverrideReason("urn:stub:override", "washout-done")
    assert recorded("sandbox-overridden-with-reason") == FeedbackItem(
        UUID, "overridden", reasons=(reason,), outcome_at=at("2026-11-22T10:35:16.287")
    )


def test_epic_overriding_with_a_reason_of_ours() -> None:
    reason = OverrideReason("https://example.org/override-reasons", "contraindicated", "Not suitable")
    assert recorded("epic-overridden-with-reason") == FeedbackItem(
        "123456", "overridden", reasons=(reason,), outcome_at=at("2022-05-19T19:44:04"), comment="Text that a clinician typed"
    )


def test_epic_overriding_with_a_reason_of_its_own() -> None:
    assert recorded("epic-overridden-with-extension") == FeedbackItem(
        "123456",
        "overridden",
        reasons=(OverrideReason(EPIC, "45", "Does not apply"),),
        outcome_at=at("2022-05-19T19:44:04"),
        comment="Text that a clinician typed",
    )


def test_epic_accepting_a_suggestion_beside_one_without_id() -> None:
    assert recorded("epic-accepted") == FeedbackItem(
        "123456", "accepted", accepted=("b1e0575b-2381-4625-b687-2def804d7c79",), outcome_at=at("2022-05-19T19:48:34")
    )


REASON = {"code": "c", "system": "s", "display": "d"}


@pytest.mark.parametrize(
    ("members", "reasons"),
    [
        ({}, []),
        ({"overrideReason": None}, []),
        ({"overrideReason": {}}, []),
        ({"overrideReason": {"reason": REASON}}, [("s", "c", "d")]),
        ({"overrideReason": {"reason": {"display": "d"}}}, [("", "", "d")]),
        ({"overrideReason": {"reason": {"code": "c"}}}, [("", "c", "")]),
        ({"overrideReason": {"reason": {"code": 45}}}, [("", "45", "")]),
        ({"overrideReason": {"reason": {"system": "s"}}}, []),
        ({"overrideReason": {"reason": "because"}}, [("", "", "because")]),
        ({"overrideReason": {"reason": [REASON, {"code": "e"}]}}, [("s", "c", "d"), ("", "e", "")]),
        ({"overrideReason": {"reason": {"coding": [REASON], "text": "t"}}}, [("", "", "t"), ("s", "c", "d")]),
        ({"overrideReason": {"reason": {"coding": {"coding": [REASON]}}}}, []),
        ({"overrideReason": REASON}, [("s", "c", "d")]),
        ({"overrideReason": "c"}, [("", "c", "")]),
        ({"overrideReasons": {"reason": REASON}}, [("s", "c", "d")]),
        ({"overrideReasons": [{"reason": REASON}, {"reason": {"code": "e"}}, {"reason": REASON}]}, [("s", "c", "d"), ("", "e", "")]),
        ({"overrideReasons": [REASON, "e", 3, None]}, [("s", "c", "d"), ("", "e", "")]),
        ({"overrideReason": {"reason": REASON}, "overrideReasons": [{"reason": {"code": "e"}}]}, [("s", "c", "d"), ("", "e", "")]),
        ({"overrideReason": {"extension": {f"{EPIC}.reasonTitle": "t"}}}, [("", "", "t")]),
        ({"overrideReason": {"extension": {f"{EPIC}.reasonTitle": "t", f"{EPIC}.reasonDisplay": "d"}}}, [("", "", "d")]),
        ({"overrideReason": {"extension": {f"{EPIC}.reasonCategory": 45}}}, [(EPIC, "45", "")]),
        ({"extension": {f"{EPIC}.reasonCategory": "45", f"{EPIC}.reasonDisplay": "d"}}, [(EPIC, "45", "d")]),
        ({"extension": {"org.example": {"reason": REASON}}}, [("s", "c", "d")]),
        ({"extension": {"org.example": [REASON, "x"]}}, [("s", "c", "d")]),
        ({"extension": {f"{EPIC}.reasonDisplay": ""}}, []),
        ({"extension": ["x"]}, []),
        ({"overrideReason": {"reason": {"code": " c\u0000\n\u2028d "}}}, [("", "c d", "")]),
    ],
)
def test_reasons_are_found_wherever_clients_put_them(members: Json, reasons: list[tuple[str, str, str]]) -> None:
    assert [(reason.system, reason.code, reason.display) for reason in one(**members).reasons] == reasons


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([{"id": "a"}], ("a",)),
        ([{"id": UUID.replace("3", "A")}], (UUID.replace("3", "a"),)),
        ([{"id": "a"}, {"id": "a"}, {"id": "b"}], ("a", "b")),
        ({"id": "a"}, ("a",)),
        (["a", {"uuid": "b"}, {}, {"id": None}, {"id": ""}, None, 7], ("a", "b", "7")),
        ([{"id": "a b"}], ("a_b",)),
        ([], ()),
        (None, ()),
        ("a", ("a",)),
        ([{"id": str(number)} for number in range(60)], tuple(str(number) for number in range(50))),
    ],
)
def test_accepted_suggestions_are_kept_by_their_ids(sent: object, kept: tuple[str, ...]) -> None:
    [item] = read({"card": UUID, "outcome": "accepted", "acceptedSuggestions": sent})
    assert item.accepted == kept


@pytest.mark.parametrize(
    ("members", "comment"),
    [
        ({"overrideReason": {"userComment": "a"}}, "a"),
        ({"userComment": "a"}, "a"),
        ({"overrideReasons": [{"userComment": "a"}, {"userComment": "b"}, {"userComment": "a"}]}, "a\nb"),
        ({"overrideReason": {"userComment": " a\u0000\u001b[31m\tb\r\nc\u009bd\u0085e\u007ff "}}, "a  [31m\tb\r\nc d e f"),
        ({"overrideReason": {"userComment": "x" * 5000}}, "x" * LONGEST_COMMENT),
        ({"overrideReasons": [{"userComment": letter * 3000} for letter in "ab"]}, "a" * 3000 + "\n" + "b" * 999),
        ({"overrideReason": {"userComment": ["a"]}}, ""),
        ({"overrideReason": {"userComment": "   "}}, ""),
    ],
)
def test_a_comment_is_taken_as_typed_within_bounds(members: Json, comment: str) -> None:
    item = one(**members)
    assert item.comment == comment
    assert "comment" not in repr(item)


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2026-11-22T10:35:24.768Z", at("2026-11-22T10:35:24.768")),
        ("2026-11-22T10:35:24.123456789Z", at("2026-11-22T10:35:24.123456")),
        ("2026-11-22T10:35:24+13:45", at("2026-11-21T20:50:24")),
        ("2026-11-22T10:35:24", at("2026-11-22T10:35:24")),
        ("2026-11-22", at("2026-11-22T00:00:00")),
        (" 2026-11-22T10:35:24Z ", at("2026-11-22T10:35:24")),
        ("9999-12-31T23:59:59Z", at("9999-12-31T23:59:59")),
        ("9999-12-31T23:59:59-14:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("10000-01-01T00:00:00Z", None),
        ("2026-02-30T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        ("2" * 100_000, None),
        (1795343725, None),
        (None, None),
        ({}, None),
    ],
)
def test_the_time_is_read_or_left_out(sent: object, moment: datetime | None) -> None:
    assert one(outcomeTimestamp=sent).outcome_at == moment


@pytest.mark.parametrize(
    ("card", "kept"),
    [
        ("123456", "123456"),
        (UUID.upper(), UUID),
        (" x ", "x"),
        ("a\u0000b", "a b"),
        ("x" * 256, "x" * 256),
        ("Ünï-cödé", "Ünï-cödé"),
        ("ABC", "ABC"),
    ],
)
def test_a_card_need_not_be_a_uuid(card: str, kept: str) -> None:
    assert one(card=card).card == kept


def test_members_that_nobody_knows_are_passed_over() -> None:
    assert one(tenant="x", nested={"deep": [1]}) == one()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "REQ-001"),
        (b"{", "REQ-001"),
        (b'{"feedback":[{"card":"a","outcome":"accepted","x":NaN}]}', "REQ-001"),
        (b'{"feedback":[{"card":"\\ud800","outcome":"accepted"}]}', "REQ-001"),
        (b'{"feedback":[{"card":"\xff","outcome":"accepted"}]}', "REQ-001"),
        (b'{"feedback":' + b"[" * 300 + b"]" * 300 + b"}", "REQ-001"),
        (b'{"feedback":[],"feedback":[]}', "REQ-002"),
        (b'{"feedback":[{"card":"a","card":"b","outcome":"accepted"}]}', "REQ-002"),
        (b"[]", "REQ-003"),
        (b"{}", "REQ-020"),
        (b'{"feedback":[]}', "REQ-020"),
        (b'{"feedback":{}}', "REQ-020"),
        (b'{"feedback":"x"}', "REQ-020"),
        (b'{"hook":"order-sign","context":{}}', "REQ-020"),
        (b'{"feedback":["x"]}', "REQ-022"),
        (b'{"feedback":[null]}', "REQ-022"),
        (b'{"feedback":[{"outcome":"accepted"}]}', "REQ-023"),
        (b'{"feedback":[{"card":"","outcome":"accepted"}]}', "REQ-023"),
        (b'{"feedback":[{"card":" \\u0000 ","outcome":"accepted"}]}', "REQ-023"),
        (b'{"feedback":[{"card":7,"outcome":"accepted"}]}', "REQ-023"),
        (b'{"feedback":[{"card":{"uuid":"x"},"outcome":"accepted"}]}', "REQ-023"),
        (b'{"feedback":[{"card":"a"}]}', "REQ-024"),
        (b'{"feedback":[{"card":"a","outcome":"ignored"}]}', "REQ-024"),
        (b'{"feedback":[{"card":"a","outcome":"Accepted"}]}', "REQ-024"),
        (b'{"feedback":[{"card":"a","outcome":["accepted"]}]}', "REQ-024"),
    ],
)
def test_what_is_no_feedback_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        read_feedback(body)
    assert (refused.value.code, refused.value.status) == (code, HTTPStatus.BAD_REQUEST)


def test_a_card_that_is_too_long_is_refused() -> None:
    with pytest.raises(RequestRefused, match=r"REQ-023: found a text that names no card as 'feedback\[0\].card'"):
        one(card="x" * 257)


def test_a_refusal_says_which_item_and_nothing_of_what_was_sent() -> None:
    with pytest.raises(RequestRefused) as refused:
        read({"card": "a", "outcome": "accepted"}, {"card": "a", "outcome": "Jane Doe"})
    assert str(refused.value) == "REQ-024: found a text that is no outcome as 'feedback[1].outcome'; expected 'accepted' or 'overridden'"


@pytest.mark.parametrize(("number", "is_taken"), [(1000, True), (1001, False)])
def test_a_request_holds_a_thousand_items_at_most(number: int, is_taken: bool) -> None:  # noqa: FBT001 - a parameter of the test
    items = [{"card": str(place), "outcome": "accepted"} for place in range(number)]
    if is_taken:
        assert [item.card for item in read(*items)] == [str(place) for place in range(number)]
        return
    with pytest.raises(RequestRefused) as refused:
        read(*items)
    assert (refused.value.code, refused.value.status) == ("REQ-021", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["reason", "code", "coding", "display", "extension", "userComment", "id", "x.reasonDisplay"]), children
        )
    ),
    max_leaves=12,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("overrideReason", "overrideReasons", "acceptedSuggestions", "outcomeTimestamp", "extension", "userComment"), JSON
    ),
)


@settings(max_examples=150, deadline=None)
@given(MEMBERS)
def test_whatever_stands_beside_card_and_outcome_is_read_within_bounds(members: Json) -> None:
    item = one(**members)
    assert (item.card, item.outcome) == (UUID, "overridden")
    assert max((len(part) for reason in item.reasons for part in (reason.system, reason.code, reason.display)), default=0) <= 256
    assert len(item.comment) <= LONGEST_COMMENT
    assert "\0" not in "".join([item.comment, *item.accepted, *(reason.display + reason.code + reason.system for reason in item.reasons)])


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused(sent: object) -> None:
    for body in (sent, {"feedback": sent}, {"feedback": [sent]}):
        with suppress(RequestRefused):
            read_feedback(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ("{}", "nothing as 'feedback[0].card'"),
        ('{"card":7}', "a number that names no card as 'feedback[0].card'"),
        ('{"card":"x"}', "nothing as 'feedback[0].outcome'"),
        ('{"card":"x","outcome":[]}', "a list that is no outcome as 'feedback[0].outcome'"),
    ],
)
def test_what_was_found_is_told_as_people_say_it(item: str, found: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        read_feedback(f'{{"feedback":[{item}]}}'.encode())
    assert refused.value.found == found
