"""Answers many mixed requests in one process and prints its memory: `python -m benchmarks.memory_growth [--calls 20000]`.

Recorded calls, hostile texts, damaged bodies and feedback in turn, no two the same. Ends with status 1 where the last quarter of
the calls adds more than LIMIT MiB: the caches of names fill in the first half (8,192 each), nothing may grow with every call.
"""

import argparse
import gc
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from flask.testing import FlaskClient

from cds_service.app import from_environment
from tests.clinic import (
    ALCOHOL,
    FIBROMYALGIA,
    INGREDIENT,
    LDN_CAPSULE,
    OXYCODONE,
    TABLET_50,
    call,
    concept,
    condition,
    dosage,
    listed,
    order,
)

ROOT: Final = Path(__file__).parent.parent
CALLS: Final = sorted((ROOT / "fixtures/calls").glob("*.json"))
LIMIT: Final = 4.0
"""MiB that the last quarter may add."""
STEPS: Final = 20
SEED: Final = 2026


def requests(count: int) -> Iterator[tuple[str, bytes]]:
    """Make requests that differ: address and body."""
    chance = random.Random(SEED)
    recorded = [json.loads(path.read_text()) for path in CALLS]
    for number in range(count):
        kind = number % 5
        if kind == 0:
            yield _posted({**chance.choice(recorded), "hookInstance": f"{number}"})
        elif kind == 1:
            yield _posted(_made(chance, number))
        elif kind == 2:
            yield _posted(_hostile(chance, number))
        elif kind == 3:
            body = _posted(_made(chance, number))[1]
            yield "/cds-services/naltrexone-order-sign", body[: chance.randrange(len(body))]
        else:
            yield (
                "/cds-services/naltrexone-order-sign/feedback",
                json.dumps({"feedback": [{"card": f"{number}", "outcome": "overridden"}]}).encode(),
            )


def _posted(request: dict[str, Any]) -> tuple[str, bytes]:
    return f"/cds-services/naltrexone-{request['hook']}", json.dumps(request).encode()


def _made(chance: random.Random, number: int) -> dict[str, Any]:
    """A plausible order whose names, ids and doses no earlier one had."""
    drug = chance.choice([TABLET_50, LDN_CAPSULE, INGREDIENT, concept(f"naltrexone {number / 1000} mg capsule")])
    text = f"take {number % 97} caps qhs x {number} days"
    drafts = [order(drug, dosage(number % 60 + 0.5, text=text), id=f"d{number}")]
    others = [listed(OXYCODONE, since=number % 400, id=f"m{number}"), listed(concept(f"local drug {number}"), id=f"l{number}")]
    problems = [condition(chance.choice([FIBROMYALGIA, ALCOHOL, concept(f"condition number {number}")]))]
    return call(*drafts, medications=others, conditions=problems, hook=chance.choice(["order-sign", "order-select"]))


def _hostile(chance: random.Random, number: int) -> dict[str, Any]:
    """Long texts that no earlier call held, where names and codes belong."""
    noise = "".join(chance.choice("ab1.<&*{ \n") for _ in range(chance.randrange(2_000))) + str(number)
    return call(
        order(concept(f"naltrexone {noise}", noise), {"text": noise}),
        medications=[listed(concept(noise))],
        conditions=[condition(concept(noise))],
    )


def resident_mib() -> float:
    """Return the memory that this process holds (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def run(client: FlaskClient, count: int) -> list[float]:
    """Answer all requests and return the memory after each step; none may be a 5xx."""
    seen: list[float] = []
    start = time.perf_counter()
    for number, (path, body) in enumerate(requests(count), start=1):
        status = client.post(path, data=body, content_type="application/json").status_code
        assert status < 500, status
        if number % (count // STEPS) == 0:
            gc.collect()
            seen.append(resident_mib())
            print(f"{number:7} calls {seen[-1]:8.1f} MiB {number / (time.perf_counter() - start):7.0f} a second", flush=True)
    return seen


def main() -> int:
    """Print the memory at intervals; return 1 where it goes on growing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    count = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({"CDS_DATA_DIR": folder, "CDS_LOG_LEVEL": "error"})
        seen = run(from_environment().test_client(), count)
    grown = seen[-1] - seen[STEPS * 3 // 4 - 1]
    print(f"grown by {grown:.1f} MiB in the last quarter")
    return 1 if grown > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
