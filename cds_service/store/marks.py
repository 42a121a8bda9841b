"""Marks of shown findings: by them the service recognises at the next call what a clinician has overridden; no patient data.

A mark is a keyed hash of client, patient, encounter, order and finding. It expires, nobody can undo it without the installation's key, and a changed
drug, dose or indication of the order, another rule version, severity or exposure makes another mark.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from cds_service.cards.gather import orders_of
from cds_service.errors import StoreUnavailable
from cds_service.fhir.chart import Chart, MedicationRecord
from cds_service.hooks.call import HookCall
from cds_service.rulebook.types import Finding, Severity
from cds_service.store.engine import Store
from cds_service.store.schema import feedback, override_marks

_PURPOSE: Final = b"override-mark\0"
_FACTS: Final = ("order.drug", "order.route", "order.daily_dose", "order.starting_daily_dose", "order.single_dose", "order.indication")
_ELEMENTS: Final = (
    "medication", "dosages", "reasons", "reason_references", "supply", "quantity", "repeats_allowed", "status", "intent", "do_not_perform",
)  # fmt: skip
"""What of an order is material: drug, dose, duration and indication."""
_ANSWER_SECONDS: Final = 0.2
_THREADS: Final = 4


@dataclass(slots=True)
class OverrideMarks:
    """Makes marks with the installation's key, and asks the store which of them were overridden.

    `client` names the sender of the present call. A store that does not answer within a fifth of a second has no say: the cards are shown.
    """

    store: Store
    key: bytes
    client: Callable[[], str]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    patience: float = _ANSWER_SECONDS
    unanswered: int = 0
    """How often this process asked in vain."""
    _threads: dict[int, ThreadPoolExecutor] = field(default_factory=dict, repr=False)

    def marks(self, call: HookCall, chart: Chart, findings: Sequence[Finding]) -> tuple[str, ...]:
        """Make the mark of each finding; empty for those that are shown whatever was said: critical, incomplete data, no encounter."""
        if not (call.encounter_id and call.patient_id):
            return ("",) * len(findings)
        records = orders_of(chart).records
        return tuple(self._mark(call, records.get(finding.facts.order), finding) for finding in findings)

    def overridden(self, marks: Collection[str]) -> Collection[str]:
        """Name the marks whose card was overridden by the client that it was shown to, and that have not expired."""
        if not marks:
            return frozenset()
        client, now = self.client()[:200], self.clock()
        future = self._pool().submit(self.store.read, lambda connection: _overridden(connection, marks, client, now))
        try:
            return future.result(self.patience)
        except (StoreUnavailable, TimeoutError):
            future.cancel()
            self.unanswered += 1
            return frozenset()

    def _mark(self, call: HookCall, order: MedicationRecord | None, finding: Finding) -> str:
        if order is None or finding.severity is Severity.CRITICAL or finding.rule.kind == "incomplete":
            return ""
        facts = finding.facts.facts
        said = [
            [self.client(), call.patient_id, call.encounter_id, finding.facts.order],
            [repr(getattr(order, name)) for name in _ELEMENTS],
            [_plain(facts[name].value) for name in _FACTS if name in facts],
            [finding.rule.id, finding.rule.version, finding.rule.site_override, finding.severity.word, finding.says],
            sorted(
                [match.severity.word, match.says, *(_plain(match.item[n].value) for n in ("drug", "name") if n in match.item)]
                for match in finding.matched
            ),
        ]
        return hmac.digest(self.key, _PURPOSE + json.dumps(said).encode(), hashlib.sha256).hex()

    def _pool(self) -> ThreadPoolExecutor:
        """Return the threads of this process, which a fork does not take along."""
        pid = os.getpid()
        return self._threads.get(pid) or self._threads.setdefault(pid, ThreadPoolExecutor(_THREADS, "override-marks"))


def forget_marks(connection: Connection, now: datetime) -> int:
    """Delete the marks that have expired; returns how many."""
    return connection.execute(delete(override_marks).where(override_marks.c.expires < now)).rowcount


def _overridden(connection: Connection, marks: Collection[str], client: str, now: datetime) -> Collection[str]:
    joined = override_marks.join(feedback, (feedback.c.card == override_marks.c.card) & (feedback.c.client == override_marks.c.client))
    query = select(override_marks.c.mark).select_from(joined)
    query = query.where(override_marks.c.mark.in_(list(marks)), override_marks.c.client == client, override_marks.c.expires > now)
    return frozenset(connection.execute(query.where(feedback.c.outcome == "overridden")).scalars())


def _plain(value: Any) -> Any:  # noqa: ANN401 - the value of any fact
    """Write a fact so that the same value is always the same text: sets have no order."""
    return sorted(value) if isinstance(value, frozenset) else repr(value)
