"""Decisions as rows: what was decided, for whom to ask later why a card did or did not appear; nothing of the patient."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import Connection, select

from cds_service.fhir.chart import Kind
from cds_service.hooks.call import HookCall
from cds_service.rulebook.types import Outcome, Status
from cds_service.service import Decision
from cds_service.store.engine import insert_adding, insert_new
from cds_service.store.schema import cards, decisions, findings, override_marks, unknown_codes

Row = dict[str, Any]
_STAFF: Final = ("Practitioner/", "PractitionerRole/")
"""Who may stand in the store; a Patient or RelatedPerson who uses an EHR may not."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """When, where and for whom a decision was made; `client` and `site` are names of the service's own configuration."""

    time: datetime
    latency_ms: float
    client: str = ""
    site: str = ""
    service: str = ""
    override_lasts: timedelta = timedelta()
    """How long an override of what was shown is respected."""


@dataclass(frozen=True, slots=True)
class DecisionRows:
    """One decision as rows of the tables decisions, cards, findings and override_marks, and what it adds to the counts of unknown_codes."""

    decision: Row
    cards: tuple[Row, ...]
    findings: tuple[Row, ...]
    marks: tuple[Row, ...] = ()
    codes: tuple[Row, ...] = ()


def decision_rows(decision: Decision, call: HookCall, occasion: Occasion, key: bytes, *, with_user: bool = True) -> DecisionRows:
    """Write a decision as rows; `key` is the installation's own, without which the digest tells nothing."""
    told_by = {id(finding): card.uuid for card, grounds in zip(decision.cards, decision.grounds, strict=True) for finding in grounds}
    fates = fates_of(decision)
    row = {
        "id": decision.id,
        "time": occasion.time,
        "client": occasion.client[:200],
        "site": occasion.site[:100],
        "hook": decision.hook,
        "service": occasion.service[:200],
        "user_reference": call.user_id if with_user and call.user_id.startswith(_STAFF) else "",
        "pack_version": decision.pack_version,
        "pack_hash": decision.pack_hash,
        **{f"{kind.value}_read": state.value if (state := decision.completeness.get(kind)) else "" for kind in Kind},
        "latency_ms": occasion.latency_ms,
        "digest": digest(key, call),
    }
    sent = (
        {"uuid": card.uuid, "decision": decision.id, "position": n, "indicator": card.indicator} for n, card in enumerate(decision.cards)
    )
    told = filter(None, (_finding(outcome, decision.id, told_by, fates) for outcome in decision.outcomes))
    expires = {"client": occasion.client[:200], "expires": occasion.time + occasion.override_lasts}
    marks = tuple({"mark": mark, "card": card, **expires} for mark, card in decision.marks)
    return DecisionRows(row, tuple(sent), tuple({**one, "position": n} for n, one in enumerate(told)), marks, _codes(decision, occasion))


def keep_decisions(connection: Connection, batch: Iterable[DecisionRows]) -> None:
    """Insert decisions; those that are there already stay as they are."""
    batch = list(batch)
    _count_codes(connection, batch)
    for table, rows in (
        (decisions, [one.decision for one in batch]),
        (cards, list(chain.from_iterable(one.cards for one in batch))),
        (findings, list(chain.from_iterable(one.findings for one in batch))),
        (override_marks, list(chain.from_iterable(one.marks for one in batch))),
    ):
        if rows:
            connection.execute(insert_new(connection, table), rows)


def _codes(decision: Decision, occasion: Occasion) -> tuple[Row, ...]:
    """Write the unknown codes of a decision as rows to be added to the counts of their day."""
    place = {"day": occasion.time.astimezone(UTC).date(), "client": occasion.client[:200]}
    return tuple({**place, "system": one.system, "code": one.code, "word": one.word, "orders": 1} for one in decision.unknown_codes)


def _count_codes(connection: Connection, batch: Sequence[DecisionRows]) -> None:
    """Add to the counts of unknown codes, of decisions that are not kept yet; in one order, so that writers cannot lock each other out."""
    ids = [one.decision["id"] for one in batch if one.codes]
    if not ids:
        return
    kept = set(connection.execute(select(decisions.c.id).where(decisions.c.id.in_(ids))).scalars())
    counts: dict[tuple[Any, ...], int] = {}
    for row in (row for one in batch if one.decision["id"] not in kept for row in one.codes):
        key = tuple(row[column.name] for column in unknown_codes.primary_key)
        counts[key] = counts.get(key, 0) + row["orders"]
    names = [column.name for column in unknown_codes.primary_key]
    if counts:
        rows = [{**dict(zip(names, key, strict=True)), "orders": number} for key, number in sorted(counts.items())]
        connection.execute(insert_adding(connection, unknown_codes, "orders"), rows)


def digest(key: bytes, call: HookCall) -> str:
    """Return a keyed hash of what a decision rests on: shows later that two calls, or a call and an EHR's own record, were the same.

    Without the key nobody can find out by trying which patient it was. The order of the prefetch keys does not matter, that of the members
    of a resource does: pydantic's writer, which is several times as fast as that of the standard library, sorts none.
    """
    inputs = [call.hook, call.patient_id, call.draft_orders, call.selections, call.prefetch and sorted(call.prefetch.items())]
    return hmac.digest(key, to_json(inputs), hashlib.sha256).hex()


def _finding(outcome: Outcome, decision: str, told_by: Mapping[int, str], fates: Mapping[int, str]) -> Row | None:
    """Write what one rule made of one order, if it fired or could not be judged."""
    finding, rule = outcome.finding, outcome.rule
    if finding is None and outcome.state != "incomplete":
        return None
    return {
        "decision": decision,
        "rule": rule.id,
        "version": rule.version,
        "site_override": rule.site_override[:400],
        "kind": rule.kind,
        "severity": finding.severity.word if finding else "",
        "fate": fate_of(outcome, fates),
        "card": told_by.get(id(finding), ""),
    }


def fates_of(decision: Decision) -> Mapping[int, str]:
    """Return by identity which findings were shown, and which were not repeated because they had been overridden."""
    shown, overridden = (
        dict.fromkeys(map(id, them), fate) for them, fate in ((decision.shown, "shown"), (decision.overridden, "overridden"))
    )
    return {**shown, **overridden}


def fate_of(outcome: Outcome, fates: Mapping[int, str]) -> str:
    """Name what became of a finding; `fates` is what `fates_of` its decision gives."""
    if outcome.finding is None:
        return "incomplete"
    return fates.get(id(outcome.finding)) or ("silent" if outcome.rule.status is Status.SILENT else "withheld")
