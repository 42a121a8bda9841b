"""The bytes of a request become a HookCall, or a refusal that says what is wrong and repeats nothing of what was sent."""

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest

from cds_service.errors import RequestRefused
from cds_service.hooks.call import HookCall, HookName
from cds_service.hooks.parse import read_call

VALID: dict[str, Any] = {
    "hook": "order-sign",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "fhirServer": "https://ehr.example.org/fhir",
    "fhirAuthorization": {"access_token": "secret-token", "token_type": "Bearer"},
    "context": {
        "userId": "Practitioner/p1",
        "patientId": "patient-1",
        "encounterId": "e.1",
        "draftOrders": {"resourceType": "Bundle", "entry": []},
        "selections": ["MedicationRequest/1"],
    },
    "prefetch": {"patient": {"resourceType": "Patient"}},
}


def with_member(path: str, value: object) -> bytes:
    message = json.loads(json.dumps(VALID))
    *parents, name = path.split(".")
    place = message
    for parent in parents:
        place = place[parent]
    place[name] = value
    return json.dumps(message).encode()


def without(path: str) -> bytes:
    message = json.loads(json.dumps(VALID))
    *parents, name = path.split(".")
    place = message
    for parent in parents:
        place = place[parent]
    del place[name]
    return json.dumps(message).encode()


def refusal(body: bytes) -> RequestRefused:
    with pytest.raises(RequestRefused) as refused:
        read_call(body, "order-sign")
    return refused.value


def test_every_member_of_a_whole_request_arrives() -> None:
    assert read_call(json.dumps(VALID).encode(), "order-sign") == HookCall(
        hook="order-sign",
        hook_instance="d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        patient_id="patient-1",
        user_id="Practitioner/p1",
        encounter_id="e.1",
        draft_orders={"resourceType": "Bundle", "entry": []},
        selections=("MedicationRequest/1",),
        prefetch={"patient": {"resourceType": "Patient"}},
        fhir_server="https://ehr.example.org/fhir",
        fhir_authorization={"access_token": "secret-token", "token_type": "Bearer"},
    )


def test_a_request_with_hook_and_empty_context_alone_is_read() -> None:
    assert read_call(b'{"hook":"order-select","context":{}}', "order-select") == HookCall("order-select", "", "")


def test_a_call_written_out_shows_no_patient_and_no_token() -> None:
    written = repr(read_call(json.dumps(VALID).encode(), "order-sign"))
    assert [word for word in ("patient-1", "secret-token", "Bundle", "Patient") if word in written] == []


def test_numbers_keep_the_digits_they_were_sent_with() -> None:
    body = b'{"hook":"order-sign","context":{"draftOrders":{"value":4.50,"count":3,"large":1e2}}}'
    drafts = read_call(body, "order-sign").draft_orders
    assert drafts == {"value": Decimal("4.50"), "count": 3, "large": Decimal("1E+2")}
    assert str((drafts or {})["value"]) == "4.50"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"{", "line 1 column 1"),
        (b"{'hook':1}", "line 1 column 2"),
        (b'{"a":NaN}', "line 1 column 6"),
        (b'{"a":Infinity}', "line 1 column 6"),
        (b'{"a":-Infinity}', "line 1 column 7"),
        (b'{"a":"\xff"}', "line 1 column 7"),
        (b'{"a":"\\ud800"}', "line 1 column 13"),
        (b'{"a":"\xed\xa0\x80"}', "line 1 column 7"),
        (b'{"a":1}\n{"b":2}', "line 2 column 1"),
        (b'{"a":1,}', "line 1 column 8"),
        (b'{"a":012}', "line 1 column 7"),
        (b'{"a":"tab\there"}', "line 1 column 10"),
        (b"[" * 100_000, "line 1 column 202"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "line 1 column 1006"),
        (b'{"a":' + b"9" * 5000 + b"}", "line 1 column 4307"),
        (b'{"a":1e99999999999999999999}', "line 1 column 28"),
    ],
)
def test_what_is_no_strict_json_is_refused_with_the_place(body: bytes, place: str) -> None:
    refused = refusal(body)
    assert (refused.code, refused.found, refused.status, refused.issue) == ("REQ-001", f"no strict JSON at {place}", 400, "structure")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "an empty body"),
        (b"\xef\xbb\xbf{}", "a byte order mark"),
        (b"\xff\xfe" + "{}".encode("utf-16-le"), "another encoding (UTF-16)"),
        (b"\xfe\xff" + "{}".encode("utf-16-be"), "another encoding (UTF-16)"),
        (gzip.compress(b"{}", mtime=0), "a compressed body"),
    ],
)
def test_what_nobody_sees_at_the_beginning_of_a_body_is_named(body: bytes, found: str) -> None:
    refused = refusal(body)
    assert (refused.code, refused.found, refused.status, refused.issue) == ("REQ-001", found, 400, "structure")


@pytest.mark.parametrize(
    "body",
    [
        b'{"hook":"order-sign","hook":"order-sign","context":{}}',
        b'{"hook":"order-sign","context":{"draftOrders":{"entry":[{"resource":{"status":"draft","status":"active"}}]}}}',
        b'{"hook":"order-sign","context":{},"prefetch":{"x":[{"y":1,"\\u0079":2}]}}',
    ],
)
def test_a_member_that_stands_twice_is_refused_anywhere(body: bytes) -> None:
    refused = refusal(body)
    assert (refused.code, refused.found.startswith("a member that stands twice in one object, at line 1 column ")) == ("REQ-002", True)


def test_a_refusal_never_repeats_a_name_from_the_body() -> None:
    assert "Jane" not in str(refusal(b'{"Jane Doe at line 1 column 1":1,"Jane Doe at line 1 column 1":2}'))


@pytest.mark.parametrize(
    ("body", "code", "found", "issue"),
    [
        (b"[]", "REQ-003", "a list as body", "structure"),
        (b"null", "REQ-003", "nothing as body", "structure"),
        (b'"text"', "REQ-003", "a text as body", "structure"),
        (b"1.5", "REQ-003", "a number as body", "structure"),
        (b"7", "REQ-003", "a number as body", "structure"),
        (b"true", "REQ-003", "true or false as body", "structure"),
        (without("hook"), "REQ-004", "nothing as 'hook'", "required"),
        (with_member("hook", None), "REQ-004", "nothing as 'hook'", "required"),
        (with_member("hook", 3), "REQ-004", "a number as 'hook'", "required"),
        (with_member("hook", {}), "REQ-004", "an object as 'hook'", "required"),
        (with_member("hook", "order-select"), "REQ-005", "'order-select'", "value"),
        (with_member("hook", "patient-view"), "REQ-005", "another hook", "value"),
        (with_member("hook", ""), "REQ-005", "another hook", "value"),
        (with_member("hook", "Order-Sign"), "REQ-005", "another hook", "value"),
        (without("context"), "REQ-006", "nothing as 'context'", "required"),
        (with_member("context", None), "REQ-006", "nothing as 'context'", "required"),
        (with_member("context", []), "REQ-006", "a list as 'context'", "required"),
        (with_member("context", "x"), "REQ-006", "a text as 'context'", "required"),
        (with_member("hookInstance", 7), "REQ-007", "a number as 'hookInstance'", "value"),
        (with_member("hookInstance", "x" * 257), "REQ-007", "a text as 'hookInstance'", "value"),
        (with_member("context.draftOrders", []), "REQ-009", "a list as 'context.draftOrders'", "structure"),
        (with_member("context.draftOrders", "Bundle"), "REQ-009", "a text as 'context.draftOrders'", "structure"),
        (with_member("context.draftOrders", 1.5), "REQ-009", "a number as 'context.draftOrders'", "structure"),
    ],
)
def test_a_malformed_request_is_refused_with_what_was_found(body: bytes, code: str, found: str, issue: str) -> None:
    refused = refusal(body)
    assert (refused.code, refused.found, refused.issue, refused.status) == (code, found, issue, 400)


@pytest.mark.parametrize("code", ["order-sign", "order-select"])
def test_a_refused_hook_names_the_one_that_is_expected(code: HookName) -> None:
    with pytest.raises(RequestRefused) as refused:
        read_call(b'{"hook":"x","context":{}}', code)
    assert refused.value.expected == f"'{code}'"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("patient-1", "patient-1"),
        ("Patient/patient-1", "patient-1"),
        ("e.Kx-9", "e.Kx-9"),
        ("x" * 256, "x" * 256),
        ("Patient/" + "x" * 256, "x" * 256),
        ("", ""),
        (None, ""),
    ],
)
def test_a_patient_id_is_read_as_the_bare_id(sent: object, read: str) -> None:
    assert read_call(with_member("context.patientId", sent), "order-sign").patient_id == read


@pytest.mark.parametrize(
    "sent",
    [
        "x" * 257, "a/b", "../Patient/1", "..", ".", "Patient/", "Patient/..", "Patient/Patient/1", "Group/1", "a b", "a?b=c", "a|b", "a_b",
        "a%2Fb", "a\n", "\u00e4", "\u0661", "a\u0000", 7, 1.5, True, [], ["a"], {}, {"reference": "Patient/1"},
    ],
)  # fmt: skip
def test_a_patient_id_outside_the_fhir_alphabet_is_refused(sent: object) -> None:
    refused = refusal(with_member("context.patientId", sent))
    assert (refused.code, refused.issue, "1 to 256" in refused.expected) == ("REQ-008", "value", True)


@pytest.mark.parametrize("name", ["userId", "encounterId"])
@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Practitioner/p1", "Practitioner/p1"),
        ("p1", "p1"),
        ("Practitioner/" + "x" * 256, "Practitioner/" + "x" * 256),
        ("Practitioner/" + "x" * 257, ""),
        ("https://ehr.example.org/Practitioner/1", ""),
        ("A/B/c", ""),
        ("9/c", ""),
        ("/c", ""),
        ("Practitioner/", ""),
        ("Practitioner/..", ""),
        ("", ""),
        (None, ""),
        (7, ""),
        ({}, ""),
    ],
)
def test_an_odd_user_or_encounter_is_as_good_as_none(name: str, sent: object, read: str) -> None:
    call = read_call(with_member(f"context.{name}", sent), "order-sign")
    assert {"userId": call.user_id, "encounterId": call.encounter_id}[name] == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (["MedicationRequest/1", "b"], ("MedicationRequest/1", "b")),
        ([], None),
        (None, None),
        ("MedicationRequest/1", None),
        ([1], None),
        (["a", None], None),
        ({}, None),
    ],
)
def test_selections_that_cannot_be_read_narrow_nothing(sent: object, read: tuple[str, ...] | None) -> None:
    assert read_call(with_member("context.selections", sent), "order-sign").selections == read


@pytest.mark.parametrize("sent", [None, [], "x", 3, True])
def test_what_is_no_object_is_as_good_as_no_prefetch_and_no_authorization(sent: object) -> None:
    assert read_call(with_member("prefetch", sent), "order-sign").prefetch is None
    assert read_call(with_member("fhirAuthorization", sent), "order-sign").fhir_authorization is None


def test_an_empty_prefetch_stays_an_empty_object() -> None:
    assert read_call(with_member("prefetch", {}), "order-sign").prefetch == {}


@pytest.mark.parametrize(("sent", "read"), [("https://a/fhir", "https://a/fhir"), (None, ""), (3, ""), ({}, "")])
def test_a_fhir_server_is_read_where_it_is_a_text(sent: object, read: str) -> None:
    assert read_call(with_member("fhirServer", sent), "order-sign").fhir_server == read


@pytest.mark.parametrize(
    "sent", ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "00000000-007b-9f33-e810-e841a57c502c", "any text", "x" * 256, ""]
)
def test_a_hook_instance_of_any_kind_is_kept(sent: str) -> None:
    assert read_call(with_member("hookInstance", sent), "order-sign").hook_instance == sent


def test_a_hook_instance_of_null_is_as_good_as_none() -> None:
    assert read_call(with_member("hookInstance", None), "order-sign").hook_instance == ""


@pytest.mark.parametrize("path", ["extension", "context.extension", "anything", "context.anything"])
def test_unknown_members_are_ignored(path: str) -> None:
    assert read_call(with_member(path, {"com.example.more": [1]}), "order-sign") == read_call(json.dumps(VALID).encode(), "order-sign")


def test_draft_orders_of_null_are_none() -> None:
    assert read_call(with_member("context.draftOrders", None), "order-sign").draft_orders is None
