"""Which prefetch is missing, and how one search is read page by page into the Bundle that prefetch would have brought."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from cds_service.fhir.chart import Completeness, Kind
from cds_service.fhir.prefetch import completeness, portions
from cds_service.fhir.values import listed, members, text_of
from cds_service.fhir_reads.bounds import Fault, ReadFailed
from cds_service.fhir_reads.pool import FhirPool, Reading
from cds_service.hooks.discovery import PREFETCH

MOST_PAGES: Final = 25
MOST_ENTRIES: Final = 1000
"""Of one search no more are kept: reading each costs a third of a millisecond, and the call must end in time."""
_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,256}")
_ANSWERS: Final = frozenset(["Bundle", "OperationOutcome"])
Prefetch = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """Until when and how far back data is needed, for the judgement whether a cut list is enough."""

    today: date
    history_days: Decimal

    def state(self, kind: Kind, prefetch: Prefetch | None) -> Completeness:
        """Say how complete one kind of data is, by what is there and not by whether each resource is readable."""
        return completeness(portions(prefetch, today=self.today, history_days=self.history_days), ())[kind]


@dataclass(slots=True)
class Search:
    """One read or search under way; `pages` holds what came, also where a later page failed or the deadline cut it off."""

    key: str
    kind: Kind
    relative: str
    pages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def answer(self) -> dict[str, Any]:
        """Return all pages as one answer: a next link on the last one stays, and says that something is missing."""
        first = self.pages[0]
        if len(self.pages) == 1:
            return first
        entries = [entry for page in self.pages for entry in listed(page.get("entry"))]
        own = [link for link in listed(first.get("link")) if members(link).get("relation") != "next"]
        further = [link for link in listed(self.pages[-1].get("link")) if members(link).get("relation") == "next"]
        return {**first, "link": own + further, "entry": entries}


def missing_searches(patient_id: str, prefetch: Prefetch | None, kinds: Iterable[Kind], window: Window) -> tuple[Search, ...]:
    """Return the searches, as discovery states them, for the kinds that prefetch did not bring completely."""
    if not is_id(patient_id):
        return ()
    lacking = {kind for kind in kinds if window.state(kind, prefetch) is not Completeness.COMPLETE}
    return tuple(
        Search(key, kind, template.replace("{{context.patientId}}", quote(patient_id, safe="")))
        for key, (kind, template) in PREFETCH.items()
        if kind in lacking
    )


def is_id(text: str) -> bool:
    """Tell whether a text can stand in an address as an id: the FHIR alphabet, and not dots alone, which would lead elsewhere."""
    return _ID.fullmatch(text) is not None and text.strip(".") != ""


def run(search: Search, pool: FhirPool, reading: Reading, window: Window) -> None:
    """Read a search page by page until it is complete, or as far back as is needed; raises ReadFailed, keeping the pages read."""
    target: str | None = reading.base.target(search.relative)
    seen: set[str] = set()
    while target is not None:
        if target in seen or len(seen) == MOST_PAGES:
            raise ReadFailed(Fault.TOO_MANY_PAGES)
        seen.add(target)
        _keep(_checked(pool.get(target, reading), search), search)
        target = (
            None if window.state(search.kind, {search.key: search.answer}) is Completeness.COMPLETE else _next(search.pages[-1], reading)
        )


def _keep(page: dict[str, Any], search: Search) -> None:
    """Keep a page; raises ReadFailed after keeping as much as there is room for, with a next link that says there is more."""
    entries = listed(page.get("entry"))
    room = MOST_ENTRIES - sum(len(listed(kept.get("entry"))) for kept in search.pages)
    if len(entries) <= room:
        search.pages.append(page)
        return
    search.pages.append({**page, "entry": entries[:room], "link": [*listed(page.get("link")), {"relation": "next"}]})
    raise ReadFailed(Fault.TOO_LARGE)


def _checked(answer: Any, search: Search) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Refuse an answer that is no answer to the search."""
    expected = _ANSWERS if "?" in search.relative else frozenset([search.relative.partition("/")[0], "OperationOutcome"])
    if not isinstance(answer, dict) or answer.get("resourceType") not in expected:
        raise ReadFailed(Fault.WRONG_RESOURCE)
    return answer


def _next(page: Mapping[str, Any], reading: Reading) -> str | None:
    """Return the address of the next page; raises ReadFailed where it leads out of the base."""
    links = [members(link) for link in listed(page.get("link"))]
    url = next((text_of(link.get("url")) for link in links if link.get("relation") == "next"), "")
    if not url:
        return None
    target = reading.base.target_of(url)
    if target is None:
        raise ReadFailed(Fault.STRANGE_LINK)
    return target
