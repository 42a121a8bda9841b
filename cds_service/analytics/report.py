"""Floor 7: the shape of the analytics, for pages, reports and commands: frozen counts, shares and series."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Final, Self

from cds_service.analytics.latency import Latency
from cds_service.analytics.spans import Span, days_between, start_of
from cds_service.analytics.statistics import wilson
from cds_service.unknown import Unknown

KINDS: Final = ("patient", "conditions", "medications", "history")


@dataclass(frozen=True, slots=True)
class Window:
    """The days that a report is about, in the site's time zone, both included, and how they are cut into periods."""

    first: date
    last: date
    by: Span = "week"

    def start_of(self, day: date) -> date:
        """Return the first day of the period that a day lies in; weeks begin on Monday."""
        return start_of(day, self.by)

    def periods(self) -> tuple[date, ...]:
        """Return the first day of each period, in order; the outer ones may reach beyond the window, their counts do not."""
        return tuple(dict.fromkeys(self.start_of(day) for day in days_between(self.first, self.last)))


@dataclass(frozen=True, slots=True)
class Filters:
    """Which part of the use is counted; None takes all, "" is a client or site without a name."""

    rule: str | None = None
    version: int | None = None
    client: str | None = None
    site: str | None = None
    hook: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with the 95 % confidence interval (Wilson) of the share behind it."""

    part: int
    whole: int

    @property
    def value(self) -> float | Unknown:
        """The share, from 0 to 1; unknown of nothing."""
        return self.part / self.whole if self.whole else Unknown("none-of-none")

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the interval; (0, 1) of nothing."""
        return wilson(self.part, self.whole)

    def __str__(self) -> str:
        """Write it for people: `41 % (36 to 46 %, 120 of 293)`."""
        value = self.value
        if isinstance(value, Unknown):
            return "none"
        low, high = self.interval
        return f"{value * 100:.0f} % ({low * 100:.0f} to {high * 100:.0f} %, {self.part:,} of {self.whole:,})"


@dataclass(frozen=True, slots=True)
class _Said:
    """Cards, and what was said of them (a card of which both was said is accepted); counts that can be added up."""

    cards: int = 0
    accepted: int = 0
    overridden: int = 0

    @classmethod
    def total(cls, counts: Iterable[Self]) -> Self:
        """Add each number to its like; all zero of nothing."""
        numbers = attrgetter(*(field.name for field in fields(cls)))
        return cls(*map(sum, zip(*map(numbers, counts), strict=True)))

    @property
    def unanswered(self) -> int:
        """Cards of which nothing was said."""
        return self.cards - self.accepted - self.overridden

    @property
    def override_rate(self) -> Share:
        """Overridden of the cards of which something was said."""
        return Share(self.overridden, self.accepted + self.overridden)

    @property
    def unanswered_share(self) -> Share:
        """Cards of which nothing was said, of all cards."""
        return Share(self.unanswered, self.cards)


@dataclass(frozen=True, slots=True)
class AnswerCounts(_Said):
    """Decisions and their cards.

    `with_data` counts the decisions that needed data of the chart, `incomplete` those of them that lacked some of it, the
    next four by kind. `cards` were sent.
    """

    decisions: int = 0
    with_cards: int = 0
    with_data: int = 0
    incomplete: int = 0
    patient_incomplete: int = 0
    conditions_incomplete: int = 0
    medications_incomplete: int = 0
    history_incomplete: int = 0

    @property
    def card_share(self) -> Share:
        """Decisions with a card, of all decisions."""
        return Share(self.with_cards, self.decisions)

    @property
    def incomplete_share(self) -> Share:
        """Decisions that lacked data of the chart, of those that needed any."""
        return Share(self.incomplete, self.with_data)

    @property
    def incomplete_by_kind(self) -> Mapping[str, Share]:
        """As `incomplete_share`, by kind of data."""
        return {kind: Share(getattr(self, f"{kind}_incomplete"), self.with_data) for kind in KINDS}


@dataclass(frozen=True, slots=True)
class RuleCounts(_Said):
    """What became of a rule.

    `decisions` in which it fired. `fired` counts findings (one for each order): those `shown` on a card, `silent` (the rule is tried
    out), `withheld` (information at order-select) and `respected` (overridden before, so not repeated); `incomplete` could not be judged and
    is not among those that fired. `cards` told of it; the `timed` of its decisions took `milliseconds` together.
    """

    decisions: int = 0
    fired: int = 0
    shown: int = 0
    silent: int = 0
    withheld: int = 0
    respected: int = 0
    incomplete: int = 0
    timed: int = 0
    milliseconds: int = 0

    @property
    def mean_latency(self) -> float | Unknown:
        """Milliseconds of a decision in which the rule fired, on average; unknown where none was timed."""
        return self.milliseconds / self.timed if self.timed else Unknown("none-timed")

    @property
    def incomplete_share(self) -> Share:
        """Judgements that lacked a whole kind of data, of those that were not quiet."""
        return Share(self.incomplete, self.fired + self.incomplete)


@dataclass(frozen=True, slots=True)
class Reason:
    """An override reason with how often it was given, as the EHR sent it: `display`, or `code` where it sent no words."""

    system: str
    code: str
    display: str
    overrides: int


@dataclass(frozen=True, slots=True)
class RuleUse:
    """One version of one rule: its counts in the window and in each period (in the order of `UsageReport.periods`), reasons most frequent first."""

    rule: str
    version: int
    counts: RuleCounts
    by_period: tuple[RuleCounts, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class PlaceUse:
    """One client, site or hook; `name` is empty for what has none."""

    name: str
    counts: AnswerCounts
    latency: Latency


@dataclass(frozen=True, slots=True)
class PeriodUse:
    """One period, by its first day."""

    start: date
    counts: AnswerCounts
    latency: Latency


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What was advised in a window and what became of it; `rules` is sorted by how often they fired.

    `first_decision` is the day of the oldest decision counted anywhere, unknown in an empty store. The counts are as of the latest
    roll-up, minutes ago, or of now where the service rolls up nothing.
    """

    window: Window
    filters: Filters
    counts: AnswerCounts
    latency: Latency
    periods: tuple[PeriodUse, ...]
    rules: tuple[RuleUse, ...]
    clients: tuple[PlaceUse, ...]
    sites: tuple[PlaceUse, ...]
    hooks: tuple[PlaceUse, ...]
    reasons: tuple[Reason, ...]
    first_decision: date | Unknown
    made_at: datetime
