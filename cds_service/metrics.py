"""Floor 7: the figures that `GET /metrics` gives to a Prometheus server, added up over all processes of the service.

Labels are words of the program and of the rule files alone: nothing that a caller sends, nothing of a patient.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from shutil import rmtree
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cds_service.fhir.chart import Completeness
from cds_service.hooks.call import HookCall
from cds_service.service import Decision
from cds_service.store.decisions import fate_of, fates_of
from cds_service.tally import Tally

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus_client finds the files through which processes share their figures."""
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)

Kind = Literal["counter", "gauge", "histogram"]
Mode = Literal["livesum", "livemax"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as the docs list it: its labels with the values that they may have, and what the figure tells."""

    name: str
    kind: Kind
    about: str
    labels: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "livesum"
    """How a gauge is added up over the processes that live."""


_SERVICE: Final = "a service of discovery; empty for none of them"
METRICS: Final = (
    Metric(
        "cds_calls_total",
        "counter",
        "Calls for advice, by how they were answered; `cards` and `no-card` are advice, `refused` is a 4xx, `error` a 5xx: not checked",
        {"service": _SERVICE, "status": "`2xx`, `4xx`, `5xx`", "outcome": "`cards`, `no-card`, `refused`, `error`"},
    ),
    Metric("cds_call_seconds", "histogram", "How long calls took, from the whole body to the answer", {"service": _SERVICE}),
    Metric(
        "cds_findings_total",
        "counter",
        "Findings of rules; `silent` rules are not shown yet, `withheld` is shown at signing alone, `incomplete` could not be judged",
        {
            "rule": "a rule of the pack",
            "version": "its version",
            "severity": "`info`, `warning`, `critical`; empty for `incomplete`",
            "fate": "`shown`, `silent`, `withheld`, `overridden`, `incomplete`",
        },
    ),
    Metric(
        "cds_incomplete_checks_total",
        "counter",
        "Decisions that were made, and not refused, although a kind of data was not wholly there; alarm on its share of the calls",
        {"kind": "a kind of data", "state": "`partial`, `missing`, `failed`"},
    ),
    Metric(
        "cds_fhir_reads_total",
        "counter",
        "Reads of what prefetch left out, by how they ended",
        {"outcome": "`ok`, or a fault of [reads](fhir-reads.md)"},
    ),
    Metric(
        "cds_tokens_refused_total",
        "counter",
        "Calls without a token that lets its bearer in",
        {"code": "a `TOKEN` code of [errors](errors.md)"},
    ),
    Metric(
        "cds_feedback_total",
        "counter",
        "What clinicians did with cards, item by item; `not-kept` items were answered with 503 and come again",
        {"service": _SERVICE, "outcome": "`accepted`, `overridden`, `not-kept`"},
    ),
    Metric(
        "cds_decisions_total",
        "counter",
        "Decisions for the store; `dropped` ones are lost to the analytics, the advice was given",
        {"outcome": "`written`, `dropped`"},
    ),
    Metric("cds_store_failures_total", "counter", "Tries to write decisions that the store refused; each is tried again"),
    Metric("cds_decisions_waiting", "gauge", "Decisions that are not written yet"),
    Metric(
        "cds_pack_info",
        "gauge",
        "How many processes advise by a rule pack; more than one pack of a site for longer than a minute is a fault",
        {"site": "a site of the service; empty for the settings' own", "version": "the pack's version", "hash": "the pack's hash"},
    ),
    Metric("cds_reloads_total", "counter", "Changed rule files that were put in force, or refused", {"result": "`taken`, `refused`"}),
    Metric("cds_newer_pack_refused", "gauge", "1 while changed rule files are refused and the rules before stay in force", mode="livemax"),
    Metric("cds_sentinel_runs_total", "counter", "Runs of all sentinels", {"result": "`agree`, `disagree`"}),
    Metric("cds_sentinels_disagreeing", "gauge", "Sentinels whose answer is not the one expected: alarm on anything but 0", mode="livemax"),
    Metric("cds_processes", "gauge", "Processes that answer, by what `GET /ready` says of each", {"state": "`ready`, `not-ready`"}),
)
"""Every metric there is."""


class Metrics:
    """Counts for one application; in a service of several processes `text` gives the sum of all."""

    def __init__(self) -> None:
        """Start every figure at zero."""
        self._registry = CollectorRegistry()
        self._counters = {
            one.name: Counter(one.name, one.about, tuple(one.labels), registry=self._registry) for one in METRICS if one.kind == "counter"
        }
        self._gauges = {
            one.name: Gauge(one.name, one.about, tuple(one.labels), registry=self._registry, multiprocess_mode=one.mode)
            for one in METRICS
            if one.kind == "gauge"
        }
        self._seconds = Histogram("cds_call_seconds", _about("cds_call_seconds"), ("service",), registry=self._registry, buckets=_SECONDS)

    def call(self, service: str, status: int, cards: int, seconds: float) -> None:
        """Count one answered call for advice."""
        family = f"{status // 100}xx"
        self._counters["cds_calls_total"].labels(service, family, _outcome(status, cards)).inc()
        self._seconds.labels(service).observe(seconds)

    def decision(self, decision: Decision, call: HookCall, made_at: datetime, ms: float) -> None:  # noqa: ARG002 - as advisor.Record
        """Count what one decision found, and what it could not see."""
        fates = fates_of(decision)
        for outcome in decision.outcomes:
            if outcome.finding or outcome.state == "incomplete":
                severity = outcome.finding.severity.word if outcome.finding else ""
                rule = outcome.rule
                self._counters["cds_findings_total"].labels(rule.id, str(rule.version), severity, fate_of(outcome, fates)).inc()
        for kind, state in decision.completeness.items():
            if state is not Completeness.COMPLETE:
                self._counters["cds_incomplete_checks_total"].labels(kind.value, state.value).inc()

    def feedback(self, service: str, outcome: str, number: int) -> None:
        """Count items of feedback."""
        self._counters["cds_feedback_total"].labels(service, outcome).inc(number)

    def tally(self, name: str, *labels: str) -> Tally:
        """Return the counting end of a counter whose last label is an outcome; `labels` are those before it."""
        return _Tally(self._counters[name], labels)

    def decisions(self) -> Tally:
        """Return what the writer of decisions counts with: "written", "dropped", "failure", and "waiting" up and down."""
        return _DecisionTally(
            self._counters["cds_decisions_total"], self._counters["cds_store_failures_total"], self._gauges["cds_decisions_waiting"]
        )

    def pack(self, site: str, version: str, pack_hash: str, *, in_force: bool = True) -> None:
        """Tell that this process advises a site by a pack, or no longer does."""
        self._gauges["cds_pack_info"].labels(site, version, pack_hash).set(1 if in_force else 0)

    def sentinels(self, disagreeing: int) -> None:
        """Tell how a run of the sentinels ended."""
        self._counters["cds_sentinel_runs_total"].labels("disagree" if disagreeing else "agree").inc()
        self._gauges["cds_sentinels_disagreeing"].set(disagreeing)

    def reload(self, result: str) -> None:
        """Count changed files that were "taken" or "refused"."""
        self._counters["cds_reloads_total"].labels(result).inc()

    def standing(self, *, is_ready: bool, is_refusing: bool) -> None:
        """Tell how this process stands."""
        self._gauges["cds_processes"].labels("ready").set(int(is_ready))
        self._gauges["cds_processes"].labels("not-ready").set(int(not is_ready))
        self._gauges["cds_newer_pack_refused"].set(int(is_refusing))

    def text(self) -> bytes:
        """Write all figures in the text format of Prometheus."""
        folder = os.environ.get(_FOLDER)
        if not folder:
            return generate_latest(self._registry)
        _forget_the_dead(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


@contextmanager
def shared_figures() -> Iterator[None]:
    """Let the processes of a service share their figures through files of a folder that goes with it.

    To be entered before any metric is made, by the process that starts the others; they inherit it.
    """
    folder = tempfile.mkdtemp(prefix="cds-metrics-")
    os.environ[_FOLDER] = folder
    before, values.ValueClass = values.ValueClass, values.get_value_class()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        del os.environ[_FOLDER]
        values.ValueClass = before
        rmtree(folder, ignore_errors=True)


def metrics_table() -> str:
    """Return the Markdown table of all metrics for docs/operations.md."""
    rows = (f"| `{one.name}` | {one.kind} | {_labels(one.labels)} | {one.about} |" for one in METRICS)
    return "\n".join(["| Metric | Kind | Labels | What it tells |", "| --- | --- | --- | --- |", *rows, ""])


@dataclass(frozen=True, slots=True)
class _Tally:
    counter: Counter
    labels: tuple[str, ...]

    def count(self, outcome: str, number: int = 1, /) -> None:
        self.counter.labels(*self.labels, outcome).inc(number)


@dataclass(frozen=True, slots=True)
class _DecisionTally:
    written: Counter
    failures: Counter
    waiting: Gauge

    def count(self, outcome: str, number: int = 1, /) -> None:
        if outcome == "waiting":
            self.waiting.inc(number)
        elif outcome == "failure":
            self.failures.inc(number)
        else:
            self.written.labels(outcome).inc(number)


def _outcome(status: int, cards: int) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "error"
    if status >= HTTPStatus.BAD_REQUEST:
        return "refused"
    return "cards" if cards else "no-card"


def _about(name: str) -> str:
    return next(one.about for one in METRICS if one.name == name)


def _labels(labels: Mapping[str, str]) -> str:
    return "; ".join(f"`{name}`: {allowed}" for name, allowed in labels.items())


def _forget_the_dead(folder: Path) -> None:
    """Remove the gauges of processes that have ended; their counters stay in the sum."""
    for pid in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*.db")}:
        if not _is_alive(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
