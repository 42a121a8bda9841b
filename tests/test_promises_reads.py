"""RELIABILITY.md 3 on the running service: whatever a FHIR server does costs 3 s at most, is told on a card, and is counted in the metrics."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from cds_service.fhir_reads.bounds import Fault
from tests.clinic import DAILY, OXYCODONE, Json, dosage, findings, listed
from tests.fhir_reads_floor import without
from tests.misbehaving_server import misbehaving, silence
from tests.promises_floor import Running, conflict, running, wait_until
from tests.test_fhir_reads_faults import MISBEHAVIOUR

REQUEST = conflict()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("reads")) as one:
        one.advice(REQUEST)
        yield one


def counted(service: Running) -> Counter[str]:
    """How the reads ended so far, as the metrics tell."""
    figures = service.ask(None, "/metrics", method="GET")[1].decode()
    return Counter(
        {
            found[1]: int(float(found[2]))
            for found in re.finditer(r'^cds_fhir_reads_total\{outcome="([^"]+)"\} (\S+)$', figures, re.MULTILINE)
        }
    )


def rules(answer: Json) -> set[str]:
    return {finding["rule"] for finding in findings(answer)}


@pytest.mark.parametrize(("behave", "fault"), [one[1:] for one in MISBEHAVIOUR], ids=[one[0] for one in MISBEHAVIOUR])
def test_promise_3_each_fault_is_told_within_three_seconds_and_counted(service: Running, behave: Callable[..., None], fault: Fault) -> None:
    before = counted(service)
    with misbehaving(behave) as server:
        started = time.monotonic()
        answer = service.advice(without(REQUEST, server=server.base))
        assert time.monotonic() - started < 3
        tries = Counter(asked.path for asked in server.asked)
    assert "incomplete-data" in rules(answer)
    assert max(tries.values()) <= 3
    wait_until(lambda: (counted(service) - before)[fault.value] > 0, 5)


def test_promise_2_what_prefetch_brought_is_told_whatever_the_server_does_with_the_rest(service: Running) -> None:
    with misbehaving(silence) as server:
        answer = service.advice(without(REQUEST, "recentMedications", "conditions", server=server.base))
    assert {"opioid-conflict", "incomplete-data"} <= rules(answer)


def test_promise_3_a_server_that_is_not_there_costs_no_time(service: Running) -> None:
    started = time.monotonic()
    assert "incomplete-data" in rules(service.advice(without(REQUEST, server="http://127.0.0.1:1/fhir")))
    assert time.monotonic() - started < 1
    assert counted(service)["connect"] > 0


def test_promise_3_a_call_that_needs_no_read_makes_none(service: Running) -> None:
    with misbehaving(silence) as server:
        full = {**REQUEST, "fhirServer": server.base}
        full["prefetch"] = {**full["prefetch"], "activeMedications": {"resourceType": "Bundle", "entry": [{"resource": _opioid()}]}}
        assert "opioid-conflict" in rules(service.advice(full))
        assert server.connections == 0


def _opioid() -> Json:
    return listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30, id="m-1")
