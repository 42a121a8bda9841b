"""Floor 7: the page "Use": what was advised, what clinicians did with it, and what needs attention, counted from the store."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, Final, cast

from flask import Blueprint, Response, request
from markupsafe import Markup

from cds_service.analytics.pictures import pictures
from cds_service.analytics.report import Filters, PlaceUse, RuleCounts, Share, Window
from cds_service.charts import figure, number
from cds_service.errors import StoreUnavailable
from cds_service.unknown import Unknown
from cds_service.web.workbench.attention import QUIET_DAYS, Seen, attention
from cds_service.web.workbench.remarks import remarks_of
from cds_service.web.workbench.shell import Shell
from cds_service.web.workbench.sources import Sources
from cds_service.web.workbench.use_source import UseSource
from cds_service.web.workbench.use_wish import CHOSEN, FIRST_PERIOD, PERIODS, Wish, offered_by, wish_of

_BESIDE: Final = 2
"""Threads that ask the store while another draws."""
_KEEPS_SECONDS: Final = 60.0
_KEEPS_MOST: Final = 128
_REMARKS_SHOWN: Final = 20
_PLACES: Final = (("client", "clients"), ("site", "sites"), ("hook", "hooks"))
_ALL: Final = {"rule": "All rules", "client": "All clients", "site": "All sites", "hook": "All hooks"}


@dataclass
class Remembered:
    """Keeps what was counted for a minute, so that many readers cost the store no more than one; the page says when it was counted."""

    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[Hashable, tuple[float, Any]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, count: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is counted
        """Return what was counted under this key in the last minute, or count it now; a failure is not kept."""
        now = self.clock()
        with self._lock:
            kept = self._kept.get(key)
        if kept and now - kept[0] < _KEEPS_SECONDS:
            return kept[1]
        value = count()
        with self._lock:
            self._kept[key] = (now, value)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEEPS_MOST:
                self._kept.popitem(last=False)
        return value


@dataclass(frozen=True, slots=True)
class Counted:
    """All that the page shows of one wish."""

    seen: Seen
    figures: tuple[tuple[str, Markup], ...]


def add_use(blueprint: Blueprint, shell: Shell, sources: Sources) -> None:
    """Add the page to the blueprint."""
    remembered = Remembered()

    @blueprint.get("/use")
    def use() -> Response:
        if sources.use is None:
            return shell.page("use_none.html", trouble="")
        try:
            return _page(shell, sources, sources.use, remembered)
        except StoreUnavailable:
            return shell.page(
                "use_none.html", HTTPStatus.SERVICE_UNAVAILABLE, trouble="The store cannot be read now; please try again later."
            )


def _page(shell: Shell, sources: Sources, source: UseSource, remembered: Remembered) -> Response:
    rules = sources.pack().rulebook.rules
    titles = {rule.id: rule.title for rule in rules}
    today = sources.today()
    offered = offered_by(remembered.get("choices", source.choices), list(titles))
    wish = wish_of(request.args, offered, today)
    counted: Counted = remembered.get((wish.window, wish.filters, today), lambda: _counted(wish, source, remembered, today))
    return shell.page(
        "use.html",
        HTTPStatus.BAD_REQUEST if wish.refused else HTTPStatus.OK,
        wish=wish,
        seen=counted.seen,
        report=counted.seen.report,
        figures=counted.figures,
        attention=attention(counted.seen, titles),
        titles=titles,
        periods=PERIODS,
        choices={name: (_ALL[name], offered[name]) for name in CHOSEN if len(offered[name]) > 1 or name in wish.values()},
        places=_places(counted.seen),
        remarks=remarks_of(counted.seen.comments)[:_REMARKS_SHOWN],
        is_narrowed=wish.filters != Filters(),
        is_first=wish.period == FIRST_PERIOD and not wish.has_day,
        day=_day,
        number=number,
        percent=percent,
        between=between,
        took=_took,
    )


def _counted(wish: Wish, source: UseSource, remembered: Remembered, today: date) -> Counted:
    window, filters = wish.window, wish.filters
    lately = Window(today - timedelta(days=QUIET_DAYS - 1), today, "day")
    place = replace(filters, rule=None)
    with ThreadPoolExecutor(_BESIDE) as beside:  # the database works on while the charts are drawn
        recent = beside.submit(remembered.get, ("lately", lately, place), lambda: source.usage(lately, place))
        comments = beside.submit(source.comments, window, filters)
        alarms = beside.submit(remembered.get, ("alarms", place), lambda: source.alarms(place))
        codes = beside.submit(source.codes, window, filters)
        report = source.usage(window, filters)
        drawn = tuple((_anchor(one.title), figure(one, follows_scheme=True)) for one in pictures(report))
    of_rule = [one for one in alarms.result() if filters.rule in (None, one.rule)]
    return Counted(Seen(report, recent.result(), of_rule, comments.result(), codes.result()), drawn)


def _anchor(title: str) -> str:
    """Name a chart so that a link leads to it."""
    return title.lower().replace(" ", "-")


def _places(seen: Seen) -> Sequence[tuple[str, tuple[PlaceUse, ...]]]:
    """Give the tables by client, site and hook, each where there is more than one to compare."""
    tables = ((what, cast("tuple[PlaceUse, ...]", getattr(seen.report, name))) for what, name in _PLACES)
    return [(what, rows) for what, rows in tables if len(rows) > 1]


def percent(share: Share) -> str:
    """Write a share for people; a dash of nothing."""
    value = share.value
    return "-" if isinstance(value, Unknown) else f"{value * 100:.0f} %"


def between(share: Share) -> str:
    """Write the interval of a share; nothing of nothing."""
    if not share.whole:
        return ""
    low, high = share.interval
    return f"{low * 100:.0f} to {high * 100:.0f} %"


def _took(counts: RuleCounts) -> str:
    """Write how long a decision with a rule took; a dash where none was timed."""
    value = counts.mean_latency
    return "-" if isinstance(value, Unknown) else number(value, "ms").replace(" ", "\N{NO-BREAK SPACE}")


def _day(day: date) -> str:
    return f"{day:%-d %B %Y}"
