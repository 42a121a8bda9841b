"""Writes decisions off the request's path: a bounded queue and one thread for each process."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.util import Finalize
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from cds_service.errors import StoreUnavailable
from cds_service.store.decisions import DecisionRows, keep_decisions
from cds_service.store.engine import Store
from cds_service.tally import NoTally, Tally

_BATCH: Final = 200
_LINGER_SECONDS: Final = 0.25
"""How long a batch may gather: one commit for many decisions costs the calls beside it less (benchmarks/decision_cost)."""
_LONGEST_REST_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 5.0
_LAST: Final = 10
"""Priority of the writing at the end of a process: above that of what multiprocessing closes itself."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of decisions in this process: `failures` counts tries to write that the store refused."""

    written: int = 0
    dropped: int = 0
    failures: int = 0
    waiting: int = 0


@dataclass(slots=True)
class _Queue:
    """The decisions of one process that are still to be written."""

    waiting: deque[DecisionRows] = field(default_factory=deque)
    change: threading.Condition = field(default_factory=threading.Condition)
    counts: Counts = Counts()
    in_hand: int = 0
    give_up_at: float | None = None
    """Set when the process stops: the moment after which nothing is tried any more."""
    thread: threading.Thread | None = None


class DecisionWriter:
    """Takes decisions from calls without making them wait, and writes them in batches.

    A clean stop of the process writes what is left, for up to five seconds. What does not fit into the queue, because the
    store is away or too slow, is dropped and counted; `report` hears of the first loss after a time without any.
    `tally` counts what is "written" and "dropped", each "failure" of the store, and how many are "waiting", up and down.
    """

    def __init__(
        self, store: Store, *, limit: int = 5000, report: Callable[[str], None] = lambda _: None, tally: Tally | None = None
    ) -> None:
        """Hold up to `limit` decisions; the thread starts with the first one, in the process that brings it."""
        self._store = store
        self._limit = limit
        self._report = report
        self._tally = tally or NoTally()
        self._queues: dict[int, _Queue] = {}

    @property
    def counts(self) -> Counts:
        """What became of this process's decisions so far."""
        queue = self._here()
        return replace(queue.counts, waiting=len(queue.waiting) + queue.in_hand)

    def put(self, rows: DecisionRows) -> None:
        """Take one decision; never waits for the store."""
        queue = self._here()
        with queue.change:
            if queue.thread is None:
                self._start(queue)
            if len(queue.waiting) >= self._limit or queue.give_up_at is not None:
                self._drop(queue, 1)
                return
            queue.waiting.append(rows)
            self._tally.count("waiting")
            if len(queue.waiting) == 1 or len(queue.waiting) == _BATCH:
                queue.change.notify_all()

    def stop(self, seconds: float = _STOP_SECONDS) -> Counts:
        """Write what is left, for up to so many seconds, and end the thread; what is still left then is dropped."""
        queue = self._here()
        with queue.change:
            queue.give_up_at = time.monotonic() + seconds
            queue.change.notify_all()
        if queue.thread is not None:
            queue.thread.join(seconds + 1)
        return self.counts

    def _here(self) -> _Queue:
        """Return this process's own queue: a forked child starts with an empty one."""
        pid = os.getpid()
        return self._queues.get(pid) or self._queues.setdefault(pid, _new_queue())  # of threads that come together, one queue stays

    def _start(self, queue: _Queue) -> None:
        queue.thread = threading.Thread(target=self._run, args=(queue,), name="decisions", daemon=True)
        queue.thread.start()
        Finalize(None, self.stop, exitpriority=_LAST)  # runs at the end of a server's worker too, where atexit does not

    def _run(self, queue: _Queue) -> None:
        while batch := self._batch(queue):
            self._keep(queue, batch)
            self._tally.count("waiting", -len(batch))
            with queue.change:
                queue.in_hand = 0
                queue.change.notify_all()

    def _batch(self, queue: _Queue) -> list[DecisionRows]:
        """Wait for decisions, and a little longer for more; an empty batch means that it is time to end."""
        with queue.change:
            queue.change.wait_for(lambda: queue.waiting or queue.give_up_at is not None)
            queue.change.wait_for(lambda: len(queue.waiting) >= _BATCH or queue.give_up_at is not None, _LINGER_SECONDS)
            batch = [queue.waiting.popleft() for _ in range(min(_BATCH, len(queue.waiting)))]
            queue.in_hand = len(batch)
            return batch

    def _keep(self, queue: _Queue, batch: Sequence[DecisionRows]) -> None:
        """Write a batch, again and again while the store is away, until it is written or the process must end."""
        rest = 0.05
        while True:
            try:
                self._store.write(lambda connection: keep_decisions(connection, batch))
            except StoreUnavailable:
                self._tally.count("failure")
                with queue.change:
                    queue.counts = replace(queue.counts, failures=queue.counts.failures + 1)
                    if self._is_over(queue, rest):
                        self._drop(queue, len(batch))
                        return
                rest = min(rest * 2, _LONGEST_REST_SECONDS)
            except SQLAlchemyError:
                self._keep_singly(queue, batch)
                return
            else:
                self._tally.count("written", len(batch))
                with queue.change:
                    queue.counts = replace(queue.counts, written=queue.counts.written + len(batch))
                return

    def _keep_singly(self, queue: _Queue, batch: Sequence[DecisionRows]) -> None:
        """Write the decisions of a refused batch one by one, so that one that cannot be written costs no other."""
        if len(batch) == 1:
            with queue.change:
                self._drop(queue, 1)
            return
        for one in batch:
            self._keep(queue, [one])

    def _is_over(self, queue: _Queue, rest: float) -> bool:
        """Rest before the next try; tells whether there is to be none."""
        queue.change.wait_for(lambda: queue.give_up_at is not None, rest)
        if queue.give_up_at is not None and time.monotonic() < queue.give_up_at:
            queue.change.wait(0.1)
        return queue.give_up_at is not None and time.monotonic() >= queue.give_up_at

    def _drop(self, queue: _Queue, number: int) -> None:
        dropped = queue.counts.dropped + number
        queue.counts = replace(queue.counts, dropped=dropped)
        self._tally.count("dropped", number)
        if _is_milestone(dropped, number):
            self._report(f"decisions dropped: {dropped}")


def _new_queue() -> _Queue:
    return _Queue()


def _is_milestone(dropped: int, number: int) -> bool:
    """Tell whether a count passed 1, 10, 100, …: a flood of losses must not become a flood of lines."""
    return len(str(dropped)) > len(str(dropped - number)) or dropped == number
