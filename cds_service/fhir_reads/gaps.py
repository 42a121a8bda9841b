"""What one call lacks, and the prefetch that grows as reads bring it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cds_service.fhir.chart import Chart, Completeness, Kind
from cds_service.fhir.terminology import DrugIndex
from cds_service.fhir_reads import references
from cds_service.fhir_reads.searches import Prefetch, Search, Window, missing_searches
from cds_service.hooks.call import HookCall
from cds_service.hooks.discovery import PREFETCH
from cds_service.unknown import Unknown

_FAILED: Final[Mapping[str, Any]] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "transient"}]}
"""Stands where a search brought nothing: its kind of data is then "failed", asked for without an answer."""
_BROUGHT: Final = frozenset([Completeness.COMPLETE, Completeness.PARTIAL])


@dataclass(frozen=True, slots=True)
class Needs:
    """What the rules need of a chart: how to read one, whether any rule is concerned, which kinds of data and how far back."""

    read_chart: Callable[[Prefetch | None], Chart]
    concerns: Callable[[Chart], bool]
    kinds: Callable[[], frozenset[Kind]]
    window: Window
    drugs: DrugIndex

    def are_met(self, chart: Chart) -> bool:
        """Tell whether nothing is left to read: every kind complete and every drug known by more than a reference's display."""
        lacking = {kind for kind in Kind if chart.completeness.get(kind) is not Completeness.COMPLETE}
        is_complete = not lacking or lacking.isdisjoint(self.kinds())
        return is_complete and all(one.medication.is_resolved for one in (*chart.orders, *chart.medications))


@dataclass(slots=True)
class Gaps:
    """One call with its prefetch as far as it is known by now."""

    call: HookCall
    needs: Needs
    prefetch: dict[str, Any] = field(init=False)
    asked: set[str] = field(default_factory=set)
    """Addresses of Medications that were asked for already, found or not."""

    def __post_init__(self) -> None:
        """Begin with what the client sent."""
        self.prefetch = dict(self.call.prefetch or {})

    def chart(self) -> Chart:
        """Read the chart from what is known by now."""
        return self.needs.read_chart(self.prefetch)

    def searches(self) -> tuple[Search, ...]:
        """Return the searches that prefetch left out or cut."""
        return missing_searches(self.call.patient_id, self.prefetch, self.needs.kinds(), self.needs.window)

    def draft_references(self, chart: Chart) -> tuple[str, ...]:
        """Return the Medications that the drafts refer to and the call did not bring."""
        return self._open(references.drafted(chart.orders, self.call.draft_orders))

    def list_references(self) -> tuple[str, ...]:
        """Return the Medications that the lists refer to and that are not there."""
        return self._open(references.listed_medications(self.prefetch))

    def _open(self, raws: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """Return the open addresses that were not asked for yet, as many as are left of the limit."""
        found = references.unresolved(raws, self.prefetch, self.call.draft_orders, self.needs.drugs)
        return tuple(one for one in found if one not in self.asked)[: references.MOST - len(self.asked)]

    def join_search(self, search: Search) -> None:
        """Put what a search brought where its prefetch belongs, or that it failed; what the client sent is kept beside it."""
        sent = self.prefetch.get(search.key)
        is_list = isinstance(sent, Mapping) and bool(sent.get("entry"))
        if search.pages:
            found: Any = search.answer
        elif self.needs.window.state(search.kind, self.prefetch) in _BROUGHT:
            return
        else:
            found = _FAILED
        joined = {**self.prefetch, search.key: found} | ({f"sent-{search.key}": sent} if is_list else {})
        self.prefetch = {key: joined[key] for key in PREFETCH if key in joined} | joined

    def join_references(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Put the Medications that were found where the reader of the chart looks for what an order refers to."""
        found = list(entries)
        if found:
            key = references.KEY
            while key in self.prefetch:
                key += "+"
            self.prefetch[key] = {"resourceType": "Bundle", "type": "collection", "entry": found}

    def is_drug_unknown(self, chart: Chart) -> bool:
        """Tell whether some draft's drug cannot be told yet, so that it may concern no rule after all."""
        return any(isinstance(chart.orders[index].drug, Unknown) for index in chart.selected)
