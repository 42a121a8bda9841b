"""Floor 7: is what the service says of itself something that an EHR can use?"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from cds_service.doctor.port import NOT_JSON, Ehr, Finding, Reply, note, ok, pace, problem

CHECK: Final = "discovery"
_REQUIRED: Final = ("hook", "description", "id")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]{1,256}")
_TOKEN: Final = re.compile(r"\{\{([^{}]*)\}\}")
_TOKENS: Final = re.compile(
    r"context\.[A-Za-z]+|userPractitionerId|userPractitionerRoleId|userPatientId|userRelatedPersonId",
)
_TOKENS_OF_3: Final = re.compile(r"\s*(%[A-Za-z]+|today\(\)|context\.[A-Za-z]+\.).*")
_NO_TOKENS: Final = frozenset(["context.draftOrders", "context.selections"])
"""Context members that the definitions of the order hooks forbid in templates."""
_TEMPLATE: Final = re.compile(r"[A-Z][A-Za-z]+([/?].*)?")
_MODIFIERS: Final = frozenset(["", "in"])

Service = Mapping[str, Any]


def discover(ehr: Ehr, base: str) -> tuple[Reply, list[Service], list[Finding]]:
    """Read the discovery document: the answer, the services that can be called, and what is wrong with it."""
    reply = ehr.get(f"{base}/cds-services")
    found = reply.json()
    listed: Any = found.get("services") if isinstance(found, dict) else None
    wrong = _wrong_document(reply, found, listed)
    if wrong:
        return reply, [], [problem(CHECK, wrong, reply)]
    callable_ones: list[Service] = [service for service in listed if isinstance(service, dict) and not list(_wrong_service(service))]
    findings = [finding for place, service in enumerate(listed) for finding in _service(place, service)]
    head = ok(CHECK, f"{len(callable_ones)} of {len(listed)} services can be called", reply)
    return reply, callable_ones, [head, *_media_type(reply), *pace(CHECK, reply), *_none(listed), *findings]


def _wrong_document(reply: Reply, found: object, listed: object) -> str:
    """Say why there is nothing to go on with; an empty text where there is."""
    if not reply.is_success:
        return f"{reply.told}; an EHR expects 200 from GET …/cds-services"
    if found is NOT_JSON:
        return "the answer is no JSON"
    return "" if isinstance(listed, list) else "the answer has no array 'services'"


def _media_type(reply: Reply) -> Iterator[Finding]:
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        yield problem(CHECK, f"Content-Type is {media or 'missing'!r}; expected 'application/json'")


def _none(listed: list[object]) -> Iterator[Finding]:
    if not listed:
        yield problem(CHECK, "no service is offered; the public sandbox rejects an empty list")


def _service(place: int, service: object) -> Iterator[Finding]:
    """Report on one service by its id, or its place."""
    if not isinstance(service, dict):
        yield problem(CHECK, f"services[{place}] is no object")
        return
    name = f"{CHECK} {service['id']}" if isinstance(service.get("id"), str) else f"{CHECK} services[{place}]"
    yield from (problem(name, wrong) for wrong in _wrong_service(service))
    if not isinstance(service.get("title"), str):
        yield note(name, "no 'title': EHRs show it to those who set the service up")
    yield from (problem(name, f"'{member}' is empty; leave it out") for member, value in service.items() if value in (None, "", [], {}))
    templates = service.get("prefetch", {})
    if not isinstance(templates, dict):
        yield problem(name, "'prefetch' is no object")
        return
    yield from (finding for key, query in templates.items() for finding in _template(f"{name} prefetch '{key}'", query))


def _wrong_service(service: Service) -> Iterator[str]:
    """Say what keeps a service from being called."""
    for member in _REQUIRED:
        if not isinstance(service.get(member), str) or not service[member]:
            yield f"'{member}' is missing or no text"
    if isinstance(service.get("id"), str) and not _SEGMENT.fullmatch(service["id"]):
        yield "'id' does not fit into an address as it stands"


def _template(name: str, query: object) -> Iterator[Finding]:
    """Hold one template against #prefetch-tokens and #prefetch-query-restrictions."""
    if not isinstance(query, str):
        yield problem(name, "is no text")
        return
    if not _TEMPLATE.fullmatch(_TOKEN.sub("Xx", query)):
        yield problem(name, "is no relative FHIR address such as Patient/{{context.patientId}} or Condition?patient={{context.patientId}}")
        return
    yield from _tokens(name, query)
    yield from _search(name, query.partition("?")[2])


def _tokens(name: str, query: str) -> Iterator[Finding]:
    tokens = _TOKEN.findall(query)
    if "{" in _TOKEN.sub("", query):
        yield problem(name, "has a brace that opens no token {{…}}")
    for token in tokens:
        if token in _NO_TOKENS or token.startswith(tuple(f"{one}." for one in _NO_TOKENS)):
            yield problem(name, f"token {token} is not allowed in templates of order hooks; clients send it unresolved")
        elif token == "context.encounterId":  # noqa: S105 - no password
            yield note(name, "needs an encounter, which order hooks need not have: the key can be missing")
        elif _TOKENS_OF_3.fullmatch(token) and not _TOKENS.fullmatch(token):
            yield note(name, f"token {token} is one of CDS Hooks 3.0; a 2.0 client cannot fill it")
        elif not _TOKENS.fullmatch(token):
            yield problem(name, f"token {token} is none that the specification names")


def _search(name: str, search: str) -> Iterator[Finding]:
    parameters = [parameter for parameter, _ in parse_qsl(search, keep_blank_values=True)]
    if len(set(parameters)) < len(parameters):
        yield note(name, "has a parameter twice; the public sandbox joins them with a comma, which means 'or' instead of 'and'")
    for parameter in dict.fromkeys(parameters):
        bare, _, modifier = parameter.partition(":")
        if bare in {"_include", "_revinclude", "_has"} or "." in bare:
            yield note(name, f"{parameter} is outside the recommended subset of searches; some clients cannot run it")
        elif modifier not in _MODIFIERS:
            yield note(name, f"modifier :{modifier} is outside the recommended subset of searches; some clients cannot run it")
