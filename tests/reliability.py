"""The promises under faults and attack, with the figure that was measured and the tests that show each; docs/reliability.md is written from here.

`python -m tests.reliability` prints the page. A test of a promise N is called `test_promise_N_…`; which there are is read from the tests.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent
_NAME = re.compile(r"test_promises?_(\d+)_(?:and_(\d+)_)?")
MEASURED = "29 November 2026"


@dataclass(frozen=True)
class Promise:
    """One promise: what is promised in short, what was measured, and further files whose tests belong to it."""

    number: int
    text: str
    figure: str
    files: tuple[str, ...] = ()


PROMISES = (
    Promise(
        1,
        "A naltrexone order beside an active opioid gives a grave card that names it; an order that no rule concerns gives none and fetches nothing",
        "connections for an order of no concern: 0",
    ),
    Promise(
        2,
        "A medication list that is missing in part or whole is told on a card, never an empty list, never a 5xx",
        "2 lists with 10 kinds of damage each: 20 told; 200 damaged drafts beside an opioid: 200 grave cards; 200 damaged lists: 0 empty answers",
    ),
    Promise(
        3,
        "A FHIR server costs 3 s at most, whatever it does; calls without a read are not held up",
        "42 misbehaviours, slowest answer {fault}; while 60 calls hang on a silent server, slowest of the others {hanging}; tries of one address: at most 3",
        ("test_fhir_reads_faults.py", "test_fhir_reads_running.py"),
    ),
    Promise(
        4,
        "Connections go to listed FHIR servers and configured key sets alone; the token goes nowhere else",
        "connections to strangers: 0",
        ("test_fhir_reads_targets.py",),
    ),
    Promise(5, "Ids keep to the FHIR alphabet, up to 256 characters", "14 ids outside the alphabet: all 400; 3 odd ones inside: taken"),
    Promise(
        6,
        "Text from a chart is inert in a card and hides no warning",
        "51 hostile texts in every place that people fill: 0 elements or links of theirs, 51 warnings",
        ("test_cards_text.py",),
    ),
    Promise(
        7,
        "A body that is not strict JSON gets a 4xx; large ones are answered within 5 s",
        "18 kinds of no strict JSON: all 400; 64 MiB refused after {refused}; 10,000 entries in 4 MB answered after {large}; every reader of text takes at most 2.26 times as long where a hostile input doubles ([growth](performance.md#growth))",
        ("test_web_json_text.py",),
    ),
    Promise(
        8,
        "Client tokens: one 401 for every reason, before the body; good once across processes; key servers hang nobody",
        "{bad} kinds of bad token: one and the same 401; 10 tokens sent 12 times each to 3 processes: 10 let in, with SQLite, PostgreSQL and Redis alike; "
        "200 unknown key ids: 1 read of the key set",
        ("test_web_trust.py", "test_clients_keys.py", "test_clients_replay.py"),
    ),
    Promise(
        9,
        "Load and slow senders: no 5xx, the same answers as at rest; nobody is stopped; a stop loses no accepted call",
        "{mixed}; {slow}; calls lost by a stop under load: 0",
        ("test_serve.py", "test_web_gateway.py"),
    ),
    Promise(
        10,
        "Feedback is kept when it is acknowledged; nothing of it brings a 5xx; with the store away advice goes on",
        "kill -9, 30 times on each: of 78,532 acknowledged on SQLite 0 lost, of 76,897 on PostgreSQL 0 lost (`python -m benchmarks.feedback_durability`); "
        "150 crossing batches from 20 clients to 3 processes: 0 refused; 482 damaged messages: 0 with a 5xx",
        ("test_feedback_durability.py", "test_feedback_http.py"),
    ),
    Promise(
        11,
        "The log has a line for each call and nothing of the patient or of a token; no request forges one",
        "9 hostile requests: 9 lines, 0 words of theirs",
        ("test_web_log.py",),
    ),
    Promise(
        12,
        "No cache, no strange origin; beside a registry every page but the API, health and metrics is 404, without a redirect",
        "10 strange origins: 0 reflected; 21 addresses, twice: 404",
        ("test_web_cors.py", "test_web_trust.py"),
    ),
)

FIGURES = {
    "fault": "1.52 s",
    "hanging": "0.86 s",
    "refused": "0.20 s",
    "large": "0.91 s",
    "bad": "82",
    "mixed": "10,000 mixed requests (calls, refusals, feedback, discovery, pages: 16 kinds) from 50 threads: 0 with a 5xx, 0 other than at rest, 236 a second",
    "slow": "slowest call among 60, 300 and 1,000 senders of a byte at a time: 0.03 s, 0.06 s, 0.31 s",
}
"""What `python -m benchmarks.promises` printed, on 2 cores, one process, default settings."""


def shown_by(promise: Promise) -> dict[str, int]:
    """Count the tests of a promise by file."""
    named: dict[str, int] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        number = sum(promise.number in numbers for numbers in _numbers(path))
        if number:
            named[path.name] = number
    return named


def _numbers(path: Path) -> Iterator[set[int]]:
    """The promises that each test of a file says it shows."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        found = _NAME.match(node.name) if isinstance(node, ast.FunctionDef) else None
        if found:
            yield {int(one) for one in found.groups() if one}


def page() -> str:
    """Write docs/reliability.md."""
    head = f"""# Reliability

Written by `python -m tests.reliability` from [tests/reliability.py](../tests/reliability.py); a test fails where a promise has no test or this page is stale.
Each is tested on the running service, over HTTP, with FHIR and key servers that misbehave. Times were measured on {MEASURED} by `python -m benchmarks.promises`,
on 2 cores with a load of 9 to 13 from other work, one process, default settings: a quiet machine is several times as fast. Counts are those of the tests.

| | promise | figure | tests that name it | further tests |
| --- | --- | --- | --- | --- |
"""
    return head + "\n".join(_row(promise) for promise in PROMISES) + "\n"


def _row(promise: Promise) -> str:
    named = "<br>".join(f"{number} in `{file}`" for file, number in shown_by(promise).items())
    further = "<br>".join(f"`{file}`" for file in promise.files)
    return f"| {promise.number} | {promise.text} | {promise.figure.format(**FIGURES)} | {named} | {further} |"


if __name__ == "__main__":
    sys.stdout.write(page())
