"""Everyday orders over HTTP: how doses are written on real wards and in pharmacies, each ending at the dose and class in the JSON.

Written as an examination before anybody had looked at the reader of doses; what it got wrong then stands here.
"""

from collections.abc import Callable

import pytest

from tests.clinic import (
    ALCOHOL,
    BEDTIME,
    DAILY,
    FIBROMYALGIA,
    INGREDIENT,
    LDN_CAPSULE,
    LDN_LIQUID,
    LDN_START,
    TABLET_50,
    VIVITROL,
    Json,
    call,
    condition,
    dosage,
    findings,
    order,
    told,
)

Answer = Callable[[Json], Json]
FIBRO = [condition(FIBROMYALGIA)]
AUD = [condition(ALCOHOL)]
OFF_LABEL = ("off-label", "info")
TITRATION = ("titration", "info")
DOSE = ("dose", "warning")

LOW_DOSE = {OFF_LABEL, TITRATION}
STANDARD = {OFF_LABEL, DOSE}
SIGS = {
    "1.5 mg = 1 cap, Oral, Once a day (at bedtime), # 30 cap, 0 Refill(s)": (INGREDIENT, (1.5, 1.5, "low-dose"), LOW_DOSE),
    "50 mg = 1 tab, Oral, Daily, # 30 tab(s), 3 Refill(s)": (TABLET_50, (50, 50, "standard"), STANDARD),
    "i po qhs": (LDN_CAPSULE, (4.5, 4.5, "low-dose"), LOW_DOSE),
    "1 po qd": (TABLET_50, (50, 50, "standard"), STANDARD),
    "T1T PO QD": (TABLET_50, (50, 50, "standard"), STANDARD),
    "1 cap po qhs #30 R3": (LDN_CAPSULE, (4.5, 4.5, "low-dose"), LOW_DOSE),
    "1 cap QHS starting 12/1/2026": (LDN_CAPSULE, (4.5, 4.5, "low-dose"), LOW_DOSE),
    "tkae 1 capusle nighly": (LDN_CAPSULE, (4.5, 4.5, "low-dose"), LOW_DOSE),
    "1 capsule nightly for pain. Do not take with opioids.": (LDN_CAPSULE, (4.5, 4.5, "low-dose"), LOW_DOSE),
    "Dissolve 1 tablet in 50 mL of distilled water. Take 4.5 mL by mouth at bedtime.": (TABLET_50, (4.5, 4.5, "low-dose"), LOW_DOSE),
    "1.5mg x 2wks; 3mg x 2wks; 4.5mg thereafter": (INGREDIENT, (1.5, 4.5, "low-dose"), {OFF_LABEL}),
    "Start 1.5 mg PO QHS; may increase to 3 mg after 2 weeks, then 4.5 mg after another 2 weeks": (
        INGREDIENT,
        (1.5, 4.5, "low-dose"),
        {OFF_LABEL},
    ),
    "Take 1 tablet by mouth daily (50 mg total)": (TABLET_50, (50, 50, "standard"), STANDARD),
    "50 mg, Oral, DAILY, Starting Fri 11/27/26, Until Discontinued": (TABLET_50, (50, 50, "standard"), STANDARD),
    "Take 1 tablet daily. Do not start until opioid free for 7-10 days.": (TABLET_50, (50, 50, "standard"), STANDARD),
    "1 cap daily @ 2100": (LDN_CAPSULE, (4.5, 4.5, "low-dose"), LOW_DOSE),
    "Take 1 capsule nightly. 90-day supply. 3 refills.": (LDN_CAPSULE, (4.5, 4.5, "low-dose"), LOW_DOSE),
    "Take 0.5 mL (0.5 mg) by mouth nightly, increase by 0.5 mL every 3 days up to 4.5 mL (4.5 mg)": (
        LDN_LIQUID,
        (0.5, 4.5, "low-dose"),
        LOW_DOSE,
    ),
    "Take 25 mg daily, may increase to 50 mg daily": (INGREDIENT, (25, 50, "standard"), STANDARD),
    "Increase by 1.5mg every 3 days to 4.5mg, starting at 1.5mg qhs": (INGREDIENT, (1.5, 4.5, "low-dose"), LOW_DOSE),
}


@pytest.mark.parametrize("sig", SIGS)
def test_an_everyday_text_gets_its_dose_its_class_and_its_cards(sig: str, answer: Answer) -> None:
    medication, dose, cards = SIGS[sig]
    answered = answer(call(order(medication, {"text": sig}), conditions=FIBRO))
    found = findings(answered)[0]
    assert ((found["dailyDoseMg"]["low"], found["dailyDoseMg"]["high"], found["doseClass"]), told(answered)) == (dose, cards)


ORDERS = {
    "the same line twice: one dose or two, and never no card": (
        [order(INGREDIENT, dosage(4.5), dosage(4.5))],
        FIBRO,
        (4.5, 9, "intermediate"),
        {OFF_LABEL, DOSE},
    ),
    "a range that ends above the usual": (
        [
            order(
                LDN_START,
                {
                    "timing": BEDTIME,
                    "doseAndRate": [{"doseRange": {"low": {"value": 3, "unit": "mg"}, "high": {"value": 6, "unit": "mg"}}}],
                },
            )
        ],
        FIBRO,
        (3, 6, "intermediate"),
        {OFF_LABEL, TITRATION},
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_dose_that_crosses_a_limit_is_judged_by_its_high_end(name: str, answer: Answer) -> None:
    orders, conditions, dose, cards = ORDERS[name]
    answered = answer(call(*orders, conditions=conditions))
    found = findings(answered)[0]
    assert ((found["dailyDoseMg"]["low"], found["dailyDoseMg"]["high"], found["doseClass"]), told(answered)) == (dose, cards)


INJECTIONS: dict[str, tuple[Json, set[tuple[str, str]]]] = {
    "monthly": (dosage(380, timing={"repeat": {"frequency": 1, "period": 1, "periodUnit": "mo"}}), set()),
    "every 4 weeks": (dosage(380, timing={"repeat": {"frequency": 1, "period": 4, "periodUnit": "wk"}}), set()),
    "once": (dosage(380, timing={"repeat": {"count": 1}}), set()),
    "every 28 days, in words": ({"text": "Inject 380 mg into the muscle every 28 days"}, set()),
    "daily, as tablets are": (dosage(380, timing=DAILY), {DOSE}),
    "weekly": (dosage(380, timing={"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}), {DOSE}),
    "every 2 months": (dosage(380, timing={"repeat": {"frequency": 1, "period": 2, "periodUnit": "mo"}}), {DOSE}),
    "half of it": (dosage(190, timing={"repeat": {"frequency": 1, "period": 4, "periodUnit": "wk"}}), {DOSE}),
}


@pytest.mark.parametrize("name", INJECTIONS)
def test_the_injection_is_held_against_its_labelled_regimen(name: str, answer: Answer) -> None:
    line, cards = INJECTIONS[name]
    assert told(answer(call(order(VIVITROL, line), conditions=AUD))) == cards
