"""10,000 mixed requests from 50 threads against a running service: `python -m benchmarks.promises [COUNT]`; ends by itself.

Prints how many answers were a 5xx or differed from the answer at rest, and requests a second. The service is started here,
on loopback, and stopped at the end.
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.clinic import ALCOHOL, FIBROMYALGIA, LDN_CAPSULE, METFORMIN, OXYCODONE, TABLET_50, Json, call, condition, dosage, listed, order
from tests.golden import golden_text
from tests.promises_floor import Running, running

CALLS: list[Json] = [
    call(order(TABLET_50, dosage(50)), conditions=[condition(ALCOHOL)]),
    call(order(TABLET_50, dosage(50)), medications=[listed(OXYCODONE, supply=30)], conditions=[condition(FIBROMYALGIA)]),
    call(order(LDN_CAPSULE, dosage(4.5)), conditions=[condition(FIBROMYALGIA)]),
    call(order(METFORMIN, dosage(500)), medications=[listed(METFORMIN) for _ in range(40)]),
    call(order(TABLET_50), prefetch={"conditions": 5, "activeMedications": ...}),
]


def main(count: int) -> None:
    """Run and print the figures."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as service:
        at_rest = [golden_text(service.advice(request)) for request in CALLS]
        started = time.perf_counter()
        with ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(lambda number: _answer(service, number), range(count)))
        seconds = time.perf_counter() - started
        failed = sum(answer is None for answer in answers)
        differing = sum(answer is not None and answer != at_rest[number % len(CALLS)] for number, answer in enumerate(answers))
        print(f"{count} requests, 50 threads: {failed} without a 200, {differing} other than at rest, {count / seconds:.0f} a second")


def _answer(service: Running, number: int) -> str | None:
    try:
        return golden_text(service.advice(CALLS[number % len(CALLS)]))
    except AssertionError:
        return None


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
