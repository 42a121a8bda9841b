"""Floor 7: what the page "Use" asks of the store, as functions that `app.py` hands in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cds_service.analytics.alarms import Alarm
from cds_service.analytics.codes import UnknownCode
from cds_service.analytics.comments import Comment
from cds_service.analytics.report import Filters, UsageReport, Window
from cds_service.analytics.usage import Choices


@dataclass(frozen=True, slots=True)
class UseSource:
    """Counts of the store up to the present moment; each function raises StoreUnavailable."""

    usage: Callable[[Window, Filters], UsageReport]
    alarms: Callable[[Filters], Sequence[Alarm]]
    comments: Callable[[Window, Filters], Sequence[Comment]]
    codes: Callable[[Window, Filters], Sequence[UnknownCode]]
    choices: Callable[[], Choices]
