"""The service with reads of FHIR servers, and a well-behaved server, for tests of reads."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cds_service.advisor import PackAdvisor
from cds_service.app import create_app
from cds_service.fhir_reads.bounds import Breaker, FaultCounts
from cds_service.fhir_reads.pool import FhirPool
from cds_service.fhir_reads.reads import Bounds, FhirReads
from cds_service.fhir_reads.rules import kinds_read
from cds_service.hooks.discovery import prefetch_templates
from cds_service.service import Pack, Wishes
from cds_service.settings import Settings
from tests.clinic import Json
from tests.conftest import ZONE

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)
KEYS = ("patient", "conditions", "activeMedications", "recentMedications")


@dataclass
class Clinic:
    """The service of a test: `ask` posts a request, `seconds` tells how long the last answer took."""

    client: FlaskClient
    reads: FhirReads
    counts: FaultCounts
    seconds: float = 0.0

    def ask(self, request: Json, expected: HTTPStatus = HTTPStatus.OK) -> Json:
        start = time.monotonic()
        response = self.client.post(
            f"/cds-services/naltrexone-{request['hook']}", data=json.dumps(request), content_type="application/json"
        )
        self.seconds = time.monotonic() - start
        assert response.status_code == expected, response.get_data(as_text=True)
        body: Json = response.get_json()
        return body

    def counted(self) -> dict[str, int]:
        return {name: count for name, count in self.counts.read().items() if count}


def clinic_with(pack: Pack, seconds: float = 0.6, breaker: Breaker | None = None, calls_at_once: int = 8, **more: Any) -> Clinic:  # noqa: ANN401
    counts = FaultCounts()
    reads = FhirReads(FhirPool(), Bounds(seconds, calls_at_once), breaker, counts)
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON, reads=reads, **more)
    return Clinic(create_app(Settings(), advisor).test_client(), reads, counts)


def asked_for(pack: Pack) -> list[str]:
    """The addresses, relative to the base, at which everything that the rules need is read."""
    return sorted(query.replace("{{context.patientId}}", "p1") for query in prefetch_templates(kinds_read(pack)).values())


def without(request: Json, *keys: str, server: str, access: str = "") -> Json:
    """The request with prefetch keys left out (all of them where none is named) and a FHIR server to ask instead."""
    left = {key: value for key, value in request["prefetch"].items() if key not in (keys or KEYS)}
    authorization = (
        {"fhirAuthorization": {"access_token": access, "token_type": "Bearer", "scope": "patient/*.rs", "subject": "x"}} if access else {}
    )
    return {**request, "prefetch": left, "fhirServer": server, **authorization}


def plain(answer: Json) -> Json:
    """An answer without what is random: uuids and the decision's id."""
    text = json.dumps(answer)
    return dict(json.loads(text, object_hook=_without_ids))


def _without_ids(members: Json) -> Json:
    return {name: value for name, value in members.items() if name not in ("uuid", "decision")}


@dataclass
class Ehr:
    """A well-behaved FHIR server that knows one call's prefetch, and further resources by `Type/id`."""

    server: HTTPServer
    prefetch: Json
    resources: dict[str, Json] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    page_size: int = 0

    def __post_init__(self) -> None:
        self.server.expect_request(_Any()).respond_with_handler(self.answer)

    @property
    def base(self) -> str:
        return str(self.server.url_for("/r4/tenant-1"))

    def answer(self, request: Request) -> Response:
        self.asked.append(request)
        name = request.path.removeprefix("/r4/tenant-1/")
        found = self.prefetch["patient"] if name == "Patient/p1" else self.resources.get(name)
        if found is None and "/" not in name:
            found = self.paged(request, self.prefetch[self.key(request)])
        body = json.dumps(found or {"resourceType": "OperationOutcome"})
        return Response(body, HTTPStatus.OK if found else HTTPStatus.NOT_FOUND, content_type="application/fhir+json;charset=UTF-8")

    def key(self, request: Request) -> str:
        if request.path.endswith("/Condition"):
            return "conditions"
        return "recentMedications" if "_sort" in request.args else "activeMedications"

    def paged(self, request: Request, bundle: Json) -> Json:
        if not self.page_size:
            return bundle
        start = int(request.args.get("_offset", "0"))
        more = [{"relation": "next", "url": self.next_url(request, start)}] if start + self.page_size < len(bundle["entry"]) else []
        page = {**bundle, "link": more, "entry": bundle["entry"][start : start + self.page_size]}
        return page if more else {name: value for name, value in page.items() if name != "link"}

    def next_url(self, request: Request, start: int) -> str:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()} | {
            "_offset": str(start + self.page_size)
        }
        return f"{self.base}{request.path.removeprefix('/r4/tenant-1')}?" + "&".join(f"{name}={value}" for name, value in asked.items())


class _Any(str):
    """A path that equals every path."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)


Answer = Callable[[Json], Json]
