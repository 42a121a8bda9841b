"""Whatever a FHIR server does, the answer comes in time, says what was not checked, and the fault is counted."""

import json
import socket
from collections.abc import Callable

import pytest

from cds_service.fhir_reads.bounds import Breaker, Fault
from cds_service.service import Pack
from tests.clinic import DAILY, LDN_CAPSULE, OXYCODONE, Json, call, dosage, findings, listed, order
from tests.fhir_reads_floor import Clinic, asked_for, clinic_with, plain, without
from tests.misbehaving_server import (
    Asked,
    Misbehaving,
    body,
    cut_short,
    dripped_body,
    dripped_chunks,
    dripped_head,
    empty_bundle,
    endless_continue,
    endless_pages,
    gzip_bomb,
    hang_up,
    huge,
    misbehaving,
    nonsense,
    reset_in_body,
    same_page,
    send,
    silence,
    status,
)

DEADLINE = 0.6
GRACE = 0.5
ORDER = call(order(LDN_CAPSULE, dosage(4.5)))
DEEP = '{"resourceType":"Bundle","entry":' + "[" * 5000 + "]" * 5000 + "}"
MISBEHAVIOUR: list[tuple[str, Callable[..., None], Fault]] = [
    ("silence", silence, Fault.TIMEOUT),
    ("a body byte by byte", dripped_body, Fault.TIMEOUT),
    ("a header byte by byte", dripped_head, Fault.TIMEOUT),
    ("chunks of one byte", dripped_chunks, Fault.TIMEOUT),
    ("100 Continue without end", endless_continue, Fault.TIMEOUT),
    ("a body that is cut short", cut_short, Fault.BROKEN_OFF),
    ("a reset in the body", reset_in_body, Fault.BROKEN_OFF),
    ("a connection closed without answer", hang_up, Fault.CONNECT),
    ("no HTTP", nonsense, Fault.BROKEN_OFF),
    ("401", status("401 Unauthorized"), Fault.UNAUTHORIZED),
    ("403", status("403 Forbidden"), Fault.UNAUTHORIZED),
    ("404", status("404 Not Found"), Fault.NOT_FOUND),
    ("410", status("410 Gone"), Fault.NOT_FOUND),
    ("400", status("400 Bad Request"), Fault.STATUS),
    ("204", status("204 No Content"), Fault.STATUS),
    ("429 with a long Retry-After", status("429 Too Many Requests", Retry_After="120"), Fault.THROTTLED),
    ("429 with a Retry-After that is a date", status("429 Too Many Requests", Retry_After="Fri, 31 Dec 2100 23:59:59 GMT"), Fault.THROTTLED),
    ("429 with a Retry-After that is none", status("429 Too Many Requests", Retry_After="9" * 5000), Fault.THROTTLED),
    ("503", status("503 Service Unavailable"), Fault.THROTTLED),
    ("500", status("500 Internal Server Error"), Fault.SERVER_ERROR),
    ("301", status("301 Moved Permanently", Location="http://127.0.0.1:1/"), Fault.REDIRECT),
    ("304", status("304 Not Modified"), Fault.REDIRECT),
    ("HTML", body("<html>Log in</html>", Content_Type="text/html"), Fault.NOT_FHIR),
    ("HTML that calls itself FHIR", body("<html>Log in</html>"), Fault.BAD_JSON),
    ("XML", body("<Bundle/>", Content_Type="application/fhir+xml"), Fault.NOT_FHIR),
    ("no content type", body("{}", Content_Type=""), Fault.NOT_FHIR),
    ("UTF-16", body(json.dumps(empty_bundle()).encode("utf-16"), Content_Type="application/fhir+json; charset=utf-16"), Fault.NOT_FHIR),
    ("Latin-1 that calls itself UTF-8", body('{"resourceType":"Bundle","a":"é"}'.encode("latin-1")), Fault.BAD_JSON),
    ("an unknown coding", body("x", Content_Encoding="br"), Fault.NOT_FHIR),
    ("gzip that is none", body("x" * 100, Content_Encoding="gzip"), Fault.BROKEN_OFF),
    ("gzip in gzip", body("x", Content_Encoding="gzip, gzip"), Fault.NOT_FHIR),
    ("an empty body", body(""), Fault.BAD_JSON),
    ("a list", body("[]"), Fault.WRONG_RESOURCE),
    ("another resource", body({"resourceType": "Patient", "id": "p1"}), Fault.WRONG_RESOURCE),
    ("NaN", body('{"resourceType":"Bundle","total":NaN}'), Fault.BAD_JSON),
    ("a member twice", body('{"resourceType":"Bundle","total":1,"total":0}'), Fault.BAD_JSON),
    ("deep nesting", body(DEEP), Fault.BAD_JSON),
    ("pages without end", endless_pages, Fault.TOO_MANY_PAGES),
    ("a next page that is the same", same_page, Fault.TOO_MANY_PAGES),
    ("2 GB", huge, Fault.TOO_LARGE),
    ("a gzip bomb", gzip_bomb, Fault.TOO_LARGE),
    ("a next page elsewhere", body(empty_bundle(link=[{"relation": "next", "url": "http://127.0.0.1:1/fhir"}])), Fault.STRANGE_LINK),
]  # fmt: skip


@pytest.fixture
def clinic(pack: Pack) -> Clinic:
    return clinic_with(pack, DEADLINE)


def incomplete(answer: Json) -> list[Json]:
    return [finding for finding in findings(answer) if finding["rule"] == "incomplete-data"]


@pytest.mark.parametrize(("behave", "fault"), [one[1:] for one in MISBEHAVIOUR], ids=[one[0] for one in MISBEHAVIOUR])
def test_each_fault_ends_in_the_same_visible_way_in_time_and_is_counted(clinic: Clinic, behave: Callable[..., None], fault: Fault) -> None:
    with misbehaving(behave) as server:
        answer = clinic.ask(without(ORDER, server=server.base))
        tries = [asked.path for asked in server.asked]
    assert [finding["severity"] for finding in incomplete(answer)] == ["warning"]
    assert fault.value in clinic.counted()
    assert clinic.seconds < DEADLINE + GRACE
    assert max(tries.count(path) for path in tries) <= 3


def test_a_server_that_is_not_there_is_told_like_any_other_fault(clinic: Clinic, pack: Pack) -> None:
    answer = clinic.ask(without(ORDER, server="http://127.0.0.1:1/fhir"))
    assert len(incomplete(answer)) == 1
    assert clinic.counted() == {"connect": len(asked_for(pack))}
    assert clinic.seconds < DEADLINE + GRACE


def test_all_faults_give_the_same_cards(clinic: Clinic) -> None:
    answers = []
    for behave in (status("500 Oops"), status("403 No"), body("<html/>"), cut_short):
        with misbehaving(behave) as server:
            answers.append(plain(clinic.ask(without(ORDER, server=server.base))))
    assert answers[1:] == answers[:-1]
    assert "could not be fetched" in json.dumps(answers[0])


def test_what_was_prefetched_or_read_before_the_failure_is_still_told(clinic: Clinic) -> None:
    opioid = call(order(LDN_CAPSULE, dosage(4.5)), medications=[listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30)])
    with misbehaving(silence) as server:
        answer = clinic.ask(without(opioid, "conditions", server=server.base))
    assert {(one["rule"], one["severity"]) for one in findings(answer)} >= {("opioid-conflict", "critical"), ("incomplete-data", "warning")}

    def first_page_then_silence(server: Misbehaving, connection: socket.socket, request: Asked) -> None:
        if "page=2" in request.path:
            silence(server, connection, request)
        else:
            send(connection, {**opioid["prefetch"]["activeMedications"], "link": [{"relation": "next", "url": "MedicationRequest?page=2"}]})

    with misbehaving(first_page_then_silence) as server:
        answer = clinic.ask(without(opioid, "activeMedications", "recentMedications", server=server.base))
    assert {(one["rule"], one["severity"]) for one in findings(answer)} >= {("opioid-conflict", "critical"), ("incomplete-data", "warning")}


def test_of_a_list_without_end_the_first_thousand_are_read_and_the_rest_is_told(clinic: Clinic) -> None:
    many = [listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30, id=f"m-{number}") for number in range(1001)]
    for count, expected in ((1000, []), (1001, ["warning"])):
        request = call(order(LDN_CAPSULE, dosage(4.5)), medications=many[:count])
        with misbehaving(body(request["prefetch"]["activeMedications"])) as server:
            answer = clinic.ask(without(request, "activeMedications", "recentMedications", server=server.base))
        assert "opioid-conflict" in {one["rule"] for one in findings(answer)}
        assert [finding["severity"] for finding in incomplete(answer)] == expected


def test_a_server_that_asks_to_come_back_soon_is_asked_again(clinic: Clinic, pack: Pack) -> None:
    first: set[str] = set()

    def busy_once(_: Misbehaving, connection: socket.socket, request: Asked) -> None:
        path = request.path
        if path in first:
            send(connection, {"resourceType": "Patient", "id": "p1"} if "Patient" in path else empty_bundle())
        else:
            first.add(path)
            send(connection, "", "429 Too Many Requests", Retry_After="0")

    with misbehaving(busy_once) as server:
        answer = clinic.ask(without(ORDER, server=server.base))
        assert len(server.asked) == 2 * len(asked_for(pack))
    assert incomplete(answer) == []
    assert clinic.counted() == {"ok": len(asked_for(pack))}


def test_a_server_that_lets_calls_run_out_is_left_alone_then_tried_by_one_call(pack: Pack) -> None:
    now = [0.0]
    clinic = clinic_with(pack, 0.15, Breaker(failures=2, pause=5.0, clock=lambda: now[0]))
    behaviours: list[Callable[..., None]] = [silence]

    def behave(*given: object) -> None:
        behaviours[-1](*given)

    with misbehaving(behave) as server:
        request = without(ORDER, server=server.base)
        for _ in range(2):
            clinic.ask(request)
        before = len(server.asked)
        answer = clinic.ask(request)
        assert len(incomplete(answer)) == 1
        assert (len(server.asked), clinic.counted()["circuit-open"]) == (before, 1)
        assert clinic.seconds < 0.1

        behaviours.append(body(empty_bundle()))
        now[0] = 5.1
        assert incomplete(clinic.ask(request)) == []
        assert incomplete(clinic.ask(request)) == []
    assert clinic.counted()["circuit-open"] == 1


@pytest.mark.parametrize("token", ["", "a b", "x\r\nX-Evil: 1", "é", "a" * 20000, 7, None])
def test_a_token_that_fits_no_header_is_sent_nowhere(clinic: Clinic, token: object) -> None:
    with misbehaving(body(empty_bundle())) as server:
        request = without(ORDER, server=server.base) | {"fhirAuthorization": {"access_token": token, "token_type": "Bearer"}}
        answer = clinic.ask(request)
        assert server.connections == 0
    assert len(incomplete(answer)) == 1
    assert clinic.counted() == {"bad-token": 1}
