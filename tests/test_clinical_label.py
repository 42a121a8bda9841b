"""Label rules, titration over time, and languages over HTTP: each ends at the JSON and says why its answer is right."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest
from flask.testing import FlaskClient

from tests.clinic import (
    ALCOHOL,
    CONTRAVE,
    DAILY,
    FIBROMYALGIA,
    HYPERTENSION,
    ICD10,
    INGREDIENT,
    LDN_CAPSULE,
    LDN_LIQUID,
    LDN_START,
    MORNING,
    OPIOID_USE_DISORDER,
    OXYCODONE,
    PATIENT,
    SNOMED,
    TABLET_50,
    VIVITROL,
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
OTHER = ("other", "info")
OTHER_WARNING = ("other", "warning")
OFF_LABEL = ("off-label", "info")
STEP = ("titration", "info")
DOSE = ("dose", "warning")
CONFLICT = ("opioid-conflict", "critical")
CONFLICT_WARNING = ("opioid-conflict", "warning")

FIBRO = [condition(FIBROMYALGIA)]
AUD = [condition(ALCOHOL)]
OUD = [condition(OPIOID_USE_DISORDER)]
LIVER_FAILURE = condition(concept("Hepatic failure", "K72.90", ICD10))
ACUTE_HEPATITIS = condition(concept("Acute hepatitis B", "B16.9", ICD10))
LIVER_FAILURE_SNOMED = condition(concept("Hepatic failure", "59927004", SNOMED))
CIRRHOSIS = condition(concept("Alcoholic cirrhosis of liver", "K70.30", ICD10))
PREGNANT = condition(concept("Pregnant", "77386006", SNOMED))
SUPERVISION = condition(concept("", "Z3400", ICD10))
LACTATING = condition(concept("Lactating mother", "Z39.1", ICD10))
STARTED = listed(LDN_CAPSULE, dosage(4.5), since=60, supply=90)
EVERY_4_WEEKS: Json = {"repeat": {"frequency": 1, "period": 4, "periodUnit": "wk"}}


def ldn(**more: Any) -> Json:  # noqa: ANN401
    """A renewal of 4.5 mg at bedtime (with STARTED on the list)."""
    return order(LDN_CAPSULE, dosage(4.5), **more)


def fifty(**more: Any) -> Json:  # noqa: ANN401
    """One 50 mg tablet a day."""
    return order(TABLET_50, dosage(1, "{tbl}", DAILY), **more)


def injection(**more: Any) -> Json:  # noqa: ANN401
    """The monthly injection."""
    return order(VIVITROL, dosage(380, "mg", EVERY_4_WEEKS), **more)


def on_fifty(**more: Any) -> Json:  # noqa: ANN401
    """50 mg a day in use."""
    return listed(TABLET_50, dosage(1, "{tbl}", DAILY), **{"since": 20, "supply": 90, **more})


def born(day: str | None) -> Json:
    """A prefetch with a patient of that birth date."""
    return {"patient": {**{name: part for name, part in PATIENT.items() if name != "birthDate"}, **({"birthDate": day} if day else {})}}


CASES: dict[str, tuple[Json, set[tuple[str, str]]]] = {
    # --- liver: some labels contraindicate, current US text warns -----------------------------------------------
    "liver failure": (call(fifty(), conditions=[*AUD, LIVER_FAILURE]), {OTHER_WARNING}),
    "liver failure by SNOMED": (call(fifty(), conditions=[*AUD, LIVER_FAILURE_SNOMED]), {OTHER_WARNING}),
    "acute hepatitis": (call(fifty(), conditions=[*AUD, ACUTE_HEPATITIS]), {OTHER_WARNING}),
    "acute hepatitis that is over": (
        call(fifty(), conditions=[*AUD, condition(concept("Acute hepatitis B", "B16.9", ICD10), clinical="resolved")]),
        set(),
    ),
    "acute hepatitis that was refuted": (
        call(fifty(), conditions=[*AUD, condition(concept("Acute hepatitis B", "B16.9", ICD10), verification="refuted")]),
        set(),
    ),
    "cirrhosis": (call(fifty(), conditions=[*AUD, CIRRHOSIS]), {OTHER}),
    "cirrhosis with liver failure is told once": (call(fifty(), conditions=[*AUD, CIRRHOSIS, LIVER_FAILURE]), {OTHER_WARNING}),
    "liver failure and low dose": (call(ldn(), medications=[STARTED], conditions=[*FIBRO, LIVER_FAILURE]), {OFF_LABEL, OTHER_WARNING}),
    "liver failure and the injection": (call(injection(), conditions=[*OUD, LIVER_FAILURE]), {OTHER_WARNING}),
    "liver failure and the fixed combination": (
        call(order(CONTRAVE, dosage(1, "{tbl}", DAILY)), conditions=[LIVER_FAILURE]),
        {OTHER_WARNING},
    ),
    "liver failure and an opioid order": (call(order(OXYCODONE, dosage(5)), conditions=[LIVER_FAILURE]), set()),
    "liver failure, naltrexone being stopped": (call(fifty(status="stopped"), conditions=[*AUD, LIVER_FAILURE]), set()),
    "liver failure and an active opioid": (
        call(fifty(), medications=[listed(OXYCODONE)], conditions=[*AUD, LIVER_FAILURE]),
        {CONFLICT, OTHER_WARNING},
    ),
    "liver failure and a dose that does not fit": (call(fifty(), conditions=[*FIBRO, LIVER_FAILURE]), {DOSE, OFF_LABEL, OTHER_WARNING}),
    "a proposal beside liver failure": (call(fifty(intent="proposal"), conditions=[*AUD, LIVER_FAILURE]), {OTHER}),
    # --- pregnancy, lactation -----------------------------------------------------------------------------------
    "pregnancy": (call(fifty(), conditions=[*AUD, PREGNANT]), {OTHER}),
    "pregnancy by an ICD code without its dot": (call(fifty(), conditions=[*AUD, SUPERVISION]), {OTHER}),
    "lactation": (call(ldn(), medications=[STARTED], conditions=[*FIBRO, LACTATING]), {OFF_LABEL, OTHER}),
    "not pregnant": (call(fifty(), conditions=[*AUD, condition(concept("Not pregnant", "60001007", SNOMED))]), set()),
    "a negative pregnancy test": (
        call(fifty(), conditions=[*AUD, condition(concept("Pregnancy test, result negative", "Z32.02", ICD10))]),
        set(),
    ),
    "pregnancy and liver failure": (call(fifty(), conditions=[*AUD, PREGNANT, LIVER_FAILURE]), {OTHER, OTHER_WARNING}),
    # --- children -----------------------------------------------------------------------------------------------
    "a patient of 17 years": (call(fifty(), conditions=AUD, prefetch=born("2008-11-23")), {OTHER}),
    "on the 18th birthday": (call(fifty(), conditions=AUD, prefetch=born("2008-11-22")), set()),
    "no date of birth": (call(fifty(), conditions=AUD, prefetch=born(None)), set()),
    "a date of birth in the future": (call(fifty(), conditions=AUD, prefetch=born("2027-01-01")), set()),
    "the patient left out": (call(fifty(), conditions=AUD, prefetch={"patient": ...}), set()),
    "an opioid for a child": (call(order(OXYCODONE, dosage(5)), prefetch=born("2015-01-01")), set()),
    "a child with an active opioid": (
        call(fifty(), medications=[listed(OXYCODONE)], conditions=AUD, prefetch=born("2010-01-01")),
        {CONFLICT, OTHER},
    ),
    # --- naltrexone twice ---------------------------------------------------------------------------------------
    "a renewal beside the order before is no duplicate": (call(fifty(), medications=[on_fifty()], conditions=AUD), set()),
    "a renewal of low dose is no duplicate": (call(ldn(), medications=[STARTED], conditions=FIBRO), {OFF_LABEL}),
    "a renewal on the day on which the order before was written": (call(fifty(), medications=[on_fifty(since=0)], conditions=AUD), set()),
    "a titration step is no duplicate": (
        call(order(INGREDIENT, dosage(3)), medications=[listed(LDN_START, dosage(1.5), since=14, supply=30)], conditions=FIBRO),
        {OFF_LABEL},
    ),
    "25 mg on the first day, then 50 mg": (
        call(fifty(), medications=[listed(TABLET_50, dosage(25, "mg", DAILY), since=1, supply=7)], conditions=OUD),
        set(),
    ),
    "50 mg for alcohol dependence beside low dose in use": (
        call(fifty(reason=ALCOHOL), medications=[STARTED], conditions=FIBRO + AUD),
        {OTHER},
    ),
    "low dose for fibromyalgia beside 50 mg in use": (
        call(ldn(reason=FIBROMYALGIA), medications=[on_fifty()], conditions=FIBRO + AUD),
        {OFF_LABEL, OTHER},
    ),
    "50 mg for fibromyalgia beside low dose: the wrong dose, told once": (
        call(fifty(), medications=[STARTED], conditions=FIBRO),
        {DOSE, OFF_LABEL},
    ),
    "50 mg that replaces the low dose": (
        call(fifty(reason=ALCOHOL, priorPrescription={"reference": f"MedicationRequest/{STARTED['id']}"}), medications=[STARTED]),
        set(),
    ),
    "50 mg after a low dose that has ended": (
        call(fifty(), medications=[listed(LDN_CAPSULE, dosage(4.5), since=60, supply=30, status="completed")], conditions=AUD),
        set(),
    ),
    "tablets beside the fixed combination in use": (
        call(fifty(), medications=[listed(CONTRAVE, dosage(2, "{tbl}", DAILY))], conditions=AUD),
        {OTHER_WARNING},
    ),
    "the fixed combination beside low dose in use": (
        call(order(CONTRAVE, dosage(2, "{tbl}", DAILY)), medications=[STARTED]),
        {OTHER_WARNING},
    ),
    "the fixed combination renewed": (
        call(order(CONTRAVE, dosage(2, "{tbl}", DAILY)), medications=[listed(CONTRAVE, dosage(1, "{tbl}", DAILY))]),
        set(),
    ),
    "the same tablets twice in one signing": (call(fifty(), fifty(), conditions=AUD), {OTHER_WARNING}),
    "the same low dose twice in one signing": (
        call(ldn(), ldn(), medications=[STARTED], conditions=FIBRO),
        {OFF_LABEL, OTHER_WARNING},
    ),
    "the injection twice in one signing": (call(injection(), injection(), conditions=OUD), {OTHER_WARNING}),
    "the second month in the same signing is no duplicate": (
        call(
            fifty(),
            fifty(dispenseRequest={"validityPeriod": {"start": ago(-30)}}),
            conditions=AUD,
        ),
        set(),
    ),
    "one tablet in the morning and one at bedtime, as two orders": (
        call(
            order(TABLET_50, dosage(25, "mg", MORNING)),
            order(TABLET_50, dosage(25)),
            medications=[on_fifty()],
            conditions=AUD,
        ),
        {("dose", "info")},
    ),
    # --- injection and tablets ----------------------------------------------------------------------------------
    "tablets while the injection acts": (call(fifty(), medications=[listed(VIVITROL, since=10)], conditions=AUD), {OTHER_WARNING}),
    "tablets when the last injection no longer acts": (
        call(fifty(), medications=[listed(VIVITROL, since=40, supply=28, status="completed")], conditions=AUD),
        set(),
    ),
    "low dose while the injection acts": (
        call(ldn(reason=FIBROMYALGIA), medications=[STARTED, listed(VIVITROL, since=10)]),
        {OFF_LABEL, OTHER_WARNING},
    ),
    "the injection while tablets are in use": (call(injection(), medications=[on_fifty()], conditions=OUD), {OTHER_WARNING}),
    "the next injection": (call(injection(), medications=[listed(VIVITROL, since=28)], conditions=OUD), set()),
    "the injection and tablets in one signing": (call(injection(), fifty(), conditions=OUD), {OTHER_WARNING}),
    "the injection beside tablets and an active opioid": (
        call(injection(), medications=[on_fifty(), listed(OXYCODONE)], conditions=OUD),
        {CONFLICT, OTHER_WARNING},
    ),
    # --- prompts stay silent ------------------------------------------------------------------------------------
    "a plain start of 50 mg": (call(fifty(), conditions=AUD), set()),
    "a plain injection": (call(injection(), conditions=OUD), set()),
    # --- restart after a gap ------------------------------------------------------------------------------------
    "4.5 mg again, 60 days after the supply ran out": (
        call(ldn(), medications=[listed(LDN_CAPSULE, dosage(4.5), since=90, supply=30, status="completed")], conditions=FIBRO),
        {OFF_LABEL, STEP},
    ),
    "4.5 mg again, 31 days after the last covered day at the least": (
        call(ldn(), medications=[listed(LDN_CAPSULE, dosage(4.5), since=61, supply=30, status="completed")], conditions=FIBRO),
        {OFF_LABEL, STEP},
    ),
    "4.5 mg again, 31 days after the last covered day at the most": (
        call(ldn(), medications=[listed(LDN_CAPSULE, dosage(4.5), since=60, supply=30, status="completed")], conditions=FIBRO),
        {OFF_LABEL},
    ),
    "1.5 mg again after a gap": (
        call(
            order(LDN_START, dosage(1.5)),
            medications=[listed(LDN_CAPSULE, dosage(4.5), since=90, supply=30, status="completed")],
            conditions=FIBRO,
        ),
        {OFF_LABEL},
    ),
    "4.5 mg again, completed 200 days ago without supply": (
        call(ldn(), medications=[listed(LDN_CAPSULE, dosage(4.5), since=200, status="completed")], conditions=FIBRO),
        {OFF_LABEL, STEP},
    ),
    "50 mg again after a gap has no low start": (
        call(fifty(), medications=[on_fifty(since=200, supply=30, status="completed")], conditions=AUD),
        set(),
    ),
    "after a gap, beside an active opioid": (
        call(
            ldn(),
            medications=[listed(LDN_CAPSULE, dosage(4.5), since=90, supply=30, status="completed"), listed(OXYCODONE)],
            conditions=FIBRO,
        ),
        {CONFLICT, OFF_LABEL, STEP},
    ),
    # --- ended orders without any end ---------------------------------------------------------------------------
    "an opioid completed 99 days ago without supply may have lasted": (
        call(fifty(), medications=[listed(OXYCODONE, since=99, status="completed")], conditions=AUD),
        {CONFLICT_WARNING},
    ),
    "an opioid completed 100 days ago without supply": (
        call(fifty(), medications=[listed(OXYCODONE, since=100, status="completed")], conditions=AUD),
        set(),
    ),
    "an opioid stopped 200 days ago without supply may have lasted": (
        call(fifty(), medications=[listed(OXYCODONE, since=200, status="stopped")], conditions=AUD),
        {CONFLICT_WARNING},
    ),
    "an opioid stopped 375 days ago without supply": (
        call(fifty(), medications=[listed(OXYCODONE, since=375, status="stopped")], conditions=AUD),
        set(),
    ),
    "an opioid completed 200 days ago with repeats": (
        call(
            fifty(),
            medications=[listed(OXYCODONE, since=200, status="completed", dispenseRequest={"numberOfRepeatsAllowed": 5})],
            conditions=AUD,
        ),
        {CONFLICT_WARNING},
    ),
    "an opioid ordered, naltrexone completed 200 days ago without supply": (
        call(order(OXYCODONE, dosage(5)), medications=[on_fifty(since=200, supply=None, status="completed")]),
        set(),
    ),
    "high blood pressure means nothing here": (call(fifty(reason=ALCOHOL), conditions=[condition(HYPERTENSION)]), set()),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_of_the_label_gets_its_cards(name: str, answer: Answer) -> None:
    request, expected = CASES[name]
    assert told(answer(request)) == expected


def test_stopping_the_tablets_with_the_injection_is_no_overlap(answer: Answer) -> None:
    tablets = on_fifty()
    assert told(answer(call(injection(), {**tablets, "status": "stopped"}, medications=[tablets], conditions=OUD))) == set()


def test_the_echo_of_the_draft_is_no_duplicate(answer: Answer) -> None:
    draft = fifty()
    assert told(answer(call(draft, medications=[{**draft, "status": "active"}], conditions=AUD))) == set()


def test_two_alike_drafts_share_one_card(answer: Answer) -> None:
    answered = answer(call(fifty(), fifty(), conditions=AUD))
    assert [card["indicator"] for card in answered["cards"]] == ["warning"]
    assert len(findings(answered)) == 2


def test_a_titration_in_three_orders_is_told_once_and_needs_no_schedule(answer: Answer) -> None:
    steps = [(1.5, 0), (3, 14), (4.5, 28)]
    drafts = [order(INGREDIENT, dosage(dose), dispenseRequest={"validityPeriod": {"start": ago(-day)}}) for dose, day in steps]
    answered = answer(call(*drafts, conditions=FIBRO))
    assert [card["indicator"] for card in answered["cards"]] == ["info"]
    assert [(one["order"], one["kind"]) for one in findings(answered)] == [
        (f"MedicationRequest/{one['id']}", "off-label") for one in drafts
    ]
    assert _titrations(answered) == []


# --- the schedule on the card, and the order that it offers ------------------------------------------------------------


def _titrations(answered: Json) -> list[Json]:
    return [one for card in answered["cards"] for one in card.get("suggestions", []) if one["label"].startswith("Order the usual steps")]


def test_the_schedule_is_dated_from_the_day_of_the_order(answer: Answer) -> None:
    request = call(order(LDN_START, dosage(1.5), authoredOn="2026-11-20"), conditions=FIBRO)
    detail = answer(request)["cards"][0]["detail"]
    assert [line for line in detail.split("\n") if line.startswith("- From")] == [
        "- From 2026-11-20: 1.5 mg a day",
        "- From 2026-12-04: 3 mg a day",
        "- From 2026-12-18: 4.5 mg a day",
    ]


def test_an_order_without_a_date_begins_today(answer: Answer) -> None:
    detail = answer(call(order(LDN_START, dosage(1.5), authoredOn=None), conditions=FIBRO))["cards"][0]["detail"]
    assert "- From 2026-11-22: 1.5 mg a day" in detail


def test_a_start_below_the_usual_one_keeps_its_dose_as_the_first_step(answer: Answer) -> None:
    detail = answer(call(order(LDN_LIQUID, dosage(0.5)), conditions=FIBRO))["cards"][0]["detail"]
    assert [line[: -len(" a day")] for line in detail.split("\n") if line.startswith("- From")] == [
        "- From 2026-11-22: 0.5 mg",
        "- From 2026-12-06: 1.5 mg",
        "- From 2026-12-20: 3 mg",
        "- From 2027-01-03: 4.5 mg",
    ]


@pytest.mark.parametrize("draft", [ldn(), order(LDN_START, dosage(1.5)), order(LDN_LIQUID, dosage(4.5, "mL"))])
def test_the_offered_titration_is_an_order_that_needs_no_more_advice(draft: Json, answer: Answer) -> None:
    (offered,) = _titrations(answer(call(draft, conditions=FIBRO)))
    (action,) = offered["actions"]
    MedicationRequest.model_validate_json(json.dumps(action["resource"]))
    assert (action["type"], offered.get("isRecommended", False)) == ("update", False)
    assert [line["sequence"] for line in action["resource"]["dosageInstruction"]] == [1, 2, 3]
    assert [line["text"] for line in action["resource"]["dosageInstruction"]] == [
        "1.5 mg once daily at bedtime for 14 days",
        "3 mg once daily at bedtime for 14 days",
        "4.5 mg once daily at bedtime",
    ]
    assert action["resource"]["note"][-1]["text"].startswith("To be compounded")
    assert told(answer(call(action["resource"], conditions=FIBRO))) == {OFF_LABEL}


def test_a_restart_is_offered_the_titration_too(answer: Answer) -> None:
    before = listed(LDN_CAPSULE, dosage(4.5), since=90, supply=30, status="completed")
    assert len(_titrations(answer(call(ldn(), medications=[before], conditions=FIBRO)))) == 1


@pytest.mark.parametrize(
    "request_",
    [
        call(ldn(), medications=[listed(OXYCODONE)], conditions=FIBRO),
        call(ldn(), conditions=FIBRO, prefetch={"recentMedications": ...}),
        call(ldn(), order(OXYCODONE, dosage(5)), conditions=FIBRO),
        call(ldn(), conditions=[*FIBRO, LIVER_FAILURE]),
        call(ldn(), conditions=[*FIBRO, PREGNANT]),
        call(ldn(), conditions=FIBRO, prefetch=born("2012-01-01")),
        call(ldn(reason=FIBROMYALGIA), medications=[listed(VIVITROL, since=10)]),
        call(order(TABLET_50, dosage(4.5)), conditions=FIBRO),
        call(ldn(), medications=[STARTED], conditions=FIBRO),
        call(fifty(), conditions=AUD),
    ],
)
def test_no_titration_is_offered_beside_a_conflict_or_a_doubt(request_: Json, answer: Answer) -> None:
    assert _titrations(answer(request_)) == []


def test_a_step_card_says_where_the_patient_stands(answer: Answer) -> None:
    request = call(order(INGREDIENT, dosage(3)), medications=[listed(LDN_START, dosage(1.5), since=3, supply=30)], conditions=FIBRO)
    assert "So far: 1.5 mg a day for 3 days; the usual next step is 1.5 mg more." in answer(request)["cards"][0]["detail"]


# --- languages --------------------------------------------------------------------------------------------------------


def _in(client: FlaskClient, language: str, request: Json) -> list[Json]:
    response = client.post(
        f"/cds-services/naltrexone-{request['hook']}",
        data=json.dumps(request),
        content_type="application/json",
        headers={"Accept-Language": language},
    )
    cards: list[Json] = response.get_json()["cards"]
    return cards


@pytest.mark.parametrize("language", ["es", "es-MX,es;q=0.9,en;q=0.8", "fr, es;q=0.5"])
def test_a_conflict_is_told_in_spanish_to_who_reads_spanish(language: str, client: FlaskClient) -> None:
    card = _in(client, language, call(fifty(), medications=[listed(OXYCODONE)], conditions=AUD))[0]
    assert card["summary"].startswith("Naltrexona con ")
    assert "Ningún opioide debe retirarse de golpe" in card["detail"]
    assert "**Referencias**" in card["detail"]
    assert "Base: regla opioid-conflict" in card["detail"]
    assert card["suggestions"][0]["label"] == "Quitar la orden de naltrexona"
    assert "Riesgo hablado con el paciente, que está de acuerdo" in [reason["display"] for reason in card["overrideReasons"]]


def test_an_incomplete_check_is_told_in_spanish(client: FlaskClient) -> None:
    request = call(fifty(), conditions=AUD, prefetch={"activeMedications": ..., "recentMedications": ...})
    (card,) = _in(client, "es", request)
    assert card["summary"] == (
        "Orden de naltrexona no comprobada del todo; no se pudo leer entero: medicación actual y medicación terminada hace poco."
    )


@pytest.mark.parametrize("language", ["en", "de", "", "xx-yy;q=zz"])
def test_other_languages_get_english(language: str, client: FlaskClient) -> None:
    card = _in(client, language, call(fifty(), medications=[listed(OXYCODONE)], conditions=AUD))[0]
    assert "No opioid should be stopped at once" in card["detail"]


def test_a_card_without_spanish_is_english_as_a_whole(client: FlaskClient) -> None:
    (card,) = _in(client, "es", call(ldn(), medications=[STARTED], conditions=FIBRO))
    assert "Off-label" in card["summary"]
    assert "**References**" in card["detail"]
    assert "Basis: rule" in card["detail"]
    assert "Off-label use discussed with the patient" in [reason["display"] for reason in card["overrideReasons"]]


def test_cards_of_two_languages_in_one_answer_are_each_of_one(client: FlaskClient) -> None:
    cards = _in(client, "es", call(ldn(), medications=[STARTED, listed(OXYCODONE)], conditions=FIBRO))
    assert [("**Referencias**" in card["detail"], "**References**" in card["detail"]) for card in cards] == [(True, False), (False, True)]
