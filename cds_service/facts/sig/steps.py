"""Floor 3: the clauses of a dosing text worked out into consecutive steps: what is elided, what is computed, what may follow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations
from typing import Final

from cds_service.facts.sig.amounts import Counting, doses_of
from cds_service.facts.sig.clauses import Clause, Group, Sig
from cds_service.facts.sig.moments import can_coincide, timing_of
from cds_service.facts.sig.parts import PIECE, Dose
from cds_service.facts.sig.reasons import Refused
from cds_service.facts.sig.titration import climbed, interval, is_slow, label_lengths, single_value, times_a_week
from cds_service.facts.sig.vocabulary import WEEK
from cds_service.fhir.elements import Bounds, Timing
from cds_service.fhir.elements import Dose as DoseElement
from cds_service.quantities import Quantity, QuantityRange, range_in

_HOURS: Final = 24
_DAILY: Final = Timing(frequency=1, period=Decimal(1), period_unit="d")


@dataclass(frozen=True, slots=True)
class Taking:
    """One dose at its times, within a step."""

    doses: tuple[DoseElement, ...] = ()
    timing: Timing | None = None
    is_as_needed: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What is taken together, and for how long."""

    takings: tuple[Taking, ...]
    length: QuantityRange | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """A dose at one time that a text allows after those before it, and after how long, where it says so."""

    amount: QuantityRange
    after: QuantityRange | None = None


@dataclass(slots=True)
class Plan:
    """The steps of a text, the increases that it only allows, and the limits that hold throughout."""

    steps: list[Step] = field(default_factory=list)
    allowed: list[Allowed] = field(default_factory=list)
    limits: list[tuple[Quantity, Quantity]] = field(default_factory=list)


class _Planner:
    """Works the clauses out one after the other; each may elide what the one before it said."""

    def __init__(self, sig: Sig, piece_mg: Decimal | None) -> None:
        """Begin with no steps."""
        self.sig = sig
        self.piece_mg = piece_mg
        self.plan = Plan()
        self.is_only_allowed = False
        self.was_labelled = False
        self.lasting = 0
        """Steps whose own words say for how many days, weeks or months."""
        self.names_pieces = bool(sig.header and not sig.header.stated[0].per)

    def work_out(self) -> Plan:
        """Return the steps."""
        clauses = [clause for clause in self.sig.clauses if not clause.is_empty or clause.opener in ("INCREASE", "DECREASE", "MAY")]
        label_lengths(clauses)
        for clause in clauses:
            self._clause(clause)
            self.was_labelled = clause.label is not None
        self._refuse_steps_without_timing()
        self._limits()
        return self.plan

    @property
    def last(self) -> Step | None:
        """The step before the one in hand."""
        return self.plan.steps[-1] if self.plan.steps else None

    def _clause(self, clause: Clause) -> None:
        """Work one clause out."""
        if clause.opener == "MAY" or self.is_only_allowed:
            self._allow(clause)
        elif clause.by:
            self._climb(clause)
        else:
            self._step(clause)

    def _doses(self, stated: Sequence[Dose], counts: Counting = Counting.NEVER) -> tuple[DoseElement, ...]:
        """Bring the statements of one dose together."""
        may_count = Counting.SMALL if self.piece_mg is not None else counts
        doses = doses_of(stated, self.sig.header, self.piece_mg, counts=Counting.ANY if self.names_pieces else may_count)
        self.names_pieces = self.names_pieces or any(dose.amount.unit == PIECE for dose in doses)
        return doses

    def _step(self, clause: Clause) -> None:
        """Add the step that a clause states."""
        if clause.opener in ("INCREASE", "DECREASE") and not clause.goal and not clause.doses:
            raise Refused("sig-open-ended")
        takings = self._takings(clause)
        self._end_last(clause, takings)
        last = self.last
        takings = tuple(_with_elided(taking, last) for taking in takings)
        if last and clause.opener in ("INCREASE", "DECREASE"):
            _refuse_wrong_direction(last, takings, clause.opener)
        length = _one_length(clause)
        self.lasting += length is not None and length.unit != "dose" and clause.label is None
        self.plan.steps.append(Step(takings, length))

    def _takings(self, clause: Clause) -> tuple[Taking, ...]:
        """Return what is taken together in a clause."""
        goal = [clause.goal] if clause.goal else []
        dosed = [group for group in clause.groups if group.doses]
        if goal and (dosed or is_slow(clause)):
            raise Refused("sig-ambiguous")
        dosed = _without_repeats(dosed)
        if len(dosed) <= 1:
            stated = goal or [dose for group in clause.groups for dose in group.doses]
            counts = _counting(any(group.has_taking for group in clause.groups))
            groups = [*clause.groups, Group(when=clause.after_goal)]
            timing = timing_of(groups)
            if clause.opener == "SEP" and stated and not (timing or clause.lengths or clause.is_ongoing or clause.after or clause.label):
                raise Refused("sig-ambiguous")
            doses = self._doses(stated, counts) if stated else ()
            return (Taking(doses, timing, any(group.is_as_needed for group in clause.groups)),)
        return self._together(clause, dosed)

    def _together(self, clause: Clause, dosed: Sequence[Group]) -> tuple[Taking, ...]:
        """Return several doses of one step, each with times of its own."""
        others = [group for group in clause.groups if not group.doses and not group.is_empty]
        last_dosed = max(index for index, group in enumerate(clause.groups) if group.doses)
        is_length_last = not clause.lengths or clause.length_group >= last_dosed
        if others or any(group.is_as_needed for group in dosed) or not is_length_last:
            raise Refused("sig-ambiguous")
        takings = [Taking(self._doses(group.doses, _counting(group.has_taking)), timing_of([group])) for group in dosed]
        if not all(taking.timing and _moments(taking.timing) for taking in takings):
            raise Refused("sig-ambiguous")
        times = [taking.timing for taking in takings if taking.timing]
        if any(can_coincide(one, other) for one, other in combinations(times, 2)):
            raise Refused("sig-ambiguous")
        return tuple(takings)

    def _end_last(self, clause: Clause, takings: Sequence[Taking]) -> None:
        """Give the step before its length where this clause tells it; a step without an end cannot be followed."""
        last = self.last
        if clause.after and not last:
            raise Refused("sig-ambiguous")
        if not last:
            return
        length = last.length
        if clause.after:
            if (length and length != clause.after.length) or (len(self.plan.steps) > 1 and not clause.after.is_more):
                raise Refused("sig-ambiguous")
            length = clause.after.length
        is_once = all(taking.timing and taking.timing.count for taking in last.takings)
        if not length and not is_once:
            raise Refused("sig-ambiguous")
        if clause.opener == "SEP" and not (clause.after or clause.label or self.was_labelled) and not _keeps_timing(last, takings):
            raise Refused("sig-ambiguous")
        self.plan.steps[-1] = replace(last, length=length)

    def _climb(self, clause: Clause) -> None:
        """Compute the steps of "increase by 1.5 mg every 2 weeks to 4.5 mg"."""
        base, (start, by) = self._base(clause), self._change_of(clause)
        every, when = interval(clause)
        if every is None or clause.goal is None:
            raise Refused("sig-open-ended")
        if clause.lengths:
            raise Refused("sig-ambiguous")  # "increase by 1.5 mg weekly to 4.5 mg for 4 weeks": the climb, or its last step?
        timing = timing_of([Group(when=list(when))]) if when else base.timing
        if timing == _DAILY and base.timing and _is_once_a_day(base.timing):
            timing = base.timing
        if timing != base.timing and base.timing is not None:
            raise Refused("sig-ambiguous")
        last = self.plan.steps[-1]
        self.plan.steps[-1] = Step((base,), last.length or every)
        first = single_value(start)
        amounts = climbed(first, by, self._in_unit(clause.goal, start.unit), clause.opener)
        steps = [Step((Taking(_scaled(base.doses, amount, first), timing),), every) for amount in amounts]
        self._refuse_other_goal(clause.goal, steps[-1].takings[0].doses)
        self.plan.steps += [*steps[:-1], replace(steps[-1], length=None)]

    def _refuse_other_goal(self, goal: Dose, reached: Sequence[DoseElement]) -> None:
        """Refuse "up to 4.5 mL (4 mg)" where 4.5 mL hold 4.5 mg."""
        stated = self._doses([goal])
        pairs = [(range_in(one.amount, dose.amount.unit), dose.amount) for one in stated for dose in reached]
        if any(known is not None and known.low != amount.low for known, amount in pairs):
            raise Refused("sig-contradictory")

    def _base(self, clause: Clause) -> Taking:
        """Return the one dose that a climb begins from."""
        last = self.last
        if last is None or len(last.takings) != 1 or clause.after or clause.doses:
            raise Refused("sig-ambiguous")
        if last.takings[0].timing and last.takings[0].timing.count:
            raise Refused("sig-ambiguous")
        return last.takings[0]

    def _change_of(self, clause: Clause) -> tuple[QuantityRange, Decimal]:
        """Return from how much and by how much, in the unit in which the change and the dose before it are both stated."""
        assert clause.by is not None  # noqa: S101 - the caller looked
        assert self.last is not None  # noqa: S101 - `_base` looked
        by = self._doses([clause.by])[0].amount
        start = next((dose.amount for dose in self.last.takings[0].doses if range_in(by, dose.amount.unit)), None)
        if start is None:
            raise Refused("sig-ambiguous")
        return start, self._in_unit(clause.by, start.unit)

    def _in_unit(self, dose: Dose, unit: str) -> Decimal:
        """Express one exact amount in a unit."""
        known = [amount for stated in self._doses([dose]) if (amount := range_in(stated.amount, unit))]
        if len(known) != 1:
            raise Refused("sig-ambiguous")
        return single_value(known[0])

    def _allow(self, clause: Clause) -> None:
        """Keep what the text only allows apart from what it tells to take."""
        last = self.last
        if not last or not any(taking.doses for taking in last.takings):
            raise Refused("sig-no-dose")
        if clause.opener == "DECREASE" or len(last.takings) > 1 or (clause.by is None and is_slow(clause)):
            raise Refused("sig-ambiguous")
        stated = [clause.goal] if clause.goal else clause.doses
        if not stated:
            raise Refused("sig-open-ended")
        every, when = (
            interval(clause) if clause.by else (None, [when for group in clause.groups for when in group.when] + clause.after_goal)
        )
        timing = timing_of([Group(when=list(when))])
        if timing is not None and timing != last.takings[0].timing:
            raise Refused("sig-ambiguous")
        doses = self._doses(stated)
        after = clause.after.length if clause.after else every or (None if self.plan.allowed else last.length)
        self.plan.allowed += [Allowed(amount, after) for amount in self._amounts_up_to(clause, doses[0].amount)]
        self.is_only_allowed = True

    def _amounts_up_to(self, clause: Clause, goal: QuantityRange) -> Sequence[QuantityRange]:
        """Return the amounts on the way to an allowed one: each step where the text says by how much; refuse an increase that is none."""
        before = self.plan.allowed[-1].amount if self.plan.allowed else self.plan.steps[-1].takings[0].doses[0].amount
        known = range_in(goal, before.unit)
        if known is not None and known.high <= before.high:
            raise Refused("sig-contradictory")
        if clause.by is None or known is None:
            return (goal,)
        by = self._in_unit(clause.by, before.unit)
        amounts = climbed(single_value(before), by, single_value(known), clause.opener)
        return [QuantityRange(amount, amount, before.unit) for amount in amounts]

    def _refuse_steps_without_timing(self) -> None:
        """Let steps without timing take it from the last one, where that is once a day; else it is not clear how often.

        "1.5 mg x 14 days, then 3 mg x 14 days, then 4.5 mg" is so much each day, because it is so much times the days.
        """
        steps = self.plan.steps
        timed = [bool(taking.timing) for step in steps for taking in step.takings]
        if len(steps) > 1 and not any(timed) and self.lasting >= len(steps) - 1:
            self.plan.steps = [replace(step, takings=tuple(replace(taking, timing=_DAILY) for taking in step.takings)) for step in steps]
        if all(timed) or not any(timed):
            return
        untimed = [index for index, step in enumerate(steps) if not all(taking.timing for taking in step.takings)]
        timing = steps[-1].takings[0].timing
        is_simple = all(len(step.takings) == 1 for step in steps) and timing is not None and _is_once_a_day(timing)
        if not is_simple or untimed != list(range(len(untimed))):
            raise Refused("sig-ambiguous")
        for index in untimed:
            steps[index] = replace(steps[index], takings=(replace(steps[index].takings[0], timing=timing),))

    def _limits(self) -> None:
        """Bring the limits together and hold the doses against them."""
        for dose, period in self.sig.limits:
            amounts = self._doses([dose])
            top = single_value(amounts[0].amount)
            if period.period_low != period.period_high or period.unit not in ("h", "d", "wk"):
                raise Refused("sig-ambiguous")
            limit = (Quantity(top, amounts[0].amount.unit), Quantity(period.period_low, period.unit))
            if self.plan.limits and limit not in self.plan.limits:
                raise Refused("sig-contradictory")
            self.plan.limits = [limit]
        if any(_is_beyond(taking, limit) for step in self.plan.steps for taking in step.takings for limit in self.plan.limits):
            raise Refused("sig-contradictory")


def work_out(sig: Sig, piece_mg: Decimal | None) -> Plan:
    """Work a text out into steps; raises Refused where more than one reading is possible."""
    return _Planner(sig, piece_mg).work_out()


def _with_elided(taking: Taking, last: Step | None) -> Taking:
    """Take from the step before what this clause does not say again."""
    if last is None or (taking.doses and taking.timing):
        return taking
    if len(last.takings) > 1:
        raise Refused("sig-ambiguous")
    before = last.takings[0]
    if before.timing and before.timing.count and not taking.timing:
        raise Refused("sig-ambiguous")
    return replace(taking, doses=taking.doses or before.doses, timing=taking.timing or before.timing)


def _counting(has_taking: bool) -> Counting:  # noqa: FBT001 - what the words say
    """Tell whether a bare number counts units: behind "take", where it is small."""
    return Counting.SMALL if has_taking else Counting.NEVER


def _scaled(doses: Sequence[DoseElement], amount: Decimal, start: Decimal) -> tuple[DoseElement, ...]:
    """Raise every statement of a dose (a volume, and its mass) as one of them was raised."""
    return tuple(
        DoseElement("", QuantityRange(dose.amount.low * amount / start, dose.amount.high * amount / start, dose.amount.unit))
        for dose in doses
    )


def _without_repeats(dosed: Sequence[Group]) -> list[Group]:
    """Join "50 mg, 1 tablet, daily": one dose said in two ways, with a comma between and no times of its own before it."""
    joined = list(dosed[:1])
    for group in dosed[1:]:
        before = joined[-1]
        is_repeat = group.pause == "SEP" and not before.when and not before.is_as_needed
        if is_repeat:
            joined[-1] = replace(group, doses=[*before.doses, *group.doses])
        else:
            joined.append(group)
    return joined


def _one_length(clause: Clause) -> QuantityRange | None:
    """Return how long a step lasts."""
    if len(clause.lengths) > 1 or (clause.lengths and clause.is_ongoing):
        raise Refused("sig-contradictory")
    return clause.lengths[0] if clause.lengths else None


def _moments(timing: Timing) -> frozenset[str]:
    """Return the moments of the day or the weekdays that a timing names."""
    return frozenset(timing.when) | frozenset(timing.time_of_day) | frozenset(timing.day_of_week)


def _keeps_timing(last: Step, takings: Sequence[Taking]) -> bool:
    """Tell whether a step after a mere pause is taken at the times of the one before, or says nothing of them."""
    times = [taking.timing for taking in takings]
    return all(timing is None for timing in times) or times == [taking.timing for taking in last.takings]


def _is_once_a_day(timing: Timing) -> bool:
    """Tell whether a timing is once a day."""
    return replace(timing, when=(), time_of_day=()) == _DAILY


def _refuse_wrong_direction(last: Step, takings: Iterable[Taking], opener: str) -> None:
    """Refuse an increase to less and a decrease to more: of all that is taken in a week, not of one dose."""
    first = next((dose.amount for taking in last.takings for dose in taking.doses), None)
    before, after = (_a_week(step, first.unit) if first else None for step in (last.takings, takings))
    if before and after and not (after.low > before.high if opener == "INCREASE" else after.high < before.low):
        raise Refused("sig-contradictory")


def _a_week(takings: Iterable[Taking], unit: str) -> QuantityRange | None:
    """Return what several takings come to in a week; `None` where one of them is not in that kind of unit."""
    low = high = Decimal(0)
    for taking in takings:
        known = range_in(taking.doses[0].amount, unit)
        if known is None:
            return None
        times = times_a_week(taking.timing)
        low, high = low + known.low * times, high + known.high * times
    return QuantityRange(low, high, unit)


def _is_beyond(taking: Taking, limit: tuple[Quantity, Quantity]) -> bool:
    """Tell whether a regular dose a day is more than its limit, where both are stated in one kind of unit."""
    match taking:
        case Taking(timing=Timing(frequency=int() as often, period=Decimal() as every, period_unit="d") as timing, is_as_needed=False):
            top, period = limit
            a_week = len(timing.day_of_week or WEEK)
            days = {"h": period.value / _HOURS, "d": period.value, "wk": period.value * a_week}[period.unit]
            times = max(often * days / every, Decimal(1))
            known = [amount for dose in taking.doses if (amount := range_in(dose.amount, top.unit))]
            return any(amount.low * times > top.value for amount in known)
    return False


def bounds_of(length: QuantityRange | None) -> Bounds | None:
    """Return a length as the bounds of a timing; doses are counted, not bounded."""
    return Bounds(length=length) if length and length.unit != "dose" else None
