"""Each answer leaves a decision in the store: what was decided and why, and nothing of the patient."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cds_service.advisor import PackAdvisor, answer_of
from cds_service.app import create_app
from cds_service.hooks.call import HookCall
from cds_service.hooks.parse import read_call
from cds_service.rulebook.types import Finding, Status
from cds_service.service import ClientWishes, Decision, Pack, Wishes
from cds_service.settings import Settings
from cds_service.store.decisions import DecisionRows, Occasion, decision_rows, digest, keep_decisions
from cds_service.store.engine import Store
from cds_service.store.recorder import Caller, Recorder
from cds_service.store.schema import cards, decisions, findings, metadata
from cds_service.store.writer import DecisionWriter
from tests.clinic import FIBROMYALGIA, LDN_CAPSULE, METFORMIN, TABLET_50, TRAMADOL, call, condition, dosage, listed, order
from tests.conftest import NOON, ROOT, ZONE
from tests.store_floor import DATABASES, opened, rows

KEY = b"k" * 32
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)
Json = dict[str, Any]


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


def read(request: Json) -> HookCall:
    return read_call(json.dumps(request).encode(), request["hook"])


def decided(pack: Pack, request: Json, **wishes: Any) -> tuple[Decision, HookCall]:  # noqa: ANN401 - as Wishes
    one = read(request)
    return PackAdvisor(pack, ZONE, Wishes(**wishes), lambda: NOW).decide(one), one


def written(pack: Pack, request: Json, *, with_user: bool = True, **wishes: Any) -> DecisionRows:  # noqa: ANN401 - as Wishes
    decision, one = decided(pack, request, **wishes)
    return decision_rows(decision, one, Occasion(NOON, 12.5, "ehr", "north", "some-service"), KEY, with_user=with_user)


def conflict() -> Json:
    return call(order(TABLET_50, dosage(50)), medications=[listed(TRAMADOL, since=3)])


def test_a_decision_becomes_rows_of_decision_cards_and_findings(pack: Pack) -> None:
    decision, one = decided(pack, conflict())
    made = decision_rows(decision, one, Occasion(NOON, 12.5, "ehr", "north", "some-service"), KEY)
    assert made.decision == {
        "id": decision.id,
        "time": NOON,
        "client": "ehr",
        "site": "north",
        "hook": "order-sign",
        "service": "some-service",
        "user_reference": "Practitioner/u1",
        "pack_version": pack.rulebook.manifest.version,
        "pack_hash": pack.rulebook.hash,
        "patient_read": "complete",
        "conditions_read": "complete",
        "medications_read": "complete",
        "history_read": "complete",
        "latency_ms": 12.5,
        "digest": digest(KEY, one),
    }
    assert [(card["uuid"], card["decision"], card["position"], card["indicator"]) for card in made.cards] == [
        (card.uuid, decision.id, place, card.indicator) for place, card in enumerate(decision.cards)
    ]
    [alarm] = [row for row in made.findings if row["rule"] == "opioid-conflict"]
    assert alarm == {
        "decision": decision.id,
        "position": alarm["position"],
        "rule": "opioid-conflict",
        "version": pack.rulebook.evaluated[0].version,
        "site_override": "",
        "kind": "opioid-conflict",
        "severity": "critical",
        "fate": "shown",
        "card": decision.cards[0].uuid,
    }
    assert [row["position"] for row in made.findings] == list(range(len(made.findings)))


@pytest.mark.parametrize("profile", ["standard", "epic", "sandbox"])
def test_every_card_has_the_findings_that_it_tells_of_whatever_the_profile(pack: Pack, profile: str) -> None:
    decision, _ = decided(pack, conflict(), profile=profile)
    assert len(decision.grounds) == len(decision.cards) > 0
    for card, grounds in zip(decision.cards, decision.grounds, strict=True):
        assert max(finding.severity for finding in grounds).word == card.indicator
    assert sorted(finding.rule.id for grounds in decision.grounds for finding in grounds) == sorted(one.rule.id for one in decision.shown)


def test_the_machine_readable_part_of_a_card_names_the_same_rules_as_the_store(pack: Pack) -> None:
    decision, one = decided(pack, conflict())
    made = decision_rows(decision, one, Occasion(NOON, 1.0), KEY)
    answer = answer_of(decision)
    for card in answer["cards"]:
        [part] = card["extension"].values()
        assert part["decision"] == decision.id
        told = [(finding["rule"], finding["version"]) for finding in part["findings"]]
        assert sorted(told) == sorted((row["rule"], row["version"]) for row in made.findings if row["card"] == card["uuid"])


def test_a_decision_without_cards_is_kept_too(pack: Pack, store: Store) -> None:
    made = written(pack, call(order(METFORMIN, dosage(500))))
    store.write(lambda connection: keep_decisions(connection, [made]))
    assert (len(rows(store, decisions)), rows(store, cards), rows(store, findings)) == (1, [], [])
    assert rows(store, decisions)[0]["medications_read"] in {"", "complete"}


def test_rows_are_kept_and_found_again_once(pack: Pack, store: Store) -> None:
    made = written(pack, conflict())
    for _ in range(2):
        store.write(lambda connection: keep_decisions(connection, [made]))
    assert rows(store, decisions) == [made.decision]
    assert sorted(rows(store, cards), key=lambda row: row["position"]) == list(made.cards)
    assert sorted(rows(store, findings), key=lambda row: row["position"]) == list(made.findings)


def test_an_info_at_order_select_is_withheld(pack: Pack) -> None:
    request = call(order(LDN_CAPSULE, dosage(4.5)), conditions=[condition(FIBROMYALGIA)], hook="order-select")
    shown, held = written(pack, request, info_at_order_select=True), written(pack, request)
    infos = {row["rule"] for row in shown.findings if row["severity"] == "info" and row["fate"] == "shown"}
    assert {row["rule"] for row in held.findings if row["fate"] == "withheld"} == infos
    assert {row["card"] for row in held.findings if row["fate"] == "withheld"} <= {""}


def test_a_silent_rule_is_kept_but_not_shown(pack: Pack) -> None:
    decision, one = decided(pack, conflict())

    def hushed(finding: Finding | None) -> Finding | None:
        return finding and replace(finding, rule=replace(finding.rule, status=Status.SILENT))

    outcomes = tuple(replace(o, rule=replace(o.rule, status=Status.SILENT), finding=hushed(o.finding)) for o in decision.outcomes)
    silent = replace(decision, outcomes=outcomes, shown=(), cards=(), grounds=())
    made = decision_rows(silent, one, Occasion(NOON, 1.0), KEY)
    assert {row["fate"] for row in made.findings if row["severity"]} == {"silent"}


def test_a_rule_that_lacked_data_is_kept_as_incomplete(pack: Pack) -> None:
    missing = {"activeMedications": ..., "recentMedications": ...}
    made = written(pack, call(order(TABLET_50, dosage(50)), prefetch=missing))
    lacking = [row for row in made.findings if row["fate"] == "incomplete"]
    assert "opioid-conflict" in {row["rule"] for row in lacking}
    assert {(row["severity"], row["card"]) for row in lacking} == {("", "")}
    assert (made.decision["medications_read"], made.decision["history_read"]) == ("missing", "missing")


@pytest.mark.parametrize(
    ("user", "kept"),
    [
        ("Practitioner/u1", "Practitioner/u1"),
        ("PractitionerRole/r-1", "PractitionerRole/r-1"),
        ("Patient/p1", ""),
        ("RelatedPerson/mother", ""),
        ("p1", ""),
        ("", ""),
    ],
)
def test_a_clinician_is_kept_and_nobody_else(pack: Pack, user: str, kept: str) -> None:
    request = conflict()
    request["context"]["userId"] = user
    assert written(pack, request).decision["user_reference"] == kept
    assert written(pack, request, with_user=False).decision["user_reference"] == ""


def test_the_digest_is_that_of_the_clinical_inputs() -> None:
    request = conflict()
    same, other = json.loads(json.dumps(request)), json.loads(json.dumps(request))
    same["hookInstance"] = "another"
    same["prefetch"] = dict(reversed(list(same["prefetch"].items())))
    other["context"]["patientId"] = "p2"
    told = digest(KEY, read(request))
    assert re.fullmatch("[0-9a-f]{64}", told)
    assert digest(KEY, read(same)) == told
    assert digest(KEY, read(other)) != told
    assert digest(b"x" * 32, read(request)) != told


@pytest.mark.parametrize(("member", "value"), [("selections", ["MedicationRequest/1"]), ("draftOrders", {"entry": [{"n": 1.50}]})])
def test_the_digest_sees_drafts_and_selections(member: str, value: object) -> None:
    request = call(order(TABLET_50), hook="order-select")
    before = digest(KEY, read(request))
    request["context"][member] = value
    assert digest(KEY, read(request)) != before


def test_the_store_holds_nothing_of_the_patient(pack: Pack, store: Store) -> None:
    request = json.loads((ROOT / "fixtures" / "calls" / "epic-order-sign.json").read_text(encoding="utf-8"))
    made = written(pack, request)
    store.write(lambda connection: keep_decisions(connection, [made]))
    kept = "\n".join(
        str(tuple(row))
        for table in metadata.sorted_tables
        for row in store.read(lambda connection, t=table: connection.execute(select(t)).all())  # type: ignore[misc]
    )
    assert made.decision["id"] in kept
    words = set(_texts({"context": request["context"], "prefetch": request.get("prefetch")})) - {request["context"]["userId"]}
    assert {word for word in words if len(word) > 3 and f"'{word}'" in kept} <= {"complete", "order-sign", "critical", "warning"}
    assert request["context"]["patientId"] not in kept


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def test_each_call_over_http_is_recorded_with_its_occasion(pack: Pack, store: Store) -> None:
    writer = DecisionWriter(store)
    recorder = Recorder(writer, KEY, lambda: Caller("ehr", "north", "naltrexone-order-sign"))
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOW, record=recorder)
    client = create_app(Settings(), advisor).test_client()
    answer = client.post("/cds-services/naltrexone-order-sign", data=json.dumps(conflict()), content_type="application/json").get_json()
    assert writer.stop().written == 1
    [row] = rows(store, decisions)
    assert (row["client"], row["site"], row["service"], row["time"]) == ("ehr", "north", "naltrexone-order-sign", NOW)
    assert 0 < row["latency_ms"] < 60_000
    assert {card["uuid"] for card in rows(store, cards)} == {card["uuid"] for card in answer["cards"]}


def test_without_a_record_nothing_is_remembered(pack: Pack) -> None:
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOW)
    assert advisor.advise(read(conflict()), ClientWishes())["cards"] != []
