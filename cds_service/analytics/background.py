"""Floor 7: rolls up behind the service, about once a minute, in one process at a time."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from cds_service.analytics.rollup import roll_up
from cds_service.errors import StoreUnavailable
from cds_service.hooks.call import HookCall
from cds_service.service import Decision
from cds_service.store.engine import Store
from cds_service.store.marks import forget_marks

REST: Final = timedelta(minutes=1)
_MOST_BUSY: Final = 0.05
"""Share of its time that the thread may work: a store that takes long is rolled up less often."""


@dataclass(slots=True)
class RollingUp:
    """Counts the days of a store again and again, and forgets marks that have expired; begins with the first decision of a process.

    `report` hears when the store refuses the work for a reason other than being away.
    """

    store: Store
    zone: tzinfo
    rest: timedelta = REST
    report: Callable[[str], None] = lambda _: None
    _threads: dict[int, threading.Thread] = field(default_factory=dict, repr=False)

    def begin(self, decision: Decision, call: HookCall, made_at: datetime, ms: float) -> None:  # noqa: ARG002 - as advisor.Record
        """See to it that the thread of this process runs."""
        pid = os.getpid()
        if pid not in self._threads:
            thread = threading.Thread(target=self._run, name="roll-up", daemon=True)
            if self._threads.setdefault(pid, thread) is thread:  # of calls that come together, one starts it
                thread.start()

    def once(self) -> float:
        """Do the work if it is due and no other process does it; returns the seconds it took."""
        started = time.monotonic()
        now = datetime.now(UTC)
        try:
            roll_up(self.store, self.zone, now, rest=self.rest * 0.9)
            self.store.write(lambda connection: forget_marks(connection, now))
        except StoreUnavailable:  # it was reported, and comes back
            pass
        except SQLAlchemyError as error:
            self.report(f"roll-up failed: {type(error).__name__}")
        return time.monotonic() - started

    def _run(self) -> None:
        while True:
            took = self.once()
            time.sleep(max(self.rest.total_seconds(), took / _MOST_BUSY))
