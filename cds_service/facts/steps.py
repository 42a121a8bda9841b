"""Floor 3: the dosage instructions of one order as steps: concurrent lines add up, consecutive ones follow each other.

FHIR R4, Dosage.sequence: the same or no sequence is concurrent, a different one is consecutive. Beyond that: periods that do
not overlap follow each other; lines for different weekdays are one weekly schedule, numbered or not; lines whose extents
differ without sequence or periods, or that are numbered but name different times of one day without an end, are unclear.
Two lines that state the same dose at the same times are one dose where they state it in different units (mg, and tablets),
else the truth lies between one and all of them: the range says so.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Final

from cds_service.facts.dose_amount import CONTRADICTORY, UNREADABLE, Amount, Strength, amount_of, most_a_day, strength_of
from cds_service.facts.dose_arithmetic import Span, as_range, one
from cds_service.facts.dose_reasons import told, unknowns_in
from cds_service.facts.registry import Fact
from cds_service.facts.timing import CONTRADICTORY as CONTRADICTORY_TIMING
from cds_service.facts.timing import NO_LENGTH, Schedule, is_dropped, schedule_of
from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.elements import Bounds, Dosage
from cds_service.quantities import LARGEST, QuantityRange, exactly
from cds_service.unknown import Unknown

UNCLEAR: Final = Unknown("unclear-sequence")
_DEPOT: Final = "depot"
_LIMIT_TELLS: Final = frozenset({"text-only", "no-dose", "no-strength", "as-needed-without-limit", "timing-in-text", "no-timing"})
"""Where one of these keeps a daily dose from being computed, maxDosePerPeriod stands for it; an unreadable element never."""
_ELEMENTS: Final = {"MedicationStatement": "dosage", "MedicationAdministration": "dosage"}


@dataclass(frozen=True, slots=True)
class Line:
    """One dosage instruction as read: what it gives at a time and a day, when, and whether it contradicts itself."""

    where: str
    dosage: Dosage
    amount: Amount
    schedule: Schedule
    daily: Span | Unknown
    contradicts: bool

    @property
    def is_silent(self) -> bool:
        """Words alone: no dose, no timing, no limit, and nothing dropped that could have been one."""
        return self.is_limit_at_most and not self.dosage.max_dose_per_period

    @property
    def is_limit_at_most(self) -> bool:
        """No dose and no timing, at most a limit: beside a text that gives the dose it is a limit and no dose."""
        dosage = self.dosage
        said = dosage.doses or dosage.timing
        return not said and not any(is_dropped(dosage, element) for element in ("dose", "timing", "max"))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an order, for draft and listed orders alike.

    `daily` in mg/d (Unknown for a depot), `single_dose` in mg (the largest at one time), `length` in d, `starts` the day
    where the order names it; `evidence` names the lines it rests on.
    """

    daily: QuantityRange | Unknown
    single_dose: QuantityRange | Unknown
    length: QuantityRange | Unknown
    starts: date | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Taken:
    """One dose of a step: how much a day and at one time, at which moments of which days."""

    daily: Span
    amount: Span
    moments: frozenset[str]
    days: frozenset[str]


def steps(record: MedicationRecord, today: date) -> tuple[Step, ...]:
    """Return the consecutive steps of an order, one for an order without titration; never empty.

    `today` begins the first step of a draft that has no date.
    """
    grouped = why_unreadable(record) or groups(lines_of(record))
    if isinstance(grouped, Unknown):
        return (Step(grouped, grouped, NO_LENGTH, evidence=places(record)),)
    is_depot = not isinstance(record.drug, Unknown) and _DEPOT in record.drug.classes
    read = [_step(group, is_depot=is_depot) for group in grouped]
    begins = (record.authored_on or today, *(None for _ in grouped[1:]))
    ends = (*(step.starts for step in read[1:]), None)
    return tuple(map(_with_length, read, grouped, begins, ends))


def daily_dose(record: MedicationRecord, today: date) -> Fact:
    """Return the daily dose in mg/d of a draft or listed order: that of its last step."""
    last = steps(record, today)[-1]
    return Fact(last.daily, last.evidence)


def why_unreadable(record: MedicationRecord) -> Unknown | None:
    """Say why no instruction of an order can be trusted; `None` where they can."""
    lost = (*record.dropped, *(path for line in record.dosages for path in line.dropped))
    if any(_names_whole_line(path) for path in lost):
        return Unknown("unreadable-dosage")
    if record.dosages:
        return None
    return Unknown("no-dosage" if record.is_readable else "unreadable-order")


def lines_of(record: MedicationRecord) -> tuple[Line, ...]:
    """Read every dosage instruction of an order by itself."""
    strength = strength_of(record.drug)
    return tuple(line_of(dosage, strength, where) for dosage, where in zip(record.dosages, places(record), strict=False))


def line_of(dosage: Dosage, strength: Strength, where: str) -> Line:
    """Read one dosage instruction, sent as elements or built from its text by a parser."""
    amount, schedule = amount_of(dosage, strength), schedule_of(dosage)
    limit = most_a_day(dosage.max_dose_per_period, strength) if dosage.max_dose_per_period else Unknown("no-dose")
    daily = _limited(_daily(amount, schedule), limit, is_as_needed=dosage.is_as_needed)
    contradicts = amount.contradicts or schedule.rate == CONTRADICTORY_TIMING or CONTRADICTORY in (amount.mg, daily)
    return Line(where, dosage, amount, schedule, daily, contradicts)


def places(record: MedicationRecord) -> tuple[str, ...]:
    """Name the dosage instructions of an order as traces do, the order itself where it has none."""
    element = _ELEMENTS.get(record.resource_type, "dosageInstruction")
    return tuple(f"{record.where} {element}[{index}]" for index in range(len(record.dosages))) or (record.where,)


def groups(lines: Sequence[Line]) -> tuple[tuple[Line, ...], ...] | Unknown:
    """Part the lines into consecutive steps of concurrent lines, or say that it is not clear."""
    told_lines = _telling(lines)
    if len(told_lines) > 1 and any(is_dropped(line.dosage, "sequence") for line in told_lines):
        return UNCLEAR
    sequences = {line.dosage.sequence for line in told_lines}
    if len(sequences - {None}) > 1:
        return UNCLEAR if None in sequences else _by_sequence(told_lines)
    return _by_period(told_lines)


def _names_whole_line(path: str) -> bool:
    """A dropped element is a whole dosage instruction, not a part of one."""
    return path.rpartition(".")[2].partition("[")[0] in ("dosage", "dosageInstruction")


def _daily(amount: Amount, schedule: Schedule) -> Span | Unknown:
    """Multiply what is taken at a time by the times a day."""
    if isinstance(amount.mg, Unknown) or isinstance(schedule.rate, Unknown):
        return told(unknowns_in((amount.mg, schedule.rate)))
    return amount.mg * schedule.rate


def _limited(daily: Span | Unknown, limit: Span | Unknown, *, is_as_needed: bool) -> Span | Unknown:
    """Hold a daily dose against maxDosePerPeriod: it stands for a dose not given, caps one as needed, and may contradict."""
    if isinstance(limit, Unknown):
        return daily
    if isinstance(daily, Unknown):
        return limit if daily.reason in _LIMIT_TELLS else daily
    if daily.low > limit.high and not is_as_needed:
        return CONTRADICTORY
    return Span(min(daily.low, limit.high), min(daily.high, limit.high))


def _telling(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Leave out words that stand beside a structured line without being a step of their own."""
    sequences = {line.dosage.sequence for line in lines if not line.is_silent}
    if not sequences:
        return tuple(lines)
    return tuple(line for line in lines if not line.is_silent or line.dosage.sequence not in {*sequences, None})


def _by_sequence(lines: Sequence[Line]) -> tuple[tuple[Line, ...], ...] | Unknown:
    """Order numbered lines, unless their weekdays, times of day or dates say otherwise."""
    if _is_week(lines):
        return (tuple(lines),)
    numbered: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        if line.dosage.sequence is not None:
            numbered[line.dosage.sequence].append(line)
    parts = tuple(tuple(numbered[number]) for number in sorted(numbered))
    is_clear = not _is_one_day(parts) and _follow_each_other(parts) and all(_has_one_extent(part) for part in parts)
    return parts if is_clear else UNCLEAR


def _by_period(lines: Sequence[Line]) -> tuple[tuple[Line, ...], ...] | Unknown:
    """Part lines without different sequences by their periods, where these do not overlap."""
    if _has_one_extent(lines):
        return (tuple(lines),)
    starts = sorted({line.schedule.bounds.start for line in lines if line.schedule.bounds.start})
    parts = tuple(tuple(line for line in lines if line.schedule.bounds.start == start) for start in starts)
    is_dated = sum(len(part) for part in parts) == len(lines) and all(_start(part) for part in parts)
    has_ends = all(line.schedule.bounds.end for part in parts[:-1] for line in part)
    is_clear = is_dated and has_ends and _follow_each_other(parts) and all(_has_one_extent(part) for part in parts)
    return parts if is_clear else UNCLEAR


def _is_week(lines: Sequence[Line]) -> bool:
    """Tell whether the lines are for different weekdays and without extent: one weekly schedule."""
    days = [line.schedule.days for line in lines]
    return (
        all(days)
        and all(first.isdisjoint(second) for first, second in combinations(days, 2))
        and not any(line.schedule.has_extent for line in lines)
    )


def _is_one_day(parts: Sequence[Sequence[Line]]) -> bool:
    """Tell whether numbered lines without any end name different times of day: they could be one day's doses in their order."""
    moments = [line.schedule.moments for part in parts for line in part]
    has_extent = any(line.schedule.has_extent for part in parts[:-1] for line in part)
    return not has_extent and all(moments) and all(first.isdisjoint(second) for first, second in combinations(moments, 2))


def _has_one_extent(lines: Sequence[Line]) -> bool:
    """Tell whether the lines hold for the same time."""
    return len({(line.schedule.bounds, line.schedule.count) for line in lines}) == 1


def _follow_each_other(parts: Sequence[Sequence[Line]]) -> bool:
    """Tell whether no part that has dates begins before the one before it has ended; one day may be shared."""
    dates = [part[0].schedule.bounds for part in parts]
    return all(_precedes(earlier, later) for earlier, later in pairwise(dates))


def _precedes(earlier: Bounds, later: Bounds) -> bool:
    """Tell whether dates, where given, allow one step to come before another; the order's own start may stand in both."""
    if earlier.start is None or later.start is None:
        return later.start is None or earlier.end is None or earlier.end <= later.start
    if earlier.end is None:
        return earlier.start < later.start or (earlier.start == later.start and later.end is None)
    return earlier.start < later.start and earlier.end <= later.start


def _start(group: Sequence[Line]) -> date | None:
    """Return the day on which the lines of a step begin, where they name it."""
    return group[0].schedule.bounds.start


def _step(group: Sequence[Line], *, is_depot: bool) -> Step:
    """Work one step out from its concurrent lines; its length comes later."""
    daily: Span | Unknown = Unknown("depot") if is_depot else _together(group)
    single = _largest_at_once(group)
    return Step(
        daily=daily if isinstance(daily, Unknown) else as_range(daily, "mg/d"),
        single_dose=single if isinstance(single, Unknown) else as_range(single, "mg"),
        length=NO_LENGTH,
        starts=_start(group),
        evidence=tuple(line.where for line in group),
    )


def _together(group: Sequence[Line]) -> Span | Unknown:
    """Add concurrent lines up to a dose a day."""
    if unknowns := unknowns_in(line.daily for line in group):
        return told(unknowns)
    total = one(0)
    for taken in _taken(group):
        total += taken.daily
    return UNREADABLE if total.high > LARGEST else total


def _largest_at_once(group: Sequence[Line]) -> Span | Unknown:
    """Find the largest dose at one time; lines for the same moments of the same days are taken together."""
    if unknowns := unknowns_in(line.amount.mg for line in group):
        return told(unknowns)
    at_once: dict[object, Span] = {}
    for index, taken in enumerate(_taken(group)):
        key = (taken.moments, taken.days) if taken.moments else index
        at_once[key] = at_once.get(key, one(0)) + taken.amount
    return Span(max(dose.low for dose in at_once.values()), max(dose.high for dose in at_once.values()))


def _taken(group: Sequence[Line]) -> tuple[_Taken, ...]:
    """Gather lines that state the same dose at the same times."""
    alike: dict[object, list[Line]] = {}
    for line in group:
        schedule, dosage = line.schedule, line.dosage
        key = (line.daily, line.amount.mg, schedule.moments, schedule.days, dosage.is_as_needed, dosage.route)
        alike.setdefault(key, []).append(line)
    return tuple(_as_one(lines) for lines in alike.values())


def _as_one(lines: Sequence[Line]) -> _Taken:
    """Take lines alike as one dose where each states it in a unit of its own, else as one to all of them."""
    stated = Counter(dimension for line in lines for dimension in line.amount.stated_in)
    times = Span(Fraction(1), Fraction(max(stated.values(), default=len(lines))))
    first = lines[0]
    return _Taken(
        daily=first.daily * times if isinstance(first.daily, Span) else one(0),
        amount=first.amount.mg * times if isinstance(first.amount.mg, Span) else one(0),
        moments=first.schedule.moments,
        days=first.schedule.days,
    )


def _with_length(step: Step, group: Sequence[Line], begins: date | None, until: date | None) -> Step:
    """Add how long a step lasts: to the start of the next one where both are dated, else what its lines say.

    `begins` is the day on which a first step without a date of its own begins.
    """
    start, end = step.starts or begins, group[0].schedule.bounds.end
    if start and until and start < until:
        return replace(step, length=exactly((until - start).days, "d"))
    if start and end and not step.starts and start <= end:
        return replace(step, length=exactly((end - start).days + 1, "d"))
    lengths = {line.schedule.length for line in group}
    length = lengths.pop()
    return step if lengths or isinstance(length, Unknown) else replace(step, length=as_range(length, "d"))
