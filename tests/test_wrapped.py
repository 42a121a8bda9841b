"""Resources that come as JSON text, as bare lists or under the names of older hooks are read, or told as not read."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.wrapped import opened, opened_bundle, opened_prefetch
from tests.clinic import ALCOHOL, DAILY, OXYCODONE, TABLET_50, Json, call, condition, dosage, listed, order, told

Answer = Callable[[Json], Json]
DRAFT = order(TABLET_50, dosage(1, "{tbl}", DAILY))
OPIOID = listed(OXYCODONE, supply=30)
CONFLICT = ("opioid-conflict", "critical")
NOT_READ = ("incomplete", "info")


def request(drafts: Any = None, **context: Any) -> Json:  # noqa: ANN401 - any JSON value
    """A call with an opioid in use, whose drafts or context are replaced."""
    made = call(DRAFT, medications=[OPIOID], conditions=[condition(ALCOHOL)])
    made["context"].update(context)
    if drafts is not None:
        made["context"]["draftOrders"] = drafts
    return made


def bundle_of(*entries: object) -> Json:
    return {"resourceType": "Bundle", "entry": list(entries)}


@pytest.mark.parametrize(
    "drafts",
    [
        bundle_of({"resource": json.dumps(DRAFT)}),
        bundle_of({"resource": json.dumps(json.dumps(DRAFT))}),
        bundle_of({"resource": "\n " + json.dumps(DRAFT, indent=2)}),
        bundle_of(json.dumps({"resource": DRAFT})),
        bundle_of(json.dumps({"resource": json.dumps(DRAFT)})),
        bundle_of(json.dumps(DRAFT)),
        json.dumps(bundle_of({"resource": DRAFT})),
        json.dumps(bundle_of({"resource": json.dumps(DRAFT)})),
        json.dumps([DRAFT]),
        [DRAFT],
        [{"resource": DRAFT}],
        [json.dumps(DRAFT), {"resource": {"resourceType": "ServiceRequest"}}],
        DRAFT,
        bundle_of({"resource": {name: value for name, value in DRAFT.items() if name != "resourceType"}}),
    ],
)
def test_a_draft_in_a_wrapping_is_checked(drafts: object, answer: Answer) -> None:
    assert told(answer(request(drafts))) == {CONFLICT}


@pytest.mark.parametrize("name", ["medications", "orders"])
def test_the_drafts_of_older_hooks_are_checked(name: str, answer: Answer) -> None:
    older = request(**{name: bundle_of({"resource": DRAFT})})
    del older["context"]["draftOrders"]
    assert told(answer(older)) == {CONFLICT}


@pytest.mark.parametrize(
    "entry",
    [
        {"resource": "{not JSON"},
        {"resource": "naltrexone 50 mg daily"},
        {"resource": '{"resourceType":"MedicationRequest","id":"1","id":"2"}'},
        {"resource": '{"dose": NaN}'},
        {"resource": "[" * 1000 + "]" * 1000},
        {"resource": 5},
        {"resource": True},
        {"resource": {"id": "1"}},
        "naltrexone 50 mg daily",
        5,
    ],
)
def test_a_draft_that_cannot_be_read_is_told_and_hides_no_other(entry: object, answer: Answer) -> None:
    assert told(answer(request(bundle_of(entry)))) == {NOT_READ}
    assert told(answer(request(bundle_of(entry, {"resource": DRAFT})))) == {NOT_READ, CONFLICT}


@pytest.mark.parametrize(
    "entry", [None, {}, {"fullUrl": "urn:uuid:1"}, {"resource": None}, {"resource": {}}, {"resource": {"resourceType": "Foo"}}]
)
def test_an_empty_entry_and_a_foreign_resource_are_no_orders(entry: object, answer: Answer) -> None:
    assert answer(request(bundle_of(entry))) == {"cards": []}


@pytest.mark.parametrize("drafts", ["Bundle", "{", "[]", '"{}', [], [5], "5", 5, True])
def test_drafts_that_are_no_resources_at_all_are_refused(drafts: object, client: FlaskClient) -> None:
    sent = client.post("/cds-services/naltrexone-order-sign", json=request(drafts))
    assert (sent.status_code, sent.get_json()["issue"][0]["details"]["coding"][0]["code"]) == (400, "REQ-009")


@pytest.mark.parametrize("wrap", [json.dumps, lambda value: {**value, "entry": [json.dumps(one) for one in value["entry"]]}])
def test_a_list_of_medications_in_a_wrapping_is_read_in_full(wrap: Callable[[Json], object], answer: Answer) -> None:
    sent = request()
    sent["prefetch"] = {key: wrap(value) if "entry" in value else value for key, value in sent["prefetch"].items()}
    assert told(answer(sent)) == {CONFLICT}


def test_a_bare_list_of_medications_is_read_and_not_taken_for_all_of_them(answer: Answer) -> None:
    sent = request()
    sent["prefetch"] |= {"activeMedications": [OPIOID], "recentMedications": [{"resource": OPIOID}]}
    assert told(answer(sent)) == {CONFLICT, ("incomplete", "warning")}


def test_what_is_not_wrapped_is_not_copied() -> None:
    sent = bundle_of({"resource": DRAFT}, None, 5)
    assert opened_bundle(sent) is sent
    assert opened_prefetch(None) is None


@pytest.mark.parametrize(
    ("value", "found"), [("123", "123"), ("", ""), ("null", "null"), ('"{}"', {}), ("{}", {}), (" [1]", [1]), ("{", "{"), (7, 7)]
)
def test_only_a_text_that_is_json_is_opened(value: object, found: object) -> None:
    assert opened(value) == found


def test_a_text_is_opened_three_layers_deep() -> None:
    inner = json.dumps({"a": 1})
    assert [opened(json.dumps(inner)), opened(json.dumps(json.dumps(inner)))] == [{"a": 1}, {"a": 1}]
    assert opened(json.dumps(json.dumps(json.dumps(inner)))) == inner
