"""Floor 7: answers calls with a pack: reads the clock, builds the chart, decides, and writes the answer as JSON values."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from cds_service.fhir.chart import Chart, Kind
from cds_service.fhir.reading import Source, read_chart
from cds_service.fhir_reads.reads import FhirReads
from cds_service.fhir_reads.rules import check_had_data, kinds_read, needs_of
from cds_service.fhir_reads.searches import Prefetch, Window
from cds_service.hooks.answer import as_json
from cds_service.hooks.call import HookCall
from cds_service.hooks.discovery import CARD_WITHOUT_DATA, STATUS_412_WITHOUT_DATA, ServiceDescription
from cds_service.service import ClientWishes, Decision, Overrides, Pack, Wishes, decide

Clock = Callable[[], datetime]
ANYBODY: Final = ClientWishes()
"""Who asks where nobody has to say so: development, and the command line."""
Record = Callable[[Decision, HookCall, datetime, float], None]
"""Takes a decision, its call, when it was made and how many milliseconds that took; must not wait and must not fail."""


def system_clock() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def no_record(decision: Decision, call: HookCall, made_at: datetime, ms: float) -> None:
    """Remember nothing, where there is no store."""


def in_turn(*records: Record) -> Record:
    """Let several hear of each decision."""

    def record(decision: Decision, call: HookCall, made_at: datetime, ms: float) -> None:
        for one in records:
            one(decision, call, made_at, ms)

    return record


@dataclass(frozen=True, slots=True)
class PackAdvisor:
    """Advises by one pack for one site: `zone` is where its days begin, `wishes` what its clients ask for.

    `record` hears of each decision that was given as advice.
    """

    pack: Pack
    zone: tzinfo
    wishes: Wishes
    clock: Clock = system_clock
    site_packs: Mapping[str, Pack] = field(default_factory=dict)
    record: Record = no_record
    overrides: Overrides | None = None
    """Where the site respects overrides: what clinicians overrode. Nothing but advice asks it."""
    reads: FhirReads | None = None
    """Reads what prefetch left out; without it prefetch is all there is."""
    refuses_without_data: bool = False
    """Answer 412 instead of a card where required data could not be had at all."""

    def services(self) -> tuple[ServiceDescription, ...]:
        """Describe the services of the manifest, with the kinds of data that their rules read."""
        packs = (self.pack, *self.site_packs.values())
        kinds = frozenset(Kind(kind) for pack in packs for kind in pack.rulebook.kinds_used()) | {Kind.PATIENT}
        without_data = STATUS_412_WITHOUT_DATA if self.refuses_without_data else CARD_WITHOUT_DATA
        return tuple(
            ServiceDescription(text.id, text.hook, text.title, text.description, f"{text.usage_requirements}\n{without_data}", kinds)
            for text in self.pack.rulebook.manifest.services
        )

    def advise(self, call: HookCall, client: ClientWishes) -> Mapping[str, Any]:
        """Answer one call as its client wishes."""
        started = time.perf_counter()
        heeding = replace(self, wishes=replace(self.wishes, overrides=self.overrides)) if self.overrides else self
        decision = heeding.decide(call, client)
        self.record(decision, call, self.clock(), (time.perf_counter() - started) * 1000)
        return answer_of(decision)

    def decide(self, call: HookCall, client: ClientWishes = ANYBODY) -> Decision:
        """Read the chart of one call as of today and decide."""
        pack = self.site_packs[client.site] if client.site else self.pack
        today = self.today()
        decision = decide(call, self._chart(call, pack, today, client), pack, today, self._wishes(pack, client))
        if self.refuses_without_data:
            check_had_data(decision, kinds_read(pack))
        return decision

    def today(self) -> date:
        """Return the present day at the site."""
        return self.clock().astimezone(self.zone).date()

    def explain(self, call: HookCall, client: ClientWishes = ANYBODY) -> Decision:
        """Decide one call with the trace of every rule, for somebody who asks why: nothing is recorded, and nothing read beside the call."""
        return replace(self, wishes=replace(self.wishes, with_trace=True), reads=None, refuses_without_data=False).decide(call, client)

    def _chart(self, call: HookCall, pack: Pack, today: date, client: ClientWishes) -> Chart:
        """Read the chart from the prefetch, and from the client's FHIR server what the prefetch left out."""
        window = Window(today, Decimal(pack.rulebook.longest_interval_days))

        def read(prefetch: Prefetch | None) -> Chart:
            source = Source(call.patient_id, call.draft_orders, call.selections, prefetch)
            return read_chart(source, pack.drugs, pack.conditions, today=today, zone=self.zone, history_days=window.history_days)

        chart = read(call.prefetch)
        if self.reads is None:
            return chart
        return self.reads.complete(call, chart, needs_of(pack, call.hook, window, read), client.fhir_servers)

    def _wishes(self, pack: Pack, client: ClientWishes) -> Wishes:
        """Put the client's wishes in the place of the settings'."""
        language = first_spoken(client.languages, pack.cards.words) or self.wishes.language
        return replace(self.wishes, language=language, profile=client.profile or self.wishes.profile)


def first_spoken(languages: Iterable[str], spoken: Collection[str]) -> str:
    """Return the first language that the cards have, in their own spelling ("es" for "es-mx"); nothing where they have none."""
    by_name = {language.lower(): language for language in spoken}
    names = (name for language in languages for name in (language.lower(), language.lower().partition("-")[0]))
    return next((by_name[name] for name in names if name in by_name), "")


def answer_of(decision: Decision) -> Mapping[str, Any]:
    """Write the answer of a decision: `{"cards": […]}`, the only empty list that the specification knows."""
    return {"cards": as_json(decision.cards)}
