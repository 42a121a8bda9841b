"""Floor 7: days, weeks and months: how a time is put together from the fewest rows of the roll-up tables."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

Span = Literal["day", "week", "month"]
_DAY: Final = timedelta(days=1)
_USED: Final[Mapping[Span, tuple[Span, ...]]] = {"day": ("day",), "week": ("week", "day"), "month": ("month", "week", "day")}


def start_of(day: date, span: Span) -> date:
    """Return the first day of the day, week or month that a day lies in; weeks begin on Monday."""
    if span == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if span == "week" else day


def end_of(day: date, span: Span) -> date:
    """Return the last day of the day, week or month that a day lies in."""
    if span == "month":
        return start_of(start_of(day, span) + timedelta(days=31), span) - _DAY
    return start_of(day, span) + timedelta(days=6) if span == "week" else day


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive days, weeks or months, by the first days of the first and the last of them."""

    span: Span
    first: date
    last: date


def cover(first: date, last: date, by: Span | None = None, without: Collection[date] = ()) -> tuple[Piece, ...]:
    """Put the days from first to last together, those in `without` left out; no piece reaches over the edge of a period (`by`)."""
    pieces: list[Piece] = []
    for span, start in _steps(first, last, by, frozenset(without)):
        before = pieces[-1] if pieces else None
        if before and before.span == span and end_of(before.last, span) + _DAY == start:
            pieces[-1] = Piece(span, before.first, start)
        else:
            pieces.append(Piece(span, start, start))
    return tuple(pieces)


def days_between(first: date, last: date) -> Iterator[date]:
    """Give all days from first to last."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _steps(first: date, last: date, by: Span | None, without: Collection[date]) -> Iterator[tuple[Span, date]]:
    day = first
    while day <= last:
        edge = last if by is None else min(last, end_of(day, by))
        span = _largest(day, edge, _USED[by or "month"], without)
        if span is None:
            day += _DAY
            continue
        yield span, day
        day = end_of(day, span) + _DAY


def _largest(day: date, edge: date, spans: Iterable[Span], without: Collection[date]) -> Span | None:
    """Return the largest span that begins with this day, ends by the edge and holds no day that is left out."""
    for span in spans:
        end = end_of(day, span)
        if start_of(day, span) == day and end <= edge and not any(day <= other <= end for other in without):
            return span
    return None
