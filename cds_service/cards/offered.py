"""The values that a template may use: numbers, own names and truths of a finding, never chart text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cds_service.cards.library import Words
from cds_service.cards.text import cut_at_word, rendered_line
from cds_service.facts.registry import FACTS, Fact, Item, OrderFacts
from cds_service.quantities import Quantity, QuantityRange
from cds_service.rulebook.types import Finding, MatchedExposure
from cds_service.unknown import Unknown

Values = Mapping[str, object]
_LONGEST_NAME: Final = 80
_DIGITS: Final = 3
_TEN: Final = 10
_WATCHED: Final = ("medications", "history", "conditions")
"""Kinds of data whose lack is told, in the order in which it is told."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many names a text may hold, and how long each may be."""

    names: int
    letters: int = _LONGEST_NAME


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity in words: `number` alone, or with its unit as text; of an unknown one both are the words for unknown."""

    number: str
    text: str
    is_known: bool
    low: Decimal = Decimal(0)
    """Lower end, for sorting; 0 where unknown."""

    def __str__(self) -> str:
        """The number with its unit."""
        return self.text


@dataclass(frozen=True, slots=True)
class Named:
    """An exposure as a template sees it; `drug` is its ingredient, where known, and tells whether two are the same."""

    drug: str
    name: str
    classes: frozenset[str]
    days_since: Amount
    opioid_free: Amount
    days_short: Amount
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """A kind of data that was not read in full: "medications", and "missing", "partial" or "failed"."""

    kind: str
    state: str


def number_text(value: Decimal) -> str:
    """Write a number for a reader: three decimals at most, one from ten upwards, three significant digits where that would leave nothing."""
    shown = value.quantize(Decimal(1).scaleb(-_DIGITS if abs(value) < _TEN else -1))
    if not shown and value:
        shown = value.quantize(Decimal(1).scaleb(value.adjusted() - _DIGITS + 1))
    text = f"{shown:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: object, words: Words) -> Amount:
    """Put a quantity, a range or an unknown into words."""
    match value:
        case Quantity():
            return amount(QuantityRange(value.value, value.value, value.unit), words)
        case QuantityRange():
            low, high = number_text(value.low), number_text(value.high)
            number = low if low == high else f"{low} {words.to} {high}"
            one, other = words.units.get(value.unit, (value.unit, value.unit))
            return Amount(number, f"{number} {one if number == '1' else other}", is_known=True, low=value.low)
        case _:
            return Amount(words.unknown, words.unknown, is_known=False)


def name_of(fact: Fact | None, words: Words) -> str:
    """Return the service's own name that a fact holds, cut to a readable length; the words for a nameless drug otherwise."""
    value = fact.value if fact else None
    return cut_at_word(value, _LONGEST_NAME) if isinstance(value, str) and value.strip() else words.unnamed


def names_together(names: Iterable[str], words: Words, limit: Limit) -> str:
    """Join names as a sentence does: "a", "a and b", "a, b and 2 more"."""
    at_most = limit.names
    unique = list({name.casefold(): name for name in names}.values())
    shown = [cut_at_word(name, limit.letters) for name in unique[:at_most]]
    if len(unique) > at_most:
        shown = [*shown, rendered_line(words.more, {"count": len(unique) - len(shown)})]
    if len(shown) < len(("one", "other")):
        return "".join(shown)
    return f"{', '.join(shown[:-1])} {words.conjunction} {shown[-1]}"


def order_values(finding: Finding, words: Words) -> dict[str, object]:
    """Offer the facts of the order by their names without "order."."""
    facts = finding.facts.facts
    offered = {name.removeprefix("order."): _offered(facts.get(name), kind.type, words) for name, kind in FACTS.items() if "order." in name}
    indications = fact_value(finding.facts, "order.indication_names")
    known = isinstance(indications, str) and indications.strip()
    return {
        **offered,
        "name": name_of(facts.get("order.name"), words),
        "indication_names": indications if known else words.no_indication,
    }


def section_values(finding: Finding, words: Words, orders: Sequence[str], exposures: Sequence[Named], limit: Limit) -> dict[str, object]:
    """Offer all that a section may use: `rule`, `order`, `limits`, `drugs`, `drug_names`, `drug_classes`, `order_names`, `gaps`, `reason`, `is_certain`."""
    return {
        "rule": {"id": finding.rule.id, "title": finding.rule.title},
        "order": order_values(finding, words),
        "limits": {name: amount(limit, words) for name, limit in finding.limits.items()},
        "drugs": tuple(exposures[: limit.names]),
        "drug_names": names_together((one.name for one in exposures), words, limit) or words.unnamed,
        "drug_classes": tuple(sorted(word for one in exposures for word in one.classes)),
        "order_names": names_together(orders, words, limit) or words.unnamed,
        "gaps": gaps(finding.facts),
        "reason": reason_unknown(finding.facts),
        "is_certain": finding.is_certain and all(one.is_certain for one in exposures),
    }


def named(match: MatchedExposure, drug: str, name: str, words: Words) -> Named:
    """Put a matched exposure into words."""
    item = match.item
    return Named(
        drug=drug,
        name=name,
        classes=words_of(item, "drug"),
        days_since=_item_amount(item, "days_since_last_dose", words),
        opioid_free=_item_amount(item, "opioid_free_days", words),
        days_short=_item_amount(item, "days_short_of_opioid_free", words),
        is_certain=match.is_certain,
    )


def fact_value(facts: OrderFacts, name: str) -> object:
    """Return the value of a fact; `Unknown` where the fact was not worked out."""
    fact = facts.facts.get(name)
    return fact.value if fact else Unknown("not-worked-out")


def fact_words(facts: OrderFacts, name: str) -> frozenset[str]:
    """Return the words of a fact; none where it is unknown."""
    value = fact_value(facts, name)
    return value if isinstance(value, frozenset) else frozenset()


def gaps(facts: OrderFacts) -> tuple[Gap, ...]:
    """List the kinds of data that were not read in full and matter to a check."""
    states = {kind: next(iter(sorted(fact_words(facts, f"data.{kind}"))), "") for kind in _WATCHED}
    lacking = {kind: "partial" for kind in facts.exposures_lack if states.get(kind, "") in {"", "complete"}}
    told = {**{kind: state for kind, state in states.items() if state not in {"", "complete"}}, **lacking}
    return tuple(Gap(kind, told[kind]) for kind in _WATCHED if kind in told)


def reason_unknown(facts: OrderFacts) -> str:
    """Say by its code why the daily dose is unknown; empty where it is known."""
    dose = fact_value(facts, "order.daily_dose")
    return dose.reason if isinstance(dose, Unknown) else ""


def _offered(fact: Fact | None, kind: str, words: Words) -> object:
    """A quantity as `Amount`, words as a sorted tuple, a truth as itself or "unknown" (so that `is true` and `is false` say what they say)."""
    value = fact.value if fact else Unknown("not-worked-out")
    if kind == "quantity":
        return amount(value, words)
    if kind == "words":
        return tuple(sorted(value)) if isinstance(value, frozenset) else ()
    return value if isinstance(value, bool) else "unknown"


def words_of(item: Item, name: str) -> frozenset[str]:
    """Return the words of a fact of an exposure; none where it is unknown."""
    value = item[name].value if name in item else None
    return value if isinstance(value, frozenset) else frozenset()


def _item_amount(item: Item, name: str, words: Words) -> Amount:
    return amount(item[name].value if name in item else None, words)
