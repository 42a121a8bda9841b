"""RELIABILITY.md 1, 2, 5, 6, 7, 9, 11 and 12 on the running service, over HTTP."""

import copy
import gzip
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.clinic import (
    DAILY,
    FIBROMYALGIA,
    METFORMIN,
    OXYCODONE,
    TABLET_50,
    Json,
    bundle,
    call,
    concept,
    condition,
    dosage,
    findings,
    listed,
    order,
)
from tests.fhir_reads_floor import plain
from tests.misbehaving_server import empty_bundle, misbehaving, send
from tests.promises_floor import FEEDBACK, SIGN, Running, conflict, damaged, drip, indicators, running, wait_until

MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": True})
GRAVE = {"warning", "critical"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("answers"), CDS_PUBLIC_URL="") as one:
        yield one


def rules(answer: Json) -> set[str]:
    return {finding["rule"] for finding in findings(answer)}


# 1


def test_promise_1_an_order_beside_an_opioid_names_it_and_a_strange_fhir_server_is_no_reason_to_refuse(service: Running) -> None:
    answer = service.advice({**conflict(), "fhirServer": "https://stranger.example.org/fhir"})
    (card, *_) = [one for one in answer["cards"] if one["indicator"] in GRAVE]
    assert "oxycodone" in card["summary"] + card["detail"]
    assert len(card["uuid"]) == 36


def test_promise_1_an_order_that_no_rule_concerns_gives_no_card_and_fetches_nothing(service: Running) -> None:
    def answers(_: Any, connection: Any, __: Any) -> None:  # noqa: ANN401
        send(connection, empty_bundle())

    with misbehaving(answers) as server:
        assert service.advice({**call(order(METFORMIN)), "prefetch": {}, "fhirServer": server.base}) == {"cards": []}
        assert server.connections == 0


# 2

INCOMPLETE: dict[str, Any] = {
    "left out": ...,
    "OperationOutcome": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]},
    "next link": {**bundle([]), "link": [{"relation": "next", "url": "https://elsewhere.example.org"}]},
    "a text": "x",
    "a number": 5,
    "a list": [],
    "another resource": {"resourceType": "Basic"},
    "an unreadable entry": {**bundle([]), "entry": [{"fullUrl": "x"}]},
    "total without entries": {**bundle([]), "total": 5},
    "OperationOutcome inside": bundle([{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}]),
}


@pytest.mark.parametrize("key", ["activeMedications", "recentMedications"])
@pytest.mark.parametrize("sent", INCOMPLETE.values(), ids=INCOMPLETE)
def test_promise_2_a_list_that_is_missing_in_part_or_whole_gives_a_card_that_says_so(service: Running, key: str, sent: Any) -> None:  # noqa: ANN401
    answer = service.advice(call(order(TABLET_50, dosage(50)), prefetch={key: sent}))
    assert "incomplete-data" in rules(answer)


def test_promise_2_what_was_found_before_the_failure_is_still_told(service: Running) -> None:
    request = conflict()
    request["prefetch"]["activeMedications"]["link"] = [{"relation": "next", "url": "https://elsewhere.example.org"}]
    assert {"opioid-conflict", "incomplete-data"} <= rules(service.advice(request))


def test_promise_2_no_damage_to_a_draft_beside_an_opioid_gives_an_empty_list(service: Running) -> None:
    base = conflict()
    draft = base["context"]["draftOrders"]["entry"][0]["resource"]
    for seed in range(200):
        chance = random.Random(seed)  # noqa: S311 - no secret
        hurt = damaged(draft, chance, chance.randrange(1, 6), lambda place: place[0] in {"resourceType", "medicationCodeableConcept"})
        request = copy.deepcopy(base)
        request["context"]["draftOrders"]["entry"][0]["resource"] = hurt
        assert GRAVE & set(indicators(service.advice(request))), (seed, hurt)


def test_promise_2_no_damage_to_the_lists_lowers_the_answer_below_incomplete(service: Running) -> None:
    base = conflict()
    kept = {"medicationCodeableConcept", "resourceType"}
    for seed in range(200):
        chance = random.Random(seed)  # noqa: S311 - no secret
        lists = {key: base["prefetch"][key] for key in ("activeMedications", "recentMedications")}
        entries = {key: value["entry"] for key, value in lists.items()}
        hurt = damaged(entries, chance, chance.randrange(1, 6), lambda place: len(place) == 1 or bool(kept & set(map(str, place))))
        request = {**base, "prefetch": base["prefetch"] | {key: {**lists[key], "entry": hurt[key]} for key in lists}}
        told = service.advice(request)
        is_empty = all(not hurt[key] for key in lists)
        assert is_empty or GRAVE & set(indicators(told)), (seed, hurt)


@pytest.mark.parametrize("shape", ["bare", "bare-entry", "one-entry", "list-of-one", "among-junk"])
def test_promise_2_a_draft_in_a_broken_bundle_is_still_checked(service: Running, shape: str) -> None:
    request = conflict()
    draft = request["context"]["draftOrders"]["entry"][0]["resource"]
    request["context"]["draftOrders"] = {
        "bare": draft,
        "bare-entry": {"resourceType": "Bundle", "entry": [draft]},
        "one-entry": {"resourceType": "Bundle", "entry": {"resource": draft}},
        "list-of-one": {"resourceType": "Bundle", "entry": [{"resource": [draft]}]},
        "among-junk": {"entry": [None, 5, {"resource": None}, [], {"resource": draft}]},
    }[shape]
    assert "critical" in indicators(service.advice(request))


@pytest.mark.parametrize("sent", ["d-1", "a b", "<script>", "x" * 300, 5])
def test_promise_2_an_opioid_with_the_id_of_the_draft_is_no_echo_of_it(service: Running, sent: Any) -> None:  # noqa: ANN401
    opioid = listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30, id=sent)
    same = listed(METFORMIN, id=sent)
    assert "critical" in indicators(service.advice(call(order(TABLET_50, dosage(50), id=sent), medications=[same, opioid])))


def test_promise_2_a_second_drug_under_the_id_of_a_first_is_not_lost(service: Running) -> None:
    medications = [listed(TABLET_50, dosage(50), id="m-1"), listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30, id="m-1")]
    assert "critical" in indicators(service.advice(call(order(TABLET_50, dosage(50)), medications=medications)))


# 5


@pytest.mark.parametrize(
    "sent", ["../x", "a/b", "%2e%2e", "..", ".", "a?b", "é", "a" * 257, "a\x00", "Patient/../x", "a\nb", {}, 5, ["p1"]]
)
def test_promise_5_an_id_outside_the_alphabet_is_refused(service: Running, sent: Any) -> None:  # noqa: ANN401
    request = conflict()
    request["context"]["patientId"] = sent
    status, body, _ = service.ask(request)
    assert (status, json.loads(body)["issue"][0]["details"]["coding"]) == (400, [{"code": "REQ-008"}])


@pytest.mark.parametrize("sent", ["a" * 64, "a" * 256, "A-1.b"])
def test_promise_5_an_over_long_id_is_taken(service: Running, sent: str) -> None:
    request = call(order(METFORMIN))
    request["context"]["patientId"] = sent
    assert service.advice(request) == {"cards": []}


# 6

HOSTILE = [
    "<script>alert(1)</script>", "<!-- x", "-->", "<img src=x onerror=1>", "![a](http://e.vil/x)", "[a](javascript:alert(1))", "<b\n>x",
    "javascript:alert(1)", "https://evil.example/x", "www.evil.example", "www.\U0001f600.com", "a1.com", "5.com", "//evil.com", "a@b.co",
    "mailto:a@b.co", "ftp://evil.example", "{{7*7}}", "{% raw %}", "${7*7}", "# head", "- item", "1. item", "1) x", "> quote", "===", "---",
    "***", "```", "    code", "|a|b|\n|-|-|\n|1|2|", "a\r\n\r\n# head\r\n\r\n- x", "\u202eevil\u202c", "\u2066x", "\x00", "\x1b[31m", "&lt;b&gt;",
    "&#60;b&#62;", "\\<b>", "[x]: http://evil.com", "~~x~~", "<https://evil.com>", '=cmd|"/C calc"!A0', "\u2028# h", "`x`", "_x_", "\ufeffwww.e.com",
    "http\u200b://evil.com", "- [ ] task", "x" * 100_000, ' "}\n{"event": "forged"}',
]  # fmt: skip


def hostile_call(text: str) -> Json:
    """The text in every string place that people fill, beside a coded opioid."""
    drafts = [
        order(
            {"coding": [{**TABLET_50["coding"][0], "display": text}], "text": text}, dosage(50, text=text), id="d-1", note=[{"text": text}]
        ),
        order({"text": f"naltrexone 4.5 mg {text}"}, dosage(4.5, text=text), id="d-2", reason=concept(text)),
        order({"text": f"{text} naltrexone"}, id="d-3", reason=concept(text, "M79.7", "http://hl7.org/fhir/sid/icd-10-cm", text)),
    ]
    opioid = {"coding": [{**OXYCODONE["coding"][0], "display": text}], "text": text}
    medications = [
        listed(opioid, dosage(5, "mg", DAILY, text=text), supply=30),
        listed({"text": f"tramadol 50 mg {text}"}, supply=30),
        listed({"text": text}, supply=30, id=text),
    ]
    return call(*drafts, medications=medications, conditions=[condition({"text": text}), condition({**FIBROMYALGIA, "text": text})])


def marks(markdown: str) -> set[tuple[str, str]]:
    """Every kind of element and every link that a renderer makes of a text."""
    found = set()
    for block in MARKDOWN.parse(markdown):
        for token in (block, *(block.children or ())):
            found.add((token.type, str(token.attrs.get("href", token.attrs.get("src", "")))))
    return found - {("text_special", "")}


@pytest.fixture(scope="module")
def usual(service: Running) -> set[tuple[str, str]]:
    return {one for card in service.advice(hostile_call("quiet words"))["cards"] for one in marks(card["detail"])}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_promise_6_hostile_text_is_inert_and_hides_no_warning(service: Running, usual: set[tuple[str, str]], text: str) -> None:
    cards = service.advice(hostile_call(text))["cards"]
    assert "critical" in [card["indicator"] for card in cards]
    assert {one for card in cards for one in marks(card["detail"])} <= usual | {("softbreak", "")}
    assert all(len(card["summary"]) < 140 and len(card["detail"]) <= 20_000 for card in cards)
    shown = json.dumps([[card["summary"], card["detail"]] for card in cards], ensure_ascii=False)
    assert not [one for one in ("<script", "\u202e", "\u2066", "\\u0000", "\u2028", "{{", "{%", "www.evil", "://evil") if one in shown]
    creates = [action for card in cards for one in card.get("suggestions", []) for action in one["actions"] if action["type"] == "create"]
    assert len(text) < 6 or text not in json.dumps(creates, ensure_ascii=False)


# 7


def told_code(answer: bytes) -> str:
    """The error code in a whole HTTP answer."""
    outcome = json.loads(answer.partition(b"\r\n\r\n")[2])
    return str(outcome["issue"][0]["details"]["coding"][0]["code"])


GOOD = json.dumps(conflict())
TEN_THOUSAND = 10_000
NOT_STRICT = {
    "NaN": GOOD.replace('"value": 50', '"value": NaN'),
    "Infinity": GOOD.replace('"value": 50', '"value": Infinity'),
    "a number of 5000 digits": GOOD.replace('"value": 50', '"value": 1' + "0" * 5000),
    "deep list": "[" * TEN_THOUSAND + "]" * TEN_THOUSAND,
    "deep object": '{"a":' * TEN_THOUSAND + "1" + "}" * TEN_THOUSAND,
    "deep in the draft": GOOD.replace('"status": "draft"', '"x": ' + "[" * TEN_THOUSAND + "]" * TEN_THOUSAND),
    "twice in the envelope": GOOD.replace('"hook": ', '"hook": "x", "hook": '),
    "twice in the draft": GOOD.replace('"status": "draft"', '"status": "active", "status": "draft"'),
    "twice in the prefetch": GOOD.replace('"birthDate"', '"birthDate": "1990-01-01", "birthDate"'),
    "lone surrogate": GOOD.replace("oxycodone", "oxycodone\\ud800"),
    "surrogate bytes": GOOD.replace("oxycodone", "oxycodone\ud800"),
    "BOM": "\ufeff" + GOOD,
    "UTF-16": GOOD.encode("utf-16"),
    "Latin-1": GOOD.replace("oxycodone", "oxycod\xf6ne").encode("latin-1"),
    "gzip": gzip.compress(GOOD.encode()),
    "empty": "",
    "cut": GOOD[:-1],
    "two": GOOD + GOOD,
}


@pytest.mark.parametrize("sent", NOT_STRICT.values(), ids=NOT_STRICT)
def test_promise_7_a_body_that_is_not_strict_json_is_refused_in_words_of_our_own(service: Running, sent: str | bytes) -> None:
    answer = service.post(sent if isinstance(sent, bytes) else sent.encode("utf-8", "surrogatepass"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert told_code(answer) in {"REQ-001", "REQ-002"}
    assert not [word for word in (b"oxycod", b"Traceback", b".py", b"jiter") if word in answer]


@pytest.mark.parametrize(
    "number",
    ["1e400", "-0", "1e999999999", "-1e999999999", "1e-400", "1e-999999999", "9" * 400 + ".5", "1e308", "0." + "0" * 5000 + "1", "1e30"],
)
def test_promise_7_a_number_that_no_dose_has_leaves_the_warning_and_makes_no_error(service: Running, number: str) -> None:
    for place in ('"value": 50', '"value": 5,', '"frequency": 1', '"value": 30'):
        sent = GOOD.replace(place, place.rpartition(" ")[0] + f" {number}" + ("," if place.endswith(",") else ""))
        status, body, _ = service.ask(sent)
        assert (status, "critical" in indicators(json.loads(body))) == (200, True), place


def test_promise_7_bodies_of_64_mib_and_compressed_ones_are_refused(service: Running) -> None:
    many = b" " * (1 << 26)
    chunked = (
        f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert service.post(many).startswith(b"HTTP/1.1 413 ")
    assert service.raw(chunked.encode(), b"4000000\r\n", many, b"\r\n0\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert service.post(gzip.compress(many), "Content-Encoding: gzip\r\n").startswith(b"HTTP/1.1 415 ")


def test_promise_7_odd_http_is_answered_as_plain_http_is_or_refused(service: Running) -> None:
    body = GOOD.encode()
    assert service.post(body, version="1.0").split()[1] == b"200"
    assert service.post(body, length="20").split()[1] == b"400"
    assert service.post(body, length="-1").split()[1] == b"400"
    assert service.post(body, length="9" * 30).split()[1] == b"400"
    assert service.raw(b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 5_000_000 + b"\r\n\r\n").split()[1] == b"431"
    one = f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n".encode()
    pipelined = (one + b"\r\n" + body) * 4 + one + b"Connection: close\r\n\r\n" + body
    assert service.raw(pipelined).count(b"HTTP/1.1 200 OK") == 5


def test_promise_7_four_megabytes_with_ten_thousand_entries_are_answered_in_five_seconds(service: Running) -> None:
    filler = "x" * 100
    many = [listed(METFORMIN, id=f"m-{number}", note=[{"text": filler}]) for number in range(TEN_THOUSAND - 1)]
    opioid = listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30)
    request = call(order(TABLET_50, dosage(50)), prefetch={"activeMedications": bundle([*many, opioid])})
    start = time.monotonic()
    answer = service.advice(request)
    assert len(json.dumps(request)) > 4_000_000
    assert "critical" in indicators(answer)
    assert time.monotonic() - start < 5


# 9


def test_promise_9_fifty_threads_get_the_answers_of_one(service: Running) -> None:
    calls = [
        conflict(),
        call(order(TABLET_50, dosage(50))),
        call(order(METFORMIN)),
        hostile_call("<b>"),
        call(order(TABLET_50), prefetch={"conditions": 5}),
    ]
    at_rest = [plain(service.advice(one)) for one in calls]
    with ThreadPoolExecutor(50) as threads:
        under_load = list(threads.map(lambda number: plain(service.advice(calls[number % len(calls)])), range(500)))
    assert [number for number, one in enumerate(under_load) if one != at_rest[number % len(calls)]] == []


def test_promise_9_sixty_clients_that_send_a_byte_at_a_time_stop_nobody(service: Running) -> None:
    over = threading.Event()
    with ThreadPoolExecutor(60) as slow:
        for _ in range(60):
            slow.submit(drip, service.port, 8, over.is_set)
        time.sleep(0.5)
        start = time.monotonic()
        for _ in range(20):
            service.advice(conflict())
        over.set()
    assert time.monotonic() - start < 4


# 11


def test_promise_11_the_log_has_a_line_for_each_call_and_nothing_of_the_patient(service: Running) -> None:
    secret = "Zyxwv-Secret"  # noqa: S105 - marks what must not be told
    request = hostile_call(f"{secret}\r\n" + '{"event": "forged"}')
    request["prefetch"]["patient"] |= {"name": [{"family": secret}], "identifier": [{"value": secret}], "birthDate": "1931-01-31"}
    request |= {"fhirServer": "http://127.0.0.1:9", "fhirAuthorization": {"access_token": secret, "token_type": "Bearer"}}
    forging = f"{SIGN}%0d%0a%7B%22event%22:%22forged%22%7D"
    asked = [
        service.ask(request),
        service.ask({**request, "hook": secret}),
        service.ask("{" + secret),
        service.ask(request, "/" + secret),
        service.ask(request, forging, {"X-Forwarded-For": secret, "X-Forwarded-User": secret, "Authorization": f"Bearer {secret}"}),
        service.ask(request, f"{SIGN}?{secret}", {"User-Agent": secret, "X-Request-Id": secret, "Origin": secret, "Referer": secret}),
        service.ask(None, SIGN, {"Cookie": secret}, "DELETE"),
        service.ask({"feedback": [{"card": secret, "outcome": "overridden", "overrideReason": {"userComment": secret}}]}, FEEDBACK),
        service.ask({"feedback": [{"card": secret, "outcome": secret}]}, FEEDBACK),
    ]
    ids = [headers["x-request-id"] for _, _, headers in asked]
    wait_until(lambda: {line["request"] for line in service.lines() if line["event"] == "call"} >= set(ids))
    lines = service.lines()
    assert Counter(line["request"] for line in lines if line["event"] == "call" and line["request"] in ids) == Counter(ids)
    text = service.log.read_text(encoding="utf-8")
    assert (secret in text, "1931-01" in text, "forged" in {line["event"] for line in lines}) == (False, False, False)


# 12


def test_promise_12_advice_stays_in_no_cache_and_no_strange_origin_is_reflected(service: Running) -> None:
    for origin in ("https://evil.example", "null", "https://sandbox.cds-hooks.org.evil.example", "http://localhost.evil.example"):
        _, _, headers = service.ask(conflict(), headers={"Origin": origin})
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers
    _, _, headers = service.ask(conflict(), headers={"Origin": "https://sandbox.cds-hooks.org"})
    assert headers["access-control-allow-origin"] == "https://sandbox.cds-hooks.org"


def test_promises_7_and_9_nothing_of_all_this_was_an_error_inside(service: Running) -> None:
    assert [line for line in service.lines() if line["event"] == "error" or line.get("status", 0) >= 500] == []
