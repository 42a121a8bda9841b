"""POST /cds-services/<id>/feedback: committed before it is acknowledged, each thing once, whatever clients send."""

import io
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.observe import LOG, write_log_to
from cds_service.settings import Settings
from cds_service.store.engine import Store
from cds_service.store.feedback import FeedbackBook
from cds_service.store.schema import feedback, feedback_comments, feedback_reasons
from tests.conftest import ROOT
from tests.store_floor import DATABASES, opened, rows, store_at
from tests.web_floor import CALL, FakeAdvisor, client_with

UUID = "33333333-3333-4333-8333-333333333333"
PATH = "/cds-services/some-order-sign/feedback"
Json = dict[str, Any]


@dataclass
class Service:
    """A service with a store."""

    client: FlaskClient
    store: Store

    def give(self, *items: object) -> TestResponse:
        return self.send(json.dumps({"feedback": items}).encode())

    def send(self, body: bytes) -> TestResponse:
        return self.client.post(PATH, data=body, content_type="application/json")

    def cards(self) -> list[str]:
        return sorted(row["card"] for row in rows(self.store, feedback))


@pytest.fixture(params=DATABASES)
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    with opened(request.param, tmp_path) as store:
        yield Service(create_app(Settings(), FakeAdvisor(), keeper=FeedbackBook(store)).test_client(), store)


def accepted(card: str = UUID, **more: object) -> Json:
    return {"card": card, "outcome": "accepted", "acceptedSuggestions": [{"id": "s1"}], "outcomeTimestamp": "2026-11-22T10:00:00Z", **more}


def overridden(card: str = UUID, **more: object) -> Json:
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T10:00:00Z", **more}


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "fixtures" / "feedback").iterdir()))
def test_recorded_feedback_is_kept(service: Service, name: str) -> None:
    answer = service.send((ROOT / "fixtures" / "feedback" / name).read_bytes())
    assert (answer.status_code, answer.get_json(), len(service.cards())) == (200, {"received": 1}, 1)
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_was_said_is_in_the_store_with_reasons_and_comment_apart(service: Service) -> None:
    reason = {"reason": {"code": "c", "system": "s", "display": "d"}, "userComment": "Jane is on hospice"}
    assert service.give(overridden(overrideReason=reason)).status_code == 200
    [row] = rows(service.store, feedback)
    received = row.pop("received_at")
    assert isinstance(received, datetime)
    assert received.tzinfo is not None
    assert row == {
        "id": row["id"],
        "card": UUID,
        "service": "some-order-sign",
        "client": "",
        "outcome": "overridden",
        "accepted_suggestions": "",
        "outcome_timestamp": datetime.fromisoformat("2026-11-22T10:00:00+00:00"),
    }
    assert rows(service.store, feedback_reasons) == [{"feedback": row["id"], "position": 0, "system": "s", "code": "c", "display": "d"}]
    [comment] = rows(service.store, feedback_comments)
    assert (comment["feedback"], comment["text"], comment["received_at"]) == (row["id"], "Jane is on hospice", received)


def test_a_repeat_changes_nothing(service: Service) -> None:
    item = overridden(overrideReason={"reason": {"code": "c"}, "userComment": "x"})
    for items in ([item], [item, item], [accepted("other"), item]):
        assert service.give(*items).status_code == 200
    assert service.cards() == [UUID, "other"]
    assert (len(rows(service.store, feedback_reasons)), len(rows(service.store, feedback_comments))) == (1, 1)


def test_another_outcome_time_reason_or_suggestion_is_another_thing_said(service: Service) -> None:
    items = [
        accepted(),
        accepted(acceptedSuggestions=[{"id": "s2"}]),
        accepted(outcomeTimestamp="2026-11-22T10:00:01Z"),
        overridden(),
        overridden(overrideReason={"reason": {"code": "c"}}),
        overridden("other"),
    ]
    assert service.give(*items, *items).get_json() == {"received": 12}
    assert len(service.cards()) == 6


def test_suggestions_in_another_order_are_the_same_thing_said(service: Service) -> None:
    for ids in ("ab", "ba"):
        service.give(accepted(acceptedSuggestions=[{"id": one} for one in ids]))
    assert len(service.cards()) == 1


def test_a_comment_that_comes_later_is_added(service: Service) -> None:
    service.give(overridden())
    service.give(overridden(overrideReason={"userComment": "later"}))
    assert (len(service.cards()), [row["text"] for row in rows(service.store, feedback_comments)]) == (1, ["later"])


def test_feedback_for_one_service_and_another_is_kept_apart(service: Service) -> None:
    service.give(accepted())
    body = json.dumps({"feedback": [accepted()]})
    assert service.client.post("/cds-services/some-order-select/feedback", data=body, content_type="application/json").status_code == 200
    assert sorted(row["service"] for row in rows(service.store, feedback)) == ["some-order-select", "some-order-sign"]


@pytest.mark.parametrize("number", [100, 1000])
def test_a_batch_is_kept_whole(service: Service, number: int) -> None:
    items = [accepted(f"card-{place:04}") if place % 2 else overridden(f"card-{place:04}") for place in range(number)]
    random.Random(1).shuffle(items)  # noqa: S311 - no secret
    assert service.give(*items).get_json() == {"received": number}
    assert service.cards() == [f"card-{place:04}" for place in range(number)]


def test_a_batch_with_one_bad_item_is_refused_whole(service: Service) -> None:
    answer = service.give(*[accepted(str(place)) for place in range(99)], {"card": "x"})
    assert (answer.status_code, service.cards()) == (400, [])
    assert answer.get_json()["issue"][0]["details"]["coding"] == [{"code": "REQ-024"}]
    assert "feedback[99].outcome" in answer.get_json()["issue"][0]["details"]["text"]


def test_a_batch_that_is_too_large_is_refused(service: Service) -> None:
    answer = service.give(*[accepted(str(place)) for place in range(1001)])
    assert (answer.status_code, answer.get_json()["issue"][0]["code"], service.cards()) == (413, "too-long", [])


@pytest.mark.parametrize(
    "more",
    [
        {"outcomeTimestamp": "0001-01-01T00:00:00Z"},
        {"outcomeTimestamp": "9999-12-31T23:59:59.999999Z"},
        {"outcomeTimestamp": "0001-01-01T00:00:00+14:00"},
        {"outcomeTimestamp": 10**400},
        {"overrideReason": {"userComment": "a\u0000b\u202e\ufffe\uffff" + "\U0001f600" * 5000}},
        {"overrideReason": {"reason": {"code": "\u0000", "display": "x" * 100_000, "system": "'; DROP TABLE feedback; --"}}},
        {"overrideReason": {"reason": {"code": "%s {0} :name \\ $1"}}},
        {"overrideReasons": [{"reason": {"code": str(place)}} for place in range(500)]},
        {"acceptedSuggestions": [{"id": "x" * 10_000}] * 500},
        {"extension": {"\u0000" * 300: "\u0000", "a.reasonDisplay": "\u0000"}},
        {"card": "\u202e" * 256},
        {"card": "\U0001f600" * 256},
        {"card": "\u017f" * 256},
    ],
)
def test_no_content_brings_an_error_of_the_server(service: Service, more: Json) -> None:
    answer = service.give({**overridden(), **more})
    assert (answer.status_code, len(service.cards())) == (200, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b'{"feedback":[]}', 400),
        (b"[1]", 400),
        (b"\x00", 400),
        (b"<html/>", 400),
        (b'{"feedback":[{"card":"\\ud800"}]}', 400),
    ],
)
def test_what_is_no_feedback_gets_an_outcome_and_leaves_nothing(service: Service, body: bytes, status: int) -> None:
    answer = service.send(body)
    assert (answer.status_code, answer.get_json()["resourceType"], service.cards()) == (status, "OperationOutcome", [])


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status"),
    [
        ("POST", "/cds-services/none/feedback", "application/json", 404),
        ("GET", PATH, "application/json", 405),
        ("POST", PATH, "text/plain", 415),
        ("POST", PATH + "/", "application/json", 200),
        ("OPTIONS", PATH, "application/json", 204),
    ],
)
def test_the_route_is_that_of_the_specification(service: Service, method: str, path: str, content_type: str, status: int) -> None:
    body = json.dumps({"feedback": [accepted()]})
    assert service.client.open(path, method=method, data=body, content_type=content_type).status_code == status


def test_many_clients_give_feedback_at_once(service: Service) -> None:
    statuses: list[int] = []

    def post(number: int) -> None:
        for part in range(4):
            cards = [accepted(f"{number}-{part}-{place}") for place in range(5)]
            statuses.append(service.give(*cards, accepted("the same")).status_code)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (set(statuses), len(statuses), len(service.cards())) == ({200}, 100, 501)


def test_batches_that_cross_each_other_do_not_lock_each_other_out(service: Service) -> None:
    statuses: list[int] = []

    def post(seed: int) -> None:
        items = [accepted(str(place), overrideReason={"userComment": str(place)}) for place in range(200)]
        random.Random(seed).shuffle(items)  # noqa: S311 - no secret
        statuses.append(service.give(*items).status_code)

    threads = [threading.Thread(target=post, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses, len(service.cards())) == ([200] * 8, 200)


def test_without_its_store_feedback_gets_503_and_advice_goes_on() -> None:
    store = store_at("postgresql://someone@127.0.0.1:1/nothing")
    client = create_app(Settings(), FakeAdvisor(), keeper=FeedbackBook(store)).test_client()
    for _ in range(3):
        answer = client.post(PATH, data=json.dumps({"feedback": [accepted()]}), content_type="application/json")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert answer.get_json()["issue"][0]["details"]["coding"] == [{"code": "HTTP-503"}]
        assert "127.0.0.1" not in answer.get_data(as_text=True)
        assert client.post("/cds-services/some-order-sign", data=CALL, content_type="application/json").status_code == 200
    store.close()


def test_bad_feedback_is_refused_also_without_a_store() -> None:
    assert client_with().post(PATH, data=b"{}", content_type="application/json").status_code == 400
    assert client_with().post(PATH, data=json.dumps({"feedback": [accepted()]}), content_type="application/json").status_code == 503


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before = (LOG.handlers[:], LOG.propagate, LOG.level)
    stream = io.StringIO()
    write_log_to(stream)
    yield stream
    LOG.handlers[:], LOG.propagate = before[:2]
    LOG.setLevel(before[2])


def test_nothing_of_feedback_enters_the_log(service: Service, log: io.StringIO) -> None:
    service.give(overridden("Jane", overrideReason={"reason": {"display": "Jane"}, "userComment": "Jane"}))
    service.give({"card": "Jane", "outcome": "Jane"})
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["route"], line["service"], line["status"]) for line in lines] == [
        ("/cds-services/<service_id>/feedback", "some-order-sign", 200),
        ("/cds-services/<service_id>/feedback", "some-order-sign", 400),
    ]
    assert "Jane" not in log.getvalue()
