"""Kill a server that takes feedback at random moments, and count what was acknowledged and is not in the store.

python -m benchmarks.feedback_durability --cycles 30
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.feedback_server import kill_while_sending, lost
from tests.store_floor import DATABASES, database


def measure(kind: str, cycles: int) -> int:
    """Run the cycles on one database, print the counts, and return how many were lost."""
    acknowledged, gone, others = 0, 0, Counter[int]()
    with tempfile.TemporaryDirectory() as folder, database(kind, Path(folder)) as address:
        for _ in range(cycles):
            sent = kill_while_sending(address, Path(folder) / "data", random.uniform(0.1, 1.5))
            acknowledged += len(sent.acknowledged)
            gone += len(lost(address, sent.acknowledged))
            others.update(sent.others)
    told = ", ".join(f"{status}: {number}" for status, number in sorted(others.items())) or "none"
    print(f"{kind}: {cycles} cycles, {acknowledged} acknowledged, {gone} lost, other answers: {told}", flush=True)
    return gone


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=30)
    parser.add_argument("--database", choices=DATABASES, action="append")
    given = parser.parse_args()
    sys.exit(1 if sum(measure(kind, given.cycles) for kind in given.database or DATABASES) else 0)
