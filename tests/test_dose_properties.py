"""What holds for every order: units and order of lines do not matter, missing data is never guessed, nothing raises."""

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.facts.dose import dose_facts
from cds_service.facts.dose_codes import timing_of_code
from cds_service.facts.dose_reasons import REASONS
from cds_service.facts.registry import FACTS, Value
from cds_service.facts.steps import daily_dose
from cds_service.facts.timing import schedule_of
from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.elements import Bounds, Concept, Dosage, Dose, Medication, Ratio, Timing
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity, QuantityRange
from cds_service.unknown import Unknown

TODAY = date(2026, 11, 22)
TYPES = {"truth": bool, "quantity": QuantityRange, "words": frozenset}
MODEST = settings(max_examples=60, deadline=None)


def drug(strength: Quantity | Unknown, *, is_depot: bool = False) -> DrugMatch:
    classes = frozenset({"depot"} if is_depot else {"antagonist"})
    return DrugMatch(classes, "drug", "Drug", "code", strength, Unknown("no-interval"))


def order(*lines: Dosage, of: DrugMatch | None = None) -> MedicationRecord:
    found = of or drug(Quantity(Decimal(50), "mg/{piece}"))
    return MedicationRecord("MedicationRequest", "1", "draft", Medication(Concept()), found, dosages=lines)


def values(record: MedicationRecord) -> dict[str, Value]:
    return {name: fact.value for name, fact in dose_facts(record, TODAY).items()}


def amount(value: Decimal, unit: str) -> QuantityRange:
    return QuantityRange(value, value, unit)


milligrams = st.integers(1, 4000).map(lambda quarters: Decimal(quarters) / 4)
periods = st.builds(
    Timing,
    frequency=st.integers(1, 4),
    period=st.sampled_from([Decimal(1), Decimal(2), Decimal(12), Decimal("0.5")]),
    period_unit=st.sampled_from(["h", "d", "wk", "mo"]),
)
moments = st.sampled_from([Timing(when=("HS",)), Timing(when=("MORN", "EVE")), Timing(time_of_day=("08:00:00",)), Timing(code="BID")])
weekdays = st.sampled_from([Timing(day_of_week=("mon", "wed", "fri")), Timing(day_of_week=("sat",))])
timings = st.one_of(periods, moments, weekdays)
units = st.sampled_from(["mg", "ug", "g", "mL", "{tbl}", "1", "", "puff"])
amounts = st.builds(
    QuantityRange,
    st.sampled_from([Decimal(n) for n in ("1.5", "1", "0", "-1", "1E+40")]),
    st.sampled_from([Decimal(n) for n in ("1.5", "3", "50")]),
    units,
)
doses = st.lists(st.builds(Dose, st.sampled_from(["ordered", "calculated", "", "admin-amount"]), amounts), max_size=3).map(tuple)
days = st.integers(0, 30).map(lambda n: TODAY + timedelta(days=n))
bounds = st.one_of(st.none(), st.builds(Bounds, st.one_of(st.none(), days), st.one_of(st.none(), days), st.none()))
any_timing = st.builds(
    Timing,
    frequency=st.one_of(st.none(), st.integers(-1, 4)),
    frequency_max=st.one_of(st.none(), st.integers(0, 5)),
    period=st.one_of(st.none(), st.sampled_from([Decimal(0), Decimal(1), Decimal(2), Decimal("1E-400")])),
    period_max=st.one_of(st.none(), st.just(Decimal(3))),
    period_unit=st.sampled_from(["", "h", "d", "wk", "mo", "mg"]),
    when=st.lists(st.sampled_from(["HS", "MORN", "AC", "SOON"]), max_size=2).map(tuple),
    time_of_day=st.lists(st.sampled_from(["08:00", "21:00:00", "x"]), max_size=2).map(tuple),
    day_of_week=st.lists(st.sampled_from(["mon", "tue", "x"]), max_size=2).map(tuple),
    bounds=bounds,
    count=st.one_of(st.none(), st.integers(-1, 3)),
    code=st.sampled_from(["", "BID", "QHS", "AM", "Q4-6H", "ONCE", "PRN", "whenever"]),
)
lines = st.builds(
    Dosage,
    sequence=st.one_of(st.none(), st.integers(1, 3)),
    text=st.sampled_from(["", "as told"]),
    timing=st.one_of(st.none(), timings, any_timing),
    is_as_needed=st.booleans(),
    doses=doses,
    max_dose_per_period=st.one_of(st.none(), st.just(Ratio(Quantity(Decimal(9), "mg"), Quantity(Decimal(1), "d")))),
    dropped=st.sampled_from([(), (), (), ("timing",), ("doseQuantity",), ("sequence",), ("route",), ("asNeededBoolean",)]),
)
drugs = st.sampled_from(
    [
        drug(Quantity(Decimal(50), "mg/{piece}")),
        drug(Quantity(Decimal(1), "mg/mL")),
        drug(Unknown("no-strength")),
        drug(Quantity(Decimal(380), "mg/{piece}"), is_depot=True),
    ],
)
orders = st.builds(lambda found, of: order(*found, of=of), st.lists(lines, max_size=4), drugs)


@given(milligrams, timings)
@MODEST
def test_the_same_dose_in_any_unit_is_the_same_daily_dose(mg: Decimal, timing: Timing) -> None:
    by_piece, by_volume = (drug(Quantity(Decimal(4), unit)) for unit in ("mg/{piece}", "mg/mL"))
    ways = [(mg, "mg", by_piece), (mg * 1000, "ug", by_piece), (mg * 1000, "mcg", by_piece), (mg / 1000, "g", by_piece)]
    ways += [(mg / 4, unit, by_piece) for unit in ("{tbl}", "TAB", "{capsule}", "1")] + [
        (mg / 4, "mL", by_volume),
        (mg / 4000, "L", by_volume),
    ]
    found = {
        daily_dose(order(Dosage(timing=timing, doses=(Dose("", amount(value, unit)),)), of=of), TODAY).value for value, unit, of in ways
    }
    assert len(found) == 1
    assert not isinstance(found.pop(), Unknown)


@given(orders, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_the_order_of_lines_and_of_entries_never_matters(record: MedicationRecord, random: Random) -> None:
    shuffled = [replace(line, doses=tuple(random.sample(line.doses, len(line.doses)))) for line in record.dosages]
    random.shuffle(shuffled)
    assert values(replace(record, dosages=tuple(shuffled))) == values(record)


@given(orders)
@settings(max_examples=200, deadline=None)
def test_every_fact_has_its_registered_type_or_a_listed_reason_and_rests_on_the_order(record: MedicationRecord) -> None:
    for name, fact in dose_facts(record, TODAY).items():
        if isinstance(fact.value, Unknown):
            assert (fact.value.reason in REASONS, fact.value.missing) == (True, "")
        else:
            assert isinstance(fact.value, TYPES[FACTS[name].type])
        assert all(place.startswith("draft") for place in fact.rests_on)
        assert fact.rests_on


@given(orders)
@settings(max_examples=200, deadline=None)
def test_ranges_are_in_order_and_in_the_unit_of_the_registry(record: MedicationRecord) -> None:
    quantities = {name: value for name, value in values(record).items() if isinstance(value, QuantityRange)}
    assert all(value.low <= value.high and value.unit == FACTS[name].unit for name, value in quantities.items())


@given(milligrams, timings)
@MODEST
def test_a_dose_that_lost_an_element_is_the_same_or_unknown(mg: Decimal, timing: Timing) -> None:
    whole = Dosage(timing=timing, doses=(Dose("ordered", amount(mg, "mg")), Dose("calculated", amount(mg / 50, "{tbl}"))))
    known = daily_dose(order(whole), TODAY).value
    blank = Timing()
    optional = {"frequency", "day_of_week", "time_of_day", "when"}
    """Without these FHIR gives what is left a meaning of its own (once in the period, daily): another order, not a guess."""
    damaged = [replace(timing, **{field.name: getattr(blank, field.name)}) for field in fields(Timing) if field.name not in optional]
    ways = [replace(whole, timing=lost) for lost in damaged] + [
        replace(whole, doses=whole.doses[:1]),
        replace(whole, doses=whole.doses[1:]),
    ]
    ways += [
        replace(whole, timing=None),
        replace(whole, doses=()),
        *(replace(whole, dropped=(name,)) for name in ("timing", "doseAndRate")),
    ]
    for way in ways:
        found = daily_dose(order(way), TODAY).value
        assert isinstance(found, Unknown) or found == known


@given(milligrams, timings, milligrams, timings)
@MODEST
def test_concurrent_lines_add_up(first: Decimal, one: Timing, second: Decimal, other: Timing) -> None:
    alone = [Dosage(timing=timing, doses=(Dose("", amount(mg, "mg")),)) for mg, timing in ((first, one), (second, other))]
    apart = [daily_dose(order(line), TODAY).value for line in alone]
    together = daily_dose(order(*alone), TODAY).value
    lows = [value.low for value in (*apart, together) if isinstance(value, QuantityRange)]
    highs = [value.high for value in (*apart, together) if isinstance(value, QuantityRange)]
    assert len(highs) == 3
    assert abs(highs[2] - (lows[0] + lows[1])) < Decimal("1E-20")


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_as_a_timing_code_is_read_or_unreadable(text: str) -> None:
    read = timing_of_code(text)
    assert read == Unknown("unreadable-timing") if isinstance(read, Unknown) else isinstance(read, Timing)


@given(any_timing, st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_rate_is_above_0_and_in_order(timing: Timing, is_as_needed: bool) -> None:  # noqa: FBT001
    rate = schedule_of(Dosage(timing=timing, is_as_needed=is_as_needed)).rate
    assert isinstance(rate, Unknown) or 0 < rate.low <= rate.high
