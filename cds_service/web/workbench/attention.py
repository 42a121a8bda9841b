"""Floor 7: what those who own the rules should look at first, in words: alarms, silence, missing data, overrides, complaints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cds_service.analytics.alarms import Alarm
from cds_service.analytics.codes import UnknownCode
from cds_service.analytics.comments import Comment
from cds_service.analytics.pictures import KIND_NAMES, by_rule
from cds_service.analytics.report import KINDS, Share, UsageReport
from cds_service.unknown import Unknown

OVERRIDDEN_OFTEN: Final = 0.8
MISSING_OFTEN: Final = 0.25
"""Shares that the lower end of an interval must pass: so few answers as make no case raise no attention."""
QUIET_DAYS: Final = 3
QUIET_LEAST: Final = 10
"""So many decisions must be usual in the quiet days for the silence of one client to say anything."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing to look at: `word` names it, `rule` is the rule that it is about, `part` the part of the page that tells more."""

    tone: Literal["critical", "warning", "info"]
    word: str
    text: str
    rule: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that attention is judged by; `lately` is a report of the last days, up to today."""

    report: UsageReport
    lately: UsageReport
    alarms: Sequence[Alarm]
    comments: Sequence[Comment]
    codes: Sequence[UnknownCode]

    @property
    def has_any(self) -> bool:
        """Whether the store has ever seen a decision."""
        return not isinstance(self.report.first_decision, Unknown)


def attention(seen: Seen, titles: Mapping[str, str]) -> tuple[Attention, ...]:
    """Name what needs attention, the worst first; `titles` are those of the rules in force."""
    return (*_quiet(seen), *_alarmed(seen.alarms, titles), *_missing(seen.report), *_overridden(seen.report, titles), *_said(seen))


def alarm_in_words(alarm: Alarm, titles: Mapping[str, str]) -> str:
    """Say what a rule does that it did not do before."""
    time = "today" if alarm.days == 1 else f"in the last {alarm.days} days"
    where = "" if alarm.client is None else f" at {_place(alarm.client, alarm.site or '')}"
    usual = "fewer than one" if alarm.expected < 1 else f"about {alarm.expected:,.0f}"
    fired = "did not fire" if not alarm.fired else f"fired in {alarm.fired:,}"
    return (
        f"{titles.get(alarm.rule, alarm.rule)}{where}: {fired} {'in any ' if not alarm.fired else ''}of {alarm.decisions:,} decisions {time};"
        f" by its four weeks before, {usual} would be usual."
    )


def _place(client: str, site: str) -> str:
    named = client or "the client without a name"
    return f"{named}, site {site}" if site else named


def _quiet(seen: Seen) -> Iterator[Attention]:
    """Notice that nothing comes at all: rates are of decisions, so no rule raises an alarm then."""
    if not seen.lately.counts.decisions:
        text = (
            f"No decision of the last {QUIET_DAYS} days is in the store. Either nobody ordered anything, or calls or decisions do not arrive:"
            " look at /metrics, and let `cds-service doctor` call the service as an EHR would."
        )
        yield Attention("critical", "No calls", text)
        return
    yield from _quiet_clients(seen)


def _quiet_clients(seen: Seen) -> Iterator[Attention]:
    """Notice a client that stopped calling beside others that go on; of one that calls seldom, a few days say nothing."""
    window = seen.report.window
    if window.last != seen.lately.window.last:
        return
    days, heard = (window.last - window.first).days + 1, {place.name for place in seen.lately.clients}
    for place in seen.report.clients:
        usual = place.counts.decisions * QUIET_DAYS / days
        if place.name not in heard and usual >= QUIET_LEAST:
            text = (
                f"{_place(place.name, '')}: none in the last {QUIET_DAYS} days, about {usual:,.0f} would be usual by the time shown."
                " Look whether its EHR still calls, and whether it is let in."
            )
            yield Attention("critical", "No calls", text)


def _alarmed(alarms: Sequence[Alarm], titles: Mapping[str, str]) -> Iterator[Attention]:
    for alarm in sorted(alarms, key=lambda one: one.kind == "flood"):
        tone, word = ("critical", "Fell silent") if alarm.kind == "silent" else ("warning", "Floods")
        yield Attention(tone, word, alarm_in_words(alarm, titles), alarm.rule)  # type: ignore[arg-type]


def _missing(report: UsageReport) -> Iterator[Attention]:
    share = report.counts.incomplete_share
    if share.interval[0] > MISSING_OFTEN and share.whole:
        kinds = report.counts.incomplete_by_kind
        worst = max(KINDS, key=lambda kind: kinds[kind].part)
        text = f"{_percent(share)} of the decisions that needed the chart lacked some of it, most often {KIND_NAMES[worst]}: rules could not be judged there."
        yield Attention("warning", "Data missing", text, part="which-data-was-missing")


def _overridden(report: UsageReport, titles: Mapping[str, str]) -> Iterator[Attention]:
    for rule, counts in by_rule(report):
        rate = counts.override_rate
        if rate.whole and rate.interval[0] > OVERRIDDEN_OFTEN:
            text = f"{titles.get(rule, rule)}: {_percent(rate)} of {rate.whole:,} answered cards were overridden. The reasons and comments tell why."
            yield Attention("warning", "Often overridden", text, rule)


def _said(seen: Seen) -> Iterator[Attention]:
    complaints = sum(1 for one in seen.comments if one.score)
    if complaints:
        what = "One comment complains" if complaints == 1 else f"{complaints} of the {len(seen.comments)} comments looked at complain"
        yield Attention("info", "Complaints", f"{what}: comments have uncovered rules that malfunction.", part="comments-head")
    if seen.codes:
        what = "One code on orders is" if len(seen.codes) == 1 else f"{len(seen.codes)} codes on orders are"
        text = f"{what} in no table; the name alone told the drug, or nearly told it. Your terminology can add them."
        yield Attention("info", "Unknown codes", text, part="codes-head")


def _percent(share: Share) -> str:
    value = share.value
    return "none" if isinstance(value, Unknown) else f"{value * 100:.0f} %"
