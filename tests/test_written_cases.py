"""Orders whose dose stands in words, over HTTP: read as a pharmacist would, or said to be unread."""

from collections.abc import Callable
from typing import Any

import pytest

from cds_service.facts.written import with_text
from cds_service.fhir.elements import Dosage
from cds_service.unknown import Unknown
from tests.cards_floor import record
from tests.clinic import (
    DAILY,
    FIBROMYALGIA,
    INGREDIENT,
    TABLET_50,
    TODAY,
    VIVITROL,
    Json,
    amount,
    call,
    concept,
    condition,
    findings,
    listed,
    order,
    told,
)

Answer = Callable[[Json], Json]
CAPSULE = concept("naltrexone 4.5 mg capsule")
START_CAPSULE = concept("naltrexone 1.5 mg capsule")
ONE_CAPSULE: Json = {"timing": DAILY, "doseAndRate": [{"doseQuantity": amount(1, "{capsule}")}]}
BEFORE = listed(CAPSULE, {**ONE_CAPSULE}, since=60, supply=90)


def said(answer: Answer, medication: Json, *lines: Json, before: bool = True) -> tuple[Any, str, set[tuple[str, str]]]:
    """Dose, dose class and findings of an order for fibromyalgia, a renewal unless said otherwise."""
    body = answer(call(order(medication, *lines), medications=[BEFORE] if before else [], conditions=[condition(FIBROMYALGIA)]))
    first = findings(body)[0]
    return first["dailyDoseMg"], first["doseClass"], told(body)


@pytest.mark.parametrize(
    ("medication", "text", "dose", "dose_class"),
    [
        (CAPSULE, "Take 1 capsule by mouth at bedtime", {"low": 4.5, "high": 4.5}, "low-dose"),
        (INGREDIENT, "LDN 4.5 mg PO QHS", {"low": 4.5, "high": 4.5}, "low-dose"),
        (INGREDIENT, "naltrexone 4,5 mg nightly", {"low": 4.5, "high": 4.5}, "low-dose"),
        (INGREDIENT, "Take .5 mg by mouth at bedtime", {"low": 0.5, "high": 0.5}, "low-dose"),
        (TABLET_50, "1 tab po daily", {"low": 50, "high": 50}, "standard"),
        (TABLET_50, "take one-half tablet by mouth daily", {"low": 25, "high": 25}, "intermediate"),
        (
            START_CAPSULE,
            "1 cap at bedtime for 2 weeks, then 2 caps at bedtime for 2 weeks, then 3 caps at bedtime",
            {"low": 1.5, "high": 4.5},
            "low-dose",
        ),
        (INGREDIENT, "start 1.5 mg qhs x 2 wk then increase by 1.5 mg every 2 weeks to 4.5 mg", {"low": 1.5, "high": 4.5}, "low-dose"),
        (INGREDIENT, "45 mg po qhs", {"low": 45, "high": 45}, "intermediate"),
    ],
)
def test_a_dose_in_words_alone_is_read(medication: Json, text: str, dose: Any, dose_class: str, answer: Answer) -> None:  # noqa: ANN401
    assert said(answer, medication, {"text": text})[:2] == (dose, dose_class)


@pytest.mark.parametrize(
    "text", ["as directed", "per protocol", "1 cap, titrate as directed", "take 1 or so", "1 capsule at bedtime then increase"]
)
def test_a_text_that_is_not_surely_understood_is_said_to_be_unread(text: str, answer: Answer) -> None:
    assert said(answer, CAPSULE, {"text": text}) == ("unknown", "unknown", {("incomplete", "warning"), ("off-label", "info")})


def test_a_text_that_agrees_with_the_elements_changes_nothing(answer: Answer) -> None:
    assert said(answer, CAPSULE, {**ONE_CAPSULE, "text": "Take 1 capsule (4.5 mg) at bedtime"}) == (
        {"low": 4.5, "high": 4.5},
        "low-dose",
        {("off-label", "info")},
    )


def test_a_text_that_contradicts_the_elements_is_told_and_the_elements_stand(answer: Answer) -> None:
    assert said(answer, CAPSULE, {**ONE_CAPSULE, "text": "Take 2 capsules at bedtime"}) == (
        {"low": 4.5, "high": 4.5},
        "low-dose",
        {("off-label", "info"), ("dose", "warning")},
    )


def test_a_titration_in_the_text_completes_the_first_step_in_the_elements(answer: Answer) -> None:
    line = {**ONE_CAPSULE, "text": "1 cap qhs x 14 days, then 2 caps qhs"}
    assert said(answer, START_CAPSULE, line)[0] == {"low": 1.5, "high": 3}


def test_the_time_of_day_in_the_text_completes_the_elements(answer: Answer) -> None:
    line = {**ONE_CAPSULE, "text": "Take 1 capsule every morning"}
    evening = {**ONE_CAPSULE, "text": "Take 1 capsule at bedtime"}
    titles = [
        {finding["rule"] for finding in findings(answer(call(order(START_CAPSULE, one), conditions=[condition(FIBROMYALGIA)])))}
        for one in (line, evening)
    ]
    assert [("titration-bedtime" in rules) for rules in titles] == [True, False]


@pytest.mark.parametrize("most", [amount(2, "{capsule}"), amount(9)])
@pytest.mark.parametrize("text", ["1 capsule at bedtime", "1 capsule at bedtime as needed"])
def test_a_limit_in_elements_beside_a_dose_in_words_is_no_dose(text: str, most: Json, answer: Answer) -> None:
    line = {"text": text, "maxDosePerPeriod": {"numerator": most, "denominator": amount(1, "d")}}
    assert said(answer, CAPSULE, line) == ({"low": 4.5, "high": 4.5}, "low-dose", {("off-label", "info")})


def test_a_limit_in_elements_below_the_dose_in_words_is_a_contradiction(answer: Answer) -> None:
    line = {"text": "2 capsules at bedtime", "maxDosePerPeriod": {"numerator": amount(1, "{capsule}"), "denominator": amount(1, "d")}}
    assert ("dose", "warning") in said(answer, CAPSULE, line)[2]


@pytest.mark.parametrize(
    ("elements", "dose", "findings"),
    [
        (1.5, {"low": 1.5, "high": 4.5}, {("off-label", "info")}),
        (4.5, {"low": 1.5, "high": 4.5}, {("off-label", "info")}),
        (3, {"low": 3, "high": 3}, {("off-label", "info"), ("dose", "warning")}),
    ],
)
def test_elements_may_give_the_first_or_the_last_step_of_the_text(elements: float, dose: Json, findings: Any, answer: Answer) -> None:  # noqa: ANN401
    text = "1.5 mg at bedtime for 2 weeks, then 3 mg at bedtime for 2 weeks, then 4.5 mg at bedtime"
    line = {"timing": DAILY, "doseAndRate": [{"doseQuantity": amount(elements)}], "text": text}
    assert said(answer, INGREDIENT, line)[::2] == (dose, findings)


def test_what_a_text_allows_counts_as_a_step(answer: Answer) -> None:
    text = "1 cap nightly, may increase to 2 caps nightly after 2 weeks"
    assert said(answer, START_CAPSULE, {"text": text})[0] == {"low": 1.5, "high": 3}


def test_a_text_for_what_is_no_indication_leaves_the_problem_list(answer: Answer) -> None:
    line = {**ONE_CAPSULE, "text": "1 capsule daily for liver failure"}
    assert said(answer, CAPSULE, line)[2] == {("off-label", "info")}


def test_the_patient_instruction_is_read_where_there_is_no_text(answer: Answer) -> None:
    assert said(answer, CAPSULE, {"patientInstruction": "Take one capsule at bedtime"})[0] == {"low": 4.5, "high": 4.5}


def test_an_injection_in_words_is_no_daily_dose(answer: Answer) -> None:
    assert said(answer, VIVITROL, {"text": "Inject 380 mg IM every 4 weeks"}, before=False)[:2] == ("unknown", "standard")


def test_two_lines_of_words_keep_their_sequence(answer: Answer) -> None:
    lines = [{"sequence": 1, "text": "1 capsule at bedtime for 14 days"}, {"sequence": 2, "text": "2 capsules at bedtime"}]
    assert said(answer, START_CAPSULE, *lines)[0] == {"low": 1.5, "high": 3}


@pytest.mark.parametrize(
    ("medication", "note", "dose"),
    [
        (INGREDIENT, "NALTREXONE (LDN) 4.5 MG CAP - COMPOUND", {"low": 4.5, "high": 4.5}),
        (concept("COMPOUND - SEE NOTE"), "naltrexone 4.5 mg capsules", {"low": 4.5, "high": 4.5}),
        (INGREDIENT, "patient stopped oxycodone 5 mg last week", "unknown"),
        (CAPSULE, "naltrexone 1.5 mg capsules", {"low": 4.5, "high": 4.5}),
    ],
)
def test_the_note_of_a_compound_gives_what_the_product_does_not_say(medication: Json, note: str, dose: Any, answer: Answer) -> None:  # noqa: ANN401
    draft = order(medication, {**ONE_CAPSULE}, note=[{"text": note}])
    finding = findings(answer(call(draft, medications=[BEFORE], conditions=[condition(FIBROMYALGIA)])))[0]
    assert finding["dailyDoseMg"] == dose


def test_lines_of_words_of_which_one_is_not_understood_stay_unread(answer: Answer) -> None:
    lines = [{"sequence": 1, "text": "1 capsule at bedtime for 14 days"}, {"sequence": 2, "text": "then as directed"}]
    assert said(answer, START_CAPSULE, *lines)[0] == "unknown"


def test_a_line_of_words_that_holds_steps_of_its_own_beside_another_stays_unread(answer: Answer) -> None:
    lines = [{"sequence": 1, "text": "1 capsule at bedtime for 14 days, then 2 capsules"}, {"sequence": 2, "text": "3 capsules at bedtime"}]
    assert said(answer, START_CAPSULE, *lines)[0] == "unknown"


def test_a_titration_in_the_text_that_the_elements_do_not_begin_is_a_contradiction(answer: Answer) -> None:
    line = {"timing": DAILY, "doseAndRate": [{"doseQuantity": amount(4, "{capsule}")}], "text": "1 cap qhs x 14 days, then 2 caps qhs"}
    dose, _, findings_told = said(answer, START_CAPSULE, line)
    assert (dose, ("dose", "warning") in findings_told) == ({"low": 6, "high": 6}, True)


def test_a_text_that_is_not_understood_beside_elements_changes_nothing(answer: Answer) -> None:
    assert said(answer, CAPSULE, {**ONE_CAPSULE, "text": "as directed by the pain clinic"}) == (
        {"low": 4.5, "high": 4.5},
        "low-dose",
        {("off-label", "info")},
    )


def test_a_text_that_gives_another_dose_and_no_time_is_a_contradiction(answer: Answer) -> None:
    assert said(answer, CAPSULE, {**ONE_CAPSULE, "text": "Take 2 capsules"})[2] == {("off-label", "info"), ("dose", "warning")}
    assert said(answer, CAPSULE, {**ONE_CAPSULE, "text": "Take 1 capsule"})[2] == {("off-label", "info")}


def test_lines_of_words_of_which_one_holds_steps_say_why_they_stay_unread() -> None:
    lines = (Dosage(text="1 capsule at bedtime for 2 weeks, then 2 capsules at bedtime"), Dosage(text="1 capsule in the morning"))
    assert with_text(record(dosages=lines), frozenset(), TODAY).text_refused == Unknown("sig-ambiguous")
