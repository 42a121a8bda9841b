"""Orders that a pharmacist invented from the clinical facts, over HTTP: what the service first got wrong, and what is right."""

from collections.abc import Callable

import pytest

from tests.clinic import (
    ALCOHOL,
    DAILY,
    FIBROMYALGIA,
    LDN_CAPSULE,
    TABLET_50,
    VIVITROL,
    Json,
    call,
    concept,
    condition,
    dosage,
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
MONTHLY: Json = {"repeat": {"frequency": 1, "period": 4, "periodUnit": "wk"}}
FIFTY = order(TABLET_50, dosage(1, "{tbl}", DAILY))
LOW = order(LDN_CAPSULE, dosage(1, "{capsule}"))


CASES: dict[str, tuple[Json, set[tuple[str, str]]]] = {
    "low dose beside 50 mg in use, both uses on the problem list: two regimens": (
        call(LOW, medications=[listed(TABLET_50, dosage(1, "{tbl}", DAILY), since=20, supply=90)], conditions=[*FIBRO, *AUD]),
        {OFF_LABEL, OTHER},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_order_gets_the_cards_that_a_pharmacist_expects(case: str, answer: Answer) -> None:
    body, expected = CASES[case]
    assert told(answer(body)) == expected


WORDS = {
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
