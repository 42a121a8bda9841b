"""Floor 7: which part of the use a reader of the page "Use" wants to see: the address's parameters, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from cds_service.analytics.report import Filters, Window
from cds_service.analytics.spans import Span, start_of
from cds_service.analytics.usage import Choices

NAMELESS: Final = "(none)"
"""Stands in an address for the client or site without a name."""
_MONTHS_BEFORE: Final = 11
_EARLIEST: Final = date(2020, 1, 1)
"""No store is older; the bound keeps an address from asking for the year 1."""


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time to look at: how many days, cut into what."""

    label: str
    days: int
    by: Span


PERIODS: Final[Mapping[str, Period]] = {
    "week": Period("7 days", 7, "day"),
    "month": Period("30 days", 30, "day"),
    "quarter": Period("13 weeks", 91, "week"),
    "year": Period("12 months", 365, "month"),
}
FIRST_PERIOD: Final = "month"
CHOSEN: Final = ("rule", "client", "site", "hook")
"""What can be chosen beside the time, by its name in `Filters`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the reader wants to see; `refused` says in a sentence what of the address cannot be."""

    period: str
    until: date
    filters: Filters
    refused: str = ""
    has_day: bool = False
    """Whether the last day was chosen, rather than being today."""

    @property
    def window(self) -> Window:
        """The days to count; weeks and months begin whole."""
        period = PERIODS[self.period]
        return Window(_first_day(self.until, period), self.until, period.by)

    def address(self, **changes: str) -> str:
        """Write the query of this wish with some of it changed; an empty text drops a choice."""
        return query_of({**self.values(), **changes})

    def values(self) -> dict[str, str]:
        """Name what was chosen, as the address names it."""
        chosen = {name: getattr(self.filters, name) for name in CHOSEN}
        day = {"until": self.until.isoformat()} if self.has_day else {}
        return {"period": self.period, **day, **{name: value or NAMELESS for name, value in chosen.items() if value is not None}}


def wish_of(given: Mapping[str, str], offered: Mapping[str, Sequence[str]], today: date) -> Wish:
    """Read the parameters; what is not on offer is left out and named."""
    period, refused = given.get("period") or FIRST_PERIOD, []
    if period not in PERIODS:
        period, refused = FIRST_PERIOD, ["period"]
    until = _day(given.get("until", ""), today)
    if until is None:
        until, refused = today, [*refused, "last day"]
    chosen: dict[str, str] = {}
    for name in CHOSEN:
        value = given.get(name, "")
        if value and value not in offered[name]:
            refused.append(name)
        elif value:
            chosen[name] = "" if value == NAMELESS else value
    return Wish(period, until, Filters(**chosen), _sentence(refused), until != today)  # type: ignore[arg-type]


def offered_by(found: Choices, rules: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Name what can be chosen: every rule of the pack or of the store, every client, site and hook seen."""
    places = {"client": found.clients, "site": found.sites, "hook": found.hooks}
    named = {name: tuple(one or NAMELESS for one in names) for name, names in places.items()}
    return {"rule": tuple(sorted({*rules, *found.rules})), **named}


def query_of(values: Mapping[str, str]) -> str:
    """Write the query of an address."""
    return urlencode({name: value for name, value in values.items() if value})


def _first_day(last: date, period: Period) -> date:
    if period.by == "month":
        months = last.year * 12 + last.month - 1 - _MONTHS_BEFORE
        return date(months // 12, months % 12 + 1, 1)
    return start_of(last - timedelta(days=period.days - 1), period.by)


def _day(text: str, today: date) -> date | None:
    """Read a day that is over or lasts; today where none is given."""
    if not text:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if _EARLIEST <= day <= today else None


def _sentence(refused: Sequence[str]) -> str:
    if not refused:
        return ""
    return f"There is nothing to show for this {' and '.join(refused)}; it was left out of what you see."
