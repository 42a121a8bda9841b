"""Every pair of axes over HTTP: what an order says of itself must not change what stands beside it, and the other way round."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.clinic import (
    ALCOHOL,
    CONTRAVE,
    CROHN,
    DAILY,
    EMBEDA,
    FIBROMYALGIA,
    LDN_CAPSULE,
    LDN_START,
    LOMOTIL,
    LONG_TERM_OPIOID,
    LOPERAMIDE,
    METHADONE,
    OXYCODONE,
    SUBOXONE,
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

Said = frozenset[tuple[str, str]]


def said(*pairs: str) -> Said:
    """Write findings as "kind severity"."""
    return frozenset((kind, severity) for kind, severity in (pair.split() for pair in pairs))


@dataclass(frozen=True)
class Regimen:
    """An order with the naltrexone before it; `says` tells what is due for each indication."""

    name: str
    draft: Callable[[], Json]
    before: Sequence[Json]
    says: dict[str, Said]


@dataclass(frozen=True)
class Beside:
    """What else is taken, and what is due for it whatever the regimen."""

    name: str
    medications: Sequence[Json]
    conditions: Sequence[Json]
    says: Said
    is_unread: bool = False


INDICATIONS = {"fibromyalgia": [condition(FIBROMYALGIA)], "alcohol": [condition(ALCOHOL)], "crohn": [condition(CROHN)], "none": []}
OFF = said("off-label info")
START = said("titration info")
DOSE = said("dose warning")
LOW = listed(LDN_CAPSULE, dosage(4.5), since=60, supply=90)
REGIMENS = [
    Regimen(
        "low dose renewed",
        lambda: order(LDN_CAPSULE, dosage(4.5)),
        [LOW],
        {"fibromyalgia": OFF, "alcohol": DOSE, "crohn": OFF, "none": OFF},
    ),
    Regimen(
        "low dose started",
        lambda: order(LDN_START, dosage(1.5)),
        [],
        {"fibromyalgia": OFF | START, "alcohol": DOSE, "crohn": OFF | START, "none": OFF | START},
    ),
    Regimen(
        "50 mg",
        lambda: order(TABLET_50, dosage(1, "{tbl}", DAILY)),
        [],
        {"fibromyalgia": OFF | DOSE, "alcohol": said(), "crohn": OFF, "none": said("other info")},
    ),
    Regimen(
        "injection",
        lambda: order(VIVITROL, dosage(380, "mg", {"repeat": {"frequency": 1, "period": 4, "periodUnit": "wk"}})),
        [],
        {"fibromyalgia": OFF | DOSE, "alcohol": said(), "crohn": OFF, "none": said("other info")},
    ),
    Regimen(
        "combination for weight",
        lambda: order(CONTRAVE, dosage(2, "{tbl}", {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}})),
        [],
        dict.fromkeys(INDICATIONS, said()),
    ),
]
CRITICAL = said("opioid-conflict critical")
WARNING = said("opioid-conflict warning")
BESIDE = [
    Beside("nothing", [], [], said()),
    Beside("oxycodone", [listed(OXYCODONE, supply=30)], [], CRITICAL),
    Beside("oxycodone in text alone", [listed(concept("Percocet 5-325 mg tablet"))], [], CRITICAL),
    Beside("buprenorphine with naloxone", [listed(SUBOXONE)], [], CRITICAL),
    Beside("morphine with sequestered naltrexone", [listed(EMBEDA)], [], CRITICAL),
    Beside("oxycodone reported by the patient", [
        {"resourceType": "MedicationStatement", "id": "st1", "status": "active", "subject": {"reference": "Patient/p1"}, "medicationCodeableConcept": OXYCODONE}
    ], [], CRITICAL),
    Beside("oxycodone said not to be taken", [
        {"resourceType": "MedicationStatement", "id": "st2", "status": "not-taken", "subject": {"reference": "Patient/p1"}, "medicationCodeableConcept": OXYCODONE}
    ], [], said()),
    Beside("oxycodone ended two days ago", [listed(OXYCODONE, since=7, supply=5, status="completed")], [], WARNING),
    Beside("oxycodone ended a month ago", [listed(OXYCODONE, since=40, supply=5, status="completed")], [], said()),
    Beside("methadone ended twelve days ago", [listed(METHADONE, since=17, supply=5, status="completed")], [], WARNING),
    Beside("oxycodone on hold", [listed(OXYCODONE, status="on-hold")], [], WARNING),
    Beside("oxycodone of unknown status", [listed(OXYCODONE, status="unknown")], [], WARNING),
    Beside("oxycodone cancelled", [listed(OXYCODONE, status="cancelled")], [], said()),
    Beside("an opioid for diarrhoea", [listed(LOMOTIL)], [], WARNING),
    Beside("loperamide", [listed(LOPERAMIDE)], [], said()),
    Beside("a diagnosis of long-term opioid use", [], [condition(LONG_TERM_OPIOID)], WARNING),
    Beside("a list that was not sent", [], [], said("incomplete warning"), is_unread=True),
]  # fmt: skip
PAIRS = list(itertools.product(REGIMENS, INDICATIONS, BESIDE))


@pytest.mark.parametrize(("regimen", "indication", "beside"), PAIRS, ids=[f"{r.name}, {i}, beside {b.name}" for r, i, b in PAIRS])
def test_regimen_indication_and_what_stands_beside_it_are_judged_each_by_itself(
    regimen: Regimen, indication: str, beside: Beside, answer: Callable[[Json], Json]
) -> None:
    unread = {"activeMedications": ..., "recentMedications": ...} if beside.is_unread else {}
    request = call(
        regimen.draft(),
        medications=[*regimen.before, *beside.medications],
        conditions=[*INDICATIONS[indication], *beside.conditions],
        prefetch=unread,
    )
    expected = regimen.says[indication] | beside.says
    if beside.is_unread:
        expected -= START
    assert told(answer(request)) == expected


@pytest.mark.parametrize("beside", BESIDE, ids=[one.name for one in BESIDE])
def test_while_drafting_the_warnings_are_the_same_and_information_waits(beside: Beside, answer: Callable[[Json], Json]) -> None:
    unread = {"activeMedications": ..., "recentMedications": ...} if beside.is_unread else {}
    request = call(
        order(LDN_CAPSULE, dosage(4.5)),
        medications=[LOW, *beside.medications],
        conditions=beside.conditions,
        prefetch=unread,
        hook="order-select",
    )
    assert told(answer(request)) == beside.says
