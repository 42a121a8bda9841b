"""Orders that a pharmacist invented from the clinical facts, over HTTP: what the service first got wrong, and what is right."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clinic import (
    ALCOHOL,
    BEDTIME,
    CONTRAVE,
    DAILY,
    FIBROMYALGIA,
    LDN_CAPSULE,
    LDN_START,
    OXYCODONE,
    TABLET_50,
    VIVITROL,
    Json,
    amount,
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
FIBRO = [condition(FIBROMYALGIA)]
AUD = [condition(ALCOHOL)]
OFF_LABEL = ("off-label", "info")
OTHER = ("other", "info")
DOSE = ("dose", "warning")
RECENT = ("opioid-conflict", "warning")
CONFLICT = ("opioid-conflict", "critical")
MONTHLY: Json = {"repeat": {"frequency": 1, "period": 4, "periodUnit": "wk"}}
FIFTY = order(TABLET_50, dosage(1, "{tbl}", DAILY))
LOW = order(LDN_CAPSULE, dosage(1, "{capsule}"))
USED = listed(LDN_CAPSULE, dosage(1, "{capsule}"), since=60, supply=90)
TWICE: Json = {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}
TWO_WEEKS: Json = {"repeat": {**BEDTIME["repeat"], "boundsDuration": amount(14, "d")}}


def course(text: str, since: int, **more: Any) -> Json:  # noqa: ANN401
    """An order of oxycodone whose dosage is words alone, and that names no supply."""
    return listed(OXYCODONE, {"text": text}, since=since, **{"status": "completed", **more})


def ended(text: str, since: int, **more: Any) -> Json:  # noqa: ANN401
    """50 mg for alcohol dependence after such an order."""
    return call(order(TABLET_50, dosage(1, "{tbl}", DAILY)), medications=[course(text, since, **more)], conditions=AUD)


def fifty_for(text: str, problems: list[Json]) -> Json:
    """One 50 mg tablet a day with a text."""
    return call(order(TABLET_50, dosage(1, "{tbl}", DAILY, text=text)), conditions=problems)


def _in_unit(value: float, unit: str) -> Json:
    """A dose in a unit without a code."""
    return {"doseAndRate": [{"doseQuantity": {"value": value, "unit": unit}}]}


def renewal(*lines: Json, medication: Json = LDN_CAPSULE) -> Json:
    """Low dose, taken before, for fibromyalgia."""
    return call(order(medication, *lines), medications=[USED], conditions=FIBRO)


CASES: dict[str, tuple[Json, set[tuple[str, str]]]] = {
    "low dose beside 50 mg in use, both uses on the problem list: two regimens": (
        call(LOW, medications=[listed(TABLET_50, dosage(1, "{tbl}", DAILY), since=20, supply=90)], conditions=[*FIBRO, *AUD]),
        {OFF_LABEL, OTHER},
    ),
    # --- a short course of an opioid that only its text bounds ----------------------------------------------------
    "five days in the text, begun 30 days ago": (ended("Take 1 tab q6h prn x 5 days", 30), set()),
    "five days in the text, begun 16 days ago: ended 11 or 12 days ago": (ended("Take 1 tab q6h prn x 5 days", 16), set()),
    "five days in the text, begun 13 days ago: ended 8 or 9 days ago": (ended("Take 1 tab q6h prn x 5 days", 13), {RECENT}),
    "no length in the text": (ended("Take 1 tab q6h prn", 30), {RECENT}),
    "five days in the text, with refills": (
        ended("Take 1 tab q6h prn x 5 days", 30, dispenseRequest={"numberOfRepeatsAllowed": 2}),
        {RECENT},
    ),
    "five days in the text, still active": (
        call(order(TABLET_50, dosage(1, "{tbl}", DAILY)), medications=[course("1 tab q6h x 5 days", 30, status="active")], conditions=AUD),
        {CONFLICT},
    ),
    "an empty text says nothing of the length": (ended("as directed", 30), {RECENT}),
    # --- what the dosing text says the drug is for ---------------------------------------------------------------
    "50 mg for alcohol dependence by its text, fibromyalgia on the problem list": (
        fifty_for("1 tablet daily for alcohol dependence", FIBRO),
        set(),
    ),
    "50 mg for fibromyalgia by its text, dependence on the problem list": (
        fifty_for("Take 1 tablet daily for fibromyalgia", AUD),
        {OFF_LABEL, DOSE},
    ),
    "a text that denies the reason": (fifty_for("Take 1 tablet daily. Not for fibromyalgia", AUD), set()),
    "a caution in the text names a condition that is no reason": (
        renewal(dosage(1, "{capsule}", text="1 cap qhs. Do not use for patients with opioid dependence")),
        {OFF_LABEL},
    ),
    "a text that names a condition that is no reason for the drug": (fifty_for("Take 1 tablet daily, not for acute hepatitis", AUD), set()),
    "a stated reason outranks the text": (
        call(
            order(TABLET_50, dosage(1, "{tbl}", DAILY, text="1 tablet daily for fibromyalgia"), reason=concept("alcohol dependence")),
            conditions=[],
        ),
        set(),
    ),
    # --- the fixed combination has a labelled most of its own -------------------------------------------------------
    "three tablets of the fixed combination twice daily": (call(order(CONTRAVE, dosage(3, "{tbl}", TWICE)), conditions=[]), {DOSE}),
    "two tablets of the fixed combination twice daily": (call(order(CONTRAVE, dosage(2, "{tbl}", TWICE)), conditions=[]), set()),
    # --- problems in other languages ----------------------------------------------------------------------------
    **{
        f"50 mg with {text!r} on the problem list": (call(FIFTY, conditions=[condition(concept(text))]), cards)
        for text, cards in (
            ("Síndrome de dependencia al alcohol", set()),
            ("Alkoholabhängigkeitssyndrom", set()),
            ("Dépendance à l'alcool", set()),
            ("Trastorno por consumo de opioides", set()),
            ("Antecedentes familiares de alcoholismo", {OTHER}),
            ("Keine Alkoholabhängigkeit", {OTHER}),
            ("Pas de dépendance alcoolique", {OTHER}),
            ("Fibromialgia descartada", {OTHER}),
        )
    },
    # --- what is written beside the elements --------------------------------------------------------------------
    "a text whose tablet and milligrams are of another product": (
        renewal(dosage(1, "{capsule}", text="Take 1 tablet (50 mg) daily")),
        {OFF_LABEL, DOSE},
    ),
    "an instruction for the patient with ten times the dose, beside a text that agrees": (
        renewal(dosage(1, "{capsule}", text="Take 1 capsule (4.5 mg) nightly", patientInstruction="Take 45 mg at bedtime")),
        {OFF_LABEL, DOSE},
    ),
    "an instruction for the patient that says the dose in milligrams": (
        renewal(dosage(1, "{capsule}", text="1 cap qhs", patientInstruction="Take one capsule (4.5 mg) at bedtime")),
        {OFF_LABEL},
    ),
    "an instruction for the patient without a dose": (
        renewal(dosage(1, "{capsule}", text="1 cap qhs", patientInstruction="Take at bedtime with water")),
        {OFF_LABEL},
    ),
    "one of two lines contradicts its own text": (
        renewal(
            dosage(1, "{capsule}", TWO_WEEKS, sequence=1, text="Take 10 mg at bedtime for 14 days"),
            dosage(2, "{capsule}", sequence=2, text="2 caps at bedtime"),
            medication=LDN_START,
        ),
        {OFF_LABEL, DOSE},
    ),
    "weekdays in elements, texts that leave them to the elements": (
        call(
            order(
                TABLET_50,
                dosage(
                    1,
                    "{tbl}",
                    {"repeat": {**DAILY["repeat"], "dayOfWeek": ["mon", "tue", "wed", "thu", "fri"]}},
                    text="Take 1 tablet daily",
                ),
                dosage(2, "{tbl}", {"repeat": {**DAILY["repeat"], "dayOfWeek": ["sat"]}}, text="Take 2 tablets daily"),
            ),
            conditions=AUD,
        ),
        set(),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_order_gets_the_cards_that_a_pharmacist_expects(case: str, answer: Answer) -> None:
    body, expected = CASES[case]
    assert told(answer(body)) == expected


WORDS = {
    "the fixed combination above its labelled dose": (
        call(order(CONTRAVE, dosage(3, "{tbl}", TWICE)), conditions=[]),
        "Naltrexone with bupropion: 48 mg a day of naltrexone, above the labelled 32 mg a day.",
    ),
    "a first order of a range without steps": (
        call(order(LDN_START, {"text": "Take 1 to 3 capsules at bedtime"}), conditions=FIBRO),
        "Off-label: low-dose naltrexone for fibromyalgia, where the evidence conflicts; see also: Starting dose.",
    ),
    "low dose for what its text alone says": (
        call(order(LDN_CAPSULE, {"text": "Take 1 capsule at bedtime for fibromyalgia"}), conditions=[]),
        "Off-label: low-dose naltrexone for fibromyalgia, where the evidence conflicts; see also: Starting dose.",
    ),
    "for a time is no reason": (
        call(order(LDN_CAPSULE, {"text": "Take 1 capsule at bedtime for 30 days"}), conditions=[]),
        "Low-dose naltrexone, no indication found: off-label at this dose whatever the use; please state the reason; see also: Starting dose.",
    ),
    "the injection for fibromyalgia has no dose a day": (
        call(order(VIVITROL, dosage(380, "mg", MONTHLY)), conditions=FIBRO),
        "Naltrexone injection for fibromyalgia: low doses are used there, usually 1.5 to 4.5 mg.",
    ),
    "50 mg for a stated reason that no value set holds": (
        call(order(TABLET_50, dosage(1, "{tbl}", DAILY), reason=concept("Gambling disorder")), conditions=[]),
        "Naltrexone 50 mg a day: the reason on the order is none that this service knows, so the dose was not checked against it.",
    ),
    "50 mg without a reason": (
        call(FIFTY, conditions=[]),
        "Naltrexone 50 mg a day: no indication found; please state it, because dose and checks depend on it.",
    ),
    "low dose for a stated reason that no value set holds": (
        call(order(LDN_CAPSULE, dosage(1, "{capsule}"), reason=concept("Hashimoto thyroiditis")), conditions=[]),
        "Low-dose naltrexone, for a reason that this service does not know: off-label at this dose whatever the use; see also: Starting dose.",
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_a_summary_says_only_what_was_found(case: str, answer: Answer) -> None:
    body, expected = WORDS[case]
    assert expected in [card["summary"] for card in answer(body)["cards"]]


DOSES: dict[str, tuple[Json, Json | str]] = {
    "the second of two lines has its dose in its text alone": (
        renewal(
            dosage(1, "{capsule}", TWO_WEEKS, sequence=1, text="1 cap at bedtime x 14 days"),
            dosage(None, timing=DAILY, sequence=2, text="2 caps at bedtime"),
            medication=LDN_START,
        ),
        {"low": 1.5, "high": 3},
    ),
    "a line of words alone that says the line of elements again is no second dose": (
        renewal(dosage(1, "{capsule}"), {"text": "Take 1 capsule (4.5 mg) at bedtime"}),
        {"low": 4.5, "high": 4.5},
    ),
    **{
        f"the unit {unit!r}": (renewal(dosage(1, "{x}", **_in_unit(1, unit))), {"low": 4.5, "high": 4.5})
        for unit in ("Capsule, Oral", "softgel", "ODT", "cápsula", "Kapseln", "gélule", "COMPRIMIDOS")
    },
    **{
        f"the unit {unit!r}": (
            renewal(dosage(1, "{x}", **_in_unit(value, unit)), medication=concept("naltrexone 1 mg/mL")),
            {"low": 4.5, "high": 4.5},
        )
        for unit, value in (("mgs", 4.5), ("mcgs", 4500), ("mls", 4.5), ("ccs", 4.5))
    },
    "a unit that may be any": (renewal(dosage(1, "{x}", **_in_unit(1, "unit"))), "unknown"),
}


@pytest.mark.parametrize("case", DOSES)
def test_a_dose_is_read_as_a_pharmacist_reads_it(case: str, answer: Answer) -> None:
    body, expected = DOSES[case]
    assert findings(answer(body))[0]["dailyDoseMg"] == expected


def test_no_dose_is_suggested_for_one_of_two_drafts_of_low_dose(answer: Answer) -> None:
    drafts = [order(concept(f"naltrexone {mg} mg capsule (compounded)"), dosage(1, "{capsule}")) for mg in (1.5, 3)]
    stop = {**drafts[0], "status": "stopped"}
    labels = [
        {one["label"] for card in answer(call(*both, conditions=FIBRO))["cards"] for one in card.get("suggestions", ())}
        for both in (drafts, [stop, drafts[1]])
    ]
    assert [any("1.5 mg" in label for label in of_one) for of_one in labels] == [False, True]
