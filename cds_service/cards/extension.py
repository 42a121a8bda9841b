"""The machine-readable part of a card: its decision and its findings, without patient data."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from cds_service.cards.library import CardLibrary
from cds_service.cards.offered import fact_value, fact_words
from cds_service.facts.registry import OrderFacts
from cds_service.quantities import QuantityRange, range_in
from cds_service.rulebook.types import Finding

_UNKNOWN: Final = "unknown"
_SMALLEST: Final = Decimal("0.000001")


def extension(findings: Sequence[Finding], decision_id: str, library: CardLibrary) -> dict[str, Any]:
    """Return `{key: {"decision", "findings"}}`; doses are JSON numbers (int or Decimal) in mg a day."""
    return {library.extension: {"decision": decision_id, "findings": [_entry(finding) for finding in findings]}}


def _entry(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule.id,
        "version": finding.rule.version,
        "kind": finding.rule.kind,
        "severity": finding.severity.word,
        "order": finding.facts.order,
        "dailyDoseMg": _daily_dose(finding.facts),
        "doseClass": next(iter(sorted(fact_words(finding.facts, "order.dose_class"))), _UNKNOWN),
    }


def _daily_dose(facts: OrderFacts) -> dict[str, int | Decimal] | str:
    """The range of the daily dose; of a titration from its first step to its last, whichever way it goes."""
    doses = [_in_mg(fact_value(facts, "order.daily_dose"))]
    if fact_value(facts, "order.has_steps") is True:
        doses.append(_in_mg(fact_value(facts, "order.starting_daily_dose")))
    known = [dose for dose in doses if dose]
    if doses[0] is None:
        return _UNKNOWN
    return {"low": _number(min(dose.low for dose in known)), "high": _number(max(dose.high for dose in known))}


def _in_mg(value: object) -> QuantityRange | None:
    return range_in(value, "mg/d") if isinstance(value, QuantityRange) else None


def _number(value: Decimal) -> int | Decimal:
    """A number that JSON writes without exponent."""
    rounded = value.quantize(_SMALLEST)
    return int(rounded) if rounded == rounded.to_integral_value() else Decimal(f"{rounded:f}".rstrip("0"))
