"""Floor 3: how many milligrams one dosage instruction gives at a time, from every entry that states it.

Several doseAndRate entries of one instruction state one dose in several ways (as ordered, as counted units, as calculated):
they are compared, never added.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Final

from cds_service.facts.dose_arithmetic import Span, exact, is_number, one
from cds_service.facts.dose_reasons import told, unknowns_in
from cds_service.facts.timing import days_in, is_dropped
from cds_service.fhir.elements import Dosage, Dose, Ratio
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import LARGEST, UNITS, Quantity, QuantityRange, in_unit, unit_named
from cds_service.unknown import Unknown

UNREADABLE: Final = Unknown("unreadable-dose")
CONTRADICTORY: Final = Unknown("contradictory-dose")
NO_STRENGTH: Final = Unknown("no-strength")
NO_CONCENTRATION: Final = Unknown("no-concentration")
_ROUNDING: Final = Fraction(1, 20)
"""Two statements of one dose may differ by a twentieth: a dose by weight rounded to what can be measured."""
_TOO_MANY_AT_ONCE: Final = 10
"""Ten units or more for one dose: nobody writes that; dose or product is wrong, often by the decimal point."""
_HALF: Final = Fraction(1, 2)
_UNDIVIDED: Final = ("capsule", "kit", "patch", "suppository")


@dataclass(frozen=True, slots=True)
class Strength:
    """What the product holds: mg in one counted unit, mg in one mL; whether a unit can be halved."""

    in_piece: Fraction | Unknown
    in_ml: Fraction | Unknown
    smallest: Fraction = _HALF


@dataclass(frozen=True, slots=True)
class Amount:
    """What one instruction gives at one time: `mg`, the dimensions it is stated in, and what the statements show.

    `contradicts`: the statements differ by more than rounding, or the dose would take ten or more units of the product.
    `fits`: the dose can be measured out with whole or half units (whole ones of a capsule, any volume of a liquid).
    """

    mg: Span | Unknown
    stated_in: frozenset[str] = frozenset()
    contradicts: bool = False
    fits: bool | Unknown = NO_STRENGTH


def strength_of(drug: DrugMatch | Unknown) -> Strength:
    """Read the strength of a product, for turning counts and volumes into milligrams."""
    if isinstance(drug, Unknown) or isinstance(drug.strength, Unknown):
        return Strength(NO_STRENGTH, NO_CONCENTRATION)
    in_piece, in_ml = (_strength_in(drug.strength, unit) for unit in ("mg/{piece}", "mg/mL"))
    is_undivided = any(word in drug.form.lower() for word in _UNDIVIDED)
    return Strength(
        NO_STRENGTH if in_piece is None else in_piece,
        NO_CONCENTRATION if in_ml is None else in_ml,
        Fraction(1) if is_undivided else _HALF,
    )


def amount_of(dosage: Dosage, strength: Strength) -> Amount:
    """Read what one dosage instruction gives at one time, for the daily dose and the checks of the product."""
    if is_dropped(dosage, "dose"):
        return Amount(UNREADABLE, fits=UNREADABLE)
    if not dosage.doses:
        why = Unknown("text-only" if dosage.text or dosage.patient_instruction else "no-dose")
        return Amount(why, fits=why)
    return Amount(
        mg=_chosen(dosage.doses, strength),
        stated_in=frozenset(_dimension(dose.amount.unit) for dose in dosage.doses),
        contradicts=_differ(dosage.doses, strength) or _takes_too_many(dosage.doses, strength),
        fits=_fits(dosage.doses, strength),
    )


def in_mg(amount: QuantityRange, strength: Strength) -> Span | Unknown:
    """Turn an amount in any unit into milligrams."""
    dimension = _dimension(amount.unit)
    if not _is_amount(amount):
        return UNREADABLE
    if dimension == "mass":
        worth: Fraction | Unknown = exact(UNITS["mg"].factor) * _factor(amount.unit)
    elif dimension in ("count", "volume"):
        worth = strength.in_piece if dimension == "count" else _per_unit(strength.in_ml, amount.unit)
    else:
        return Unknown("unreadable-unit" if amount.unit.strip() else "no-unit")
    return worth if isinstance(worth, Unknown) else _believable(_span(amount) * one(worth))


def most_a_day(limit: Ratio, strength: Strength) -> Span | Unknown:
    """Read maxDosePerPeriod as milligrams a day."""
    top = limit.numerator
    mg = in_mg(QuantityRange(top.value, top.value, top.unit), strength)
    days = days_in(limit.denominator.value, limit.denominator.unit)
    if isinstance(mg, Unknown) or isinstance(days, Unknown) or days <= 0:
        return UNREADABLE
    return mg / one(days)


def all_of(answers: Iterable[bool | Unknown]) -> bool | Unknown:
    """All hold together, where some may be unknown: one no decides, then one unknown."""
    known = tuple(answers)
    if any(answer is False for answer in known):
        return False
    unknown = unknowns_in(known)
    return told(unknown) if unknown else True


def is_about(one_way: Span, other: Span) -> bool:
    """Two statements are the same but for rounding."""
    return _is_near(one_way.low, other.low) and _is_near(one_way.high, other.high)


def _is_near(value: Fraction, other: Fraction) -> bool:
    """Two numbers differ by no more than rounding."""
    return abs(value - other) <= _ROUNDING * max(value, other)


def _strength_in(strength: Quantity, unit: str) -> Fraction | None:
    """Express a strength in a unit; `None` where it is of another kind or no strength at all."""
    if not is_number(strength.value) or strength.value <= 0:
        return None
    value = in_unit(strength, unit)
    return None if value is None else exact(value)


def _dimension(unit: str) -> str:
    """Name what a unit measures; empty where the unit is not known."""
    known = unit_named(unit)
    return known.dimension if known else ""


def _factor(unit: str) -> Fraction:
    """Worth of a unit of the table in its base unit."""
    known = unit_named(unit)
    return exact(known.factor) if known else Fraction(0)


def _per_unit(concentration: Fraction | Unknown, unit: str) -> Fraction | Unknown:
    """Milligrams in one of a volume's units."""
    return concentration if isinstance(concentration, Unknown) else concentration * _factor(unit)


def _is_amount(amount: QuantityRange) -> bool:
    """Tell whether the numbers can be a dose: above 0 (a range may begin at 0), in order, not absurd."""
    return is_number(amount.low) and is_number(amount.high) and 0 <= amount.low <= amount.high and amount.high > 0


def _believable(mg: Span) -> Span | Unknown:
    """Refuse what became absurdly large by its unit or strength."""
    return UNREADABLE if mg.high > LARGEST else mg


def _span(amount: QuantityRange) -> Span:
    """Return the numbers of an amount, exactly."""
    return Span(exact(amount.low), exact(amount.high))


def _rank(dose: Dose) -> int:
    """What the prescriber ordered comes before what is untyped, and that before what a system worked out."""
    return {"ordered": 0, "": 1}.get(dose.kind.strip().lower(), 2)


def _chosen(doses: Sequence[Dose], strength: Strength) -> Span | Unknown:
    """Take the dose from the best kind of entry that can be read in milligrams."""
    reasons: list[Unknown] = []
    for rank in sorted({_rank(dose) for dose in doses}):
        agreed = _agreed([dose for dose in doses if _rank(dose) == rank], strength)
        if not isinstance(agreed, Unknown) or agreed in (UNREADABLE, CONTRADICTORY):
            return agreed
        reasons.append(agreed)
    return reasons[0]


def _agreed(doses: Sequence[Dose], strength: Strength) -> Span | Unknown:
    """Find the one dose that the entries of one kind state; what is stated in milligrams is taken before what is worked out."""
    read = [(in_mg(dose.amount, strength), _dimension(dose.amount.unit) != "mass") for dose in doses]
    spans = sorted((is_worked_out, mg) for mg, is_worked_out in read if isinstance(mg, Span))
    unknowns = unknowns_in(mg for mg, _ in read)
    if UNREADABLE in unknowns or not spans:
        return told(unknowns)
    agree = all(is_about(first, second) for (_, first), (_, second) in combinations(spans, 2))
    return spans[0][1] if agree else CONTRADICTORY


def _differ(doses: Sequence[Dose], strength: Strength) -> bool:
    """Two entries, of whatever kind, state different doses; counts are compared as counts where no strength is known."""
    comparable = [[span for dose in doses if isinstance(span := in_mg(dose.amount, strength), Span)]]
    comparable += [
        [_span(dose.amount) * one(_factor(dose.amount.unit)) for dose in doses if _is_stated_in(dose, dimension)]
        for dimension in ("count", "volume")
    ]
    return any(not is_about(first, second) for spans in comparable for first, second in combinations(spans, 2))


def _is_stated_in(dose: Dose, dimension: str) -> bool:
    """A readable amount of a dimension."""
    return _is_amount(dose.amount) and _dimension(dose.amount.unit) == dimension


def _takes_too_many(doses: Sequence[Dose], strength: Strength) -> bool:
    """A dose stated in milligrams would take ten or more units of the product at once."""
    if isinstance(strength.in_piece, Unknown):
        return False
    stated = (in_mg(dose.amount, strength) for dose in doses if _is_stated_in(dose, "mass"))
    return any(isinstance(mg, Span) and mg.high >= strength.in_piece * _TOO_MANY_AT_ONCE for mg in stated)


def _fits(doses: Sequence[Dose], strength: Strength) -> bool | Unknown:
    """Each entry can be measured out; a dose in milligrams is measured as the volume beside it, or judged by the counts beside it."""
    volumes = [dose for dose in doses if _is_stated_in(dose, "volume")]
    answers = [_entry_fits(dose, strength) for dose in volumes or doses]
    known = [answer for answer in answers if not isinstance(answer, Unknown)]
    return all_of(known or answers)


def _entry_fits(dose: Dose, strength: Strength) -> bool | Unknown:
    """One entry can be measured out."""
    if not _is_amount(dose.amount):
        return UNREADABLE
    if _is_stated_in(dose, "volume"):
        return True
    if _is_stated_in(dose, "count"):
        return _is_whole(_span(dose.amount), strength.smallest)
    mg = in_mg(dose.amount, strength)
    if isinstance(mg, Unknown) or not isinstance(strength.in_ml, Unknown):
        return mg if isinstance(mg, Unknown) else True
    return NO_STRENGTH if isinstance(strength.in_piece, Unknown) else _is_whole(mg, strength.in_piece * strength.smallest)


def _is_whole(amount: Span, part: Fraction) -> bool:
    """Both ends are multiples of the smallest part."""
    return not amount.low % part and not amount.high % part
