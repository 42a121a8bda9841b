"""Floor 4: what a rule, a finding and an outcome are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Literal

from cds_service.errors import Location
from cds_service.facts.registry import Item, OrderFacts
from cds_service.quantities import Quantity


class Severity(IntEnum):
    """Indicator of a card, in rising order."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> Literal["info", "warning", "critical"]:
        """The CDS Hooks indicator."""
        return ("info", "warning", "critical")[self - 1]


class Status(StrEnum):
    """Where a rule stands in its life; a silent rule is scored and stored but never shown."""

    DRAFT = "draft"
    SILENT = "silent"
    ACTIVE = "active"
    RETIRED = "retired"


FindingKind = Literal["off-label", "dose", "titration", "opioid-conflict", "incomplete", "other"]


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a statement or a number comes from; `checked` is the day on which somebody last looked."""

    id: str
    title: str
    checked: date
    section: str = ""
    url: str = ""
    published: date | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number of a rule: dated values in rising order, its reference, and how far a site may move it."""

    name: str
    unit: str
    in_force: tuple[tuple[date, Decimal], ...]
    reference: str
    site_may: Literal["raise", "lower", "nothing"] = "nothing"

    def on(self, day: date) -> Quantity:
        """Return the value in force on a day: the newest that began by then, the first one before any began."""
        values = [value for start, value in self.in_force if start <= day] or [self.in_force[0][1]]
        return Quantity(values[-1], self.unit)


@dataclass(frozen=True, slots=True)
class ThresholdName:
    """`$name` in a line: the rule's own threshold of that name."""

    name: str


Operator = Literal["above", "at_least", "below", "at_most", "is", "in", "any_in", "none_in", "one_of", "is_known"]
Operand = bool | Quantity | ThresholdName | frozenset[str] | tuple[Quantity, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One test of one fact: `order.daily_dose: {above: 4.5 mg/d}`."""

    fact: str
    operator: Operator
    operand: Operand
    where: Location


@dataclass(frozen=True, slots=True)
class Group:
    """Lines and quantified lists that hold together, with alternatives of which at least one must hold (none: no need).

    `also` holds the further sets of alternatives that `all:` brought; the lines of its groups stand among `lines`.
    """

    lines: tuple["Line | Quantified", ...] = ()
    alternatives: tuple["Alternative", ...] = ()
    also: tuple[tuple["Alternative", ...], ...] = ()

    @property
    def sets(self) -> tuple[tuple["Alternative", ...], ...]:
        """Every set of alternatives; one of each must hold."""
        return (self.alternatives, *self.also) if self.alternatives else self.also


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to hold, with its own severity and the text (`says`) that the card uses for it."""

    group: Group
    where: Location
    severity: Severity | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Quantified:
    """`exposures: {some: …}` or `{none: …}`: one item (or no item) of the list meets the whole group."""

    list: Literal["exposures"]
    quantifier: Literal["some", "none"]
    group: Group
    where: Location


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as loaded: see DESIGN of the rule format in docs/rule-format.md.

    `priority` orders cards of one severity, lower first. `severity` is that of a rule without graded alternatives.
    """

    id: str
    title: str
    kind: FindingKind
    status: Status
    version: int
    hooks: frozenset[str]
    card: str
    priority: int
    severity: Severity
    when: Group
    unless: Group
    if_unknown: Literal["fire", "hold"]
    thresholds: Mapping[str, Threshold]
    references: tuple[Reference, ...]
    where: Location
    site_override: str = ""
    """What a site changed ("status, thresholds.margin"), empty where nothing."""
    says: str = ""
    """Text of the card where no alternative that holds has its own; empty for the card's first text."""
    classes: frozenset[str] = frozenset()
    """The rule can concern only drafts with one of these drug classes; empty where it can concern any draft."""


Truth = Literal["true", "false", "unknown"]


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One line of a trace: depth for indentation, what was asked, the answer, the value found and what it rests on."""

    depth: int
    asked: str
    answer: Truth
    found: str
    rests_on: tuple[str, ...] = ()
    where: Location | None = None


@dataclass(frozen=True, slots=True)
class MatchedExposure:
    """An exposure that met the rule: with the severity and text of the strongest alternative it met.

    `is_certain` is False where an attribute of it was unknown and `if_unknown: fire` let it count.
    """

    item: Item
    severity: Severity
    says: str
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired for one order. `limits` holds the thresholds in force that day, by name."""

    rule: Rule
    severity: Severity
    says: str
    facts: OrderFacts
    matched: tuple[MatchedExposure, ...]
    limits: Mapping[str, Quantity]
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule made of one order.

    "quiet" means surely not; "held" means unknown and the rule holds then; "incomplete" means that a whole kind of data,
    named in `lacks`, was missing, so nothing can be said.
    """

    rule: Rule
    order: str
    state: Literal["fired", "quiet", "held", "incomplete"]
    trace: tuple[TraceLine, ...]
    finding: Finding | None = None
    lacks: tuple[str, ...] = ()
