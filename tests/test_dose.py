"""Dose facts of one order: each encoding that EHRs send, each contradiction, each reason for not knowing."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cds_service.facts.dose import dose_facts
from cds_service.facts.dose_reasons import REASONS, told
from cds_service.facts.registry import FACTS, Fact, Value
from cds_service.facts.steps import Step, daily_dose, steps
from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.elements import Bounds, Coding, Concept, Dosage, Dose, Medication, Ratio, Timing
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity, QuantityRange, exactly
from cds_service.unknown import Unknown

TODAY = date(2026, 11, 22)
WHERE = "draftOrders.entry[0] MedicationRequest/1"
DAILY = Timing(frequency=1, period=Decimal(1), period_unit="d")
BID = Timing(frequency=2, period=Decimal(1), period_unit="d")
HS = Timing(when=("HS",))
MORN = Timing(when=("MORN",))
EVE = Timing(when=("EVE",))


def drug(strength: str = "50 mg/{piece}", **attributes: Any) -> DrugMatch:  # noqa: ANN401 - elements of FHIR by name
    value, _, unit = strength.partition(" ")
    known = {"classes": frozenset({"antagonist"}), "ingredient": "drug", "name": "Drug", "matched_by": "code"}
    content = Quantity(Decimal(value), unit) if strength else Unknown("no-strength")
    return DrugMatch(**{**known, "strength": content, "opioid_free_days": Unknown("no-interval"), **attributes})


def dose(text: str, kind: str = "") -> Dose:
    """Read "4.5 mg", "1-2 {tbl}", "5" into a doseAndRate entry."""
    numbers, _, unit = text.partition(" ")
    low, _, high = numbers.partition("..")
    return Dose(kind, QuantityRange(Decimal(low), Decimal(high or low), unit))


def line(*doses: str | Dose, timing: Timing | None = DAILY, **elements: Any) -> Dosage:  # noqa: ANN401 - elements of FHIR by name
    return Dosage(timing=timing, doses=tuple(dose(each) if isinstance(each, str) else each for each in doses), **elements)


def order(*lines: Dosage, of: DrugMatch | Unknown | None = None, **elements: Any) -> MedicationRecord:  # noqa: ANN401 - elements of FHIR by name
    found = drug() if of is None else of
    return MedicationRecord("MedicationRequest", "1", WHERE, Medication(Concept()), found, is_draft=True, dosages=lines, **elements)


def fact(name: str, *lines: Dosage, **elements: Any) -> Value:  # noqa: ANN401 - elements of FHIR by name
    return dose_facts(order(*lines, **elements), TODAY)[f"order.{name}"].value


def per_day(low: str, high: str = "") -> QuantityRange:
    return QuantityRange(Decimal(low), Decimal(high or low), "mg/d")


def during(days: int, **timing: Any) -> Timing:  # noqa: ANN401 - elements of FHIR by name
    return Timing(**{"frequency": 1, "period": Decimal(1), "period_unit": "d", "bounds": Bounds(length=exactly(days, "d")), **timing})


def between(start: date | None, end: date | None = None, **timing: Any) -> Timing:  # noqa: ANN401 - elements of FHIR by name
    return Timing(**{"frequency": 1, "period": Decimal(1), "period_unit": "d", "bounds": Bounds(start, end), **timing})


LIQUID = drug("1 mg/mL", form="Oral Solution")
UNKNOWN_STRENGTH = drug("")


def test_the_facts_are_those_of_the_registry_and_rest_on_lines_of_the_order() -> None:
    facts = dose_facts(order(line("4.5 mg"), line("1 mg", timing=MORN)), TODAY)
    both = (f"{WHERE} dosageInstruction[0]", f"{WHERE} dosageInstruction[1]")
    product = (f"{WHERE} medication",)
    resting = {name: fact.rests_on for name, fact in facts.items()}
    assert set(facts) <= set(FACTS)
    assert resting == {name: product if name in ("order.product_strength", "order.route") else both for name in facts}
    assert {name for name in FACTS if name.removeprefix("order.") in DOSE_FACTS} == set(facts)


DOSE_FACTS = (
    "daily_dose", "highest_daily_dose", "starting_daily_dose", "single_dose", "time_between_doses", "largest_step", "shortest_step", "has_steps", "product_strength",
    "fits_product", "agrees_with_itself", "is_as_needed", "is_at_bedtime", "route",
)  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "product", "expected"),
    [
        *[(f"4.5 {unit}", drug(), per_day("4.5")) for unit in ("mg", "MG", "milligram", "milligrams")],
        *[(f"4500 {unit}", drug(), per_day("4.5")) for unit in ("ug", "mcg", "µg", "micrograms")],
        *[(f"0.05 {unit}", drug(), per_day("50")) for unit in ("g", "gram")],
        *[(f"1 {unit}", drug(), per_day("50")) for unit in ("{tbl}", "{pill}", "{tablet}", "TAB", "Tablet(s)", "CAP", "{capsule}", "1", "each", "{dose}")],
        ("1 {kit}", drug(), per_day("50")),
        ("1 {patch}", drug(), per_day("50")),
        ("0.5 {tbl}", drug(), per_day("25")),
        ("1..2 {tbl}", drug(), per_day("50", "100")),
        ("1.5..4.5 mg", drug(), per_day("1.5", "4.5")),
        ("0..4.5 mg", drug(), per_day("0", "4.5")),
        ("4.5 mL", LIQUID, per_day("4.5")),
        ("4.5 ml", LIQUID, per_day("4.5")),
        ("5 mL", drug("0.9 mg/mL"), per_day("4.5")),
        ("0.005 L", drug("0.9 mg/mL"), per_day("4.5")),
        ("3 mL", drug("0.3333333333333333333333333333 mg/mL"), per_day("1")),
        ("1 {tbl}", drug("4500 ug/{piece}"), per_day("4.5")),
        ("1 {tbl}", UNKNOWN_STRENGTH, Unknown("no-strength")),
        ("1 {tbl}", LIQUID, Unknown("no-strength")),
        ("1 {tbl}", drug("5 mg/h"), Unknown("no-strength")),
        ("1 {tbl}", drug("0 mg/{piece}"), Unknown("no-strength")),
        ("1 {tbl}", drug("1E+99 mg/{piece}"), Unknown("no-strength")),
        ("1 {tbl}", Unknown("no-code"), Unknown("no-strength")),
        ("4.5 mg", Unknown("no-code"), per_day("4.5")),
        ("4.5 mL", drug(), Unknown("no-concentration")),
        ("4.5 mL", UNKNOWN_STRENGTH, Unknown("no-concentration")),
        ("4.5", drug(), Unknown("no-unit")),
        ("4.5 puff", drug(), Unknown("unreadable-unit")),
        ("4.5 h", drug(), Unknown("unreadable-unit")),
        ("4.5 mg/kg", drug(), Unknown("unreadable-unit")),
        *[(f"{number} mg", drug(), Unknown("unreadable-dose")) for number in ("0", "-4.5", "1E+13", "1E+999999", "1E-999999", "NaN", "Infinity")],
        ("0 {tbl}", drug(), Unknown("unreadable-dose")),
        ("1000000000000 mg", drug(), per_day("1E+12")),
        ("4.5..1.5 mg", drug(), Unknown("unreadable-dose")),
        ("-1..1.5 mg", drug(), Unknown("unreadable-dose")),
        ("1000000000000 kg", drug(), Unknown("unreadable-dose")),
    ],
)  # fmt: skip
def test_a_dose_in_any_unit_is_milligrams(stated: str, product: DrugMatch | Unknown, expected: QuantityRange | Unknown) -> None:
    assert fact("daily_dose", line(stated), of=product) == expected


def entries(**stated: str) -> tuple[Dose, ...]:
    kinds = {"admin": "admin-amount", "untyped": "", "untyped_too": "", "ordered_too": "ordered"}
    return tuple(dose(text, kinds.get(kind, kind)) for kind, text in stated.items())


@pytest.mark.parametrize(
    ("stated", "daily", "agrees"),
    [
        ({"calculated": "50 mg", "admin": "1 {tbl}", "ordered": "50 mg"}, per_day("50"), True),
        ({"calculated": "4.52 mg", "ordered": "4.5 mg"}, per_day("4.5"), True),
        ({"calculated": "45 mg", "ordered": "4.5 mg"}, per_day("4.5"), False),
        ({"calculated": "4.8 mg", "ordered": "4.5 mg"}, per_day("4.5"), False),
        ({"ordered": "4.5 mg", "admin": "1 {tbl}"}, per_day("4.5"), False),
        ({"untyped": "50 mg", "untyped_too": "1 {tbl}"}, per_day("50"), True),
        ({"untyped": "0.05 g", "untyped_too": "50 mg"}, per_day("50"), True),
        ({"untyped": "45 mg", "ordered": "4.5 mg"}, per_day("4.5"), False),
        ({"untyped": "0.98 {tbl}", "untyped_too": "50 mg"}, per_day("50"), True),
        ({"untyped": "0.95 {tbl}", "untyped_too": "50 mg"}, per_day("50"), True),
        ({"untyped": "0.94 {tbl}", "untyped_too": "50 mg"}, Unknown("contradictory-dose"), False),
        ({"untyped": "50 mg", "untyped_too": "2 {tbl}"}, Unknown("contradictory-dose"), False),
        ({"untyped": "4.5 mg", "untyped_too": "45 mg"}, Unknown("contradictory-dose"), False),
        ({"ordered": "4.5 mg", "ordered_too": "45 mg"}, Unknown("contradictory-dose"), False),
        ({"calculated": "4.5 mg", "admin": "1 {tbl}"}, Unknown("contradictory-dose"), False),
        ({"calculated": "50 mg", "untyped": "1 {tbl}"}, per_day("50"), True),
        ({"calculated": "45 mg", "untyped": "50 mg"}, per_day("50"), False),
        ({"ordered": "1 puff", "calculated": "50 mg"}, per_day("50"), True),
        ({"ordered": "0 mg", "calculated": "50 mg"}, Unknown("unreadable-dose"), Unknown("unreadable-dose")),
        ({"untyped": "0 mg", "untyped_too": "50 mg"}, Unknown("unreadable-dose"), Unknown("unreadable-dose")),
        ({"ordered": "50 mg", "calculated": "0 mg"}, per_day("50"), True),
        ({"ordered": "1 puff", "calculated": "1 mL"}, Unknown("unreadable-unit"), Unknown("unreadable-unit")),
        ({"ordered": "1..2 {tbl}", "calculated": "50..100 mg"}, per_day("50", "100"), True),
        ({"ordered": "1..2 {tbl}", "calculated": "50..150 mg"}, per_day("50", "100"), False),
        ({"ordered": "1..2 {tbl}", "calculated": "25..100 mg"}, per_day("50", "100"), False),
        ({"ordered": "1.05 {tbl}", "calculated": "50 mg"}, per_day("52.5"), True),
        ({"untyped": "1.05 {tbl}", "untyped_too": "50 mg"}, per_day("50"), True),
    ],
)
def test_several_entries_state_one_dose_and_are_never_added(stated: dict[str, str], daily: object, agrees: object) -> None:
    for found in (entries(**stated), entries(**stated)[::-1]):
        assert (fact("daily_dose", line(*found)), fact("agrees_with_itself", line(*found))) == (daily, agrees)


def test_an_ordered_kind_is_known_in_any_case() -> None:
    assert fact("daily_dose", line(dose("9 mg", "calculated"), dose("4.5 mg", "Ordered "))) == per_day("4.5")


def test_counts_that_differ_contradict_without_a_strength() -> None:
    assert fact("agrees_with_itself", line(*entries(ordered="1 {tbl}", admin="10 {tbl}"), "4.5 mg"), of=UNKNOWN_STRENGTH) is False


def test_volumes_that_differ_contradict_without_a_concentration() -> None:
    assert fact("agrees_with_itself", line(*entries(ordered="1 mL", calculated="0.01 L"), "4.5 mg"), of=UNKNOWN_STRENGTH) is False
    assert fact("agrees_with_itself", line(*entries(ordered="10 mL", calculated="0.01 L"), "4.5 mg"), of=UNKNOWN_STRENGTH) is True


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("100 mg", timing=Timing(frequency=1, period=Decimal(2), period_unit="d"))], per_day("50")),
        ([line("150 mg", timing=Timing(frequency=1, period=Decimal(3), period_unit="d"))], per_day("50")),
        ([line("150 mg", timing=Timing(code="EVERY THIRD DAY"))], per_day("50")),
        ([line("1.5 mg", timing=Timing(frequency=1, period=Decimal(8), period_unit="h"))], per_day("4.5")),
        ([line("350 mg", timing=Timing(frequency=1, period=Decimal(1), period_unit="wk"))], per_day("50")),
        ([line("4.5 mg", timing=BID)], per_day("9")),
        ([line("4.5 mg", timing=Timing(frequency=1, frequency_max=2, period=Decimal(1), period_unit="d"))], per_day("4.5", "9")),
        ([line("100 mg", timing=Timing(day_of_week=("mon", "wed"))), line("150 mg", timing=Timing(day_of_week=("fri",)))], per_day("50")),
        (
            [
                line("50 mg", timing=Timing(frequency=1, period=Decimal(1), period_unit="d", day_of_week=("mon", "tue", "wed", "thu", "fri"))),
                line("100 mg", timing=Timing(frequency=1, period=Decimal(1), period_unit="d", day_of_week=("sat",))),
            ],
            per_day("50"),
        ),
        ([line("100 mg", timing=Timing(day_of_week=(day,)), sequence=i) for i, day in enumerate(("mon", "wed"))], per_day("28.57142857142857142857142857")),
        ([line("1.5 mg", timing=MORN), line("3 mg", timing=EVE)], per_day("4.5")),
        ([line("1.5 mg", timing=MORN, sequence=1), line("3 mg", timing=EVE, sequence=1)], per_day("4.5")),
        ([line("1.5 mg", timing=MORN, sequence=1), line("3 mg", timing=EVE)], per_day("4.5")),
        ([line("1.5 mg", timing=MORN), line("1.5 mg", timing=EVE)], per_day("3")),
        ([line("1.5 mg"), line("3 mg")], per_day("4.5")),
        ([line("50 mg"), line("1 {tbl}")], per_day("50")),
        ([line("1 {tbl}"), line("1 {tbl}")], per_day("50", "100")),
        ([line("50 mg"), line("1 {tbl}"), line("0.05 g")], per_day("50", "100")),
        ([line("50 mg", is_as_needed=True), line("1 {tbl}")], per_day("100")),
        ([line("50 mg", timing=HS), line("1 {tbl}", timing=MORN)], per_day("100")),
        ([line("50 mg", route=Concept(text="oral")), line("1 {tbl}", route=Concept(text="topical"))], per_day("100")),
        ([line("4.5 mg"), line(timing=None, text="take with food")], per_day("4.5")),
        ([line("4.5 mg", sequence=1), line(timing=None, text="take with food", sequence=1)], per_day("4.5")),
        ([line("4.5 mg", sequence=1), line(timing=None, text="take with food")], per_day("4.5")),
        ([line("4.5 mg"), line(timing=HS, text="4.5 mg more")], Unknown("text-only")),
        ([line("4.5 mg"), line("1.5 mg", timing=None)], Unknown("no-timing")),
        ([line("4.5 mg", text="nightly", timing=None)], Unknown("timing-in-text")),
        ([line("4.5 mg", is_as_needed=True, timing=None)], Unknown("as-needed-without-limit")),
        ([line("4.5 mg", is_as_needed=True)], per_day("4.5")),
        ([line(text="4.5 mg nightly", timing=None)], Unknown("text-only")),
        ([line(patient_instruction="4.5 mg nightly")], Unknown("text-only")),
        ([line()], Unknown("no-dose")),
        ([line("4.5 mg", timing=Timing(frequency=1))], Unknown("unreadable-timing")),
        ([line("4.5 mg", timing=Timing(frequency=1, period=Decimal(1), period_unit="d", code="BID"))], Unknown("contradictory-timing")),
        ([line("25 mg", timing=Timing(count=1))], per_day("25")),
        ([line("1000000000000 mg", timing=BID)], Unknown("unreadable-dose")),
        ([line("500000000000 mg", timing=HS), line("500000000000 mg", timing=MORN)], per_day("1E+12")),
        ([line("500000000000 mg", timing=BID)], per_day("1E+12")),
        ([line("600000000000 mg", timing=HS), line("600000000000 mg", timing=MORN)], Unknown("unreadable-dose")),
        ([], Unknown("no-dosage")),
    ],
)  # fmt: skip
def test_the_daily_dose_is_averaged_and_concurrent_lines_add_up(lines: list[Dosage], expected: object) -> None:
    assert fact("daily_dose", *lines) == expected
    assert fact("daily_dose", *lines[::-1]) == expected
    assert fact("has_steps", *lines) is not True


@pytest.mark.parametrize(
    ("dropped", "expected"),
    [
        (("timing",), "unreadable-timing"),
        (("timing.repeat.when",), "unreadable-timing"),
        (("doseQuantity",), "unreadable-dose"),
        (("doseAndRate[1]",), "unreadable-dose"),
        (("doseAndRate[0].doseRange",), "unreadable-dose"),
        (("timing", "doseQuantity"), "unreadable-dose"),
    ],
)
def test_what_salvaging_dropped_is_not_guessed_from_the_rest(dropped: tuple[str, ...], expected: str) -> None:
    damaged = line("4.5 mg", dropped=dropped, max_dose_per_period=Ratio(Quantity(Decimal(9), "mg"), Quantity(Decimal(1), "d")))
    assert fact("daily_dose", damaged) == Unknown(expected)
    assert fact("daily_dose", line("4.5 mg"), damaged) == Unknown(expected)
    assert fact("agrees_with_itself", damaged) == Unknown(expected)


def test_a_line_of_which_only_words_are_left_still_counts_when_its_dose_was_dropped() -> None:
    for name in ("doseQuantity", "timing", "maxDosePerPeriod"):
        assert isinstance(fact("daily_dose", line("4.5 mg"), Dosage(text="x", dropped=(name,))), Unknown)


def test_a_dropped_instruction_makes_every_number_of_the_order_unknown() -> None:
    facts = dose_facts(order(line("4.5 mg", timing=HS), dropped=("status", "dosageInstruction[1]")), TODAY)
    values = {name.removeprefix("order."): found.value for name, found in facts.items()}
    gone = Unknown("unreadable-dosage")
    of_lines = set(DOSE_FACTS) - {"product_strength", "route"}
    assert {name: values[name] for name in of_lines} == dict.fromkeys(of_lines, gone)


def test_a_line_that_was_no_instruction_at_all_makes_the_order_unknown() -> None:
    for name in ("dosageInstruction", "dosage"):
        assert fact("daily_dose", line("4.5 mg"), Dosage(dropped=(name,))) == Unknown("unreadable-dosage")


def test_a_dropped_part_of_an_instruction_is_no_dropped_instruction() -> None:
    assert fact("daily_dose", line("4.5 mg"), dropped=("dosageInstruction[0].site", "status")) == per_day("4.5")


def test_an_order_of_another_version_says_that_it_could_not_be_read() -> None:
    assert fact("daily_dose", is_readable=False) == Unknown("unreadable-order")
    assert fact("daily_dose", line("4.5 mg"), is_readable=False) == per_day("4.5")
    assert fact("has_steps", is_readable=False) == Unknown("unreadable-order")


def most(value: str, unit: str = "mg", period: str = "1", period_unit: str = "d") -> Ratio:
    return Ratio(Quantity(Decimal(value), unit), Quantity(Decimal(period), period_unit))


@pytest.mark.parametrize(
    ("dosage", "daily", "agrees"),
    [
        (line(timing=None, max_dose_per_period=most("4.5")), per_day("4.5"), Unknown("no-dose")),
        (line(timing=None, text="as told", max_dose_per_period=most("4.5")), per_day("4.5"), Unknown("text-only")),
        (line(timing=None, max_dose_per_period=most("63", period="2", period_unit="wk")), per_day("4.5"), Unknown("no-dose")),
        (line(timing=None, max_dose_per_period=most("1", "{tbl}", "24", "h")), per_day("50"), Unknown("no-dose")),
        (
            line("1.5 mg", timing=None, is_as_needed=True, max_dose_per_period=most("4.5")),
            per_day("4.5"),
            Unknown("as-needed-without-limit"),
        ),
        (line("1.5 mg", timing=None, max_dose_per_period=most("4.5")), per_day("4.5"), Unknown("no-timing")),
        (line("1 mL", max_dose_per_period=most("4.5")), Unknown("no-concentration"), Unknown("no-concentration")),
        (
            line("4.5 mg", timing=Timing(frequency=1), max_dose_per_period=most("9")),
            Unknown("unreadable-timing"),
            Unknown("unreadable-timing"),
        ),
        (line("4.5 mg", max_dose_per_period=most("9")), per_day("4.5"), True),
        (line("4.5 mg", max_dose_per_period=most("4.5")), per_day("4.5"), True),
        (line("45 mg", max_dose_per_period=most("4.5")), Unknown("contradictory-dose"), False),
        (line("1.5..6 mg", max_dose_per_period=most("4.5")), per_day("1.5", "4.5"), True),
        (line("1.5 mg", timing=Timing(code="Q4H"), is_as_needed=True, max_dose_per_period=most("4.5")), per_day("4.5"), True),
        (line("4.5 mg", max_dose_per_period=most("9", "puff")), per_day("4.5"), True),
        (line("4.5 mg", max_dose_per_period=most("1", period="0")), per_day("4.5"), True),
        (line("4.5 mg", max_dose_per_period=most("1", period_unit="mL")), per_day("4.5"), True),
        (line(timing=None, max_dose_per_period=most("9", "puff")), Unknown("no-dose"), Unknown("no-dose")),
        (line(timing=None, max_dose_per_period=most("9", period="-1")), Unknown("no-dose"), Unknown("no-dose")),
    ],
)
def test_a_maximum_stands_for_a_missing_dose_caps_one_as_needed_and_may_contradict(dosage: Dosage, daily: object, agrees: object) -> None:
    assert (fact("daily_dose", dosage), fact("agrees_with_itself", dosage)) == (daily, agrees)


def test_a_maximum_in_tablets_of_unknown_strength_leaves_a_capsule_unknown() -> None:
    assert fact("daily_dose", line("1 {tbl}", max_dose_per_period=most("2", "{tbl}")), of=UNKNOWN_STRENGTH) == Unknown("no-strength")
    assert fact("daily_dose", line("1 {tbl}", max_dose_per_period=most("4.5")), of=UNKNOWN_STRENGTH) == per_day("4.5")


TITRATION = (
    line("1.5 mg", timing=during(14), sequence=1),
    line("3 mg", timing=during(7), sequence=2),
    line("4.5 mg", sequence=3),
)


@pytest.mark.parametrize("lines", [TITRATION, TITRATION[::-1]])
def test_different_sequences_are_consecutive_steps(lines: tuple[Dosage, ...]) -> None:
    facts = {name.removeprefix("order."): found.value for name, found in dose_facts(order(*lines), TODAY).items()}
    assert {
        name: facts[name] for name in ("has_steps", "starting_daily_dose", "daily_dose", "largest_step", "shortest_step", "single_dose")
    } == {
        "has_steps": True,
        "starting_daily_dose": per_day("1.5"),
        "daily_dose": per_day("4.5"),
        "largest_step": per_day("1.5"),
        "shortest_step": exactly(7, "d"),
        "single_dose": exactly("4.5", "mg"),
    }


def test_each_step_says_its_dose_length_start_and_lines() -> None:
    found = steps(order(*TITRATION), TODAY)
    places = [f"{WHERE} dosageInstruction[{index}]" for index in range(3)]
    assert found == (
        Step(per_day("1.5"), exactly("1.5", "mg"), exactly(14, "d"), None, (places[0],)),
        Step(per_day("3"), exactly(3, "mg"), exactly(7, "d"), None, (places[1],)),
        Step(per_day("4.5"), exactly("4.5", "mg"), Unknown("no-length"), None, (places[2],)),
    )
    assert daily_dose(order(*TITRATION), TODAY) == Fact(per_day("4.5"), (places[2],))
    facts = dose_facts(order(*TITRATION), TODAY)
    assert [facts[f"order.{name}"].rests_on for name in ("starting_daily_dose", "daily_dose", "has_steps")] == [
        (places[0],),
        (places[2],),
        tuple(places),
    ]


def test_statements_name_their_lines_as_fhir_does() -> None:
    for kind, element in (
        ("MedicationStatement", "dosage"),
        ("MedicationAdministration", "dosage"),
        ("MedicationDispense", "dosageInstruction"),
    ):
        record = MedicationRecord(kind, "1", "x", Medication(Concept()), drug(), dosages=(line("1 mg"),))
        assert daily_dose(record, TODAY).rests_on == (f"x {element}[0]",)


def day(number: int) -> date:
    return date(2026, 12, number)


STEP_CASES: list[tuple[list[Dosage], Any, Any, Any, Any]] = [
    # lines, has_steps, starting dose, daily dose, shortest step
    ([line("1.5 mg")], False, per_day("1.5"), per_day("1.5"), Unknown("no-steps")),
    ([line("1.5 mg", sequence=7)], False, per_day("1.5"), per_day("1.5"), Unknown("no-steps")),
    (
        [line("1.5 mg", timing=between(day(1), day(7))), line("3 mg", timing=between(day(8)))],
        True, per_day("1.5"), per_day("3"), exactly(7, "d"),
    ),
    (
        [line("1.5 mg", timing=between(day(1), day(8))), line("3 mg", timing=between(day(8), day(20)))],
        True, per_day("1.5"), per_day("3"), exactly(7, "d"),
    ),
    (
        [line("1.5 mg", timing=between(day(1), day(9))), line("3 mg", timing=between(day(8), day(20)))],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", timing=between(day(1))), line("3 mg", timing=between(day(8)))],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", timing=between(day(1), day(7))), line("3 mg", timing=between(None, day(20)))],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", timing=between(day(1), day(7))), line("3 mg", timing=between(day(1), day(9)))],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [
            line("1.5 mg", timing=between(day(1), day(7))), line("3 mg", timing=between(day(8), day(20))),
            line("1 mg", timing=between(day(8), day(22))),
        ],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [
            line("1.5 mg", timing=between(day(1), day(7), when=("MORN",))), line("1.5 mg", timing=between(day(1), day(7), when=("HS",))),
            line("4.5 mg", timing=between(day(8), day(20))),
        ],
        True, per_day("3"), per_day("4.5"), exactly(7, "d"),
    ),
    (
        [line("1.5 mg", timing=between(day(1))), line("3 mg", timing=between(day(1), when=("HS",)))],
        False, per_day("4.5"), per_day("4.5"), Unknown("no-steps"),
    ),
    (
        [line("1.5 mg", timing=during(7)), line("3 mg")],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("25 mg", timing=Timing(count=1)), line("50 mg")],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("25 mg", timing=Timing(count=1), sequence=1), line("50 mg", sequence=2)],
        True, per_day("25"), per_day("50"), exactly(1, "d"),
    ),
    (
        [line("1.5 mg", sequence=1), line("3 mg", sequence=2)],
        True, per_day("1.5"), per_day("3"), Unknown("no-length"),
    ),
    (
        [line("1.5 mg", timing=MORN, sequence=1), line("3 mg", timing=EVE, sequence=2)],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", timing=HS, sequence=1), line("3 mg", timing=HS, sequence=2)],
        True, per_day("1.5"), per_day("3"), Unknown("no-length"),
    ),
    (
        [line("1.5 mg", timing=during(7, when=("MORN",)), sequence=1), line("3 mg", timing=HS, sequence=2)],
        True, per_day("1.5"), per_day("3"), exactly(7, "d"),
    ),
    (
        [line("1.5 mg", sequence=1), line("3 mg", sequence=2), line("1 mg")],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", sequence=1), line("3 mg", sequence=2), Dosage(text="take with food")],
        True, per_day("1.5"), per_day("3"), Unknown("no-length"),
    ),
    (
        [line("1.5 mg", timing=during(7), sequence=1), Dosage(text="then 3 mg", sequence=2)],
        True, per_day("1.5"), Unknown("text-only"), exactly(7, "d"),
    ),
    (
        [Dosage(text="1.5 mg", sequence=1), Dosage(text="then 3 mg", sequence=2)],
        True, Unknown("text-only"), Unknown("text-only"), Unknown("no-length"),
    ),
    ([Dosage(text="1.5 mg"), Dosage(text="then 3 mg")], Unknown("text-only"), Unknown("text-only"), Unknown("text-only"), Unknown("text-only")),
    (
        [line("1.5 mg", timing=between(day(8), day(14)), sequence=1), line("3 mg", timing=between(day(1), day(7)), sequence=2)],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", timing=between(day(1)), sequence=1), line("3 mg", timing=between(day(8)), sequence=2)],
        True, per_day("1.5"), per_day("3"), exactly(7, "d"),
    ),
    (
        [line("1.5 mg", timing=between(day(1)), sequence=1), line("3 mg", timing=between(day(1)), sequence=2)],
        True, per_day("1.5"), per_day("3"), Unknown("no-length"),
    ),
    (
        [line("1.5 mg", timing=between(day(1)), sequence=1), line("3 mg", timing=between(day(1), day(5)), sequence=2)],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", timing=between(day(1), day(5)), sequence=1), line("3 mg", timing=between(day(1), day(5)), sequence=2)],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", timing=between(None, day(9)), sequence=1), line("3 mg", timing=between(day(8)), sequence=2)],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", sequence=1, dropped=("sequence",)), line("3 mg", sequence=2)],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [
            line("1.5 mg", timing=between(day(1), day(7))), line("3 mg", timing=between(day(8), day(14))),
            line("4.5 mg", timing=between(None, day(20))),
        ],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [
            line("1.5 mg", timing=between(day(1), day(7))), line("3 mg", timing=between(day(8))),
            line("4.5 mg", timing=between(day(15))),
        ],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [
            line("1.5 mg", timing=MORN, sequence=1), line("3 mg", timing=during(7, when=("NOON",)), sequence=2),
            line("4.5 mg", timing=HS, sequence=3),
        ],
        True, per_day("1.5"), per_day("4.5"), Unknown("no-length"),
    ),
    (
        [line("1.5 mg", timing=between(day(1), day(1)), sequence=1), line("3 mg", timing=between(day(1)), sequence=2)],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [line("1.5 mg", timing=between(None, day(8)), sequence=1), line("3 mg", timing=between(day(8)), sequence=2)],
        True, per_day("1.5"), per_day("3"), exactly(16, "d"),
    ),
    ([line("1.5 mg", dropped=("sequence",))], False, per_day("1.5"), per_day("1.5"), Unknown("no-steps")),
    (
        [line("1.5 mg", timing=during(7), sequence=1), line("1 mg", sequence=1), line("3 mg", sequence=2)],
        Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"), Unknown("unclear-sequence"),
    ),
    (
        [
            line("100 mg", timing=Timing(day_of_week=("mon",)), sequence=1),
            line("50 mg", timing=Timing(day_of_week=("mon", "tue")), sequence=2),
        ],
        True, per_day("14.28571428571428571428571429"), per_day("14.28571428571428571428571429"), Unknown("no-increase"),
    ),
    (
        [
            line("70 mg", timing=Timing(day_of_week=("mon",), bounds=Bounds(length=exactly(7, "d"))), sequence=1),
            line("140 mg", timing=Timing(day_of_week=("tue",)), sequence=2),
        ],
        True, per_day("10"), per_day("20"), exactly(7, "d"),
    ),
    (
        [line("4.5 mg", timing=during(7), sequence=1), line("1.5 mg", sequence=2)],
        True, per_day("4.5"), per_day("1.5"), Unknown("no-increase"),
    ),
    (
        [line("1.5 mg", timing=during(14, count=3), sequence=1), line("3 mg", sequence=2)],
        True, per_day("1.5"), per_day("3"), exactly(14, "d"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "has_steps", "first", "last", "shortest"), STEP_CASES)
def test_lines_are_parted_into_steps_or_the_order_is_unclear(
    lines: list[Dosage], has_steps: object, first: object, last: object, shortest: object
) -> None:
    for given in (lines, lines[::-1]):
        found = dose_facts(order(*given), TODAY)
        names = ("has_steps", "starting_daily_dose", "daily_dose", "shortest_step")
        assert [found[f"order.{name}"].value for name in names] == [has_steps, first, last, shortest]


def test_the_largest_step_is_of_the_whole_range_and_not_above_0_for_a_taper() -> None:
    taper = (line("4.5 mg", sequence=1), line("3 mg", sequence=2))
    ranged = (line("1..2 mg", sequence=1), line("3..4 mg", sequence=2), line("4 mg", sequence=3))
    unread = (line("1 mg", sequence=1), line("3 puff", sequence=2))
    assert fact("largest_step", *taper) == per_day("-1.5")
    assert fact("largest_step", *ranged) == per_day("1", "3")
    assert fact("largest_step", *unread) == Unknown("unreadable-unit")
    assert fact("largest_step", line("1 mg")) == Unknown("no-steps")
    assert fact("largest_step", Dosage(text="1 mg")) == Unknown("text-only")


def test_a_step_that_may_or_may_not_rise_counts_for_the_shortest() -> None:
    lines = (line("1..3 mg", timing=during(7), sequence=1), line("2 mg", timing=during(5), sequence=2), line("2 mg", sequence=3))
    assert fact("shortest_step", *lines) == exactly(7, "d")


def test_ranges_of_step_lengths_keep_both_ends() -> None:
    loose = Timing(frequency=1, period=Decimal(1), period_unit="d", bounds=Bounds(length=QuantityRange(Decimal(1), Decimal(2), "wk")))
    lines = (line("1 mg", timing=loose, sequence=1), line("2 mg", timing=during(10), sequence=2), line("3 mg", sequence=3))
    assert fact("shortest_step", *lines) == QuantityRange(Decimal(7), Decimal(10), "d")


@pytest.mark.parametrize(
    ("first", "second", "authored", "expected"),
    [
        (between(None, day(7)), DAILY, day(1), exactly(7, "d")),
        (between(None, day(1)), DAILY, day(1), exactly(1, "d")),
        (between(None, day(7)), DAILY, None, exactly(16, "d")),
        (between(None, day(7)), between(day(8)), day(1), exactly(7, "d")),
        (DAILY, between(day(8)), day(1), exactly(7, "d")),
        (DAILY, between(day(8)), day(8), Unknown("no-length")),
        (between(None, day(7)), DAILY, day(9), Unknown("no-length")),
        (between(day(1), day(7)), DAILY, day(3), exactly(7, "d")),
    ],
)
def test_the_first_step_begins_when_the_order_was_written(first: Timing, second: Timing, authored: date | None, expected: object) -> None:
    lines = (line("1.5 mg", timing=first, sequence=1), line("3 mg", timing=second, sequence=2))
    assert steps(order(*lines, authored_on=authored), TODAY)[0].length == expected


def test_a_later_step_with_an_end_alone_has_no_length() -> None:
    lines = (line("1 mg", timing=during(7), sequence=1), line("2 mg", timing=between(None, day(20)), sequence=2), line("3 mg", sequence=3))
    assert [step.length for step in steps(order(*lines), TODAY)] == [exactly(7, "d"), Unknown("no-length"), Unknown("no-length")]


def test_lines_of_one_step_that_count_to_different_lengths_have_none() -> None:
    lines = (
        line("1 mg", timing=Timing(when=("HS",), count=14), sequence=1),
        line("1 mg", timing=Timing(when=("MORN", "NOON"), count=14), sequence=1),
    )
    assert [steps(order(*each), TODAY)[0].length for each in (lines, lines[::-1])] == [Unknown("no-length")] * 2


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("1.5 mg", timing=MORN), line("3 mg", timing=EVE)], exactly(3, "mg")),
        ([line("1.5 mg", timing=HS), line("3 mg", timing=HS)], exactly("4.5", "mg")),
        ([line("1.5 mg"), line("3 mg")], exactly(3, "mg")),
        ([line("100 mg", timing=Timing(when=("HS",), day_of_week=("mon",))), line("150 mg", timing=Timing(when=("HS",), day_of_week=("tue",)))], exactly(150, "mg")),
        ([line("1..2 {tbl}")], QuantityRange(Decimal(50), Decimal(100), "mg")),
        ([line("1 {tbl}"), line("1 {tbl}")], QuantityRange(Decimal(50), Decimal(100), "mg")),
        ([line("1..3 mg"), line("2 mg")], QuantityRange(Decimal(2), Decimal(3), "mg")),
        ([line("4.5 mg", timing=None)], exactly("4.5", "mg")),
        ([line("3 mg", sequence=1), line("1.5 mg", sequence=2)], exactly(3, "mg")),
        ([line("3 mg", sequence=1), line("1 puff", sequence=2)], Unknown("unreadable-unit")),
        ([line("3 mg"), line("1 puff")], Unknown("unreadable-unit")),
    ],
)  # fmt: skip
def test_the_single_dose_is_the_largest_taken_at_one_time(lines: list[Dosage], expected: object) -> None:
    assert fact("single_dose", *lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("50 mg")], exactly(1, "d")),
        ([line("50 mg", timing=Timing(frequency=2, period=Decimal(1), period_unit="d"))], exactly("0.5", "d")),
        ([line("380 mg", timing=Timing(frequency=1, period=Decimal(4), period_unit="wk"))], exactly(28, "d")),
        (
            [line("380 mg", timing=Timing(frequency=1, period=Decimal(4), period_max=Decimal(5), period_unit="wk"))],
            QuantityRange(Decimal(28), Decimal(35), "d"),
        ),
        ([line("380 mg", timing=Timing(count=1))], Unknown("no-timing")),
        ([line("50 mg", is_as_needed=True)], Unknown("no-timing")),
        ([line("50 mg", timing=None)], Unknown("no-timing")),
        ([line("50 mg"), line("25 mg")], Unknown("unclear-sequence")),
        ([], Unknown("no-dosage")),
    ],
)
def test_the_time_between_doses_is_that_of_one_line(lines: list[Dosage], expected: object) -> None:
    assert fact("time_between_doses", *lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("1.5..4.5 mg")], per_day("4.5")),
        ([line("4.5 mg")], per_day("4.5")),
        ([line("1.5 mg", sequence=1), line("3 mg", sequence=2)], per_day("3")),
        ([line("1 puff")], Unknown("unreadable-unit")),
    ],
)
def test_the_highest_daily_dose_is_the_high_end_of_the_last_step(lines: list[Dosage], expected: object) -> None:
    assert fact("highest_daily_dose", *lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [([line("4.5 mL", "4.5 mg")], True), ([line("4.5 mg")], False), ([line("1 {tbl}", "4.5 mg")], False)],
)
def test_a_dose_measured_as_a_volume_fits_tablets_that_are_dissolved(lines: list[Dosage], expected: object) -> None:
    assert fact("fits_product", *lines) == expected


def test_a_depot_is_never_divided_into_days() -> None:
    depot = drug("380 mg/{piece}", classes=frozenset({"antagonist", "depot"}), form="Injection", route="intramuscular")
    monthly = Timing(frequency=1, period=Decimal(4), period_unit="wk")
    for stated in ("380 mg", "1 {kit}", "1 {vial}"):
        facts = dose_facts(order(line(stated, timing=monthly), of=depot), TODAY)
        assert facts["order.daily_dose"].value == facts["order.starting_daily_dose"].value == Unknown("depot")
        assert facts["order.single_dose"].value == exactly(380, "mg")
        assert facts["order.fits_product"].value is True


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        ("50 mg/{piece}", exactly(50, "mg")),
        ("4500 ug/{piece}", exactly("4.5", "mg")),
        ("1 mg/mL", Unknown("liquid-product")),
        ("", Unknown("no-strength")),
        ("-1 mg/{piece}", Unknown("no-strength")),
    ],
)
def test_the_product_strength_is_what_one_counted_unit_holds(strength: str, expected: object) -> None:
    assert fact("product_strength", line("1 mg"), of=drug(strength)) == expected


CAPSULE = drug("4.5 mg/{piece}", form="Oral Capsule")


@pytest.mark.parametrize(
    ("dosage", "product", "fits", "agrees"),
    [
        (line("50 mg"), drug(), True, True),
        (line("25 mg"), drug(), True, True),
        (line("150 mg"), drug(), True, True),
        (line("4.5 mg"), drug(), False, True),
        (line("60 mg"), drug(), False, True),
        (line("25..60 mg"), drug(), False, True),
        (line("30..50 mg"), drug(), False, True),
        (line("4.5 mg"), CAPSULE, True, True),
        (line("9 mg"), CAPSULE, True, True),
        (line("2.25 mg"), CAPSULE, False, True),
        (line("40.5 mg"), CAPSULE, True, True),
        (line("45 mg"), CAPSULE, True, False),
        (line("50 mg"), CAPSULE, False, False),
        (line("10 {capsule}"), CAPSULE, True, True),
        (line("1 {capsule}"), CAPSULE, True, True),
        (line("0.5 {capsule}"), CAPSULE, False, True),
        (line("0.5 {tbl}"), drug(), True, True),
        (line("0.09 {tbl}"), drug(), False, True),
        (line("1 {tbl}"), UNKNOWN_STRENGTH, True, Unknown("no-strength")),
        (line("0.3 {tbl}"), UNKNOWN_STRENGTH, False, Unknown("no-strength")),
        (line("4.5 mg"), UNKNOWN_STRENGTH, Unknown("no-strength"), True),
        (line("4.5 mg", "1 {tbl}"), UNKNOWN_STRENGTH, True, True),
        (line("4.5 mg", "0.09 {tbl}"), drug(), False, True),
        (line("4.5 mL"), LIQUID, True, True),
        (line("4.37 mg"), LIQUID, True, True),
        (line("4.37 mL"), UNKNOWN_STRENGTH, True, Unknown("no-concentration")),
        (line("0 mg"), drug(), Unknown("unreadable-dose"), Unknown("unreadable-dose")),
        (line("5 puff"), drug(), Unknown("unreadable-unit"), Unknown("unreadable-unit")),
        (line("1000000000000 kg"), drug(), Unknown("unreadable-dose"), Unknown("unreadable-dose")),
        (line(), drug(), Unknown("no-dose"), Unknown("no-dose")),
        (Dosage(text="x"), drug(), Unknown("text-only"), Unknown("text-only")),
        (line("50 mg", timing=None), drug(), True, Unknown("no-timing")),
        (line("50 mg", timing=Timing(when=("HS",), code="BID")), drug(), True, False),
        (line("50 mg"), drug(contradicts=True), True, False),
        (Dosage(text="x"), drug(contradicts=True), Unknown("text-only"), False),
        (line("50 mg"), Unknown("no-code"), Unknown("no-strength"), True),
    ],
)
def test_measuring_out_and_contradiction_are_two_facts(dosage: Dosage, product: DrugMatch | Unknown, fits: object, agrees: object) -> None:
    assert (fact("fits_product", dosage, of=product), fact("agrees_with_itself", dosage, of=product)) == (fits, agrees)


def test_one_step_that_does_not_fit_decides() -> None:
    assert fact("fits_product", line("25 mg", sequence=1), line("4.5 mg", sequence=2)) is False
    assert fact("fits_product", line("25 mg", sequence=1), line("5 puff", sequence=2)) == Unknown("unreadable-unit")
    assert fact("agrees_with_itself", line("25 mg", sequence=1), line("500 mg", sequence=2)) is False


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("1 mg", is_as_needed=True)], True),
        ([line("1 mg")], False),
        ([line("1 mg", is_as_needed=True), line("3 mg")], Unknown("partly-as-needed")),
        ([line("1 mg", is_as_needed=True), Dosage(text="with food")], True),
        ([Dosage(text="as needed")], Unknown("text-only")),
        ([Dosage(text="as needed", is_as_needed=True)], True),
        ([line("1 mg", dropped=("asNeededBoolean",))], Unknown("unreadable-as-needed")),
        ([], Unknown("no-dosage")),
    ],
)
def test_as_needed_is_said_of_the_whole_order(lines: list[Dosage], expected: object) -> None:
    assert fact("is_as_needed", *lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("1 mg", timing=HS)], True),
        ([line("1 mg", timing=MORN)], False),
        ([line("1 mg")], Unknown("no-time-of-day")),
        ([line("1 mg", text="at bedtime")], Unknown("time-of-day-in-text")),
        ([line("1 mg", patient_instruction="at bedtime")], Unknown("time-of-day-in-text")),
        ([line("1 mg", timing=Timing(code="PM"), text="x")], Unknown("vague-time-of-day")),
        ([line("1 mg", timing=MORN), line("3 mg", timing=EVE)], False),
        ([line("1 mg", timing=HS), line("3 mg", timing=EVE)], True),
        ([line("1 mg", timing=HS), line("3 mg")], Unknown("no-time-of-day")),
        ([line("1 mg", timing=HS), Dosage(text="with water")], True),
        ([line("1 mg", timing=HS, sequence=1), line("2 mg", timing=HS, sequence=2)], True),
        ([line("1 mg", timing=HS, sequence=1), line("2 mg", timing=MORN, sequence=2)], False),
        ([line("1 mg", timing=HS, dropped=("timing",))], Unknown("unreadable-timing")),
        ([Dosage(text="at bedtime")], Unknown("text-only")),
        ([Dosage(timing=HS, text="4.5 mg")], True),
        ([Dosage()], Unknown("no-time-of-day")),
        ([], Unknown("no-dosage")),
    ],
)
def test_bedtime_needs_every_dose_in_the_evening_or_at_night(lines: list[Dosage], expected: object) -> None:
    assert fact("is_at_bedtime", *lines) == expected


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        *[
            (Concept(text=text), {"oral"})
            for text in ("oral", "PO", "p.o.", "by mouth", "Oral route", "Per oral route (qualifier value)", "Swallow, oral")
        ],
        *[(Concept(text=text), {"sublingual"}) for text in ("SL", "sublingual", "Sublingual route")],
        *[(Concept(text=text), {"intramuscular"}) for text in ("IM", "i.m.", "Intramuscular")],
        *[(Concept(text=text), {"subcutaneous"}) for text in ("SC", "SubQ", "subcut")],
        (Concept(text="IV"), {"intravenous"}),
        (Concept(text="topical"), {"topical"}),
        (Concept(text="transdermal"), {"transdermal"}),
        (Concept(text="buccal"), {"buccal"}),
        (Concept(text="intranasal"), {"nasal"}),
        (Concept(text="PR"), {"rectal"}),
        (Concept(text="vaginal"), {"other"}),
        (Concept(text="oral or sublingual"), {"oral", "sublingual"}),
        (Concept((Coding("http://snomed.info/sct", "1", "Oral route"),)), {"oral"}),
        (Concept((Coding("urn:x", "PO"),)), {"oral"}),
        (Concept((Coding("urn:x", "9", "strange"), Coding("urn:y", "8", "sublingual"))), {"sublingual"}),
        (Concept((Coding("urn:x", "1"),)), Unknown("unreadable-route")),
        (Concept(text="temporal"), Unknown("unreadable-route")),
        (Concept(text="x" * 300 + " oral"), Unknown("unreadable-route")),
    ],
)
def test_the_route_is_read_from_words(route: Concept, expected: set[str] | Unknown) -> None:
    found = dose_facts(order(line("1 mg", route=route), of=drug(route="rectal")), TODAY)["order.route"]
    assert found == Fact(expected if isinstance(expected, Unknown) else frozenset(expected), (f"{WHERE} dosageInstruction[0]",))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"route": "oral"}, {"oral"}),
        ({"route": "oral", "form": "Sublingual Tablet"}, {"oral"}),
        ({"form": "Oral Tablet"}, {"oral"}),
        ({"form": "CAP"}, {"oral"}),
        ({"form": "Topical Cream"}, {"topical"}),
        ({"form": "cream"}, {"topical"}),
        ({"form": "Tablet"}, Unknown("no-route")),
        ({}, Unknown("no-route")),
    ],
)
def test_without_a_route_the_product_or_its_form_tells_it(attributes: dict[str, str], expected: set[str] | Unknown) -> None:
    found = fact("route", line("1 mg"), of=drug(**attributes))
    assert found == (expected if isinstance(expected, Unknown) else frozenset(expected))


def test_routes_of_several_lines_stand_together_and_a_dropped_one_is_unknown() -> None:
    oral, topical = line("1 mg", route=Concept(text="oral")), line("1 mg", route=Concept(text="topical"))
    assert fact("route", oral, topical, line("1 mg")) == frozenset({"oral", "topical"})
    assert fact("route", oral, line("1 mg", dropped=("route",))) == Unknown("unreadable-route")
    assert fact("route", of=Unknown("no-code")) == Unknown("no-route")


def test_of_several_reasons_the_first_of_the_list_is_told_whatever_the_order() -> None:
    several = [Unknown("no-timing"), Unknown("text-only"), Unknown("depot")]
    assert (told(several), told(several[::-1])) == (Unknown("text-only"), Unknown("text-only"))


def test_each_reason_reads_as_part_of_a_sentence() -> None:
    assert all(text and text[0].islower() and not text.endswith(".") for text in REASONS.values())
