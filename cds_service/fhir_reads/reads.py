"""Completes the prefetch of one call: what is missing is read side by side, within one deadline, and joins as if it had been sent."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from cds_service.fhir.chart import Chart
from cds_service.fhir_reads import references, searches
from cds_service.fhir_reads.bounds import SLOW, Allowance, Breaker, Bulkhead, CountReads, Deadline, Fault, FaultCounts, ReadFailed
from cds_service.fhir_reads.gaps import Gaps, Needs
from cds_service.fhir_reads.pool import FhirPool, Reading, bearer
from cds_service.fhir_reads.targets import Allowed, Base, allowed_base
from cds_service.hooks.call import HookCall

MOST_BYTES: Final = 8 * 1024 * 1024
"""All that one call may read, decompressed."""
_LANES: Final = 4
"""Reads that one call has under way at a time."""
_PATIENCE: Final = 0.25
"""The part of the deadline that a call waits for its turn."""
_GRACE: Final = 0.1
"""Seconds in which reads that were cut off end and are counted."""
_OK: Final = "ok"

Read = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reads may cost: seconds for all reads of a call, calls that read at once, and whether a token is needed.

    A server on this machine is read without token; another one only where `open_servers` says that this is meant.
    """

    seconds: float = 1.5
    calls_at_once: int = 32
    open_servers: bool = False


@dataclass(slots=True)
class _Session:
    """The reads of one call: what they share, and the faults met so far."""

    gaps: Gaps
    reading: Reading
    faults: list[Fault] = field(default_factory=list)


class FhirReads:
    """Reads what prefetch left out; one for the life of a process. `counts` hears how each read ended."""

    def __init__(self, pool: FhirPool, bounds: Bounds, breaker: Breaker | None = None, counts: CountReads | None = None) -> None:
        """Set the bounds up; threads start with the first read."""
        self.counts = counts or FaultCounts()
        self._pool = pool
        self._bounds = bounds
        self._breaker = breaker or Breaker()
        self._bulkhead = Bulkhead(bounds.calls_at_once)
        self._threads = ThreadPoolExecutor(bounds.calls_at_once * _LANES, thread_name_prefix="fhir-read")

    def complete(self, call: HookCall, chart: Chart, needs: Needs, allowed: Allowed) -> Chart:
        """Return the chart with what could be read in addition; `chart` itself where nothing is missing or nobody may be asked.

        `chart` is what the call alone brings. Never raises for anything that a server does, and ends within the deadline.
        """
        if not call.fhir_server or needs.are_met(chart) or not needs.concerns(chart):
            return chart
        deadline = Deadline(time.monotonic() + self._bounds.seconds)
        gaps = Gaps(call, needs)
        if not (gaps.searches() or gaps.draft_references(chart) or gaps.list_references()):
            return chart
        try:
            base, token = self._admitted(call, allowed)
            session = _Session(gaps, Reading(base, deadline, Allowance(MOST_BYTES), token))
            return self._read_in_turn(chart, session)
        except ReadFailed as refused:
            self.counts.count(refused.fault.value)
            return chart if refused.fault is Fault.NOT_ALLOWED else _unanswered(gaps)

    def _admitted(self, call: HookCall, allowed: Allowed) -> tuple[Base, str]:
        """Return the server of a call and its token; raises ReadFailed where it may not be asked."""
        base = allowed_base(call.fhir_server, allowed)
        if base is None:
            raise ReadFailed(Fault.NOT_ALLOWED)
        if call.fhir_authorization is not None:
            return base, bearer(call.fhir_authorization.get("access_token"))
        if base.is_loopback or self._bounds.open_servers:
            return base, ""
        raise ReadFailed(Fault.NOT_ALLOWED)

    def _read_in_turn(self, chart: Chart, session: _Session) -> Chart:
        """Read while holding a place in the bulkhead, unless the server is being left alone."""
        reading = session.reading
        self._breaker.enter(reading.base)
        ran_out: bool | None = None
        try:
            with self._bulkhead.place(self._bounds.seconds * _PATIENCE):
                found = self._rounds(chart, session)
                ran_out = not SLOW.isdisjoint(session.faults)
                return found
        finally:
            self._breaker.leave(reading.base, ran_out=ran_out)

    def _rounds(self, chart: Chart, session: _Session) -> Chart:
        """Read what the drafts order, where that is open; then the missing lists; then what their entries refer to."""
        gaps = session.gaps
        first = gaps.draft_references(chart)
        if first and gaps.is_drug_unknown(chart):
            self._look_up(first, session)
            chart, first = gaps.chart(), ()
            if not gaps.needs.concerns(chart):
                return chart
        self._look_up((*first, *gaps.list_references()), session, gaps.searches())
        self._look_up(gaps.list_references(), session)
        return gaps.chart()

    def _look_up(self, addresses: Sequence[str], session: _Session, missing: Sequence[searches.Search] = ()) -> None:
        """Run searches and reads of Medications side by side, and join what they bring."""
        gaps, reading = session.gaps, session.reading
        found: list[dict[str, Any]] = []
        gaps.asked.update(addresses)
        reads = [partial(searches.run, one, self._pool, reading, gaps.needs.window) for one in missing]
        reads += [partial(_append, found, address, self._pool, reading) for address in addresses]
        self._side_by_side(reads, session)
        for search in missing:
            gaps.join_search(search)
        gaps.join_references(found)

    def _side_by_side(self, reads: Sequence[Read], session: _Session) -> None:
        """Wait for all reads, in a few lanes, until the deadline; then shut what is still open and go on without it."""
        lanes = [reads[number::_LANES] for number in range(_LANES)]
        under_way = [self._threads.submit(self._run, lane, session) for lane in lanes if lane]
        done, late = wait(under_way, timeout=session.reading.deadline.remaining())
        if late:
            session.reading.cut.now()
            session.faults.append(Fault.TIMEOUT)
            for _ in [one for one in late if one.cancel()]:
                self.counts.count(Fault.BUSY.value)
            wait(late, timeout=_GRACE)
        for ended in done:
            ended.result()

    def _run(self, lane: Sequence[Read], session: _Session) -> None:
        """Run reads one after the other, and count how each ended."""
        for read in lane:
            try:
                session.reading.deadline.check()
                read()
                self.counts.count(_OK)
            except ReadFailed as failed:
                session.faults.append(failed.fault)
                self.counts.count(failed.fault.value)


def _append(found: list[dict[str, Any]], address: str, pool: FhirPool, reading: Reading) -> None:
    found.append(references.read(address, pool, reading))


def _unanswered(gaps: Gaps) -> Chart:
    """Read the chart with everything that is missing marked as asked for without an answer."""
    for search in gaps.searches():
        gaps.join_search(search)
    return gaps.chart()
