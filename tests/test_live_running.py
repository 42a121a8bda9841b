"""Rules of a real service of two processes change while it answers: everywhere, at once, and never half."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clinic import FIBROMYALGIA, INGREDIENT, Json, call, condition, dosage, findings, order
from tests.promises_floor import Running
from tests.test_metrics import samples
from tests.test_serve import ROOT, environment, free_port, wait_until_it_answers

CEILING = "titration-ceiling"
FIVE_MG: Json = call(order(INGREDIENT, dosage(5)), conditions=[condition(FIBROMYALGIA)])
PATIENCE_SECONDS = 120


@dataclass
class Service:
    """A running service of two processes, and the rules that it watches."""

    running: Running
    rules: Path
    statuses: Counter[int] = field(default_factory=Counter)

    def edit(self, file: str, found: str, instead: str) -> None:
        """Change a text in a file of the rules, as an editor saves it."""
        path = self.rules / file
        text = path.read_text(encoding="utf-8")
        assert found in text
        beside = path.with_suffix(".new")
        beside.write_text(text.replace(found, instead), encoding="utf-8")
        beside.rename(path)

    def warns_of_the_ceiling(self) -> bool:
        """Ask what a first order of 5 mg gets."""
        return any(one["rule"] == CEILING for one in findings(self.running.advice(FIVE_MG)))

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Ask for readiness."""
        status, body, _ = self.running.ask(path="/ready", method="GET")
        return status, json.loads(body)

    def figure(self, name: str, *labels: str) -> float:
        """One figure of the metrics."""
        return samples(self.running.ask(path="/metrics", method="GET")[1].decode()).get((name, labels), 0)

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Send calls all the while, and count how they are answered."""
        is_over = threading.Event()

        def send() -> None:
            while not is_over.is_set():
                status, body, _ = self.running.ask(FIVE_MG)
                self.statuses[status if status != 200 or json.loads(body)["cards"] else 0] += 1

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in threads:
                thread.join()


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds twenty times in a row: two processes answer in turn."""
    ends, row = time.monotonic() + PATIENCE_SECONDS, 0
    while row < 20:
        assert time.monotonic() < ends, what
        row = row + 1 if holds() else 0
        if not row:
            time.sleep(0.2)


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder, port = tmp_path_factory.mktemp("live"), free_port()
    shutil.copytree(ROOT / "rules", folder / "rules")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cds_service", "serve"],
            env=environment(
                CDS_PORT=str(port),
                CDS_WORKERS="2",
                CDS_RULES_DIR=str(folder / "rules"),
                CDS_DATA_DIR=str(folder / "data"),
                CDS_RELOAD_SECONDS="0.5",
                CDS_SENTINEL_SECONDS="3",
            ),
            cwd=folder,
            text=True,
            stdout=log,
            stderr=log,
        )
    wait_until_it_answers(process, port)
    yield Service(Running(process, port, folder / "log"), folder / "rules")
    process.terminate()
    process.communicate(timeout=30)


def test_rules_change_everywhere_without_an_error_or_are_refused_everywhere(service: Service) -> None:
    until(lambda: service.ready()[0] == 200, "ready")
    [before] = service.ready()[1]["packs"]
    assert service.warns_of_the_ceiling()

    with service.under_load():
        service.edit(f"naltrexone/{CEILING}.yaml", "value: 4.5}", "value: 5.5}")
        until(lambda: "newerPackRefused" in service.ready()[1], "a rule that its own cases contradict is refused")
        assert service.warns_of_the_ceiling()
        status, told = service.ready()
        assert (status, told["packs"]) == (200, [before])
        assert "RULE-060 case '5 mg'" in told["newerPackRefused"][0]

        service.edit(
            f"naltrexone/{CEILING}.test.yaml",
            "daily_dose: 5 mg/d, starting_daily_dose: 1.5 mg/d, has_steps: false, is_first: true, indication: [fibromyalgia], is_renewal: false}}\n    expect: {fires: info}",
            "daily_dose: 5 mg/d, starting_daily_dose: 1.5 mg/d, has_steps: false, is_first: true, indication: [fibromyalgia], is_renewal: false}}\n    expect: quiet",
        )
        until(lambda: not service.warns_of_the_ceiling(), "the new threshold is in force")
        until(lambda: service.ready()[1]["packs"][0]["hash"] != before["hash"], "the new pack is told")
        assert "newerPackRefused" not in service.ready()[1]

        service.edit(f"naltrexone/{CEILING}.yaml", "when:", "wenn:")
        until(lambda: "RULE-" in str(service.ready()[1].get("newerPackRefused")), "a broken rule is refused")
        assert not service.warns_of_the_ceiling()
        service.edit("drugs/ingredients.csv", "tramadol,10689 82110,", "tramadol,82110,")
        service.edit(f"naltrexone/{CEILING}.yaml", "wenn:", "when:")
        until(lambda: "tramadol by code 10689" in str(service.ready()[1].get("newerPackRefused")), "a code that is gone is refused")

    assert set(service.statuses) == {200}
    assert (service.figure("cds_reloads_total", "taken"), service.figure("cds_reloads_total", "refused") >= 6) == (2, True)
    assert (service.figure("cds_processes", "ready"), service.figure("cds_newer_pack_refused")) == (2, 1)


def test_processes_started_anew_advise_by_the_rules_on_disk_and_none_is_missed(service: Service) -> None:
    until(lambda: service.ready()[0] == 200, "ready")
    before = service.ready()[1]["packs"]
    with service.under_load():
        service.running.process.send_signal(signal.SIGHUP)
        time.sleep(35)
    until(lambda: service.ready()[0] == 200, "ready again")
    assert [service.ready()[1]["packs"] for _ in range(20)] == [before] * 20
    assert (set(service.statuses), service.figure("cds_processes", "ready")) == ({200}, 2)


def test_a_start_with_a_drug_code_gone_answers_but_is_not_ready_until_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    service = Service(Running(None, port, tmp_path / "log"), tmp_path / "rules")  # type: ignore[arg-type]
    service.edit("drugs/ingredients.csv", "tramadol,10689 82110,", "tramadol,82110,")
    settings = {"CDS_PORT": str(port), "CDS_RULES_DIR": str(tmp_path / "rules"), "CDS_DATA_DIR": str(tmp_path / "data")}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cds_service", "serve"], env=environment(**settings), cwd=tmp_path, text=True, stdout=log, stderr=log
        )
    wait_until_it_answers(process, port)
    until(lambda: "tramadol by code 10689: opioid-conflict gives quiet, not critical" in service.ready()[1].get("reasons", []), "not ready")
    assert (service.ready()[0], service.figure("cds_sentinels_disagreeing")) == (503, 1)
    assert service.running.advice(FIVE_MG)["cards"] != []
    service.edit("drugs/ingredients.csv", "tramadol,82110,", "tramadol,10689 82110,")
    until(lambda: service.ready()[0] == 200, "ready")
    assert (service.figure("cds_sentinels_disagreeing"), service.figure("cds_reloads_total", "taken")) == (0, 1)
    process.terminate()
    process.communicate(timeout=30)
