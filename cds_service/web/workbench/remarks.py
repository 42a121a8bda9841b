"""Floor 7: comments of clinicians gathered by what they say, for the page "Use": the same words are shown once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cds_service.analytics.comments import Comment

_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Remark:
    """What was written, how often, when last, where, and about which rules (the first few, and how many more)."""

    text: str
    is_complaint: bool
    times: int
    latest: datetime
    places: tuple[str, ...]
    rules: tuple[str, ...]
    more_rules: int


def remarks_of(comments: Sequence[Comment]) -> tuple[Remark, ...]:
    """Gather comments of the same words, in the order in which each first comes."""
    gathered: dict[str, list[Comment]] = {}
    for one in comments:
        gathered.setdefault(" ".join(one.text.casefold().split()), []).append(one)
    return tuple(_remark(alike) for alike in gathered.values())


def _remark(alike: Sequence[Comment]) -> Remark:
    rules = _once(rule for one in alike for rule, _ in one.rules)
    places = _once(", ".join(filter(None, (one.client, one.site))) for one in alike)
    return Remark(
        text=alike[0].text,
        is_complaint=alike[0].score > 0,
        times=len(alike),
        latest=max(one.received_at for one in alike),
        places=tuple(filter(None, places)),
        rules=rules[:_MOST_NAMED],
        more_rules=len(rules[_MOST_NAMED:]),
    )


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
