"""Floor 7: does a service answer calls, right ones and wrong ones, as an EHR expects?"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from cds_service.doctor.answers import complaints, remarks
from cds_service.doctor.discovery import Service
from cds_service.doctor.port import NOT_JSON, Ehr, Finding, Reply, note, ok, pace, problem
from cds_service.doctor.sample import Request, request_for

_NOT_OFFERED: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
_NOWHERE: Final = "no-such-service-0"
_CALM: Final = "no card: the EHR shows nothing"


def call(ehr: Ehr, url: str, service: Service, recorded: Request) -> tuple[list[Mapping[str, Any]], list[Finding]]:
    """Call a service with a recorded order: its cards where they are valid, and the report."""
    check = f"call {service['id']}"
    reply = ehr.post(url, request_for(service, recorded))
    answer = reply.json()
    if reply.status != HTTPStatus.OK:
        return [], [problem(check, f"{reply.told}; the EHR shows no advice at all", reply)]
    if answer is NOT_JSON:
        return [], [problem(check, "the answer is no JSON", reply)]
    wrong = [problem(check, one, reply) for one in complaints(answer)]
    if wrong:
        return [], wrong
    cards = answer["cards"]
    said = " ".join(f"[{card['indicator']}] {card['summary']}" for card in cards) or _CALM
    return cards, [ok(check, said, reply), *pace(check, reply), *(note(check, one) for one in remarks(cards))]


def trailing_slash(ehr: Ehr, url: str, service: Service, recorded: Request) -> Iterator[Finding]:
    """Call with a slash too many, as sites type it."""
    reply = ehr.post(f"{url}/", request_for(service, recorded))
    if reply.is_success:
        yield ok("slash at the end", "is taken", reply)
    elif HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST:
        yield problem("slash at the end", f"{reply.told}: browsers refuse it, and EHRs drop the body", reply)
    else:
        yield note("slash at the end", f"{reply.told}: type the address without it", reply)


def unknown_service(ehr: Ehr, base: str) -> Iterator[Finding]:
    """Call what is not there: a mistyped id must not look like silence."""
    reply = ehr.post(f"{base}/cds-services/{_NOWHERE}", b"{}")
    yield from _refused("unknown service", reply, (HTTPStatus.NOT_FOUND,))


def malformed_body(ehr: Ehr, url: str) -> Iterator[Finding]:
    """Send what is no JSON."""
    yield from _refused("malformed body", ehr.post(url, b'{"hook":'), ())


def _refused(check: str, reply: Reply, expected: tuple[int, ...]) -> Iterator[Finding]:
    """Expect a 4xx that says in FHIR what is wrong (CDS Hooks 3.0, #returning-operationoutcome)."""
    if not reply.is_refusal:
        yield problem(check, f"{reply.told}; expected 4xx", reply)
        return
    found = reply.json()
    if found is NOT_JSON:
        yield note(check, f"{reply.told}, not in JSON: who reads the EHR's log learns nothing", reply)
    elif not isinstance(found, dict) or found.get("resourceType") != "OperationOutcome":
        yield note(check, f"{reply.told}, without an OperationOutcome, which CDS Hooks 3.0 recommends", reply)
    elif expected and reply.status not in expected:
        yield note(check, f"{reply.told}; 404 would say more", reply)
    else:
        yield ok(check, f"{reply.told} with an OperationOutcome", reply)


def feedback(ehr: Ehr, url: str, card: Mapping[str, Any]) -> Iterator[Finding]:
    """Tell the service that its card was overridden."""
    reply = ehr.post(f"{url}/feedback", {"feedback": [_overridden(card)]})
    if reply.is_success:
        yield ok("feedback", f"{reply.told}: taken", reply)
    elif reply.status in _NOT_OFFERED:
        yield note("feedback", f"{reply.told}: the service takes none, which it may", reply)
    else:
        yield problem("feedback", f"{reply.told}; expected 2xx", reply)


def _overridden(card: Mapping[str, Any]) -> dict[str, Any]:
    reason = next(iter(card.get("overrideReasons", ())), None)
    override = {"overrideReason": {"reason": reason}} if reason else {}
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": at, **override}
