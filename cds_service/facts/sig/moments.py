"""Floor 3: the phrases of timing of one dose brought together into one FHIR Timing; what disagrees is refused."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise, product
from types import MappingProxyType
from typing import Final

from cds_service.facts.sig.clauses import Group, When
from cds_service.facts.sig.parts import Clock, Days, Frequency, Moment, Word
from cds_service.facts.sig.reasons import Refused
from cds_service.fhir.elements import Timing

_DAY: Final = "d"
_LATE: Final = ("EVE", "NIGHT", "HS")
"""Evening, night, bedtime without "and" between them are one moment, the later the more exact: "every evening at bedtime"."""
_PARTS: Final = (
    frozenset({"MORN", "WAKE", "CM", "ACM", "PCM"}),
    frozenset({"NOON", "CD", "ACD", "PCD"}),
    frozenset({"EVE", "NIGHT", "CV", "ACV", "PCV"}),
)
"""Moments of one part of the day, which without "and" between them are one: "every morning before breakfast" is once."""
_BROAD: Final = frozenset({"MORN", "NOON", "EVE", "NIGHT"})
_DINNER: Final = frozenset({"CV", "ACV", "PCV"})
_HOURS: Final = MappingProxyType(
    {
        "MORN": (4, 12),
        "NOON": (11, 14),
        "AFT": (12, 18),
        "PM": (12, 24),
        "EVE": (16, 24),
        "NIGHT": (18, 28),
        "HS": (18, 28),
        "WAKE": (3, 12),
        **dict.fromkeys(("CM", "ACM", "PCM"), (4, 12)),
        **dict.fromkeys(("CD", "ACD", "PCD"), (10, 16)),
        **dict.fromkeys(("CV", "ACV", "PCV"), (15, 24)),
    },
)
"""From and to which hour a clock time can be the same moment as an event."""
_HOURS_A_DAY: Final = 24


def timing_of(groups: Sequence[Group]) -> Timing | None:
    """Return when a dose is taken, from the groups that speak of it; `None` where they do not say.

    Raises Refused for frequencies, moments or weekdays that cannot all be true.
    """
    phrases = [(group.pause, when) for group in groups for when in group.when]
    if not phrases:
        return None
    _refuse_mixed_lists(groups)
    whens = [when for _, when in phrases]
    words = {when.kind for when in whens if isinstance(when, Word)}
    if "ONCE" in words:
        return _once(whens)
    frequency = _frequency([when for when in whens if isinstance(when, Frequency)])
    moments = _moments(groups)
    clocks = tuple(dict.fromkeys(when.time for when in whens if isinstance(when, Clock)))
    days = _days([when for when in whens if isinstance(when, Days)])
    if frequency and not frequency.unit:
        return _only_counted(frequency, moments, clocks, days, whens)
    if "MEALS" in words:
        _refuse_vague_meals(frequency, moments, clocks)
    return _agreed(frequency, tuple(moment.code for moment in moments), clocks, days)


def _refuse_mixed_lists(groups: Sequence[Group]) -> None:
    """Refuse "daily and at bedtime", "at bedtime and as needed": what "and" joins must be of one kind."""
    for before, after in pairwise([group for group in groups if not group.is_empty]):
        if after.pause == "AND" and before.when:
            kinds = {_kind(when) for when in (before.when[-1], *after.when)}
            if len(kinds) > 1 or kinds - {"Moment", "Clock"} or after.is_as_needed:
                raise Refused("sig-ambiguous")


def _kind(when: When) -> str:
    """Name the kind of a phrase."""
    return type(when).__name__


def _once(whens: Sequence[When]) -> Timing:
    """One dose alone; any other timing beside it is unclear."""
    others = [when for when in whens if not (isinstance(when, Word) or (isinstance(when, Frequency) and when.high == 1 and not when.unit))]
    if others:
        raise Refused("sig-ambiguous")
    return Timing(count=1)


def _only_counted(
    frequency: Frequency, moments: Sequence[Moment], clocks: Sequence[str], days: Sequence[str], whens: Sequence[When]
) -> Timing:
    """Read "once nightly" as nightly, "once" as one dose; "twice" alone says nothing."""
    if frequency.high != 1 or clocks or days or any(isinstance(when, Word) for when in whens):
        raise Refused("sig-ambiguous")
    if not moments:
        return Timing(count=1)
    if len(moments) != 1 or not moments[0].recurs:
        raise Refused("sig-ambiguous")
    return Timing(frequency=1, period=Decimal(1), period_unit=_DAY, when=(moments[0].code,))


def _frequency(frequencies: Sequence[Frequency]) -> Frequency | None:
    """Return the one frequency that all say; "once" may stand before a period, "every day" beside times a day."""
    counted = [one for one in frequencies if not one.unit]
    timed = [one for one in frequencies if one.unit]
    distinct = list(dict.fromkeys(_bare(one) for one in timed))
    if len(distinct) > 1:
        every_day = Frequency(1, 1, unit=_DAY)
        distinct = [_bare(one) for one in timed if not (one.is_every and not one.is_counted and _bare(one) == every_day)]
        if len(set(distinct)) > 1 or any(one.unit != _DAY or one.period_high != 1 for one in distinct):
            raise Refused("sig-contradictory")
    if counted and timed:
        raise Refused("sig-ambiguous")
    if len(counted) > 1:
        raise Refused("sig-ambiguous")
    if not distinct:
        return counted[0] if counted else None
    return replace(distinct[0], is_counted=any(one.is_counted for one in timed))


def _bare(frequency: Frequency) -> Frequency:
    """Leave out how a frequency was said; a day of 24 hours stays hours."""
    return replace(frequency, is_counted=False, is_every=False)


def _moments(groups: Sequence[Group]) -> tuple[Moment, ...]:
    """Return the moments of the day, those that name one time twice as one."""
    kept: list[Moment] = []
    pause = "SEP"
    for group in groups:
        pause = group.pause or pause
        for moment in (when for when in group.when if isinstance(when, Moment)):
            is_first_in_group = moment is next(when for when in group.when if isinstance(when, Moment))
            _add(kept, moment, pause if is_first_in_group else "")
    return tuple(kept)


def _add(kept: list[Moment], moment: Moment, pause: str) -> None:
    """Add a moment, or merge it with the one before it."""
    same = [other for other in kept if other.code == moment.code]
    if same and pause == "AND":
        raise Refused("sig-ambiguous")
    if same:
        kept[kept.index(same[0])] = replace(moment, recurs=moment.recurs or same[0].recurs)
        return
    before = kept[-1] if kept else None
    if before and before.code in _LATE and moment.code in _LATE:
        pair = {before.code, moment.code}
        if pair == {"NIGHT", "HS"} and pause == "AND":
            raise Refused("sig-ambiguous")
        if pair == {"NIGHT", "HS"} or not pause:
            later = max(before, moment, key=lambda one: _LATE.index(one.code))
            kept[-1] = replace(later, recurs=before.recurs or moment.recurs)
            return
        if pause == "SEP":
            raise Refused("sig-ambiguous")
    if before and _are_one_part(before.code, moment.code):
        if pause == "AND":
            raise Refused("sig-ambiguous")
        kept[-1] = replace(moment if before.code in _BROAD else before, recurs=before.recurs or moment.recurs)
        return
    if before and pause != "AND" and "HS" in (before.code, moment.code) and _DINNER & {before.code, moment.code}:
        raise Refused("sig-ambiguous")
    kept.append(moment)


def _are_one_part(one: str, other: str) -> bool:
    """Tell whether two codes of moments name one part of the day, one of them broadly."""
    pair = {one, other}
    return any(part.issuperset(pair) for part in _PARTS) and bool(_BROAD & pair)


def _could_be_one(one: str, other: str) -> bool:
    """Tell whether two codes, each with a dose, could mean the same time: then a text says one dose twice, or orders two."""
    pair = {one, other}
    return one == other or pair == {"NIGHT", "HS"} or (pair != {"EVE", "NIGHT"} and _are_one_part(one, other))


def can_coincide(one: Timing, other: Timing) -> bool:
    """Tell whether two timings could fall together: neither their weekdays nor their moments keep them apart."""
    has_other_days = bool(one.day_of_week and other.day_of_week) and not set(one.day_of_week) & set(other.day_of_week)
    moments = [frozenset(timing.when) | frozenset(timing.time_of_day) for timing in (one, other)]
    could_be_one_moment = any(_could_be_one(first, second) for first, second in product(*moments))
    has_other_moments = all(moments) and not could_be_one_moment and one.day_of_week == other.day_of_week
    is_same_kind = bool(one.when) == bool(other.when) and bool(one.time_of_day) == bool(other.time_of_day)
    return not (has_other_days or (has_other_moments and is_same_kind))


def _days(named: Sequence[Days]) -> tuple[str, ...]:
    """Return the weekdays, named in one list."""
    if len({one.days for one in named}) > 1:
        raise Refused("sig-ambiguous")
    return named[0].days if named else ()


def _refuse_vague_meals(frequency: Frequency | None, moments: Sequence[Moment], clocks: Sequence[str]) -> None:
    """Meals say how often only beside a number of times a day."""
    if moments or clocks:
        raise Refused("sig-contradictory")
    if frequency is None or frequency.unit != _DAY:
        raise Refused("sig-ambiguous")


def _agreed(frequency: Frequency | None, when: tuple[str, ...], clocks: tuple[str, ...], days: tuple[str, ...]) -> Timing:
    """Return the timing that frequency, moments, clock times and weekdays agree on."""
    _refuse_other_times(when, clocks)
    moments = max(len(when), len(clocks))
    said = frequency or Frequency(1, 1, unit=_DAY)
    least, most = (moments, moments) if _follows_moments(said, moments) else (said.low, said.high)
    _refuse_other_count(said, moments, least, most)
    _refuse_other_days(said, days)
    return Timing(
        frequency=least,
        frequency_max=most if most != least else None,
        period=said.period_low,
        period_max=said.period_high if said.period_high != said.period_low else None,
        period_unit=said.unit,
        when=when,
        time_of_day=clocks,
        day_of_week=days,
    )


def _follows_moments(said: Frequency, moments: int) -> bool:
    """Tell whether "daily" only repeats the moments named; "once daily" does not."""
    return _bare(said) == Frequency(1, 1, unit=_DAY) and bool(moments) and not said.is_counted


def _refuse_other_times(when: Sequence[str], clocks: Sequence[str]) -> None:
    """Refuse clock times beside events unless both are one and the same time."""
    if not (when and clocks):
        return
    if len(when) > 1 or len(clocks) > 1 or when[0] not in _HOURS:
        raise Refused("sig-ambiguous")
    first, last = _HOURS[when[0]]
    hour = int(clocks[0][:2])
    if not any(first <= one < last for one in (hour, hour + _HOURS_A_DAY)):
        raise Refused("sig-contradictory")


def _refuse_other_count(said: Frequency, moments: int, least: int, most: int) -> None:
    """Refuse times a day that are not as many as the moments named."""
    if not moments:
        return
    is_day = said.unit == _DAY and said.period_low == said.period_high == 1
    if said.unit == "h" or (is_day and not least == most == moments):
        raise Refused("sig-contradictory")
    if not is_day and moments > 1:
        raise Refused("sig-ambiguous")


def _refuse_other_days(said: Frequency, days: Sequence[str]) -> None:
    """Refuse weekdays that a frequency does not fit."""
    if not days:
        return
    is_day = said.unit == _DAY and said.period_low == said.period_high == 1
    is_week = said.unit == "wk" and said.low == said.high == len(days) and said.period_low == said.period_high
    is_every_so_many_weeks = said.period_low != 1 and len(days) != 1
    if not (is_day or said.unit == "h" or (is_week and not is_every_so_many_weeks)):
        raise Refused("sig-contradictory")
