"""What recording decisions costs: calls a second at full load, with recording and without, in turns within one run.

python -m benchmarks.decision_cost --database postgresql

Some threads call the service in this process as fast as they can. The turns alternate, so that a machine that is busy with other things
is busy with both; the time until the last decision is written counts, as at a stop of the service, which does not let a batch gather. Beside the clock stands the processor time of a call, which other programs disturb less.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from cds_service.advisor import PackAdvisor, Record, no_record
from cds_service.hooks.call import HookCall
from cds_service.hooks.parse import read_call
from cds_service.pack import read_pack
from cds_service.service import ClientWishes, Wishes
from cds_service.store.recorder import Caller, Recorder
from cds_service.store.writer import DecisionWriter
from tests.store_floor import DATABASES, database, store_at

ROOT = Path(__file__).parent.parent
THREADS = 4


@dataclass(frozen=True)
class Turn:
    """One turn: calls answered, seconds on the clock, and seconds of the processor."""

    calls: int
    seconds: float
    busy: float

    @property
    def throughput(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def cost(self) -> float:
        """Milliseconds of the processor for a call."""
        return self.busy / self.calls * 1000


def recorded_calls() -> list[HookCall]:
    """Read the calls that travel with the program."""
    requests = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "fixtures" / "calls").glob("*.json"))]
    return [read_call(json.dumps(request).encode(), request["hook"]) for request in requests if "order-" in request.get("hook", "")]


def turn(advisor: PackAdvisor, calls: list[HookCall], seconds: float) -> Turn:
    """Answer calls with all threads for some seconds, and wait until what they left to be written is written."""
    done = [0] * THREADS
    until = time.perf_counter() + seconds

    def answer(place: int, them: Iterator[HookCall]) -> None:
        while time.perf_counter() < until:
            advisor.advise(next(them), ClientWishes())
            done[place] += 1

    started, busy = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=answer, args=(place, cycle(calls))) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if isinstance(advisor.record, Recorder):
        advisor.record.writer.stop()
    return Turn(sum(done), time.perf_counter() - started, time.process_time() - busy)


def measure(kind: str, turns: int, seconds: float) -> None:
    """Take turns on one database, and print the ratios."""
    pack, calls = read_pack(ROOT / "rules", ROOT / "cards"), recorded_calls()
    with tempfile.TemporaryDirectory() as folder, database(kind, Path(folder)) as address, store_at(address) as store:
        store.migrate()
        writers: list[DecisionWriter] = []

        def recorder() -> Recorder:
            writers.append(DecisionWriter(store, limit=1_000_000))
            return Recorder(writers[-1], b"k" * 32, lambda: Caller("ehr", "north", "some-service"))

        def taken(record: Record, lasting: float = seconds) -> Turn:
            return turn(PackAdvisor(pack, ZoneInfo("UTC"), Wishes(), record=record), calls, lasting)

        for record in (no_record, recorder()):
            taken(record, 1)
        pairs = [(taken(no_record), taken(recorder())) for _ in range(turns)]
        counts = [writer.counts for writer in writers]
    speed = [median(one.throughput for one in side) for side in zip(*pairs, strict=True)]
    cost = [median(one.cost for one in side) for side in zip(*pairs, strict=True)]
    ratio = median(with_it.throughput / without_it.throughput for without_it, with_it in pairs)
    busy = median(with_it.cost / without_it.cost for without_it, with_it in pairs)
    print(f"{kind}: {speed[0]:.0f} calls/s without, {speed[1]:.0f} with: throughput {ratio:.1%} of that without (median of {turns} pairs)")
    print(f"{kind}: {cost[0]:.2f} ms of the processor for a call without, {cost[1]:.2f} with: {busy - 1:+.1%}")
    print(f"{kind}: {sum(one.written for one in counts):,} decisions written, {sum(one.dropped for one in counts)} dropped", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3)
    given = parser.parse_args()
    for chosen in given.database or DATABASES:
        measure(chosen, given.turns, given.seconds)
