"""Which prefetch value is what, and how complete each kind of data is."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cds_service.fhir.chart import Completeness, Kind
from cds_service.fhir.prefetch import bundle_entries, completeness, portions

Json = dict[str, Any]
TODAY = date(2026, 11, 22)
REACH = Decimal(60)
WORDS = {"c": Completeness.COMPLETE, "p": Completeness.PARTIAL, "m": Completeness.MISSING, "f": Completeness.FAILED}


def states(prefetch: Json | None, spoilt: Sequence[Kind] = ()) -> str:
    """Patient, conditions, medications, history: the first letter of each state."""
    found = completeness(portions(prefetch, today=TODAY, history_days=REACH), spoilt)
    return "".join(next(letter for letter, state in WORDS.items() if state is found[kind]) for kind in Kind)


def order(status: str = "active", written: str | None = "2026-11-01", kind: str = "MedicationRequest") -> Json:
    return {"resourceType": kind, "status": status, **({"authoredOn": written} if written else {})}


def bundle(*resources: object, query: str | None = None, **more: object) -> Json:
    links = [{"relation": "self", "url": f"https://ehr.example.org/fhir/{query}"}] if query else []
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources], **({"link": links} if links else {}), **more}


def outcome(*severities: str) -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity} for severity in severities]}


PATIENT: Json = {"resourceType": "Patient", "id": "p1"}
CONDITION: Json = {"resourceType": "Condition", "code": {"text": "x"}}
NEXT: Json = {"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}


def test_nothing_sent_is_all_missing() -> None:
    assert (states(None), states({})) == ("mmmm", "mmmm")


def test_the_four_keys_of_discovery_are_enough() -> None:
    sent = {"patient": PATIENT, "conditions": bundle(), "activeMedications": bundle(), "recentMedications": None}
    assert states(sent) == "cccc"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("patient", "mmmm"),
        ("conditions", "mcmm"),
        ("problemList", "mcmm"),
        ("encounterDiagnoses", "mcmm"),
        ("patientConditions", "mcmm"),
        ("medicalProblems", "mcmm"),
        ("cond", "mcmm"),
        ("activeMedications", "mmcm"),
        ("current-meds", "mmcm"),
        ("recentMedications", "mmmc"),
        ("medicationHistory", "mmmc"),
        ("past_rx", "mmmc"),
        ("priorPrescriptions", "mmmc"),
        ("previousMeds", "mmmc"),
        ("discontinuedMeds", "mmmc"),
        ("stoppedMeds", "mmmc"),
        ("completedMeds", "mmmc"),
        ("medIntolerances", "mmmm"),
        ("medObservations", "mmmm"),
        ("medLaboratory", "mmmm"),
        ("diagnosis", "mcmm"),
        ("inactiveMeds", "mmmc"),
        ("activeAndRecentMeds", "mmcc"),
        ("medications", "mmcc"),
        ("MEDS", "mmcc"),
        ("drugs", "mmcc"),
        ("medicationRequests", "mmcc"),
        ("patientMedications", "mmcc"),
        ("latestMeds", "mmcc"),
        ("secondaryMeds", "mmcc"),
        ("medicalHistory", "mmmm"),
        ("drugAllergies", "mmmm"),
        ("medLabs", "mmmm"),
        ("drugScreens", "mmmm"),
        ("draftMedications", "mmmm"),
        ("statements", "mmmm"),
        ("medicationDispenses", "mmmm"),
        ("administrations", "mmmm"),
        ("user", "mmmm"),
        ("", "mmmm"),
    ],
)
@pytest.mark.parametrize("value", [None, bundle(), {"resourceType": "Bundle", "total": 0}, {"entry": []}, outcome("warning")])
def test_an_empty_answer_without_a_query_is_known_by_its_key(key: str, found: str, value: Json | None) -> None:
    expected = "cmmm" if key == "patient" and value is not None and value.get("resourceType") != "OperationOutcome" else found
    assert states({key: value}) == expected


@pytest.mark.parametrize("value", ["123", 5, True, [], [5], "<html>", {}, {"a": 1}, outcome("error"), outcome("fatal"),
                                   outcome("warning", "error"), outcome(), outcome("odd"), {"resourceType": "OperationOutcome", "issue": [{"severity": {}}]},
                                   {"resourceType": "List"}, bundle(outcome("error"))])  # fmt: skip
def test_what_is_no_answer_has_failed(value: object) -> None:
    sent = {
        "patient": value,
        "conditions": value,
        "activeMedications": value,
        "recentMedications": value,
        "other": value,
        "statements": value,
    }
    assert states(sent) == "ffff"


@pytest.mark.parametrize("severity", ["information", "warning", "success"])
def test_an_outcome_that_is_no_error_leaves_an_empty_answer(severity: str) -> None:
    assert states({"conditions": bundle(outcome(severity), total=0)}) == "mcmm"
    assert states({"conditions": outcome(severity)}) == "mcmm"


def test_an_error_beside_readable_entries_is_partial() -> None:
    assert states({"conditions": bundle(CONDITION, outcome("error")), "meds": bundle(order(), outcome("error"))}) == "mppp"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (PATIENT, "cmmm"),
        (bundle(PATIENT), "cmmm"),
        (bundle(CONDITION), "mcmm"),
        (bundle(order()), "mmcc"),
        (bundle(order(kind="MedicationOrder")), "mmcc"),
        (bundle(CONDITION, order(), PATIENT), "cccc"),
        (bundle({"resourceType": "MedicationStatement"}), "mmmm"),
        (bundle(CONDITION, {"resourceType": "MedicationStatement"}), "mcmm"),
        (bundle({"resourceType": "Observation"}), "mmmm"),
        (CONDITION, "mpmm"),
        (order(), "mmpp"),
        ({"resourceType": "Bundle", "entry": {"resource": CONDITION}}, "mcmm"),
        ({"resourceType": "Bundle", "entry": [CONDITION]}, "mcmm"),
        ({"resourceType": "Observation"}, "mmmm"),
    ],
)
def test_content_is_known_under_any_key(value: Json, found: str) -> None:
    assert states({"k-17": value}) == found


def test_content_outweighs_the_key() -> None:
    assert states({"patient": bundle(CONDITION), "conditions": bundle(order())}) == "mccc"
    assert states({"activeMedications": PATIENT}) == "cmmm"


def test_a_list_of_something_else_under_a_promising_key_has_failed() -> None:
    assert states({"activeMedications": bundle({"resourceType": "Observation"})}) == "mmfm"


def test_what_was_only_included_covers_nothing() -> None:
    included = {"resource": CONDITION, "search": {"mode": "include"}}
    sent = {"resourceType": "Bundle", "entry": [{"resource": order(), "search": {"mode": "match"}}, included]}
    assert states({"k": sent}) == "mmcc"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("MedicationRequest?patient=p1&status=active", "mmcm"),
        ("MedicationRequest?patient=p1&status=active,on-hold", "mmcm"),
        ("MedicationRequest?patient=p1&status=http://hl7.org/fhir/CodeSystem/medicationrequest-status%7Cactive", "mmcm"),
        ("MedicationRequest?status=completed,stopped", "mmmc"),
        ("MedicationRequest?status=stopped", "mmmc"),
        ("MedicationRequest?status=ACTIVE&status=completed", "mmcc"),
        ("MedicationRequest?status=on-hold", "mmmm"),
        ("MedicationRequest?status:not=entered-in-error", "mmcc"),
        ("MedicationRequest?status:not=active", "mmmc"),
        ("MedicationRequest?status:not=completed,stopped,ended", "mmcm"),
        ("MedicationRequest?patient=p1", "mmcc"),
        ("MedicationRequest", "mmcc"),
        ("MedicationRequest/_search?patient=p1", "mmcc"),
        ("Patient/p1/MedicationRequest?x=y", "mmcc"),
        ("MedicationOrder?patient=p1", "mmcc"),
        ("MedicationRequest?_sort=-authoredon", "mmcc"),
        ("MedicationRequest?authoredon=ge2025-01-01", "mmcc"),
        ("MedicationRequest?authoredon=ge2025-11-21", "mmcc"),
        ("MedicationRequest?authoredon=ge2025-11-22", "mmpc"),
        ("MedicationRequest?authoredon=ge2026-09-23", "mmpc"),
        ("MedicationRequest?authoredon=gt2026-09-24", "mmpp"),
        ("MedicationRequest?date=ge2026-11-01", "mmpp"),
        ("MedicationRequest?authoredon=ge2020-01-01,le2099-01-01", "mmcc"),
        ("MedicationRequest?authoredon=ge2020-01-01&authoredon=le2026-11-21", "mmpp"),
        ("MedicationRequest?authoredon=le2026-11-22", "mmcc"),
        ("MedicationRequest?authoredon=2026-11-22", "mmpp"),
        ("MedicationRequest?authoredon=ge%7B%7Btoday()%7D%7D", "mmpp"),
        ("MedicationRequest?_id=%7B%7Bcontext.draftOrders.MedicationRequest.id%7D%7D", "mmmm"),
        ("MedicationRequest?code=urn:x%7C1", "mmmm"),
        ("MedicationRequest?medication.code:in=urn:x", "mmmm"),
        ("MedicationRequest?encounter=e1", "mmmm"),
        ("MedicationRequest?context=e1", "mmmm"),
        ("MedicationRequest?requester=x", "mmmm"),
        ("MedicationRequest?identifier=x", "mmmm"),
        ("MedicationRequest?_lastUpdated=ge2026", "mmmm"),
        ("MedicationRequest?medication=x", "mmmm"),
        ("MedicationRequest?status=ended", "mmmc"),
        ("MedicationOrder?datewritten=ge2026-11-01", "mmpp"),
        ("MedicationRequest?authoredon=sa2020-01-01&authoredon=lt2099-01-01&authoredon=eb2099-01-01", "mmcc"),
        ("Condition?clinical-status=recurrence", "mcmm"),
        ("MedicationRequest?patient:Patient=p1&category=community", "mmcc"),
        ("Condition?patient=p1", "mcmm"),
        ("Condition?clinical-status=active", "mcmm"),
        ("Condition?clinical-status=relapse", "mcmm"),
        ("Condition?clinical-status=resolved", "mmmm"),
        ("Condition?code=urn:x%7C1", "mmmm"),
        ("Patient?_id=p1&_revinclude=MedicationRequest:patient", "mmcc"),
        ("MedicationStatement?patient=p1", "mmmm"),
        ("Observation?code=1", "mmmm"),
        ("Medication?code=1", "mmmm"),
    ],
)
def test_the_query_tells_what_an_answer_covers(query: str, found: str) -> None:
    assert states({"anything": bundle(query=query)}) == found


def test_the_query_tells_it_also_where_there_are_entries() -> None:
    assert states({"k": bundle(order(), query="MedicationRequest?status=active")}) == "mmcm"
    assert states({"k": bundle(order(), query="MedicationRequest?code=1")}) == "mmmm"
    assert states({"activeMedications": bundle(order("completed"), query="MedicationRequest?patient=p1")}) == "mmcc"


@pytest.mark.parametrize(
    "query", ["?_getpages=1", "FHIR?x=y", "R4/$everything", "medicationrequest?status=active", "?" + "&".join(["a=b"] * 200)]
)
def test_a_query_that_tells_no_type_leaves_it_to_the_key(query: str) -> None:
    assert states({"activeMedications": bundle(query=query)}) == "mmcm"


@pytest.mark.parametrize("link", ["x", [5], {"relation": "self", "url": "https://ehr.example.org/MedicationRequest?status=active"},
                                  [{"relation": "self", "url": "http://[bad"}], [{"relation": "self", "url": 5}], [{"relation": {}}]])  # fmt: skip
def test_a_link_in_any_shape_does_no_harm(link: object) -> None:
    assert states({"activeMedications": {**bundle(), "link": link}}) == "mmcm"


@pytest.mark.parametrize(
    ("key", "statuses", "found"),
    [
        ("activeMedications", ["active"], "mmcm"),
        ("activeMedications", ["active", "completed"], "mmcc"),
        ("recentMedications", ["completed", "active"], "mmcc"),
        ("recentMedications", ["active"], "mmmc"),
        ("recentMedications", ["stopped"], "mmmc"),
        ("other", ["on-hold"], "mmcc"),
    ],
)
def test_orders_in_force_and_past_ones_together_cover_both(key: str, statuses: list[str], found: str) -> None:
    assert states({key: bundle(*[order(status) for status in statuses])}) == found


@pytest.mark.parametrize(
    ("resources", "total", "found"),
    [
        ([CONDITION], 1, "mcmm"),
        ([CONDITION], 2, "mpmm"),
        ([CONDITION], 0, "mcmm"),
        ([CONDITION], "many", "mcmm"),
        ([CONDITION, outcome("warning")], 1, "mcmm"),
        ([], 3, "mpmm"),
    ],
)
def test_a_total_above_what_was_sent_means_that_there_is_more(resources: list[Json], total: object, found: str) -> None:
    assert states({"conditions": bundle(*resources, total=total)}) == found


def test_included_resources_do_not_count_towards_the_total() -> None:
    included = {"resource": PATIENT, "search": {"mode": "include"}}
    sent = {"resourceType": "Bundle", "total": 2, "entry": [{"resource": CONDITION}, included]}
    assert states({"conditions": sent}) == "mpmm"


OLD, OLDER, NEW = order("completed", "2026-09-23"), order("completed", "2026-09-22"), order("completed", "2026-11-20")
SORTED = "MedicationRequest?patient=p1&_sort=-authoredon&_count=3"


@pytest.mark.parametrize(
    ("key", "query", "resources", "found"),
    [
        ("k", SORTED, [NEW, OLDER], "mmpc"),
        ("k", SORTED, [NEW, OLD], "mmpp"),
        ("k", SORTED, [OLDER, NEW], "mmpp"),
        ("k", SORTED, [], "mmpp"),
        ("k", SORTED, [order(written=None)], "mmpp"),
        ("k", SORTED, [NEW, order(written=None), OLDER], "mmpc"),
        ("k", "MedicationRequest?_sort=-date,_id", [NEW, OLDER], "mmpc"),
        ("k", "MedicationRequest?_sort:desc=authoredon", [NEW, OLDER], "mmpc"),
        ("k", "MedicationRequest?_sort=authoredon", [NEW, OLDER], "mmpp"),
        ("k", "MedicationRequest?_sort=_id,-authoredon", [NEW, OLDER], "mmpp"),
        ("k", "MedicationRequest?status=completed&_sort=-authoredon", [NEW, OLDER], "mmmc"),
        ("k", "MedicationRequest?status=active&_sort=-authoredon", [NEW, OLDER], "mmpm"),
        ("recentMedications", None, [NEW, OLDER], "mmmc"),
        ("recentMedications", None, [OLDER, NEW], "mmmp"),
        ("medicationHistory", None, [NEW, OLDER], "mmmp"),
        ("recentMedications", "MedicationRequest?patient=p1", [NEW, OLDER], "mmpp"),
        ("k", SORTED, [NEW, order("completed", "2026-09")], "mmpp"),
        ("k", SORTED, [NEW, order("completed", "2026-08")], "mmpc"),
        ("k", SORTED, [NEW, {"resourceType": "MedicationOrder", "dateWritten": "2026-01-01"}], "mmpc"),
        ("k", SORTED, [NEW, {"resourceType": "Condition", "authoredOn": "2026-01-01"}], "mppp"),
    ],
)
def test_a_next_page_matters_unless_the_newest_first_reach_back_far_enough(
    key: str, query: str | None, resources: list[Json], found: str
) -> None:
    sent = bundle(*resources, query=query)
    assert states({key: {**sent, "link": [*sent.get("link", []), NEXT]}}) == found


def test_a_next_page_of_conditions_or_statements_is_partial() -> None:
    assert states({"conditions": {**bundle(CONDITION), "link": [NEXT]}}) == "mpmm"
    statements = {**bundle({"resourceType": "MedicationStatement"}), "link": NEXT}
    assert states({"medications": bundle(order()), "s": statements}) == "mmpc"


def test_an_error_after_a_sorted_list_that_reaches_back_is_still_partial() -> None:
    assert states({"k": bundle(NEW, OLDER, outcome("error"), query=SORTED)}) == "mmpp"


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("statements", outcome("error"), "mmpc"),
        ("dispenses", outcome("error"), "mmcp"),
        ("administrations", "x", "mmcp"),
        ("statements", None, "mmcc"),
        ("statements", bundle(), "mmcc"),
        ("statements", bundle({"resourceType": "MedicationStatement"}), "mmcc"),
    ],
)
def test_optional_lists_are_never_missed_but_a_broken_one_leaves_its_kind_partial(key: str, value: object, found: str) -> None:
    assert states({"medications": bundle(order()), key: value}) == found


def test_optional_lists_never_stand_for_the_orders() -> None:
    assert states({"statements": bundle({"resourceType": "MedicationStatement"})}) == "mmmm"


def test_a_failed_value_beside_a_complete_one_of_the_same_kind_does_no_harm() -> None:
    cut = {**bundle(order()), "link": [NEXT]}
    assert states({"medications": bundle(order()), "activeMedications": outcome("error"), "recentMedications": cut}) == "mmcc"
    assert states({"activeMedications": outcome("error"), "currentMeds": cut}) == "mmpm"
    assert states({"activeMedications": outcome("error")}) == "mmfm"


def test_an_unreadable_entry_spoils_what_is_complete_and_nothing_else() -> None:
    assert states({"medications": bundle(), "conditions": "x"}, [Kind.MEDICATIONS, Kind.CONDITIONS, Kind.PATIENT]) == "mfpc"


def test_a_reach_beyond_the_calendar_does_no_harm() -> None:
    (portion,) = portions({"k": bundle(query="MedicationRequest?authoredon=ge2020-01-01")}, today=TODAY, history_days=Decimal(10**9))
    assert portion.covers[Kind.HISTORY] is Completeness.PARTIAL


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([CONDITION], "mpmm"),
        ([{"resource": CONDITION}, {"resource": CONDITION}], "mpmm"),
        ([order(), order()], "mmpp"),
        ([bundle(CONDITION)], "mcmm"),
    ],
)
def test_a_bare_list_of_resources_is_read_and_is_a_part_at_most(value: list[Json], found: str) -> None:
    (portion,) = portions({"k": value}, today=TODAY, history_days=REACH)
    assert {one.resource_type for one in portion.entries} <= {"Condition", "MedicationRequest"}
    assert states({"k": value}) == found


def test_entries_have_their_place_address_and_type() -> None:
    sent = {
        "entry": [
            {"fullUrl": "urn:uuid:1", "resource": CONDITION},
            {"resource": 5},
            5,
            PATIENT,
            {"search": {"mode": "include"}},
            {"resource": {}},
            {"resourceType": "Patient", "resource": CONDITION},
        ]
    }
    found = bundle_entries(sent, "here")
    assert [(one.place, one.resource_type, one.full_url, one.is_included) for one in found] == [
        ("here.entry[0]", "Condition", "urn:uuid:1", False),
        ("here.entry[1]", "", "", False),
        ("here.entry[2]", "", "", False),
        ("here.entry[3]", "Patient", "", False),
        ("here.entry[4]", "", "", True),
        ("here.entry[5]", "", "", False),
        ("here.entry[6]", "Condition", "", False),
    ]
    assert [one.raw is None for one in found] == [False, True, True, False, True, True, False]
    assert [one.is_unreadable for one in found] == [False, True, True, False, False, False, False]
    assert bundle_entries(None, "here") == ()


def test_a_key_is_inert_in_a_place() -> None:
    (portion,) = portions({"a b\n<c>": bundle(CONDITION)}, today=TODAY, history_days=REACH)
    assert portion.entries[0].place == "prefetch.a_b__c_.entry[0]"


@pytest.mark.parametrize(
    ("value", "concerns"),
    [
        (bundle(order(), query="MedicationRequest?status=active"), {Kind.MEDICATIONS}),
        (bundle(order(), query="MedicationRequest?code=1"), {Kind.MEDICATIONS, Kind.HISTORY}),
        (bundle({"resourceType": "MedicationDispense"}), {Kind.HISTORY}),
        (bundle({"resourceType": "Observation"}), set()),
    ],
)
def test_a_value_concerns_what_it_covers_else_what_it_holds(value: Json, concerns: set[Kind]) -> None:
    (portion,) = portions({"k": value}, today=TODAY, history_days=REACH)
    assert portion.concerns == concerns
