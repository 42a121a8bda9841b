"""Floor 3: what was ordered of the same drug before: first order, renewal, step, and how long on the dose before."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final

from cds_service.facts.coverage import NO_COURSES, NO_DURATIONS, Courses, Coverage, Durations, coverage, days_later, first_bound
from cds_service.facts.exposures import is_same, is_start, key, referred_key, same_ingredient
from cds_service.facts.registry import Fact, Value
from cds_service.facts.steps import Step, steps
from cds_service.fhir.chart import Chart, Completeness, Kind, MedicationRecord
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import QuantityRange, exactly
from cds_service.unknown import Unknown

_SAME_DRUG: Final = frozenset(["bulk-powder"])
"""Classes that make no other drug: powder for compounding and the product made of it are one; a depot is not its tablet."""
_NAMES: Final = (
    "order.is_first",
    "order.is_renewal",
    "order.previous_daily_dose",
    "order.increase",
    "order.time_on_previous_dose",
    "order.days_since_previous_ended",
)
_MILLI: Final = Decimal("0.001")
_LOOKED_BACK: Final = 100
"""Earlier orders whose doses are worked out, so that a list of thousands does not cost the deadline."""
_NO_EARLIER: Final = Unknown("no-earlier-order")


@dataclass(frozen=True, slots=True)
class EarlierOrder:
    """An order, statement or fill of the same drug that came before a draft; `begins` is its first day."""

    record: MedicationRecord
    begins: date | None
    covered: Coverage


@dataclass(frozen=True, slots=True)
class _Dose:
    """One dose that the patient was on by an earlier order, in mg/d, and since when."""

    daily: QuantityRange | Unknown
    since: date | None
    where: str
    is_order: bool


_NO_DOSE: Final = _Dose(Unknown("no-earlier-dose"), None, "", is_order=True)
_IN_THIS_SIGNING: Final = Coverage(Unknown("draft"), Unknown("draft"), True, exactly(0, "d"))  # noqa: FBT003 - reads as the fact it is


def history_facts(
    order: MedicationRecord, chart: Chart, today: date, durations: Durations = NO_DURATIONS, courses: Courses = NO_COURSES
) -> Mapping[str, Fact]:
    """Tell whether a draft is the first of its drug or renews it, by how much it raises the dose, and after how many days.

    Days count from the first day on the dose before, over all orders of that dose, to the day on which the draft begins.
    """
    earlier = earlier_orders(order, chart, today, durations, courses)
    recent = _newest(earlier, referred_key(order.prior_prescription))
    values = (*_with_earlier(order, recent, today), days_since_earlier(earlier)) if recent else _without_earlier(order, chart)
    rests_on = (order.where, *(one.record.where for one in recent))
    return {name: Fact(value, rests_on) for name, value in zip(_NAMES, values, strict=True)}


def continuation(order: MedicationRecord, chart: Chart, today: date) -> Fact:
    """Tell whether another draft of this signing takes over from one: the next step of a titration that is written as several orders."""
    later = [draft for draft in chart.orders if is_start(draft) and same_drug(draft, order) and _is_sooner(order, draft, today)]
    return Fact(bool(later), (order.where, *(draft.where for draft in later)))


def earlier_orders(
    order: MedicationRecord, chart: Chart, today: date, durations: Durations = NO_DURATIONS, courses: Courses = NO_COURSES
) -> tuple[EarlierOrder, ...]:
    """Find what was ordered or taken of the same drug before a draft: on the lists, and in drafts of this signing that begin sooner."""
    drafts = [draft for draft in chart.orders if is_start(draft)]
    echoes = {key(draft) for draft in drafts} - {""}
    listed = [
        record for record in chart.medications if same_drug(record, order) and not is_same(record, order) and key(record) not in echoes
    ]
    known = [EarlierOrder(record, None, coverage(record, today, durations, courses)) for record in listed]
    sooner = [draft for draft in drafts if draft is not order and same_drug(draft, order) and _is_sooner(draft, order, today)]
    return (
        *(_begun(one) for one in known if one.covered.is_exposure and not one.covered.is_proposed),
        *(EarlierOrder(draft, first_day(draft, today), _IN_THIS_SIGNING) for draft in sooner),
    )


def _newest(earlier: Iterable[EarlierOrder], named: str) -> list[EarlierOrder]:
    """Keep the newest orders, and the one that the draft names: what a long list holds beyond them changes no step."""
    by_day = sorted(earlier, key=lambda one: (key(one.record) == named, one.begins or date.min), reverse=True)
    return by_day[:_LOOKED_BACK]


def days_since_earlier(earlier: Iterable[EarlierOrder]) -> QuantityRange | Unknown:
    """Count the days since the last covered day of the latest earlier order, to tell a renewal from a restart after a gap."""
    counted = [one.covered.days_since_last_dose for one in earlier]
    known = [days for days in counted if isinstance(days, QuantityRange)]
    if len(known) < len(counted) and exactly(0, "d") not in known:
        return Unknown("no-dates")
    return QuantityRange(min(days.low for days in known), min(days.high for days in known), "d") if known else _NO_EARLIER


def same_drug(one: MedicationRecord, other: MedicationRecord) -> bool:
    """Tell whether two records are of the same drug for titration: a depot or a fixed combination is another one."""
    return same_ingredient(one, other) and one.is_of_this_patient and _kind(one) == _kind(other)


def _kind(record: MedicationRecord) -> frozenset[str]:
    """Classes that tell one kind of product of an ingredient from another."""
    return record.drug.classes - _SAME_DRUG if isinstance(record.drug, DrugMatch) else frozenset()


def _begun(one: EarlierOrder) -> EarlierOrder:
    """Write down the first day of a listed order."""
    return replace(one, begins=one.covered.start if isinstance(one.covered.start, date) else None)


def _is_sooner(draft: MedicationRecord, order: MedicationRecord, today: date) -> bool:
    """Tell whether a draft of this signing begins before another one, by its day, else by its sequence number."""
    day, other_day = (first_day(one, today) for one in (draft, order))
    first, other_first = (min((line.sequence for line in one.dosages if line.sequence is not None), default=None) for one in (draft, order))
    if day != other_day or first is None or other_first is None:
        return day < other_day
    return first < other_first


def first_day(draft: MedicationRecord, today: date) -> date:
    """Find the day on which a draft begins: as it says, else when it was written."""
    return _own_start(draft) or draft.authored_on or today


def _own_start(draft: MedicationRecord) -> date | None:
    """Find the day on which a draft says that it begins."""
    return first_bound(draft.dosages) or (draft.validity.start if draft.validity else None)


def _without_earlier(order: MedicationRecord, chart: Chart) -> tuple[Value, ...]:
    """Call a draft the first one only where both lists were read in full and its drug is known."""
    if isinstance(order.drug, Unknown):
        return (order.drug,) * len(_NAMES)
    for kind in (Kind.MEDICATIONS, Kind.HISTORY):
        if chart.completeness.get(kind, Completeness.MISSING) is not Completeness.COMPLETE:
            return (Unknown("no-medication-list", missing=kind.value),) * len(_NAMES)
    return (True, False, _NO_EARLIER, _NO_EARLIER, _NO_EARLIER, _NO_EARLIER)


def _with_earlier(order: MedicationRecord, earlier: Sequence[EarlierOrder], today: date) -> tuple[Value, ...]:
    """Compare a draft with the dose before it."""
    begins = max(_own_start(order) or today, today)
    before = _before(order, earlier, begins, today)
    own = [step.daily for step in steps(order, today)]
    last = before[-1].daily
    return (False, _is_renewal(own, last), last, _increase(own[0], last), _time_on(before, begins))


def _before(order: MedicationRecord, earlier: Sequence[EarlierOrder], begins: date, today: date) -> list[_Dose]:
    """List the doses before a draft, oldest first, up to that of the prescription that it names, else up to the newest."""
    named = referred_key(order.prior_prescription)
    doses = [(one, dose) for one in earlier for dose in _doses(one, begins, today)]
    own = [dose for one, dose in doses if key(one.record) == named]
    if own:
        return [*_by_day(dose for _, dose in doses if dose is not own[-1] and _began_by(dose, own[-1])), own[-1]]
    dated = [dose for _, dose in doses if dose.since]
    return _newest_told(_by_day(dated or [dose for _, dose in doses] or [_NO_DOSE]))


def _began_by(dose: _Dose, other: _Dose) -> bool:
    """Tell whether a dose began no later than another, as far as both are dated."""
    return dose.since is not None and other.since is not None and dose.since <= other.since


def _by_day(doses: Iterable[_Dose]) -> list[_Dose]:
    """Order doses by their first day; of one day an order comes after, and so outranks, a statement or a fill."""
    return sorted(doses, key=lambda dose: (dose.since or date.min, dose.is_order))


def _newest_told(doses: list[_Dose]) -> list[_Dose]:
    """Take the newest dose for the one before, unless several orders of its day name different ones."""
    newest = doses[-1]
    rivals = [dose for dose in doses if (dose.since, dose.is_order) == (newest.since, newest.is_order)]
    if isinstance(newest.daily, Unknown) or all(_same(dose.daily, newest.daily) is True for dose in rivals):
        return doses
    return [*doses, replace(newest, daily=Unknown("several-earlier-orders"))]


def _doses(one: EarlierOrder, begins: date, today: date) -> list[_Dose]:
    """List the doses of an earlier order, step by step, as far as they began before the draft; fills without a dose tell none."""
    is_order = one.record.resource_type == "MedicationRequest"
    found = steps(one.record, today)
    if one.record.resource_type == "MedicationAdministration" or (not is_order and isinstance(found[-1].daily, Unknown)):
        return []
    if one.begins is None:
        daily = found[0].daily if len(found) == 1 else Unknown("no-start")
        return [_Dose(daily, None, one.record.where, is_order)]
    days = _first_days(found, one.begins)
    reached = [day is None or day < begins or (index == 0 and day == begins) for index, day in enumerate(days)]
    return [
        _Dose(step.daily if day else Unknown("no-length"), day or one.begins, one.record.where, is_order)
        for step, day, is_reached in zip(found, days, reached, strict=True)
        if is_reached
    ]


def _first_days(found: Sequence[Step], begins: date) -> list[date | None]:
    """Find the first day of each step: its own, else the day after the step before; none where that has no length."""
    days: list[date | None] = [found[0].starts or begins]
    for before, step in pairwise(found):
        follows = days_later(days[-1], math.ceil(before.length.high)) if days[-1] and isinstance(before.length, QuantityRange) else None
        days.append(step.starts or follows)
    return days


def _is_renewal(own: Sequence[QuantityRange | Unknown], before: QuantityRange | Unknown) -> bool | Unknown:
    """Tell whether every step of a draft is the dose before it."""
    answers = [_same(daily, before) for daily in own]
    if False in answers:
        return False
    return next((answer for answer in answers if isinstance(answer, Unknown)), True)


def _same(one: QuantityRange | Unknown, other: QuantityRange | Unknown) -> bool | Unknown:
    """Compare two daily doses to the thousandth of a milligram; ranges that overlap may or may not be the same."""
    if isinstance(other, Unknown):
        return other
    if isinstance(one, Unknown):
        return one
    if abs(one.low - other.low) < _MILLI and abs(one.high - other.high) < _MILLI:
        return True
    return False if one.high < other.low or other.high < one.low else Unknown("dose-range")


def _increase(own: QuantityRange | Unknown, before: QuantityRange | Unknown) -> QuantityRange | Unknown:
    """Subtract the dose before from the first dose of a draft."""
    if isinstance(before, Unknown):
        return before
    if isinstance(own, Unknown):
        return own
    return QuantityRange(own.low - before.high, own.high - before.low, "mg/d")


def _time_on(before: Sequence[_Dose], begins: date) -> QuantityRange | Unknown:
    """Count the days on the dose before, over all consecutive orders of that same dose."""
    *older, newest = before
    since = newest.since
    for dose in reversed(older):
        if dose.since is None or _same(dose.daily, newest.daily) is not True:
            break
        since = dose.since
    return exactly((begins - since).days, "d") if since else Unknown("no-start")
