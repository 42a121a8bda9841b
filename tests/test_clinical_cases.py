"""Clinical cases over HTTP, one axis of practice at a time: each ends at the JSON and says why its answer is right."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clinic import (
    AGONIST_THERAPY,
    ALCOHOL,
    ALCOHOL_REMISSION,
    APOMORPHINE,
    CONTRAVE,
    CROHN,
    DAILY,
    EMBEDA,
    EVERY_OTHER_DAY,
    FIBROMYALGIA,
    HYPERTENSION,
    INGREDIENT,
    LDN_CAPSULE,
    LDN_LIQUID,
    LDN_START,
    LOMOTIL,
    LONG_TERM_OPIOID,
    LOPERAMIDE,
    METFORMIN,
    METHADONE,
    METHYLNALTREXONE,
    MORNING,
    NALOXONE_KIT,
    OPIOID_USE_DISORDER,
    OXYCODONE,
    PRURITUS,
    SUBLOCADE,
    SUBOXONE,
    TABLET_50,
    TRAMADOL,
    VIVITROL,
    Json,
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
OFF_LABEL = ("off-label", "info")
START = ("titration", "info")
DOSE = ("dose", "warning")
CONFLICT = ("opioid-conflict", "critical")
CONFLICT_WARNING = ("opioid-conflict", "warning")
INCOMPLETE = ("incomplete", "warning")
ASK_INDICATION = ("other", "info")

FIBRO = [condition(FIBROMYALGIA)]
AUD = [condition(ALCOHOL)]
LDN = dosage(4.5)
STARTED = listed(LDN_CAPSULE, dosage(4.5), since=60, supply=90)
ONE_TABLET = dosage(1, "{tbl}", DAILY)
FIFTY = dosage(50, "mg", DAILY)


def ldn(**more: Any) -> Json:  # noqa: ANN401
    """A renewal of 4.5 mg at bedtime (with STARTED on the list)."""
    return order(LDN_CAPSULE, LDN, **more)


def fifty(**more: Any) -> Json:  # noqa: ANN401
    """One 50 mg tablet a day."""
    return order(TABLET_50, ONE_TABLET, **more)


CASES: dict[str, tuple[Json, set[tuple[str, str]]]] = {
    # --- the regimens as they should be -------------------------------------------------------------------------
    "50 mg for alcohol dependence needs no word": (call(fifty(), conditions=AUD), set()),
    "50 mg for alcohol dependence in remission is maintenance": (
        call(fifty(), conditions=[condition(ALCOHOL_REMISSION, clinical="remission")]),
        set(),
    ),
    "50 mg for opioid dependence, opioid-free": (call(fifty(), conditions=[condition(OPIOID_USE_DISORDER)]), set()),
    "the monthly injection for opioid dependence": (
        call(
            order(VIVITROL, dosage(380, "mg", {"repeat": {"frequency": 1, "period": 4, "periodUnit": "wk"}})),
            conditions=[condition(OPIOID_USE_DISORDER)],
        ),
        set(),
    ),
    "150 mg every third day is 50 mg a day": (
        call(order(TABLET_50, dosage(150, "mg", {"repeat": {"frequency": 1, "period": 3, "periodUnit": "d"}})), conditions=AUD),
        set(),
    ),
    "100 mg every other day is 50 mg a day": (call(order(TABLET_50, dosage(100, "mg", EVERY_OTHER_DAY)), conditions=AUD), set()),
    "50 mg on weekdays and 100 mg on Saturday is 50 mg a day": (
        call(
            order(
                TABLET_50,
                dosage(
                    50, "mg", {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "tue", "wed", "thu", "fri"]}}
                ),
                dosage(100, "mg", {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": ["sat"]}}),
            ),
            conditions=AUD,
        ),
        set(),
    ),
    "the fixed combination for weight has its own label": (
        call(order(CONTRAVE, dosage(2, "{tbl}", {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}))),
        set(),
    ),
    "a renewal of low dose for fibromyalgia is off-label and nothing else": (
        call(ldn(), medications=[STARTED], conditions=FIBRO),
        {OFF_LABEL},
    ),
    "a new start at 1.5 mg gets the schedule": (call(order(LDN_START, dosage(1.5)), conditions=FIBRO), {OFF_LABEL, START}),
    "a new start at 4.5 mg is above the usual start": (call(ldn(), conditions=FIBRO), {OFF_LABEL, START}),
    "an unrelated order": (call(order(METFORMIN, dosage(500)), medications=[listed(OXYCODONE)], conditions=FIBRO), set()),
    # --- indication ---------------------------------------------------------------------------------------------
    "the order's own reason outranks the problem list": (call(fifty(reason=FIBROMYALGIA), conditions=AUD), {DOSE, OFF_LABEL}),
    "50 mg for fibromyalgia": (call(fifty(), conditions=FIBRO), {DOSE, OFF_LABEL}),
    "4.5 mg for alcohol dependence": (call(ldn(), medications=[STARTED], conditions=AUD), {DOSE}),
    "low dose for Crohn's disease is off-label": (call(ldn(reason=CROHN), medications=[STARTED]), {OFF_LABEL}),
    "low dose without any indication": (call(ldn(), medications=[STARTED], conditions=[condition(HYPERTENSION)]), {OFF_LABEL}),
    "50 mg without any indication": (call(fifty(), conditions=[condition(HYPERTENSION)]), {ASK_INDICATION}),
    "50 mg for pruritus is off-label but no mismatch": (call(fifty(reason=PRURITUS)), {OFF_LABEL}),
    "a refuted fibromyalgia does not count": (
        call(fifty(), conditions=[condition(FIBROMYALGIA, verification="refuted")]),
        {ASK_INDICATION},
    ),
    "a fibromyalgia entered in error does not count": (
        call(fifty(), conditions=[condition(FIBROMYALGIA, clinical=None, verification="entered-in-error")]),
        {ASK_INDICATION},
    ),
    "a resolved fibromyalgia does not count": (call(fifty(), conditions=[condition(FIBROMYALGIA, clinical="resolved")]), {ASK_INDICATION}),
    "a provisional fibromyalgia counts": (
        call(fifty(), conditions=[condition(FIBROMYALGIA, verification="provisional")]),
        {DOSE, OFF_LABEL},
    ),
    "a fibromyalgia without statuses counts": (
        call(fifty(), conditions=[condition(FIBROMYALGIA, clinical=None, verification=None)]),
        {DOSE, OFF_LABEL},
    ),
    "ICD code without its dot": (
        call(fifty(), conditions=[condition(concept("", "M797", "urn:oid:2.16.840.1.113883.6.90"))]),
        {DOSE, OFF_LABEL},
    ),
    "a diagnosis in text alone": (call(fifty(), conditions=[condition(concept("Fibromyalgia syndrome"))]), {DOSE, OFF_LABEL}),
    "a family history is no indication": (
        call(fifty(), conditions=[condition(concept("Family history of alcohol dependence"))]),
        {ASK_INDICATION},
    ),
    "both fibromyalgia and alcohol dependence: 50 mg fits one": (call(fifty(), conditions=FIBRO + AUD), set()),
    "both fibromyalgia and alcohol dependence: low dose fits the other": (
        call(ldn(), medications=[STARTED], conditions=FIBRO + AUD),
        {OFF_LABEL},
    ),
    # --- dose ---------------------------------------------------------------------------------------------------
    "45 mg looks like a slip of 4.5": (call(order(INGREDIENT, dosage(45)), conditions=FIBRO), {DOSE, OFF_LABEL}),
    "10 mg lies between the regimens": (call(order(INGREDIENT, dosage(10)), conditions=FIBRO), {DOSE, OFF_LABEL}),
    "6 mg is above the usual top and no mismatch": (
        call(order(INGREDIENT, dosage(6)), medications=[listed(INGREDIENT, dosage(4.5), since=30)], conditions=FIBRO),
        {OFF_LABEL, START},
    ),
    "a 4.5 mg capsule and a dose of 50 mg contradict each other": (
        call(order(LDN_CAPSULE, dosage(50)), medications=[STARTED], conditions=FIBRO),
        {DOSE, OFF_LABEL},
    ),
    "4.5 mg cannot be taken from a 50 mg tablet": (
        call(order(TABLET_50, dosage(4.5)), medications=[STARTED], conditions=FIBRO),
        {DOSE, OFF_LABEL},
    ),
    "a capsule without a strength": (
        call(order(INGREDIENT, dosage(1, "{capsule}")), medications=[STARTED], conditions=FIBRO),
        {INCOMPLETE, OFF_LABEL},
    ),
    "no dose at all": (call(order(INGREDIENT), medications=[STARTED], conditions=FIBRO), {INCOMPLETE, OFF_LABEL}),
    "morning and evening doses add up": (
        call(order(INGREDIENT, dosage(1.5, "mg", MORNING), dosage(3)), medications=[STARTED], conditions=FIBRO),
        {OFF_LABEL},
    ),
    "4.5 mL of 1 mg/mL is 4.5 mg": (call(order(LDN_LIQUID, dosage(4.5, "mL")), medications=[STARTED], conditions=FIBRO), {OFF_LABEL}),
    "4500 micrograms is 4.5 mg": (call(order(INGREDIENT, dosage(4500, "ug")), medications=[STARTED], conditions=FIBRO), {OFF_LABEL}),
    # --- titration ----------------------------------------------------------------------------------------------
    "from 1.5 to 3 mg after two weeks": (
        call(order(INGREDIENT, dosage(3)), medications=[listed(LDN_START, dosage(1.5), since=14, supply=30)], conditions=FIBRO),
        {OFF_LABEL},
    ),
    "from 1.5 to 4.5 mg at once": (
        call(order(INGREDIENT, dosage(4.5)), medications=[listed(LDN_START, dosage(1.5), since=14, supply=30)], conditions=FIBRO),
        {OFF_LABEL, START},
    ),
    "from 1.5 to 3 mg after three days": (
        call(order(INGREDIENT, dosage(3)), medications=[listed(LDN_START, dosage(1.5), since=3, supply=30)], conditions=FIBRO),
        {OFF_LABEL, START},
    ),
    "a first order in the morning": (call(order(LDN_START, dosage(1.5, "mg", MORNING)), conditions=FIBRO), {OFF_LABEL, START}),
    "a titration in one order, three steps of two weeks": (
        call(
            order(
                LDN_START,
                *(
                    dosage(
                        1.5 * step,
                        "mg",
                        {
                            "repeat": {
                                **DAILY["repeat"],
                                "when": ["HS"],
                                "boundsDuration": {"value": 14, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"},
                            }
                        },
                        sequence=step,
                    )
                    for step in (1, 2, 3)
                ),
            ),
            conditions=FIBRO,
        ),
        {OFF_LABEL},
    ),
    # --- opioids, naltrexone ordered ----------------------------------------------------------------------------
    "an active opioid": (call(ldn(), medications=[STARTED, listed(TRAMADOL, supply=30)], conditions=FIBRO), {CONFLICT, OFF_LABEL}),
    "an active opioid, 50 mg": (call(fifty(), medications=[listed(OXYCODONE)], conditions=AUD), {CONFLICT}),
    "buprenorphine with naloxone is an opioid": (
        call(fifty(), medications=[listed(SUBOXONE)], conditions=[condition(OPIOID_USE_DISORDER)]),
        {CONFLICT},
    ),
    "the fixed combination for weight beside methadone": (
        call(order(CONTRAVE, dosage(1, "{tbl}", DAILY)), medications=[listed(METHADONE)]),
        {CONFLICT},
    ),
    "the injection beside methadone": (
        call(
            order(VIVITROL, dosage(380, "mg", {"repeat": {"count": 1}})),
            medications=[listed(METHADONE)],
            conditions=[condition(OPIOID_USE_DISORDER)],
        ),
        {CONFLICT},
    ),
    "morphine with naltrexone in one capsule is an opioid": (call(fifty(), medications=[listed(EMBEDA)], conditions=AUD), {CONFLICT}),
    "an opioid that ended two days ago": (
        call(fifty(), medications=[listed(OXYCODONE, since=7, supply=5, status="completed")], conditions=AUD),
        {CONFLICT_WARNING},
    ),
    "an opioid that ended thirty days ago": (
        call(fifty(), medications=[listed(OXYCODONE, since=35, supply=5, status="completed")], conditions=AUD),
        set(),
    ),
    "methadone that ended twelve days ago": (
        call(fifty(), medications=[listed(METHADONE, since=17, supply=5, status="completed")], conditions=AUD),
        {CONFLICT_WARNING},
    ),
    "oxycodone that ended twelve days ago": (
        call(fifty(), medications=[listed(OXYCODONE, since=17, supply=5, status="completed")], conditions=AUD),
        set(),
    ),
    "monthly buprenorphine, given 60 days ago": (
        call(fifty(), medications=[listed(SUBLOCADE, since=60, status="completed")], conditions=AUD),
        {CONFLICT_WARNING},
    ),
    "a cancelled opioid was never taken": (call(fifty(), medications=[listed(OXYCODONE, status="cancelled")], conditions=AUD), set()),
    "an opioid entered in error": (call(fifty(), medications=[listed(OXYCODONE, status="entered-in-error")], conditions=AUD), set()),
    "an opioid not to be given": (call(fifty(), medications=[listed(OXYCODONE, doNotPerform=True)], conditions=AUD), set()),
    "an opioid for diarrhoea": (call(fifty(), medications=[listed(LOMOTIL)], conditions=AUD), {CONFLICT_WARNING}),
    "loperamide stays in the gut": (call(fifty(), medications=[listed(LOPERAMIDE)], conditions=AUD), set()),
    "methylnaltrexone is another drug": (call(order(METHYLNALTREXONE, dosage(150)), medications=[listed(OXYCODONE)]), set()),
    "a naloxone kit is no conflict": (call(fifty(), medications=[listed(NALOXONE_KIT)], conditions=AUD), set()),
    "apomorphine is no opioid": (call(fifty(), medications=[listed(APOMORPHINE)], conditions=AUD), set()),
    "long-term opioid use known from a diagnosis": (call(fifty(), conditions=[*AUD, condition(LONG_TERM_OPIOID)]), {CONFLICT_WARNING}),
    "agonist treatment known from a diagnosis": (
        call(fifty(), conditions=[*AUD, condition(AGONIST_THERAPY)]),
        {CONFLICT_WARNING},
    ),
    # --- opioids ordered ----------------------------------------------------------------------------------------
    "an opioid ordered for a patient on low dose": (call(order(OXYCODONE, dosage(5)), medications=[STARTED]), {CONFLICT}),
    "an opioid ordered for a patient on the injection": (
        call(order(OXYCODONE, dosage(5)), medications=[listed(VIVITROL, since=10)]),
        {CONFLICT},
    ),
    "an opioid ordered the day after naltrexone ended": (
        call(order(OXYCODONE, dosage(5)), medications=[listed(TABLET_50, ONE_TABLET, since=30, supply=30, status="completed")]),
        {CONFLICT_WARNING},
    ),
    "an opioid ordered a month after naltrexone ended": (
        call(order(OXYCODONE, dosage(5)), medications=[listed(TABLET_50, ONE_TABLET, since=60, supply=30, status="completed")]),
        set(),
    ),
    "an opioid ordered, no naltrexone anywhere": (call(order(OXYCODONE, dosage(5)), medications=[listed(METFORMIN)]), set()),
    "an opioid for diarrhoea ordered for a patient on naltrexone": (
        call(order(LOMOTIL, dosage(1, "{tbl}")), medications=[listed(TABLET_50, ONE_TABLET)]),
        {CONFLICT_WARNING},
    ),
    "morphine with sequestered naltrexone ordered for a patient on low dose": (
        call(order(EMBEDA, dosage(1, "{capsule}")), medications=[STARTED]),
        {CONFLICT},
    ),
    "both in one signing": (call(fifty(), order(OXYCODONE, dosage(5)), conditions=AUD), {CONFLICT}),
    # --- statuses, echoes, completeness -------------------------------------------------------------------------
    "naltrexone being stopped beside an opioid": (
        call(fifty(status="stopped"), medications=[listed(OXYCODONE)], conditions=AUD),
        set(),
    ),
    "a proposal is never more than information": (
        call(fifty(intent="proposal"), medications=[listed(OXYCODONE)], conditions=AUD),
        {("opioid-conflict", "info")},
    ),
    "medication list left out": (
        call(fifty(), conditions=AUD, prefetch={"activeMedications": ..., "recentMedications": ...}),
        {INCOMPLETE},
    ),
    "problem list left out": (call(fifty(), prefetch={"conditions": ...}), {INCOMPLETE}),
    "medication list left out for an opioid": (
        call(order(OXYCODONE, dosage(5)), prefetch={"activeMedications": ..., "recentMedications": ...}),
        {("incomplete", "info")},
    ),
    "all lists null: empty, not missing": (
        call(fifty(reason=ALCOHOL), prefetch={"activeMedications": None, "recentMedications": None, "conditions": None}),
        set(),
    ),
    "what was found before the failure is still told": (
        call(
            fifty(),
            medications=[listed(OXYCODONE)],
            conditions=AUD,
            prefetch={"recentMedications": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}},
        ),
        {CONFLICT, INCOMPLETE},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_of_practice_gets_its_cards(name: str, answer: Answer) -> None:
    request, expected = CASES[name]
    assert told(answer(request)) == expected


def test_the_draft_echoed_in_the_active_list_is_the_same_order(answer: Answer) -> None:
    draft = order(LDN_START, dosage(1.5))
    echo = {**draft, "status": "active"}
    assert told(answer(call(draft, medications=[echo], conditions=FIBRO))) == {OFF_LABEL, START}


def test_stopping_the_opioid_in_the_same_signing_leaves_a_warning(answer: Answer) -> None:
    opioid = listed(OXYCODONE, supply=30)
    stop = {**opioid, "status": "stopped"}
    assert told(answer(call(fifty(), stop, medications=[opioid], conditions=AUD))) == {CONFLICT_WARNING}


def test_stopping_naltrexone_and_starting_an_opioid_leaves_a_warning(answer: Answer) -> None:
    naltrexone = listed(TABLET_50, ONE_TABLET, supply=60)
    stop = {**naltrexone, "status": "stopped"}
    assert told(answer(call(order(OXYCODONE, dosage(5)), stop, medications=[naltrexone], conditions=AUD))) == {CONFLICT_WARNING}


def test_an_opioid_that_ended_on_the_last_day_of_its_interval_no_longer_warns(answer: Answer) -> None:
    def conflict(days_since: int) -> bool:
        request = call(fifty(), medications=[listed(OXYCODONE, since=days_since + 4, supply=5, status="completed")], conditions=AUD)
        return CONFLICT_WARNING in told(answer(request))

    assert [conflict(9), conflict(10), conflict(11)] == [True, True, False]  # the first dose may have been taken on the second day


def test_info_waits_for_the_signing(answer: Answer) -> None:
    assert answer(call(ldn(), conditions=FIBRO, hook="order-select")) == {"cards": []}


def test_advice_while_drafting_keeps_to_what_is_selected(answer: Answer) -> None:
    naltrexone, metformin = fifty(), order(METFORMIN, dosage(500))
    request = call(
        naltrexone,
        metformin,
        medications=[listed(OXYCODONE)],
        conditions=AUD,
        hook="order-select",
        selections=[f"MedicationRequest/{metformin['id']}"],
    )
    assert answer(request) == {"cards": []}


@pytest.mark.parametrize(
    ("draft", "dose_class", "dose"),
    [
        (ldn(), "low-dose", {"low": 4.5, "high": 4.5}),
        (fifty(), "standard", {"low": 50, "high": 50}),
        (order(INGREDIENT, dosage(4.6)), "intermediate", {"low": 4.6, "high": 4.6}),
        (order(VIVITROL, dosage(380)), "standard", "unknown"),
        (order(CONTRAVE, dosage(1, "{tbl}")), "not-applicable", {"low": 8, "high": 8}),
        (order(INGREDIENT, dosage(1, "{capsule}")), "unknown", "unknown"),
    ],
)
def test_the_extension_tells_dose_and_class(draft: Json, dose_class: str, dose: Any, answer: Answer) -> None:  # noqa: ANN401
    request = call(draft, medications=[listed(OXYCODONE)], conditions=FIBRO)
    conflict = next(finding for finding in findings(answer(request)) if finding["kind"] == "opioid-conflict")
    assert (conflict["doseClass"], conflict["dailyDoseMg"]) == (dose_class, dose)


def test_one_conflict_card_names_each_drug_once(answer: Answer) -> None:
    fills = [listed(OXYCODONE, since=28 * turn, supply=30) for turn in (1, 2, 3)]
    cards = [card for card in answer(call(fifty(), medications=fills, conditions=AUD))["cards"] if card["indicator"] == "critical"]
    assert [card["detail"].lower().split("\n\n")[0].count("oxycodone") for card in cards] == [1]


def test_the_day_of_another_year_changes_nothing_for_a_current_opioid(answer: Answer) -> None:
    assert CONFLICT in told(answer(call(fifty(), medications=[listed(OXYCODONE, since=900)], conditions=AUD)))


def test_standard_doses_on_some_days_are_told_by_the_dose_of_a_time(answer: Answer) -> None:
    week = [
        dosage(100, timing={"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": [day]}})
        for day in ("mon", "wed", "fri")
    ]
    [card, *_] = answer(call(order(TABLET_50, *week), conditions=[condition(FIBROMYALGIA)]))["cards"]
    assert card["summary"] == "Naltrexone 42.9 mg a day for fibromyalgia: low doses are used there, usually 1.5 to 4.5 mg."
    assert card["detail"].startswith("100 mg at a time is a standard dose, but")
