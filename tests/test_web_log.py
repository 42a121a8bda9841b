"""The log has one line of JSON for each call, and nothing of the patient or of the caller's words."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.hooks.call import HookCall
from cds_service.observe import LOG, write_log_to
from tests.web_floor import CALL, FakeAdvisor, app_with

SIGN = "/cds-services/some-order-sign"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before = (LOG.handlers[:], LOG.propagate, LOG.level)
    stream = io.StringIO()
    write_log_to(stream)
    yield stream
    LOG.handlers[:], LOG.propagate = before[:2]
    LOG.setLevel(before[2])


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_call_leaves_one_line_with_the_id_that_the_answer_carries(log: io.StringIO) -> None:
    answer = app_with().test_client().post(SIGN, data=CALL, content_type="application/json")
    [line] = lines(log)
    assert isinstance(line.pop("ms"), float)
    assert line.pop("time")[-6:] == "+00:00"
    assert line == {
        "event": "call",
        "request": answer.headers["X-Request-Id"],
        "method": "POST",
        "route": "/cds-services/<service_id>",
        "service": "some-order-sign",
        "status": 200,
    }


@pytest.mark.parametrize(
    ("method", "path", "logged"),
    [
        ("GET", "/cds-services?patient=Jane", {"method": "GET", "route": "/cds-services", "service": "", "status": 200}),
        ("POST", "/cds-services/Jane%0A%7B%7D", {"method": "POST", "route": "/cds-services/<service_id>", "service": "", "status": 404}),
        ("GET", "/Jane", {"method": "GET", "route": "none", "service": "", "status": 404}),
        ("JANE", "/health", {"method": "other", "route": "none", "service": "", "status": 405}),
        ("OPTIONS", "/Jane", {"method": "OPTIONS", "route": "none", "service": "", "status": 204}),
    ],
)
def test_addresses_and_methods_of_the_caller_do_not_enter_the_log(log: io.StringIO, method: str, path: str, logged: dict[str, Any]) -> None:
    app_with().test_client().open(
        path, method=method, headers={"User-Agent": "Jane", "Authorization": "Bearer Jane", "X-Request-Id": "Jane"}
    )
    [line] = lines(log)
    assert {name: line[name] for name in logged} == logged
    assert "Jane" not in log.getvalue()


def test_a_refused_body_leaves_no_trace_of_itself(log: io.StringIO) -> None:
    app_with().test_client().post(SIGN, data=b'{"hook":"Jane","context":{"patientId":"Jane"}}', content_type="application/json")
    assert (lines(log)[0]["status"], "Jane" in log.getvalue()) == (400, False)


def test_an_unforeseen_error_leaves_its_type_and_places_but_not_its_text(log: io.StringIO) -> None:
    def fail(call: HookCall) -> dict[str, Any]:
        raise LookupError(call.patient_id + "\nJane")

    answer = app_with(FakeAdvisor(fail)).test_client().post(SIGN, data=CALL.replace(b"p1", b"Jane"), content_type="application/json")
    error, call = lines(log)
    assert (error["event"], error["exception"], error["code"]) == ("error", "LookupError", "HTTP-500")
    assert error["request"] == call["request"] == answer.headers["X-Request-Id"]
    assert error["frames"][-1].startswith("test_web_log.py:")
    assert any(frame.startswith("cds_service/web/cds_services.py:") for frame in error["frames"])
    assert "Jane" not in log.getvalue()


def test_lines_hold_nothing_that_looks_like_another_line(log: io.StringIO) -> None:
    app_with(FakeAdvisor(lambda _: {"cards": [object()]})).test_client().post(SIGN, data=CALL, content_type="application/json")
    text = log.getvalue()
    assert text.isascii()
    assert len(text.splitlines()) == text.count("\n") == 2


def test_a_higher_level_leaves_errors_alone(log: io.StringIO) -> None:
    write_log_to(log, "error")
    app_with().test_client().get("/health")
    assert log.getvalue() == ""


@pytest.mark.usefixtures("log")
def test_lines_do_not_go_on_to_other_loggers() -> None:
    assert logging.getLogger("cds_service").propagate is False
