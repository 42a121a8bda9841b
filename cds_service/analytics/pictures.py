"""Floor 7: the charts of a usage report, for the report page and the workbench: one idea each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from cds_service.analytics.report import RuleCounts, Share, UsageReport, Window
from cds_service.charts import Chart, Series
from cds_service.unknown import Unknown

_HEADS: Final = {"day": "Day", "week": "Week from", "month": "Month"}
_EACH: Final = {"day": "each day", "week": "each week", "month": "each month"}
_MOST_RULES: Final = 12
_LONGEST: Final = 30
"""Characters of a reason that fit beside a bar."""
KIND_NAMES: Final = {"patient": "patient", "conditions": "conditions", "medications": "medications", "history": "ended orders"}
"""Kinds of data in words."""


def pictures(report: UsageReport) -> tuple[Chart, ...]:
    """Draw a report: calls, what was said of the cards, which rules fire and are overridden, why, missing data, speed."""
    rules = by_rule(report)
    return (
        _decisions(report),
        _answers(report),
        _fired(rules),
        _overridden(rules),
        _reasons(report),
        _kinds(report),
        _incomplete(report),
        _latency(report),
    )


def by_rule(report: UsageReport) -> tuple[tuple[str, RuleCounts], ...]:
    """Add up the versions of each rule, the most frequent first."""
    versions: dict[str, list[RuleCounts]] = defaultdict(list)
    for one in report.rules:
        versions[one.rule].append(one.counts)
    sums = ((rule, RuleCounts.total(counts)) for rule, counts in versions.items())
    return tuple(sorted(sums, key=lambda pair: (-pair[1].fired, pair[0])))


def label(day: date, window: Window) -> str:
    """Name a period by its first day, as short as can be: `2 Nov`, `Nov 2026`."""
    return f"{day:%b %Y}" if window.by == "month" else f"{day.day} {day:%b}"


def _over_time(report: UsageReport, title: str, says: str, series: Sequence[Series], **more: str | float) -> Chart:
    unit, top = str(more.get("unit", "")), more.get("top")
    labels = tuple(label(one.start, report.window) for one in report.periods)
    kind = "lines" if unit else "columns"
    by = report.window.by
    return Chart(title, says.format(each=_EACH[by]), kind, _HEADS[by], labels, tuple(series), unit, None if top is None else float(top))  # type: ignore[arg-type]


def _decisions(report: UsageReport) -> Chart:
    counts = [one.counts for one in report.periods]
    series = (
        Series("with a card", tuple(one.with_cards for one in counts)),
        Series("without a card", tuple(one.decisions - one.with_cards for one in counts), color=2),
    )
    return _over_time(report, "How often advice was asked for", "Decisions {each}: with a card, and with nothing to say.", series)


def _answers(report: UsageReport) -> Chart:
    counts = [one.counts for one in report.periods]
    series = (
        Series("accepted", tuple(one.accepted for one in counts), color=3),
        Series("overridden", tuple(one.overridden for one in counts)),
        Series("unanswered", tuple(one.unanswered for one in counts)),
    )
    return _over_time(report, "What clinicians did with the cards", "Cards {each}, on the day on which they were shown.", series)


def _fired(rules: Iterable[tuple[str, RuleCounts]]) -> Chart:
    some = [(rule, counts) for rule, counts in rules if counts.fired][:_MOST_RULES]
    fates = {
        "shown": ("shown", 0),
        "silent": ("silent, on trial", 2),
        "withheld": ("waits for the signing", 4),
        "respected": ("overridden before", 1),
    }
    series = [Series(name, tuple(getattr(counts, fate) for _, counts in some), color=color) for fate, (name, color) in fates.items()]
    there = tuple(one for one in series if any(one.values)) or (series[0],)
    says = "Findings of each rule, one for each order, by what became of them."
    return Chart("Which rules fire", says, "bars", "Rule", tuple(rule for rule, _ in some), there)


def _overridden(rules: Iterable[tuple[str, RuleCounts]]) -> Chart:
    some = [(rule, counts.override_rate) for rule, counts in rules if counts.override_rate.whole][:_MOST_RULES]
    some = sorted(some, key=lambda pair: -pair[1].part / pair[1].whole)
    rates = Series("override rate", tuple(_percent(share) for _, share in some), tuple(_interval(share) for _, share in some))
    says = "Share of the answered cards that were overridden; the whisker is the 95 % interval, wide where cards are few."
    return Chart("Which rules are overridden", says, "bars", "Rule", tuple(rule for rule, _ in some), (rates,), "%", 100)


def _incomplete(report: UsageReport) -> Chart:
    shares = [one.counts.incomplete_share for one in report.periods]
    says = "Share of the decisions that lacked some of the chart's data, of those that needed any, {each}."
    return _over_time(
        report, "How often data was missing", says, (Series("incomplete", tuple(_percent(share) for share in shares)),), unit="%"
    )


def _kinds(report: UsageReport) -> Chart:
    kinds = report.counts.incomplete_by_kind if report.counts.with_data else {}
    shares = tuple(kinds.values())
    lacked = Series("lacked", tuple(_percent(share) for share in shares), tuple(_interval(share) for share in shares))
    says = "Share of the decisions that needed the chart and lacked this kind of its data; the whisker is the 95 % interval."
    return Chart("Which data was missing", says, "bars", "Data", tuple(KIND_NAMES[kind] for kind in kinds), (lacked,), "%")


def _reasons(report: UsageReport) -> Chart:
    some = report.reasons[:_MOST_RULES]
    given = Series("overrides", tuple(one.overrides for one in some), color=1)
    says = "Reasons that clinicians gave when they overrode a card."
    return Chart("Why cards are overridden", says, "bars", "Reason", tuple(_short(one.display or one.code) for one in some), (given,))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _latency(report: UsageReport) -> Chart:
    spans = [one.latency for one in report.periods]
    series = (
        Series("median", tuple(None if isinstance(one.median, Unknown) else one.median for one in spans)),
        Series("95th percentile", tuple(None if isinstance(one.p95, Unknown) else one.p95 for one in spans)),
    )
    return _over_time(report, "How long answers take", "Milliseconds from the call to the answer, {each}.", series, unit="ms")


def _percent(share: Share) -> float | None:
    value = share.value
    return None if isinstance(value, Unknown) else round(value * 100, 1)


def _interval(share: Share) -> tuple[float, float]:
    low, high = share.interval
    return round(low * 100, 1), round(high * 100, 1)
