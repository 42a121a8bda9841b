"""Floor 7: a usage report as CSV, JSON, and one HTML page that needs nothing else."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from cds_service import PROGRAM, __version__
from cds_service.analytics.alarms import Alarm
from cds_service.analytics.codes import UnknownCode
from cds_service.analytics.comments import Comment
from cds_service.analytics.pictures import by_rule, pictures
from cds_service.analytics.report import RuleCounts, Share, UsageReport
from cds_service.charts import STYLESHEET, figure, number
from cds_service.unknown import Unknown

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet would take for a formula at the beginning of a cell."""
_SHARES: Final = ("override_rate", "unanswered_share", "incomplete_share")


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report tells: the use, alarms, unknown codes, and comments where they are wanted."""

    usage: UsageReport
    alarms: tuple[Alarm, ...]
    codes: tuple[UnknownCode, ...]
    comments: tuple[Comment, ...] = ()


def as_csv(report: Report) -> str:
    """Write the counts of each rule and version, in the whole window and in each period, a line each."""
    text = io.StringIO()
    writer = csv.writer(text)
    counts = [field.name for field in fields(RuleCounts)]
    writer.writerow(["period", "rule", "version", *counts, "unanswered", "override_rate", "override_low", "override_high", "reasons"])
    periods = [one.start for one in report.usage.periods]
    for one in report.usage.rules:
        reasons = "; ".join(f"{reason.display or reason.code} ({reason.overrides})" for reason in one.reasons)
        whole = ("all", one.counts, reasons)
        for period, them, why in (whole, *((start.isoformat(), them, "") for start, them in zip(periods, one.by_period, strict=True))):
            rate = them.override_rate
            value = rate.value
            shares = ["", "", ""] if isinstance(value, Unknown) else [f"{share:.4f}" for share in (value, *rate.interval)]
            row = [period, one.rule, one.version, *(getattr(them, name) for name in counts), them.unanswered, *shares, why]
            writer.writerow([spreadsheet_cell(value) for value in row])
    return text.getvalue()


def as_json(report: Report) -> Mapping[str, Any]:
    """Write everything as JSON values; a share stands as part, whole, value and 95 % interval, what is unknown as null."""
    plain = _plain(report)
    for one, them in zip(plain["usage"]["rules"], report.usage.rules, strict=True):
        one["shares"] = {name: _share(getattr(them.counts, name)) for name in _SHARES}
    plain["usage"]["shares"] = {name: _share(getattr(report.usage.counts, name)) for name in (*_SHARES, "card_share")}
    plain["made_by"] = f"{PROGRAM} {__version__}"
    result: Mapping[str, Any] = plain
    return result


def as_html(report: Report) -> str:
    """Write one page with charts and tables; it needs no script, no file and no network."""
    page = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=PackageLoader("cds_service.analytics", "pages"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters["number"] = number
    charts = [figure(chart, follows_scheme=True) for chart in pictures(report.usage)]
    return page.get_template("report.html").render(
        report=report,
        usage=report.usage,
        rules=by_rule(report.usage),
        charts=charts,
        stylesheet=STYLESHEET,
        version=__version__,
        is_known=_is_known,
    )


def _is_known(value: object) -> bool:
    return not isinstance(value, Unknown)


def _share(share: Share) -> Mapping[str, Any]:
    low, high = share.interval
    return {"part": share.part, "whole": share.whole, "value": _plain(share.value), "low": low, "high": high}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any part of a report
    """Turn dataclasses, tuples, days and the unknown into JSON values."""
    if isinstance(value, Unknown):
        return None
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, date | datetime):
        return value.isoformat()
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def spreadsheet_cell(value: object) -> str:
    """Keep a spreadsheet from reading a text as a formula."""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
