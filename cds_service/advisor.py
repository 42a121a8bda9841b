"""Floor 7: answers calls with a pack: reads the clock, builds the chart, decides, and writes the answer as JSON values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from cds_service.fhir.chart import Kind
from cds_service.fhir.reading import Source, read_chart
from cds_service.hooks.answer import as_json
from cds_service.hooks.call import HookCall
from cds_service.hooks.discovery import ServiceDescription
from cds_service.service import Decision, Pack, Wishes, decide

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PackAdvisor:
    """Advises by one pack for one site: `zone` is where its days begin, `wishes` what its clients ask for."""

    pack: Pack
    zone: tzinfo
    wishes: Wishes
    clock: Clock = system_clock

    def services(self) -> tuple[ServiceDescription, ...]:
        """Describe the services of the manifest, with the kinds of data that their rules read."""
        kinds = frozenset(Kind(kind) for kind in self.pack.rulebook.kinds_used()) | {Kind.PATIENT}
        return tuple(
            ServiceDescription(text.id, text.hook, text.title, text.description, text.usage_requirements, kinds)
            for text in self.pack.rulebook.manifest.services
        )

    def advise(self, call: HookCall) -> Mapping[str, Any]:
        """Answer one call."""
        return answer_of(self.decide(call))

    def decide(self, call: HookCall) -> Decision:
        """Read the chart of one call as of today and decide."""
        today = self.clock().astimezone(self.zone).date()
        source = Source(call.patient_id, call.draft_orders, call.selections, call.prefetch)
        horizon = Decimal(self.pack.rulebook.longest_interval_days)
        chart = read_chart(source, self.pack.drugs, self.pack.conditions, today=today, zone=self.zone, history_days=horizon)
        return decide(call, chart, self.pack, today, self.wishes)


def answer_of(decision: Decision) -> Mapping[str, Any]:
    """Write the answer of a decision: `{"cards": […]}`, the only empty list that the specification knows."""
    return {"cards": as_json(decision.cards)}
