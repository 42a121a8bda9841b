"""The elements that a dosing text is read into, and what the caller knows besides the text."""

from datetime import date
from decimal import Decimal

import pytest

from cds_service.facts.sig import REASONS, SigReading, read_sig
from cds_service.facts.sig.steps import Allowed
from cds_service.facts.sig.vocabulary import PHRASES
from cds_service.facts.steps import steps
from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.elements import Bounds, Concept, Dosage, Dose, Medication, Ratio, Timing
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity, QuantityRange, exactly
from cds_service.unknown import Unknown
from tests.sig_generator import notation

DAILY_AT_BEDTIME = Timing(frequency=1, period=Decimal(1), period_unit="d", when=("HS",))
TODAY = date(2026, 11, 23)


def _dosages(text: str, piece_mg: str | None = None) -> tuple[Dosage, ...]:
    reading = read_sig(text, frozenset({"naltrexone"}), None if piece_mg is None else Decimal(piece_mg))
    assert isinstance(reading, SigReading)
    return reading.dosages


def test_one_instruction_has_no_sequence_and_its_route_in_words() -> None:
    assert _dosages("1 cap po qhs") == (
        Dosage(timing=DAILY_AT_BEDTIME, route=Concept(text="oral"), doses=(Dose("", exactly(1, "{piece}")),)),
    )


def test_steps_are_numbered_and_bounded_by_their_length() -> None:
    one, two = _dosages("1 cap qhs x 2 wk then 2 caps")
    assert (one.sequence, two.sequence) == (1, 2)
    assert one.timing == Timing(frequency=1, period=Decimal(1), period_unit="d", when=("HS",), bounds=Bounds(length=exactly(2, "wk")))
    assert two.timing == DAILY_AT_BEDTIME


def test_doses_that_hold_together_have_no_sequence() -> None:
    assert [dosage.sequence for dosage in _dosages("1 tab qam and 2 tabs qhs")] == [None, None]


def test_doses_together_within_a_step_share_its_sequence() -> None:
    assert [dosage.sequence for dosage in _dosages("1 tab qam x 1 wk, then 1 tab qam and 1 tab qhs")] == [1, 2, 2]


def test_a_limit_is_a_ratio_of_every_dosage() -> None:
    limit = Ratio(Quantity(Decimal(8), "{piece}"), Quantity(Decimal(1), "d"))
    assert [dosage.max_dose_per_period for dosage in _dosages("1-2 tabs q4-6h prn, max 8 tabs/day")] == [limit]


def test_a_range_of_periods_keeps_both_ends() -> None:
    (dosage,) = _dosages("1 tab q4-6h")
    assert dosage.timing == Timing(frequency=1, period=Decimal(4), period_max=Decimal(6), period_unit="h")


def test_what_a_text_does_not_say_is_absent() -> None:
    assert _dosages("take at bedtime") == (Dosage(timing=DAILY_AT_BEDTIME),)
    assert _dosages("4.5 mg") == (Dosage(doses=(Dose("", exactly("4.5", "mg")),)),)


def test_an_allowed_increase_stands_beside_the_dosages() -> None:
    assert read_sig("1.5 mg qhs, may increase to 3-4.5 mg") == SigReading(
        (Dosage(timing=DAILY_AT_BEDTIME, doses=(Dose("", exactly("1.5", "mg")),)),),
        (Allowed(QuantityRange(Decimal(3), Decimal("4.5"), "mg")),),
    )


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("1 cap by mouth qhs", "oral"),
        ("1 tab sl qhs", "sublingual"),
        ("380 mg IM monthly", "intramuscular"),
        ("300 mg subcut monthly", "subcutaneous"),
        ("1 patch topically daily", "topical"),
        ("1 cap qhs", ""),
        ("take by mouth 1 cap orally qhs", "oral"),
    ],
)
def test_the_route_is_named_in_the_words_of_the_fact(text: str, route: str) -> None:
    assert {dosage.route.text for dosage in _dosages(text)} == {route}


def test_two_routes_contradict_each_other() -> None:
    assert read_sig("1 tab po im daily") == Unknown("sig-contradictory")


@pytest.mark.parametrize(
    ("text", "piece_mg", "meaning"),
    [
        ("2 capsules (9 mg) qhs", "4.5", "2 piece=9 mg @ 1/d HS"),
        ("3 capsules (1.5 mg) qhs", "1.5", "3 piece=4.5 mg @ 1/d HS"),
        ("1/2 tablet (25 mg) daily", "50", "0.5 piece=25 mg @ 1/d"),
        ("50 mg 1/2 tablet daily", "50", "0.5 piece=25 mg @ 1/d"),
        ("1-2 tablets (50-100 mg) daily", "50", "1-2 piece=50-100 mg @ 1/d"),
        ("2 capsules (9 mg) qhs", None, "sig-ambiguous"),
        ("2 capsules (9 mg) qhs", "3", "sig-contradictory"),
        ("2 capsules (9 mg total) qhs", "3", "2 piece=9 mg @ 1/d HS"),
        ("1 capsule (4.5 mg) qhs", "50", "1 piece=4.5 mg @ 1/d HS"),
    ],
)
def test_the_known_strength_settles_a_mass_beside_a_count(text: str, piece_mg: str | None, meaning: str) -> None:
    assert notation(read_sig(text, piece_mg=None if piece_mg is None else Decimal(piece_mg))) == meaning


def test_names_of_the_drug_are_skipped_only_where_the_caller_gives_them() -> None:
    names = frozenset({"naltrexone"})
    assert notation(read_sig("naltrexone 4.5 mg qhs", names)) == "4.5 mg @ 1/d HS"
    assert read_sig("naltrexone 4.5 mg qhs") == Unknown("sig-unread-words")


def test_a_bare_number_behind_the_name_of_the_drug_may_be_milligrams() -> None:
    names = frozenset({"naltrexone"})
    assert read_sig("take naltrexone 1 nightly", names) == Unknown("sig-ambiguous")
    assert notation(read_sig("take 1 naltrexone nightly", names)) == "1 piece @ 1/d NIGHT"


@pytest.mark.parametrize(
    ("text", "daily", "lengths"),
    [
        ("4.5 mg qhs", ["4.5"], [None]),
        ("1 cap qhs", ["1.5"], [None]),
        ("100 mg Mon Wed, 150 mg Fri", ["50"], [None]),
        ("100 mg every other day", ["50"], [None]),
        ("1 cap qam and 2 caps qhs", ["4.5"], [None]),
        ("1.5 mg qhs, increase by 1.5 mg every 2 weeks to 4.5 mg", ["1.5", "3", "4.5"], ["14", "14", None]),
        ("week 1: 1 cap qhs; week 2: 2 caps qhs; week 3 onward: 3 caps qhs", ["1.5", "3", "4.5"], ["7", "7", None]),
        ("1-3 caps qhs", ["1.5-4.5"], [None]),
    ],
)
def test_the_facts_turn_what_was_read_into_doses_a_day(text: str, daily: list[str], lengths: list[str | None]) -> None:
    drug = DrugMatch(
        ingredient="product",
        name="product",
        classes=frozenset(),
        strength=Quantity(Decimal("1.5"), "mg/{piece}"),
        matched_by="name",
        opioid_free_days=Unknown("none"),
        form="capsule",
    )
    record = MedicationRecord("MedicationRequest", "1", "draft", Medication(Concept()), drug, dosages=_dosages(text))
    read = steps(record, TODAY)
    assert [str(step.daily) for step in read] == [f"{one.replace('-', ' to ')} mg/d" for one in daily]
    assert [None if isinstance(step.length, Unknown) else str(step.length.low) for step in read] == lengths


def test_reasons_are_sentences_without_an_end() -> None:
    assert [text for text in REASONS.values() if not text.startswith("the dosing text") or text.endswith(".")] == []


def test_every_phrase_of_the_vocabulary_is_written_as_the_scanner_gives_it() -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzµ'/")
    assert [phrase for phrase in PHRASES if not phrase or any(set(word) - allowed for word in phrase)] == []


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("i po qhs", "1 piece @ 1/d HS"),
        ("1 po qd", "1 piece @ 1/d"),
        ("1/2 po qd", "0.5 piece @ 1/d"),
        ("ii po qhs", "2 piece @ 1/d HS"),
        ("Dissolve 1 tablet in 50 mL of water. Take 4.5 mL nightly", "4.5 mL=4.5 mg @ 1/d NIGHT"),
        ("Mix a tablet with 100 mL water and take 3 mL nightly", "3 mL=1.5 mg @ 1/d NIGHT"),
    ],
)
def test_a_known_strength_lets_a_small_bare_number_count_units_and_tells_what_is_dissolved(text: str, meaning: str) -> None:
    assert notation(read_sig(text, piece_mg=Decimal(50))) == meaning


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3 po qhs", "sig-ambiguous"),
        ("1.5 po qhs", "sig-ambiguous"),
        ("Dissolve one 25 mg tablet in 50 mL water, take 1.5 mL nightly", "sig-contradictory"),
    ],
)
def test_a_known_strength_settles_neither_a_larger_bare_number_nor_another_strength(text: str, reason: str) -> None:
    assert read_sig(text, piece_mg=Decimal(50)) == Unknown(reason)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (
            "1.5 mg qhs; may increase to 3 mg after 2 weeks, then 4.5 mg after another 2 weeks",
            "1.5 mg @ 1/d HS for 2 wk > 3 mg @ 1/d HS for 2 wk > 4.5 mg @ 1/d HS",
        ),
        (
            "1.5 mg qhs, may increase by 1.5 mg every 2 weeks to max of 4.5 mg",
            "1.5 mg @ 1/d HS for 2 wk > 3 mg @ 1/d HS for 2 wk > 4.5 mg @ 1/d HS",
        ),
        ("1.5 mg at bedtime for 2 weeks, then may increase to 3 mg", "1.5 mg @ 1/d HS for 2 wk > 3 mg @ 1/d HS"),
        ("1.5 mg at bedtime, may increase to 4.5 mg", "1.5 mg @ 1/d HS > 4.5 mg @ 1/d HS"),
        ("0.5 mg qhs for 1 week, then 1 mg qhs, may increase to 2 mg", "0.5 mg @ 1/d HS for 1 wk > 1 mg @ 1/d HS > 2 mg @ 1/d HS"),
        ("1.5 mg qhs prn, may increase to 4.5 mg", "1.5 mg @ 1/d HS prn"),
        ("1.5 mg qhs", "1.5 mg @ 1/d HS"),
    ],
)
def test_the_furthest_that_a_text_goes_has_what_it_allows_as_steps(text: str, steps: str) -> None:
    reading = read_sig(text)
    assert isinstance(reading, SigReading)
    assert notation(SigReading(reading.furthest)) == steps


def test_an_allowed_increase_that_misses_its_end_is_refused() -> None:
    assert read_sig("1 mg qhs, may increase by 1.5 mg weekly to 4.5 mg") == Unknown("sig-ambiguous")


def test_a_known_strength_settles_the_mass_beside_the_count_at_the_end_of_a_climb() -> None:
    text = "1 capsule at bedtime, increase by 1 capsule every week to a maximum of 3 capsules (3 mg) at bedtime"
    read = notation(read_sig(text, piece_mg=Decimal(1)))
    assert read == "1 piece @ 1/d HS for 1 wk > 2 piece @ 1/d HS for 1 wk > 3 piece @ 1/d HS"
    assert read_sig(text) == Unknown("sig-ambiguous")


def test_a_text_of_a_thousand_characters_is_still_looked_at_and_a_longer_one_is_not() -> None:
    text = "1 tab qhs"
    assert isinstance(read_sig(text + " " * (1000 - len(text))), SigReading)
    assert read_sig(text + " " * (1001 - len(text))) == Unknown("sig-too-long")


def test_more_phrases_than_any_instruction_has_are_refused() -> None:
    assert read_sig("mg " * 251) == Unknown("sig-too-long")
    assert read_sig("mg " * 250) == Unknown("sig-ambiguous")


def test_the_steps_that_a_text_allows_are_numbered_behind_those_that_it_orders() -> None:
    reading = read_sig("1.5 mg, may increase to 3 mg")
    assert isinstance(reading, SigReading)
    assert reading.furthest == (
        Dosage(sequence=1, doses=(Dose("", exactly("1.5", "mg")),)),
        Dosage(sequence=2, doses=(Dose("", exactly(3, "mg")),)),
    )


def test_zeros_behind_the_last_decimal_are_not_kept() -> None:
    assert [str(_dosages(f"{number} mg nightly")[0].doses[0].amount.low) for number in ("1.50", "1.0", ".500", "10")] == [
        "1.5",
        "1",
        "0.5",
        "10",
    ]


def test_a_climb_has_sixty_steps_at_most() -> None:
    assert len(_dosages("1 mg nightly, increase by 1 mg every week to 61 mg")) == 61
    assert read_sig("1 mg nightly, increase by 1 mg every week to 62 mg") == Unknown("sig-ambiguous")
