"""`GET /metrics` tells how calls were answered, what was found and what could not be checked, and nothing of the patient."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families

from cds_service.advisor import PackAdvisor, in_turn
from cds_service.app import Watch, create_app
from cds_service.errors import StoreUnavailable
from cds_service.fhir_reads.bounds import Fault
from cds_service.hooks.call import HookCall
from cds_service.hooks.parse import read_call
from cds_service.metrics import METRICS, Metrics
from cds_service.service import Pack, Wishes
from cds_service.settings import Settings
from cds_service.store.writer import DecisionWriter
from tests.clients_floor import BASE, registry_file, token
from tests.clinic import FIBROMYALGIA, LDN_CAPSULE, METFORMIN, OXYCODONE, call, dosage, listed, order
from tests.conftest import NOON, ZONE
from tests.operations_docs import DOCS, fresh
from tests.promises_floor import Running
from tests.test_serve import environment, free_port, wait_until_it_answers
from tests.web_floor import CALL, FakeAdvisor

SIGN = "/cds-services/naltrexone-order-sign"
LABELS = {one.name: tuple(one.labels) for one in METRICS}
"""The labels of each metric in the order of the docs; the text has them by the alphabet."""
LOW_DOSE = order(LDN_CAPSULE, dosage(4.5), reason=FIBROMYALGIA)


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """All figures, by name and the values of their labels."""
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(one.name, tuple(one.labels[label] for label in LABELS.get(one.name, one.labels))): one.value for one in found}


def figures(client: FlaskClient) -> dict[tuple[str, tuple[str, ...]], float]:
    return samples(client.get("/metrics").get_data(as_text=True))


def of(name: str, client: FlaskClient) -> dict[tuple[str, ...], float]:
    return {labels: value for (one, labels), value in figures(client).items() if one == name}


@pytest.fixture
def service(pack: Pack) -> FlaskClient:
    metrics = Metrics()
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON, record=in_turn(metrics.decision))
    return create_app(Settings(), advisor, watch=Watch(metrics)).test_client()


def test_calls_are_counted_by_service_status_and_outcome(service: FlaskClient) -> None:
    service.post(SIGN, json=call(LOW_DOSE, medications=[listed(OXYCODONE)]))
    service.post(SIGN, json=call(order(METFORMIN)))
    service.post(SIGN, json=call(order(METFORMIN)))
    service.post(SIGN, data="{")
    service.post("/cds-services/Jane-Doe", json={})
    service.get("/cds-services")
    assert of("cds_calls_total", service) == {
        ("naltrexone-order-sign", "2xx", "cards"): 1,
        ("naltrexone-order-sign", "2xx", "no-card"): 2,
        ("naltrexone-order-sign", "4xx", "refused"): 1,
        ("", "4xx", "refused"): 1,
    }
    assert of("cds_call_seconds_count", service) == {("naltrexone-order-sign",): 4, ("",): 1}


def test_an_error_of_the_service_is_counted_as_a_call_that_was_not_checked() -> None:
    def fail(_: HookCall) -> Mapping[str, Any]:
        raise RuntimeError("Jane Doe")

    client = create_app(Settings(), FakeAdvisor(fail)).test_client()
    client.post("/cds-services/some-order-sign", data=CALL, content_type="application/json")
    assert of("cds_calls_total", client) == {("some-order-sign", "5xx", "error"): 1}


def test_findings_are_counted_by_rule_version_severity_and_fate(pack: Pack) -> None:
    metrics, advisor = Metrics(), PackAdvisor(pack, ZONE, Wishes(), lambda: NOON)
    one = read_call(json.dumps(call(LOW_DOSE, medications=[listed(OXYCODONE)])).encode(), "order-sign")
    decision = advisor.decide(one)
    for told in (decision, decision, replace(decision, shown=())):
        metrics.decision(told, one, NOON, 1.0)
    version = str(pack.rulebook.as_shipped["opioid-conflict"].version)
    found = {labels: value for labels, value in samples(metrics.text().decode()).items() if labels[0] == "cds_findings_total"}
    assert found["cds_findings_total", ("opioid-conflict", version, "critical", "shown")] == 2
    assert found["cds_findings_total", ("opioid-conflict", version, "critical", "withheld")] == 1


def test_each_decision_without_a_kind_of_data_is_counted(service: FlaskClient) -> None:
    service.post(SIGN, json=call(LOW_DOSE, prefetch={"conditions": ...}))
    service.post(SIGN, json=call(LOW_DOSE, prefetch={"conditions": {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}}))
    found = of("cds_incomplete_checks_total", service)
    assert {labels: value for labels, value in found.items() if labels[0] == "conditions"} == {
        ("conditions", "missing"): 1,
        ("conditions", "failed"): 1,
    }
    assert [labels for labels in of("cds_findings_total", service) if labels[3] == "incomplete"] != []


def test_reads_tokens_and_feedback_are_counted(tmp_path: Path) -> None:
    metrics = Metrics()
    settings = Settings(clients_file=registry_file(tmp_path), public_url=BASE)
    client = create_app(settings, FakeAdvisor(), keeper=Keeper(), watch=Watch(metrics)).test_client()
    address, said = "/cds-services/some-order-sign/feedback", {"card": "c", "outcome": "accepted"}
    for items in ([said, said], [{"card": "gone", "outcome": "overridden"}]):
        signed = {"Authorization": f"Bearer {token(aud=BASE + address)}"}
        client.post(address, json={"feedback": items}, headers=signed)
    client.post("/cds-services/some-order-sign", data=CALL)
    reads = metrics.tally("cds_fhir_reads_total")
    reads.count(Fault.TIMEOUT.value)
    reads.count("ok", 3)
    assert of("cds_feedback_total", client) == {("some-order-sign", "accepted"): 2, ("some-order-sign", "not-kept"): 1}
    assert of("cds_tokens_refused_total", client) == {("TOKEN-001",): 1}
    assert of("cds_fhir_reads_total", client) == {("timeout",): 1, ("ok",): 3}
    assert of("cds_calls_total", client) == {("some-order-sign", "4xx", "refused"): 1}


class Keeper:
    """A store that keeps all but feedback about a card `gone`."""

    def keep(self, items: Any, **_: object) -> None:  # noqa: ANN401 - as FeedbackKeeper
        """Take items."""
        if items[0].card == "gone":
            raise StoreUnavailable("gone")


class FaultyStore:
    """Refuses the first try to write."""

    def __init__(self) -> None:
        self.tries = 0

    def write(self, _: object) -> None:
        """Fail once."""
        self.tries += 1
        if self.tries == 1:
            raise StoreUnavailable("away")


def test_decisions_are_counted_as_they_are_written_and_dropped() -> None:
    metrics = Metrics()
    writer = DecisionWriter(FaultyStore(), limit=3, tally=metrics.decisions())  # type: ignore[arg-type]
    for _ in range(5):
        writer.put(object())  # type: ignore[arg-type]
    writer.stop()
    found = samples(metrics.text().decode())
    assert (found["cds_decisions_total", ("written",)] + found["cds_decisions_total", ("dropped",)]) == 5
    assert found["cds_decisions_total", ("dropped",)] >= 1
    assert (found["cds_store_failures_total", ()], found["cds_decisions_waiting", ()]) == (1, 0)


def test_metrics_answer_beside_a_registry_too(tmp_path: Path) -> None:
    client = create_app(Settings(clients_file=registry_file(tmp_path), public_url=BASE), FakeAdvisor()).test_client()
    answer = client.get("/metrics")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")


def test_no_word_of_the_caller_enters_the_metrics(service: FlaskClient) -> None:
    service.post(
        "/cds-services/JaneDoe", json={"hook": "JaneDoe"}, headers={"Authorization": "Bearer JaneDoe", "Accept-Language": "JaneDoe"}
    )
    service.post(SIGN, json=call({**LOW_DOSE, "id": "JaneDoe", "medicationCodeableConcept": {"text": "naltrexone JaneDoe 5 mg"}}))
    service.open("/JaneDoe", method="JANEDOE")
    service.post(f"{SIGN}/feedback", json={"feedback": [{"card": "JaneDoe", "outcome": "overridden"}]})
    text = service.get("/metrics").get_data(as_text=True)
    assert ("cds_calls_total" in text, "janedoe" in text.lower()) == (True, False)


def test_the_table_of_metrics_is_up_to_date() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert fresh(text) == text, "run: make docs"


def test_every_metric_is_listed_and_no_other() -> None:
    names = {re.sub("_total$", "", one.name) for one in METRICS}
    told = {family.name for family in text_string_to_metric_families(Metrics().text().decode())}
    assert names == {name for name in told if not name.endswith("_created")}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A service of two processes, whose temporary files are at hand; each test has its own, because one stops it."""
    folder, port = tmp_path, free_port()
    (folder / "tmp").mkdir()
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cds_service", "serve"],
            env=environment(CDS_PORT=str(port), CDS_WORKERS="2", TMPDIR=str(folder / "tmp"), CDS_DATA_DIR=str(folder / "data")),
            cwd=folder,
            text=True,
            stdout=out,
            stderr=out,
        )
    wait_until_it_answers(process, port)
    yield Running(process, port, log)
    if process.poll() is None:
        process.terminate()
        process.communicate(timeout=30)


def counted(folder: Path) -> Counter[str]:
    """How many calls each process has counted."""
    found: Counter[str] = Counter()
    for path in folder.rglob("counter_*.db"):
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
            found[path.stem] += int(value) if '"cds_calls_total"' in key else 0
    return +found


def test_a_scrape_tells_the_sum_of_all_processes(running: Running) -> None:
    request = json.dumps(call(order(METFORMIN)))
    number, end = 0, time.monotonic() + 60  # the second process may start late
    while time.monotonic() < end and (number < 20 or len(counted(running.log.parent)) < 2):
        running.ask(request)
        number += 1
    assert len(counted(running.log.parent)) == 2
    for _ in range(6):
        found = samples(running.ask(path="/metrics", method="GET")[1].decode())
        assert found["cds_calls_total", ("naltrexone-order-sign", "2xx", "no-card")] == number
        assert found["cds_call_seconds_count", ("naltrexone-order-sign",)] == number


def test_the_shared_files_go_when_the_service_stops(running: Running) -> None:
    running.process.terminate()
    running.process.communicate(timeout=30)
    assert list((running.log.parent / "tmp").iterdir()) == []
