"""The running service: calls that hang on a FHIR server hold nobody up; a real FHIR server gives what prefetch gives."""

import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from cds_service.service import Pack
from tests.clinic import DAILY, FIBROMYALGIA, LDN_CAPSULE, OXYCODONE, TRAMADOL, Json, call, condition, dosage, findings, listed, order
from tests.fhir_reads_floor import asked_for, clinic_with, plain, without
from tests.misbehaving_server import misbehaving, silence
from tests.test_serve import environment, free_port, wait_until_it_answers

ORDER = call(order(LDN_CAPSULE, dosage(4.5)))
DEADLINE = 1.5


@contextmanager
def serving() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cds_service", "serve", "--port", str(port)],
        env=environment(),
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until_it_answers(process, port)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=20)


def timed(port: int, request: Json) -> tuple[int, Json, float]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    start = time.monotonic()
    connection.request("POST", "/cds-services/naltrexone-order-sign", json.dumps(request), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body, time.monotonic() - start


def test_sixty_hanging_reads_hold_up_no_call_that_needs_none() -> None:
    with misbehaving(silence) as server, serving() as port, ThreadPoolExecutor(60) as callers:
        timed(port, ORDER)
        hanging = [callers.submit(timed, port, without(ORDER, server=server.base)) for _ in range(60)]
        time.sleep(0.3)
        honest = [timed(port, ORDER) for _ in range(20)]
        ended = [one.result() for one in hanging]
    assert {status for status, _, _ in (*honest, *ended)} == {200}
    assert max(seconds for _, _, seconds in honest) < 1
    assert max(seconds for _, _, seconds in ended) < DEADLINE + 1
    assert all("incomplete-data" in {one["rule"] for one in findings(body)} for _, body, _ in ended)


CHART = call(
    order(LDN_CAPSULE, dosage(4.5), id="draft-1"),
    medications=[
        listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30, id="m-1"),
        listed(TRAMADOL, since=12, supply=10, status="completed", id="m-2"),
    ],
    conditions=[condition(FIBROMYALGIA, id="c-1")],
)
HIDDEN = listed({}, supply=30, id="m-3", medicationCodeableConcept=None, medicationReference={"reference": "Medication/med-1"})
MEDICATION = {"resourceType": "Medication", "id": "med-1", "code": TRAMADOL}


@contextmanager
def real_fhir_server(folder: Path) -> Iterator[str]:
    """Start sekmet-fhir, a FHIR R4 server over SQLite, in a folder of its own."""
    try:
        importlib.metadata.version("sekmet-fhir")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("sekmet-fhir is not installed")
    port = free_port()
    base = f"http://127.0.0.1:{port}/fhir"
    config = {
        "base_url": base,
        "host": "127.0.0.1",
        "port": port,
        "data_dir": str(folder / "data"),
        "own_private_key_path": str(folder / "key.pem"),
        "simulator": {"enabled": False},
        "validation": {"inbound": "off"},
    }
    (folder / "settings.yaml").write_text(json.dumps(config))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "sekmet"), "serve", "--config", str(folder / "settings.yaml")],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(200):
            if process.poll() is not None:
                pytest.skip("sekmet-fhir did not start: " + (folder / "log").read_text()[-200:])
            try:
                exchange(port, "GET", "/fhir/metadata")
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.skip("sekmet-fhir did not answer within 20 s")
        yield base
    finally:
        process.terminate()
        process.wait(20)


def exchange(port: int, method: str, path: str, resource: Json | None = None) -> Json:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, json.dumps(resource) if resource else None, {"Content-Type": "application/fhir+json"})
    answer = connection.getresponse()
    body: Json = json.loads(answer.read())
    connection.close()
    assert answer.status < 300, body
    return body


def test_a_real_fhir_server_gives_the_cards_that_prefetch_gives(pack: Pack, tmp_path: Path) -> None:
    with real_fhir_server(tmp_path) as base:
        port = int(base.split(":")[2].partition("/")[0])
        resources = [CHART["prefetch"]["patient"], MEDICATION, HIDDEN]
        resources += [entry["resource"] for key in ("conditions", "recentMedications") for entry in CHART["prefetch"][key]["entry"]]
        for resource in resources:
            exchange(port, "PUT", f"/fhir/{resource['resourceType']}/{resource['id']}", resource)
        searches = {
            "patient": "Patient/p1",
            "conditions": "Condition?patient=p1",
            "activeMedications": "MedicationRequest?patient=p1&status=active,on-hold,unknown",
            "recentMedications": "MedicationRequest?patient=p1&_sort=-authoredon&_count=100",
        }
        prefetch = {key: exchange(port, "GET", f"/fhir/{path}") for key, path in searches.items()}
        clinic = clinic_with(pack, 2.5)
        prefetched = clinic.ask({**CHART, "prefetch": prefetch, "fhirServer": base})
        fetched = clinic.ask({**CHART, "prefetch": {}, "fhirServer": base})
    assert json.dumps(plain(fetched)) == json.dumps(plain(prefetched))
    assert {"opioid-conflict"} <= {one["rule"] for one in findings(fetched)}
    assert "incomplete-data" not in {one["rule"] for one in findings(fetched)}
    assert clinic.counted() == {"ok": 2 + len(asked_for(pack))}
