"""What the patient takes or took, over HTTP: records as EHRs keep them, each with the answer that a careful pharmacist would give."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clinic import (
    AGONIST_THERAPY,
    ALCOHOL,
    DAILY,
    EMBEDA,
    LONG_TERM_OPIOID,
    METHADONE,
    OPIOID_USE_DISORDER,
    OXYCODONE,
    SNOMED,
    TABLET_50,
    Json,
    ago,
    call,
    concept,
    condition,
    dosage,
    findings,
    listed,
    order,
    told,
)

Answer = Callable[[Json], Json]
AUD = [condition(ALCOHOL)]
CONFLICT = ("opioid-conflict", "critical")
CONFLICT_WARNING = ("opioid-conflict", "warning")
WITHDRAWAL = concept("Opioid withdrawal", "87132004", SNOMED)


def fifty(**more: Any) -> Json:  # noqa: ANN401
    """One 50 mg tablet of naltrexone a day."""
    return order(TABLET_50, dosage(1, "{tbl}", DAILY), **more)


def oxycodone(**more: Any) -> Json:  # noqa: ANN401
    """An order of oxycodone."""
    return order(OXYCODONE, dosage(5, "mg", DAILY), **more)


def conflicts(answer: Json) -> set[tuple[str, str]]:
    """The conflict findings of an answer."""
    return {pair for pair in told(answer) if pair[0] == "opioid-conflict"}


# --- what a signing stops ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["stopped", "cancelled", "completed", "on-hold"])
def test_a_listed_opioid_that_this_signing_ends_was_taken_until_now(status: str, answer: Answer) -> None:
    opioid = listed(OXYCODONE, supply=30)
    assert told(answer(call(fifty(), {**opioid, "status": status}, medications=[opioid], conditions=AUD))) == {CONFLICT_WARNING}


@pytest.mark.parametrize("status", ["stopped", "cancelled", "completed", "on-hold"])
def test_listed_naltrexone_that_this_signing_ends_still_blocks(status: str, answer: Answer) -> None:
    naltrexone = listed(TABLET_50, dosage(1, "{tbl}", DAILY), supply=60)
    request = call(oxycodone(), {**naltrexone, "status": status}, medications=[naltrexone], conditions=AUD)
    assert conflicts(answer(request)) == {CONFLICT_WARNING}


def test_a_listed_opioid_that_this_signing_calls_an_error_was_never_taken(answer: Answer) -> None:
    opioid = listed(OXYCODONE, supply=30)
    assert told(answer(call(fifty(), {**opioid, "status": "entered-in-error"}, medications=[opioid], conditions=AUD))) == set()


def test_a_cancelled_draft_that_is_on_no_list_was_never_taken(answer: Answer) -> None:
    assert told(answer(call(fifty(), oxycodone(status="cancelled"), conditions=AUD))) == set()


# --- plans and supplies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "severity"),
    [
        ({"intent": "plan"}, "warning"),
        ({"intent": "plan", "reportedBoolean": True}, "critical"),
        ({"intent": "proposal"}, "info"),
        ({"intent": "plan", "status": "entered-in-error"}, ""),
    ],
)
def test_a_plan_on_the_list_may_be_what_the_patient_takes(elements: Json, severity: str, answer: Answer) -> None:
    request = call(fifty(), medications=[listed(OXYCODONE, **elements)], conditions=AUD)
    assert conflicts(answer(request)) == ({("opioid-conflict", severity)} if severity else set())


def test_a_planned_naltrexone_is_judged_like_an_order(answer: Answer) -> None:
    assert CONFLICT in told(answer(call(fifty(intent="plan"), medications=[listed(OXYCODONE)], conditions=AUD)))


@pytest.mark.parametrize(
    ("medication", "days", "is_told"),
    [(OXYCODONE, 9, True), (OXYCODONE, 10, False), (METHADONE, 13, True), (METHADONE, 14, False)],
)
def test_a_supply_of_five_days_may_end_five_days_after_it_was_written(medication: Json, days: int, is_told: bool, answer: Answer) -> None:  # noqa: FBT001
    course = listed(medication, since=days + 5, supply=5, status="completed")
    assert conflicts(answer(call(fifty(), medications=[course], conditions=AUD))) == ({CONFLICT_WARNING} if is_told else set())


# --- diagnoses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "is_told"),
    [(AGONIST_THERAPY, True), (WITHDRAWAL, True), (LONG_TERM_OPIOID, True), (OPIOID_USE_DISORDER, False)],
)
def test_the_reason_of_the_order_itself_can_tell_of_an_opioid(reason: Json, is_told: bool, answer: Answer) -> None:  # noqa: FBT001
    assert conflicts(answer(call(fifty(reason=reason)))) == ({CONFLICT_WARNING} if is_told else set())


def test_the_reason_of_another_order_tells_nothing_of_this_one(answer: Answer) -> None:
    metformin = order(concept("metformin"), reason=WITHDRAWAL)
    assert conflicts(answer(call(fifty(), metformin, conditions=AUD))) == set()


def test_a_reason_that_is_on_the_problem_list_too_is_told_once(answer: Answer) -> None:
    found = answer(call(fifty(reason=AGONIST_THERAPY), conditions=[condition(AGONIST_THERAPY)]))
    assert [card["summary"].count("agonist therapy") for card in found["cards"] if card["indicator"] == "warning"] == [1]
    assert [finding["rule"] for finding in findings(found)].count("opioid-conflict") == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [(AGONIST_THERAPY, {CONFLICT_WARNING}), (WITHDRAWAL, set()), (LONG_TERM_OPIOID, set())],
)
def test_dependence_in_remission_on_agonist_treatment_is_treatment_that_goes_on(
    code: Json, expected: set[tuple[str, str]], answer: Answer
) -> None:
    assert conflicts(answer(call(fifty(), conditions=[*AUD, condition(code, clinical="remission")]))) == expected


@pytest.mark.parametrize(("clinical", "verification"), [("resolved", "confirmed"), ("inactive", "confirmed"), (None, None)])
@pytest.mark.parametrize(
    ("code", "days", "is_told"),
    [
        (WITHDRAWAL, 3, True),
        (WITHDRAWAL, 14, False),
        (AGONIST_THERAPY, 13, True),
        (LONG_TERM_OPIOID, 200, False),
        (OPIOID_USE_DISORDER, 3, False),
    ],
)
def test_a_diagnosis_that_ended_within_the_longest_interval_still_tells_of_opioids(
    code: Json,
    days: int,
    is_told: bool,  # noqa: FBT001
    clinical: str | None,
    verification: str | None,
    answer: Answer,
) -> None:
    ended = condition(code, clinical, verification, abatementDateTime=ago(days))
    assert conflicts(answer(call(fifty(), conditions=[*AUD, ended]))) == ({CONFLICT_WARNING} if is_told else set())


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_a_diagnosis_that_never_was_tells_nothing_when_it_ends(verification: str, answer: Answer) -> None:
    ended = condition(WITHDRAWAL, "resolved", verification, abatementDateTime=ago(2))
    assert conflicts(answer(call(fifty(), conditions=[*AUD, ended]))) == set()


def test_a_diagnosis_that_is_over_without_a_date_tells_nothing(answer: Answer) -> None:
    assert conflicts(answer(call(fifty(), conditions=[*AUD, condition(WITHDRAWAL, "resolved")]))) == set()


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Oxycodonhydrochlorid 10 mg Retardtabletten",
        "Tramadolhydrochlorid 100 mg",
        "Morphinsulfat 10 mg",
        "Codeinphosphat 30 mg",
        "Fentanylcitrat 0,1 mg",
        "Dihydrocodeinhydrogentartrat 60 mg",
        "OxycodoneHCl 5 mg",
        "Buprenorphinhydrochlorid 8 mg",
    ],
)
def test_a_salt_written_in_one_word_with_the_drug_is_the_drug(text: str, answer: Answer) -> None:
    assert conflicts(answer(call(fifty(), medications=[listed(concept(text))], conditions=AUD))) == {CONFLICT}
    assert conflicts(answer(call(order(concept(text)), medications=[listed(TABLET_50)]))) == {CONFLICT}


def test_naltrexone_with_its_salt_in_one_word_is_naltrexone(answer: Answer) -> None:
    text = concept("Naltrexonhydrochlorid 50 mg Filmtabletten")
    assert CONFLICT in told(answer(call(order(text, dosage(50, "mg", DAILY)), medications=[listed(OXYCODONE)], conditions=AUD)))


@pytest.mark.parametrize(
    "text", ["Apomorphinhydrochlorid 10 mg", "Naloxonhydrochlorid 0,4 mg", "Metoclopramidhydrochlorid", "Chloridmorphin"]
)
def test_a_salt_in_one_word_with_another_drug_is_another_drug(text: str, answer: Answer) -> None:
    assert told(answer(call(fifty(), medications=[listed(concept(text))], conditions=AUD))) == set()


@pytest.mark.parametrize(
    "text",
    [
        "BUTALBITAL-APAP-CAFF-COD 50-325-40-30 MG PO CAPS",
        "HYDROCOD POLI-CHLORPHE POLI ER 10-8 MG/5ML PO SUER",
        "APAP/COD #3",
        "ASPIRIN-CAFF-DIHYDROCOD 356.4-30-16 MG PO CAPS",
    ],
)
def test_a_name_that_the_ehr_shortens_is_read(text: str, answer: Answer) -> None:
    assert conflicts(answer(call(fifty(), medications=[listed(concept(text))], conditions=AUD))) == {CONFLICT}


@pytest.mark.parametrize("text", ["COD LIVER OIL PO CAPS", "BUTALBITAL-APAP-CAFFEINE 50-325-40 MG PO TABS", "caffeine, cod liver oil"])
def test_a_fish_is_no_opioid(text: str, answer: Answer) -> None:
    assert told(answer(call(fifty(), medications=[listed(concept(text))], conditions=AUD))) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acute hepatitis", {("other", "warning")}),
        ("History of acute hepatitis", set()),
        ("History of cirrhosis of liver", {("other", "info")}),
        ("Lactating mother", {("other", "info")}),
        ("Nursing mother", {("other", "info")}),
        ("Planning pregnancy", set()),
        ("Pregnancy", {("other", "info")}),
    ],
)
def test_what_is_over_or_only_planned_is_no_caution(text: str, expected: set[tuple[str, str]], answer: Answer) -> None:
    assert told(answer(call(fifty(), conditions=[*AUD, condition(concept(text))]))) == expected


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("Chronic, continuous use of opioids", True),
        ("Long-term opiate analgesic use", True),
        ("Suboxone maintenance therapy", True),
        ("Methadone maintenance", True),
        ("Declined methadone maintenance", False),
        ("No longer on methadone", False),
    ],
)
def test_a_diagnosis_in_words_tells_of_opioids_unless_it_says_that_they_are_not_taken(text: str, is_told: bool, answer: Answer) -> None:  # noqa: FBT001
    assert conflicts(answer(call(fifty(), conditions=[*AUD, condition(concept(text))]))) == ({CONFLICT_WARNING} if is_told else set())


# --- what could not be checked ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize(("draft", "severity"), [(fifty(), "warning"), (oxycodone(), "info"), (order(EMBEDA), "info")])
@pytest.mark.parametrize(
    "sent",
    [
        {"activeMedications": ..., "recentMedications": ...},
        {"activeMedications": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}},
        {
            "activeMedications": {
                "resourceType": "Bundle",
                "type": "searchset",
                "link": [{"relation": "next", "url": "https://ehr.example/2"}],
            }
        },
        {"activeMedications": 17},
    ],
)
def test_a_list_that_was_not_read_is_told_at_either_hook(hook: str, draft: Json, severity: str, sent: Json, answer: Answer) -> None:
    assert ("incomplete", severity) in told(answer(call(draft, conditions=AUD, hook=hook, prefetch=sent)))
