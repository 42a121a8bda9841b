"""Decisions are written behind the call: nothing is lost on a clean stop, and what must be dropped is counted."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from cds_service.errors import StoreUnavailable
from cds_service.store import writer as writer_module
from cds_service.store.decisions import DecisionRows
from cds_service.store.engine import Store
from cds_service.store.schema import decisions
from cds_service.store.writer import Counts, DecisionWriter
from tests.conftest import NOON
from tests.store_floor import opened, rows, store_at


def made(name: str, **more: Any) -> DecisionRows:  # noqa: ANN401 - columns
    texts = ("client", "site", "hook", "service", "user_reference", "pack_version", "pack_hash")
    reads = ("patient_read", "conditions_read", "medications_read", "history_read", "digest")
    row = {"id": name, "time": NOON, **dict.fromkeys((*texts, *reads), ""), "latency_ms": 1.0}
    return DecisionRows({**row, **more}, (), ())


class Faulty(Store):
    """A store that refuses for some time."""

    def __init__(self, store: Store, refusals: int) -> None:
        super().__init__(store.url)
        self.refusals = refusals

    def write(self, work: Callable[[Connection], Any]) -> Any:  # noqa: ANN401 - as Store
        if self.refusals > 0:
            self.refusals -= 1
            raise StoreUnavailable("away for a test")
        return super().write(work)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened("sqlite", tmp_path) as one:
        yield one


def kept(store: Store) -> set[str]:
    return {row["id"] for row in rows(store, decisions)}


def test_a_clean_stop_writes_everything(store: Store) -> None:
    writer = DecisionWriter(store)
    for number in range(1000):
        writer.put(made(str(number)))
    assert writer.stop() == Counts(written=1000)
    assert len(kept(store)) == 1000


def test_decisions_are_written_soon_without_a_stop(store: Store) -> None:
    writer = DecisionWriter(store)
    writer.put(made("one"))
    until = time.monotonic() + 5
    while not writer.counts.written and time.monotonic() < until:
        time.sleep(0.01)
    assert (writer.counts, kept(store)) == (Counts(written=1), {"one"})
    writer.stop()


def test_a_writer_that_was_never_used_stops_at_once(store: Store) -> None:
    assert DecisionWriter(store).stop() == Counts()


def test_a_store_that_comes_back_gets_what_waited(store: Store) -> None:
    faulty = Faulty(store, 3)
    writer = DecisionWriter(faulty)
    for number in range(300):
        writer.put(made(str(number)))
    counts = writer.stop()
    assert (counts.written, counts.dropped, counts.failures, len(kept(store))) == (300, 0, 3, 300)
    faulty.close()


def test_what_does_not_fit_is_dropped_counted_and_told_at_milestones(store: Store) -> None:
    told: list[str] = []
    faulty = Faulty(store, 10**9)
    writer = DecisionWriter(faulty, limit=50, report=told.append)
    for number in range(1000):
        writer.put(made(str(number)))
    counts = writer.counts
    assert counts.waiting + counts.dropped == 1000
    assert 50 <= counts.waiting <= 250  # those in the thread's hand besides those in the queue
    ended = writer.stop(0.2)
    assert (ended.written, ended.dropped, ended.waiting) == (0, 1000, 0)
    assert told[:3] == ["decisions dropped: 1", "decisions dropped: 10", "decisions dropped: 100"]
    assert len(told) <= 6
    faulty.close()


def test_a_stop_does_not_wait_longer_than_it_may(store: Store) -> None:
    faulty = Faulty(store, 10**9)
    writer = DecisionWriter(faulty)
    writer.put(made("one"))
    started = time.monotonic()
    assert writer.stop(0.3).dropped == 1
    assert time.monotonic() - started < 1.3
    faulty.close()


def test_after_the_stop_decisions_are_counted_as_dropped(store: Store) -> None:
    writer = DecisionWriter(store)
    writer.put(made("one"))
    writer.stop()
    writer.put(made("two"))
    assert (writer.counts, kept(store)) == (Counts(written=1, dropped=1), {"one"})


def test_a_decision_that_cannot_be_written_costs_no_other(store: Store) -> None:
    writer = DecisionWriter(store)
    for one in (made("before"), made("bad", hook=None), made("after")):
        writer.put(one)
    assert writer.stop() == Counts(written=2, dropped=1)
    assert kept(store) == {"before", "after"}


def test_putting_never_waits_for_the_store(store: Store) -> None:
    held = threading.Event()
    store.migrate()
    slow = threading.Thread(target=lambda: store.write(lambda _: held.wait(10)))
    slow.start()
    writer = DecisionWriter(store)
    started = time.monotonic()
    for number in range(200):
        writer.put(made(str(number)))
    assert time.monotonic() - started < 0.5
    held.set()
    slow.join()
    assert writer.stop().written == 200


def test_threads_that_come_first_together_share_one_queue(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = writer_module._new_queue  # noqa: SLF001 - the moment at which threads can cross

    def slowly() -> object:
        time.sleep(0.05)
        return fresh()

    monkeypatch.setattr(writer_module, "_new_queue", slowly)
    writer = DecisionWriter(store)
    threads = [threading.Thread(target=writer.put, args=(made(str(number)),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (writer.stop(), len(kept(store))) == (Counts(written=8), 8)


def _child(address: str) -> None:
    """A worker that ends as a server's worker does, without telling the writer."""
    writer = DecisionWriter(store_at(address))
    for number in range(100):
        writer.put(made(f"child-{number}"))


def test_the_end_of_a_worker_process_writes_what_is_left(store: Store) -> None:
    process = multiprocessing.get_context("fork").Process(target=_child, args=(store.url.render_as_string(),))
    process.start()
    process.join(30)
    assert (process.exitcode, len(kept(store))) == (0, 100)


def _forked(writer: DecisionWriter) -> None:
    writer.put(made("child"))


def test_a_forked_child_writes_with_a_thread_of_its_own(store: Store) -> None:
    writer = DecisionWriter(store)
    writer.put(made("parent"))
    process = multiprocessing.get_context("fork").Process(target=_forked, args=(writer,))
    process.start()
    process.join(30)
    assert writer.stop() == Counts(written=1)
    assert kept(store) == {"parent", "child"}
