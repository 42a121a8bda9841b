"""How long the pages of use take over HTTP, from a started service: choices looked at for the first time, and the same once more.

python -m benchmarks.year_of_decisions --decisions 1000000 --keep sqlite:////tmp/year.sqlite3
python -m benchmarks.pages_of_use --database-url sqlite:////tmp/year.sqlite3
"""

import argparse
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Final
from urllib.parse import urlencode

from cds_service.web.workbench.use_wish import CHOSEN, PERIODS

AIM_MS: Final = 200
_STARTED_WITHIN: Final = 30.0


def main() -> None:
    """Start the service, look, print."""
    asked = _arguments()
    dice = random.Random(asked.seed)
    with _service(asked.database_url) as address:
        time.sleep(asked.rest)
        opened = _times(address, [""])
        offered = _offered(address)
        wishes = list(dict.fromkeys(wish(dice, offered) for _ in range(asked.pages)))
        first, again = _times(address, wishes), _times(address, wishes[-20:])
    print(f"the page as it opens, {asked.rest:.0f} s after the start: {opened[0]:.0f} ms")
    print(f"{len(first)} choices for the first time: {_told(first)}; {sum(one > AIM_MS for one in first)} above {AIM_MS} ms")
    print(f"the last {len(again)} of them again: {_told(again)}; ratio of the medians {median(first) / median(again):.0f}")
    for took, query in sorted(zip(first, wishes, strict=True), reverse=True)[:5]:
        print(f"  {took:.0f} ms  {query}")


def wish(dice: random.Random, offered: Mapping[str, list[str]]) -> str:
    """Make a choice as a reader might: a time, often a rule, now and then a client, a site, a hook or a day that is over."""
    chosen = {"period": dice.choice(list(PERIODS)), **{name: dice.choice(["", "", *values]) for name, values in offered.items()}}
    if dice.random() < 0.3:
        chosen["until"] = str(datetime.now(UTC).date() - timedelta(days=dice.randrange(1, 200)))
    return urlencode({name: value for name, value in chosen.items() if value})


def _offered(address: str) -> Mapping[str, list[str]]:
    """Read what the page can be narrowed to."""
    with urllib.request.urlopen(f"{address}/workbench/use") as answer:  # noqa: S310 - loopback
        page = answer.read().decode()
    found = {name: re.search(rf'<select[^>]* name="{name}".*?</select>', page, re.DOTALL) for name in CHOSEN}
    return {name: re.findall(r'<option value="([^"]+)"', one.group()) for name, one in found.items() if one}


def _times(address: str, queries: list[str]) -> list[float]:
    """Return the milliseconds from the request to the last byte, page by page."""
    taken = []
    for query in queries:
        started = time.perf_counter()
        with urllib.request.urlopen(f"{address}/workbench/use?{query}") as answer:  # noqa: S310 - loopback
            answer.read()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _told(times: list[float]) -> str:
    return f"median {median(times):.0f} ms, 95th percentile {quantiles(times, n=20)[-1]:.0f} ms, slowest {max(times):.0f} ms"


@contextmanager
def _service(database_url: str) -> Iterator[str]:
    """Run the service on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(port)]
    environment = {**os.environ, "CDS_DATABASE_URL": database_url}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(address: str) -> None:
    end = time.monotonic() + _STARTED_WITHIN
    while True:
        try:
            with urllib.request.urlopen(f"{address}/cds-services"):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rest", type=float, default=5.0, help="seconds between the start of the service and the first page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
