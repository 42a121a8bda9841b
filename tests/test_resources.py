"""Readers of single values and resources: what EHRs really send, and what each loss is called."""

from collections.abc import Mapping
from datetime import UTC, date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cds_service.fhir import values
from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.dosages import MOST_DOSES, dosages
from cds_service.fhir.elements import Bounds, Coding, Concept, Dosage, Dose, Ingredient, Medication, Period, Ratio, Timing
from cds_service.fhir.resources import (
    MOST_REASONS,
    Sighting,
    Surroundings,
    birth_date,
    condition_record,
    is_of_other_patient,
    medication_record,
    ordered_medication,
    referable,
)
from cds_service.fhir.salvage import MODELS
from cds_service.quantities import Quantity, QuantityRange, exactly
from cds_service.unknown import Unknown

Json = dict[str, Any]
UCUM = "http://unitsofmeasure.org"
KATHMANDU = ZoneInfo("Asia/Kathmandu")
TODAY = date(2026, 11, 22)
MG = {"unit": "mg", "system": UCUM, "code": "mg"}


def around(resources: Mapping[str, Json] | None = None) -> Surroundings:
    return Surroundings(TODAY, KATHMANDU, "p1", (resources or {}).get)


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "system"),
    [
        ("urn:oid:2.16.840.1.113883.6.88", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        ("2.16.840.1.113883.6.88", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        ("URN:OID:2.16.840.1.113883.6.69", "http://hl7.org/fhir/sid/ndc"),
        ("urn:oid:2.16.840.1.113883.6.96", "http://snomed.info/sct"),
        ("urn:oid:2.16.840.1.113883.6.90", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("urn:oid:2.16.840.1.113883.6.103", "http://hl7.org/fhir/sid/icd-9-cm"),
        ("https://www.nlm.nih.gov/research/umls/rxnorm/", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        (" http://SNOMED.info/sct ", "http://snomed.info/sct"),
        ("http://snomed.info/sct/731000124108", "http://snomed.info/sct"),
        ("http://terminology.hl7.org/CodeSystem/icd10CM", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("urn:oid:2.16.840.1.113883.6.73", "http://www.whocc.no/atc"),
        ("urn:oid:2.16.840.1.113883.4.9", "http://fdasis.nlm.nih.gov"),
        ("urn:oid:2.16.840.1.113883.6.8", "http://unitsofmeasure.org"),
        ("urn:oid:2.16.840.1.113883.6.3", "http://hl7.org/fhir/sid/icd-10"),
        ("http://terminology.hl7.org/CodeSystem/icd10", "http://hl7.org/fhir/sid/icd-10"),
        ("http://hl7.org/fhir/sid/icd-10-us", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("http://terminology.hl7.org/CodeSystem/ICD-9CM-diagnosiscodes", "http://hl7.org/fhir/sid/icd-9-cm"),
        ("urn:oid:1.2.3", "urn:oid:1.2.3"),
        ("http://snomed.info/sctx", "http://snomed.info/sctx"),
        (None, ""),
        ({}, ""),
    ],
)
def test_a_code_system_has_one_name(sent: object, system: str) -> None:
    assert values.canonical_system(sent) == system


@pytest.mark.parametrize(
    ("sent", "first", "last"),
    [
        ("2026", (2026, 1, 1), (2026, 12, 31)),
        ("2024-02", (2024, 2, 1), (2024, 2, 29)),
        ("2026-11-22", (2026, 11, 22), (2026, 11, 22)),
        ("2026-11-22T23:30:00Z", (2026, 11, 23), (2026, 11, 23)),
        ("2026-11-22T23:30:00.123+05:45", (2026, 11, 22), (2026, 11, 22)),
        ("2026-11-22T02:30:00+14:00", (2026, 11, 21), (2026, 11, 21)),
        ("2026-11-22T23:59:60Z", (2026, 11, 23), (2026, 11, 23)),
        ("2026-11-22T23:30", (2026, 11, 22), (2026, 11, 22)),
        ("2026-11-22T18:14Z", (2026, 11, 22), (2026, 11, 22)),
        ("2026-11-22T18:16:00-00:00", (2026, 11, 23), (2026, 11, 23)),
        ("1850", (1850, 1, 1), (1850, 12, 31)),
        ("2200-12-31", (2200, 12, 31), (2200, 12, 31)),
    ],
)
def test_a_date_is_a_day_in_the_time_zone_of_the_site(sent: str, first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    assert values.day(sent, KATHMANDU) == values.Day(date(*first), date(*last))


@pytest.mark.parametrize(
    "sent",
    ["", "2026-13", "2026-02-30", "1849", "2201-01-01", "9999-12-31", "20261122", "11/22/2026", "2026-11-22T25:00:00Z",
     "2026-11-22T10:00:00+99:00", "2026-11-22 10:00", "٢٠٢٦", 2026, None, [], "2026-11-22\n"],
)  # fmt: skip
def test_nonsense_is_no_day(sent: object) -> None:
    assert values.day(sent, UTC) is None


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"start": "2026-11", "end": "2026-12"}, Period(date(2026, 11, 1), date(2026, 12, 31))),
        ({"start": "2026-11-22"}, Period(date(2026, 11, 22), None)),
        ({"start": "0001-01-01", "end": "9999-12-31"}, Period()),
        ({"start": "2026-11-22", "end": "2026-11-22"}, Period(TODAY, TODAY)),
        ({"start": "2026-11-22", "end": "2026-11-21"}, None),
        ({"start": "soon"}, None),
        ({"end": 5}, None),
        ("2026", None),
    ],
)
def test_a_period_has_open_ends_where_fillers_stand_and_none_that_contradict(sent: object, found: Period | None) -> None:
    assert values.period(sent, UTC) == found


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (5, Decimal(5)),
        (Decimal("4.50"), Decimal("4.50")),
        (10**12, Decimal(10**12)),
        (Decimal("1e-12"), Decimal("1e-12")),
        (Decimal("0E-99999"), Decimal(0)),
        (0, Decimal(0)),
        (10**12 + 1, None),
        (-(10**13), None),
        (10**400, None),
        (Decimal("1e13"), None),
        (Decimal("1e999999"), None),
        (Decimal("1e-13"), None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (Decimal("1." + "1" * 60), None),
        (Decimal("1." + "1" * 59), Decimal("1." + "1" * 59)),
        (True, None),
        ("4.5", None),
        (None, None),
    ],
)
def test_a_number_is_of_a_size_that_means_something(sent: object, found: Decimal | None) -> None:
    assert values.number(sent) == found


@pytest.mark.parametrize(
    ("sent", "least", "found"),
    [(1, 1, 1), (Decimal("2.0"), 1, 2), (0, 1, None), (0, 0, 0), (-1, 0, None), (Decimal("1.5"), 0, None), (False, 0, None)],
)
def test_a_count_is_whole_and_not_too_small(sent: object, least: int, found: int | None) -> None:
    assert values.whole(sent, least) == found


@pytest.mark.parametrize(
    ("sent", "unit"),
    [
        ({"unit": "Milligram(s)", "system": UCUM, "code": "mg"}, "mg"),
        ({"unit": "tablet", "system": UCUM, "code": "{tbl}"}, "{tbl}"),
        ({"unit": "tablet", "system": "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm", "code": "TAB"}, "tablet"),
        ({"unit": "Capsule, Oral", "system": "urn:x", "code": "CAP"}, "Capsule, Oral"),
        ({"unit": "Oral form", "system": "urn:x", "code": "CAP"}, "CAP"),
        ({"system": "urn:x", "code": "TAB"}, "TAB"),
        ({"unit": "CAP"}, "CAP"),
        ({"system": "https://unitsofmeasure.org/", "code": "{pill}"}, "{pill}"),
        ({"unit": "mg", "system": UCUM, "code": "milligrams-odd"}, "mg"),
        ({"unit": "drops", "code": "gtt"}, "drops"),
        ({"code": "gtt"}, "gtt"),
        ({"unit": "tablet", "code": "mg"}, "tablet"),
        ({}, ""),
    ],
)
def test_the_unit_of_a_quantity_is_the_ucum_code_else_what_can_be_read(sent: Json, unit: str) -> None:
    assert values.quantity({"value": 2, **sent}) == Quantity(Decimal(2), unit)


@pytest.mark.parametrize(
    "sent",
    [
        {"value": 2, "comparator": "<", **MG},
        {"value": -1, **MG},
        {"value": "2", **MG},
        {**MG},
        {"value": 2, "unit": "mcg", "system": UCUM, "code": "mg"},
        {"value": 2, "unit": "tablet", "system": UCUM, "code": "mg"},
        "2 mg",
        None,
    ],
)
def test_a_quantity_without_a_plain_number_or_with_two_units_is_not_read(sent: object) -> None:
    assert values.quantity(sent) is None


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        ({"value": 1, **MG}, {"value": 2, **MG}, QuantityRange(Decimal(1), Decimal(2), "mg")),
        ({"value": 500, "unit": "ug"}, {"value": 1, "unit": "mg"}, QuantityRange(Decimal(500), Decimal(1000), "ug")),
        ({"value": 1}, {"value": 2, **MG}, QuantityRange(Decimal(1), Decimal(2), "mg")),
        ({"value": 1, **MG}, {"value": 2}, QuantityRange(Decimal(1), Decimal(2), "mg")),
        ({"value": 2, **MG}, {"value": 2, **MG}, QuantityRange(Decimal(2), Decimal(2), "mg")),
        (None, {"value": 2, **MG}, QuantityRange(Decimal(2), Decimal(2), "mg")),
        ({"value": 1, **MG}, None, None),
        ({"value": 3, **MG}, {"value": 2, **MG}, None),
        ({"value": 1, **MG}, {"value": 2, "unit": "mL"}, None),
        ({"value": "x", **MG}, {"value": 2, **MG}, None),
    ],
)
def test_a_range_has_a_limit_and_one_unit(low: Json | None, high: Json | None, found: QuantityRange | None) -> None:
    sent = {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    assert values.quantity_range(sent) == found


@pytest.mark.parametrize(
    ("denominator", "found"),
    [
        ({"value": 5, "unit": "mL"}, Quantity(Decimal(5), "mL")),
        ({"unit": "capsule"}, Quantity(Decimal(1), "capsule")),
        ({"value": 0, "unit": "mL"}, None),
        ({"value": "x"}, None),
        (None, None),
    ],
)
def test_a_ratio_needs_something_to_divide_by(denominator: Json | None, found: Quantity | None) -> None:
    sent = {"numerator": {"value": 4, **MG}, "denominator": denominator}
    assert values.ratio(sent) == (Ratio(Quantity(Decimal(4), "mg"), found) if found else None)


def test_a_ratio_without_a_numerator_is_none() -> None:
    assert values.ratio({"denominator": {"value": 1, "unit": "d"}}) is None


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"coding": [{"system": "urn:x", "code": 12, "display": " A "}], "text": " b "}, Concept((Coding("urn:x", "12", "A"),), "b")),
        ({"coding": {"code": "1"}}, Concept((Coding("", "1"),))),
        ({"coding": [{}, {"system": "urn:x"}, 5, {"display": "d"}]}, Concept((Coding("", "", "d"),))),
        ([{"text": "b"}], Concept((), "b")),
        ("b", Concept((), "b")),
        ({"code": "1", "system": "urn:x"}, Concept((Coding("urn:x", "1"),))),
        ({"text": 5.5}, Concept()),
        (5, Concept()),
        (None, Concept()),
        ({"coding": [{"code": True}]}, Concept()),
    ],
)
def test_a_concept_is_read_in_every_shape_it_is_sent_in(sent: object, found: Concept) -> None:
    assert values.concept(sent) == found


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("Patient/1", "Patient/1"),
        ("https://x.org/fhir/R4/Patient/1/_history/3", "Patient/1"),
        ("Patient/1?x=y#z", "Patient/1"),
        ("Patient/1/", "Patient/1"),
        ("#p", "#p"),
        ("urn:uuid:1", "urn:uuid:1"),
        ("1", "1"),
        ("", ""),
    ],
)
def test_a_reference_is_known_by_type_and_id(address: str, local: str) -> None:
    assert values.local_reference(address) == local


def test_ids_and_keys_are_inert_in_places() -> None:
    assert values.safe_word("a<b>/ü\n" + "x" * 100) == "a_b____" + "x" * 73


@pytest.mark.parametrize(("sent", "unit", "found"), [
    ({"value": 2, "unit": "weeks"}, "", Quantity(Decimal(14), "d")),
    ({"value": 2}, "d", Quantity(Decimal(2), "d")),
    ({"value": 2}, "", None),
    ({"value": 2, "unit": "mg"}, "d", None),
    ({}, "d", None),
])  # fmt: skip
def test_a_duration_is_in_days(sent: Json, unit: str, found: Quantity | None) -> None:
    assert values.days_long(sent, unit) == found


# --- medication -----------------------------------------------------------------------------------------------------

PRODUCT: Json = {
    "resourceType": "Medication",
    "id": "m1",
    "code": {"coding": [{"system": "urn:x", "code": "1"}], "text": "product"},
    "form": {"text": "capsule"},
    "ingredient": [
        {
            "itemCodeableConcept": {"text": "ingredient"},
            "strength": {"numerator": {"value": 4, **MG}, "denominator": {"value": 1, "unit": "capsule"}},
        },
    ],
}
INGREDIENT = Ingredient(Concept((), "ingredient"), Ratio(Quantity(Decimal(4), "mg"), Quantity(Decimal(1), "capsule")))
WHOLE = Medication(Concept((Coding("urn:x", "1"),), "product"), Concept((), "capsule"), (INGREDIENT,))


def read(sent: Json, resources: Mapping[str, Json] | None = None) -> Medication | None:
    return ordered_medication({"resourceType": "MedicationRequest", **sent}, around(resources).resolve)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"medicationCodeableConcept": {}},
        {"medicationCodeableConcept": {"coding": [{}]}},
        {"medicationReference": {}},
        {"medication": None},
        {"medicationCodeableConcept": {"text": ""}},
    ],
)
def test_an_order_without_a_drug_names_none(sent: Json) -> None:
    assert read(sent) is None


@pytest.mark.parametrize(
    "sent",
    [
        {"medicationReference": {"reference": "#m1"}, "contained": [PRODUCT]},
        {"medicationReference": {"reference": "m1"}, "contained": PRODUCT},
        {"medicationReference": {"reference": "#m1"}, "contained": [{**PRODUCT, "id": "#m1"}]},
        {"medicationReference": "#m1", "contained": [5, PRODUCT]},
        {"medication": {"reference": {"reference": "#m1"}}, "contained": [PRODUCT]},
        {"medicationReference": {"reference": "Medication/m1"}},
        {"medication": {"reference": "Medication/m1"}},
    ],
)
def test_a_reference_leads_to_the_product_inside_the_order_or_beside_it(sent: Json) -> None:
    assert read(sent, {"Medication/m1": PRODUCT}) == WHOLE


@pytest.mark.parametrize("medication", [{"concept": {"text": "a"}}, {"text": "a"}, {"coding": [], "text": "a"}])
def test_the_concept_of_r5_is_read(medication: Json) -> None:
    assert read({"medication": medication}) == Medication(Concept((), "a"))


def test_the_dose_form_of_r5_is_the_form() -> None:
    found = read({"medicationReference": {"reference": "Medication/m1"}}, {"Medication/m1": {"doseForm": {"text": "capsule"}}})
    assert found == Medication(Concept(), Concept((), "capsule"))


def test_a_reference_to_nowhere_leaves_its_display() -> None:
    expected = Medication(Concept((), "a"), is_resolved=False)
    assert read({"medicationReference": {"reference": "Medication/404", "display": "a"}}) == expected
    assert read({"medicationReference": {"reference": "#404", "display": "a"}}, {"#404": PRODUCT}) == expected
    assert read({"medicationReference": {"display": "a"}}) == expected
    assert read({"medicationReference": {"reference": "Medication/404"}}) == Medication(Concept(), is_resolved=False)


def test_concept_product_and_display_are_laid_together_without_repeating_a_name() -> None:
    sent = {
        "medicationCodeableConcept": {"coding": [{"code": "2"}], "text": "own"},
        "medicationReference": {"reference": "Medication/m1", "display": "shown"},
    }
    codings = (Coding("", "2"), Coding("urn:x", "1"), Coding("", "", "product"), Coding("", "", "shown"))
    assert read(sent, {"Medication/m1": PRODUCT}) == Medication(Concept(codings, "own"), Concept((), "capsule"), (INGREDIENT,))
    same = {"medicationReference": {"reference": "Medication/m1", "display": "product"}}
    assert read(same, {"Medication/m1": PRODUCT}) == WHOLE


def test_an_unresolved_reference_beside_a_concept_is_no_loss() -> None:
    found = read({"medicationCodeableConcept": {"text": "a"}, "medicationReference": {"reference": "Medication/404"}})
    assert found == Medication(Concept((), "a"))


@pytest.mark.parametrize(
    "ingredient",
    [
        {"itemReference": {"reference": "#i"}},
        {"item": {"reference": {"reference": "#i"}}},
        {"item": {"concept": {"text": "ingredient"}}},
        {"itemReference": {"reference": "Medication/404", "display": "ingredient"}},
        {"itemReference": {"reference": "Substance/i"}},
    ],
)
def test_an_ingredient_is_a_concept_or_a_reference(ingredient: Json) -> None:
    inside = {"resourceType": "Medication", "id": "i", "code": {"text": "ingredient"}}
    product = {"resourceType": "Medication", "id": "m1", "ingredient": ingredient, "contained": [inside]}
    found = read({"medicationReference": {"reference": "Medication/m1"}}, {"Medication/m1": product, "Substance/i": inside})
    assert found == Medication(Concept(), ingredients=(Ingredient(Concept((), "ingredient")),))


def test_resources_are_found_by_address_and_by_type_and_id_and_the_first_one_counts() -> None:
    first, second = {"resourceType": "Medication", "id": "1"}, {"resourceType": "Medication", "id": "1", "code": {}}
    index = referable([("http://x/fhir/Medication/1", first), ("", second), ("urn:uuid:7", {"resourceType": "Medication"})])
    assert index["Medication/1"] is first
    assert {"http://x/fhir/Medication/1", "urn:uuid:7"} <= set(index)
    assert "" not in index


# --- dosage lines ---------------------------------------------------------------------------------------------------


def line(**sent: object) -> Dosage:
    (found,) = dosages({"dosageInstruction": [sent]}, (), KATHMANDU, 1)
    return found


@pytest.mark.parametrize(("sent", "lost"), [(MOST_DOSES, ()), (MOST_DOSES + 1, ("doseAndRate",))])
def test_doses_that_no_line_has_are_not_read_and_told(sent: int, lost: tuple[str, ...]) -> None:
    found = line(doseAndRate=[{"doseQuantity": {"value": number + 1, **MG}} for number in range(sent)])
    assert (len(found.doses), found.dropped) == (MOST_DOSES, lost)


def test_a_full_line_is_read_whole() -> None:
    found = line(
        sequence=2,
        text="t",
        patientInstruction="p",
        asNeededBoolean=True,
        route={"text": "oral"},
        doseAndRate=[{"doseQuantity": {"value": Decimal("4.5"), **MG}}],
        maxDosePerPeriod={"numerator": {"value": 9, **MG}, "denominator": {"value": 1, "unit": "d"}},
        timing={"code": {"text": "QHS"}},
    )
    assert found == Dosage(
        sequence=2,
        text="t",
        patient_instruction="p",
        timing=Timing(code="QHS"),
        is_as_needed=True,
        route=Concept((), "oral"),
        doses=(Dose("", exactly("4.5", "mg")),),
        max_dose_per_period=Ratio(Quantity(Decimal(9), "mg"), Quantity(Decimal(1), "d")),
    )


def test_as_needed_for_something_is_as_needed() -> None:
    assert line(asNeededCodeableConcept={"text": "pain"}) == Dosage(is_as_needed=True, as_needed_for=Concept((), "pain"))
    assert line(asNeededBoolean=False) == Dosage()


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (None, ""),
        ({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/dose-rate-type", "code": "ordered"}]}, "ordered"),
        ({"coding": [{"code": "2", "display": "Calculated"}]}, "calculated"),
        ({"coding": [{"code": "7"}], "text": "Ordered"}, "ordered"),
        ({"coding": [{"code": "admin-amount"}]}, "admin-amount"),
        ({"text": "Other Kind"}, "other kind"),
        ({"coding": [{"code": "X1", "display": "something"}]}, "x1"),
    ],
)
def test_the_kind_of_a_dose_is_a_known_word_wherever_it_stands(kind: Json | None, found: str) -> None:
    entry = {"doseQuantity": {"value": 1, **MG}, **({"type": kind} if kind else {})}
    assert line(doseAndRate=entry).doses == (Dose(found, exactly(1, "mg")),)


def test_all_entries_of_dose_and_rate_are_read() -> None:
    entries = [
        {"doseQuantity": {"value": 1, **MG}},
        {"doseRange": {"low": {"value": 1, **MG}, "high": {"value": 2, **MG}}},
        {"rateRatio": {}},
    ]
    assert line(doseAndRate=entries) == Dosage(doses=(Dose("", exactly(1, "mg")), Dose("", QuantityRange(Decimal(1), Decimal(2), "mg"))))


@pytest.mark.parametrize(
    ("sent", "lost"),
    [
        ({"sequence": "first"}, "sequence"),
        ({"asNeededBoolean": "yes"}, "asNeededBoolean"),
        ({"route": 5}, "route"),
        ({"doseAndRate": [5]}, "doseAndRate"),
        ({"doseAndRate": [{"doseQuantity": {"value": 1, "comparator": "<", **MG}}]}, "doseQuantity"),
        ({"doseAndRate": [{"doseRange": {"low": {"value": 1, **MG}}}]}, "doseRange"),
        ({"maxDosePerPeriod": {"numerator": {"value": 1}}}, "maxDosePerPeriod"),
        ({"timing": "daily"}, "timing"),
        ({"timing": {"event": ["2026-11-22"]}}, "timing"),
        ({"timing": {"repeat": 5}}, "timing"),
        ({"timing": {"repeat": {"frequency": 0}}}, "timing"),
        ({"timing": {"repeat": {"frequencyMax": "2"}}}, "timing"),
        ({"timing": {"repeat": {"period": 0}}}, "timing"),
        ({"timing": {"repeat": {"periodMax": -1}}}, "timing"),
        ({"timing": {"repeat": {"periodUnit": "mg"}}}, "timing"),
        ({"timing": {"repeat": {"when": ["SOMETIME"]}}}, "timing"),
        ({"timing": {"repeat": {"timeOfDay": ["25:00:00"]}}}, "timing"),
        ({"timing": {"repeat": {"dayOfWeek": ["monk"]}}}, "timing"),
        ({"timing": {"repeat": {"dayOfWeek": ["day"]}}}, "timing"),
        ({"timing": {"repeat": {"count": 0}}}, "timing"),
        ({"timing": {"repeat": {"boundsDuration": {"value": 1}}}}, "timing"),
        ({"timing": {"repeat": {"boundsRange": {"low": {"value": 1, **MG}, "high": {"value": 2, **MG}}}}}, "timing"),
        ({"timing": {"repeat": {"boundsRange": {}}}}, "timing"),
        ({"timing": {"repeat": {"boundsPeriod": {"start": "soon"}}}}, "timing"),
    ],
)
def test_what_cannot_be_read_in_a_line_is_named_once_and_leaves_nothing(sent: Json, lost: str) -> None:
    assert line(**sent) == Dosage(dropped=(lost,))


@pytest.mark.parametrize(
    ("repeat", "found"),
    [
        (
            {"frequency": 1, "frequencyMax": 2, "period": Decimal("1.5"), "periodMax": 2, "periodUnit": "wk", "count": 3},
            Timing(frequency=1, frequency_max=2, period=Decimal("1.5"), period_max=Decimal(2), period_unit="wk", count=3),
        ),
        ({"periodUnit": "days"}, Timing(period_unit="d")),
        ({"when": ["HS", "hs", "MORN.early"]}, Timing(when=("HS", "MORN.early"))),
        ({"timeOfDay": ["22:00", "08:30:00"]}, Timing(time_of_day=("22:00:00", "08:30:00"))),
        ({"dayOfWeek": ["mon", "Tuesday"]}, Timing(day_of_week=("mon", "tue"))),
        ({"boundsDuration": {"value": 2, "unit": "wk"}}, Timing(bounds=Bounds(length=exactly(14, "d")))),
        (
            {"boundsRange": {"low": {"value": 1, "unit": "wk"}, "high": {"value": 2, "unit": "wk"}}},
            Timing(bounds=Bounds(length=QuantityRange(Decimal(7), Decimal(14), "d"))),
        ),
        ({"boundsPeriod": {"start": "2026-11-22", "end": "2026-12"}}, Timing(bounds=Bounds(TODAY, date(2026, 12, 31)))),
        ({"boundsPeriod": {"end": "9999-12-31"}, "count": 1}, Timing(count=1)),
    ],
)
def test_every_member_of_a_timing_is_read(repeat: Json, found: Timing) -> None:
    assert line(timing={"repeat": repeat}) == Dosage(timing=found)


@pytest.mark.parametrize(
    "code",
    [
        "MORN", "MORN.early", "MORN.late", "NOON", "AFT", "AFT.early", "AFT.late", "EVE", "EVE.early", "EVE.late", "NIGHT", "PHS", "IMD",
        "HS", "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV",
    ],
)  # fmt: skip
def test_every_event_timing_code_is_read(code: str) -> None:
    assert line(timing={"repeat": {"when": [code]}}) == Dosage(timing=Timing(when=(code,)))


def test_every_day_of_the_week_is_read() -> None:
    week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert line(timing={"repeat": {"dayOfWeek": week}}) == Dosage(timing=Timing(day_of_week=tuple(week)))


@pytest.mark.parametrize(("sent", "found"), [(0, Dosage(sequence=0)), (-1, Dosage(dropped=("sequence",)))])
def test_a_sequence_counts_from_nought(sent: int, found: Dosage) -> None:
    assert line(sequence=sent) == found


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation", "code": "BID"}], "text": "twice"}, "BID"),
        ({"coding": [{"code": "QD"}], "text": "daily"}, "QD"),
        ({"coding": [{"system": "urn:local", "code": "30"}], "text": "Nightly"}, "Nightly"),
        ({"coding": [{"system": "urn:local", "code": "30", "display": "Nightly"}]}, "Nightly"),
        ({"coding": [{"system": "urn:local", "code": "QHS"}]}, "QHS"),
        ("QHS", "QHS"),
    ],
)
def test_the_code_of_a_timing_is_the_abbreviation_else_what_a_person_reads(code: object, found: str) -> None:
    assert line(timing={"code": code}).timing == Timing(code=found)


def test_an_event_beside_a_schedule_is_no_loss() -> None:
    assert line(timing={"event": ["2026-11-22"], "repeat": {"count": 1}}) == Dosage(timing=Timing(count=1))


# --- records --------------------------------------------------------------------------------------------------------

DRUG = Unknown("no-drug")
MEDICATION = Medication(Concept((), "drug a"))
ORDER: Json = {
    "resourceType": "MedicationRequest",
    "id": "r1",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
    "medicationCodeableConcept": {"text": "drug a"},
}


def record(
    sent: Json, resources: Mapping[str, Json] | None = None, *, is_draft: bool = False, is_validated: bool = True
) -> MedicationRecord:
    sighting = Sighting(sent, "there", MEDICATION, DRUG)
    return medication_record(sighting, around(resources), is_draft=is_draft, is_validated=is_validated)


@pytest.mark.parametrize(("sent", "lost"), [(MOST_REASONS, ()), (MOST_REASONS + 1, ("reasonCode", "reasonReference"))])
def test_reasons_that_no_order_has_are_not_read_and_told(sent: int, lost: tuple[str, ...]) -> None:
    codes = [{"text": f"reason {number}"} for number in range(sent)]
    references = [{"reference": f"Condition/c{number}"} for number in range(sent)]
    found = record(ORDER | {"reasonCode": codes, "reasonReference": references})
    assert (len(found.reasons), len(found.reason_references), found.dropped) == (MOST_REASONS, MOST_REASONS, lost)


def order(**changes: object) -> MedicationRecord:
    return record({**ORDER, **changes})


def test_a_full_order_is_read_whole() -> None:
    found = order(
        doNotPerform=True,
        reportedBoolean=True,
        authoredOn="2026-11-20T23:00:00Z",
        reasonCode=[{"text": "pain"}],
        reasonReference=[{"reference": "http://x/Condition/c1/_history/1", "display": "d"}],
        priorPrescription={"reference": "http://x/MedicationRequest/r0"},
        dosageInstruction=[{"text": "t"}],
        dispenseRequest={
            "validityPeriod": {"start": "2026-11-20", "end": "2026-12-20"},
            "numberOfRepeatsAllowed": 2,
            "quantity": {"value": 30, "unit": "capsule"},
            "expectedSupplyDuration": {"value": 1, "unit": "mo"},
        },
    )
    assert found == MedicationRecord(
        resource_type="MedicationRequest",
        id="r1",
        where="there",
        medication=MEDICATION,
        drug=DRUG,
        status="active",
        intent="order",
        do_not_perform=True,
        is_reported=True,
        dosages=(Dosage(text="t"),),
        reasons=(Concept((), "pain"), Concept((), "d")),
        reason_references=("Condition/c1",),
        authored_on=date(2026, 11, 21),
        validity=Period(date(2026, 11, 20), date(2026, 12, 20)),
        supply=Quantity(Decimal("30.4375"), "d"),
        repeats_allowed=2,
        quantity=Quantity(Decimal(30), "capsule"),
        prior_prescription="MedicationRequest/r0",
        raw=found.raw,
    )


@pytest.mark.parametrize(
    ("sent", "lost"),
    [
        ({"status": "bogus"}, "status"),
        ({"status": 5}, "status"),
        ({"intent": "hope"}, "intent"),
        ({"doNotPerform": "yes"}, "doNotPerform"),
        ({"authoredOn": "2026-02-30"}, "authoredOn"),
        ({"authoredOn": "9999"}, "authoredOn"),
        ({"subject": {"reference": 5}}, "subject"),
        ({"subject": 5}, "subject"),
        ({"medicationCodeableConcept": {"coding": [{"code": {}, "display": "x"}], "text": 5}}, "medication"),
        ({"medicationReference": {"reference": "#m"}, "medicationCodeableConcept": None,
          "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": 5}}]}, "medication"),
        ({"medicationCodeableConcept": None, "medicationReference": {"reference": 5, "display": "a"}}, "medication"),
        ({"dispenseRequest": 5}, "dispenseRequest"),
        ({"dispenseRequest": {"validityPeriod": {"start": "2026-11-02", "end": "2026-11-01"}}}, "validityPeriod"),
        ({"dispenseRequest": {"validityPeriod": 5}}, "validityPeriod"),
        ({"dispenseRequest": {"expectedSupplyDuration": {"value": 30, "unit": "mg"}}}, "expectedSupplyDuration"),
        ({"dispenseRequest": {"expectedSupplyDuration": {"value": "a month"}}}, "expectedSupplyDuration"),
        ({"dispenseRequest": {"numberOfRepeatsAllowed": -1}}, "numberOfRepeatsAllowed"),
        ({"dosageInstruction": [5]}, "dosageInstruction[0]"),
        ({"dosageInstruction": [{"text": "a"}, 5]}, "dosageInstruction[1]"),
    ],
)  # fmt: skip
def test_a_lost_element_that_a_rule_reads_is_named(sent: Json, lost: str) -> None:
    assert (order(**sent).dropped, order(**sent).is_readable) == ((lost,), True)


@pytest.mark.parametrize(
    "sent",
    [
        {"category": 5},
        {"contained": [5]},
        {"colour": "red"},
        {"note": [{"text": 5}]},
        {"requester": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}},
        {"subject": {"reference": "Patient/p1", "display": 5}},
        {"subject": None},
        {"subject": {"display": "somebody"}},
        {"_status": {"extension": [{"url": "x", "valueCode": "unknown"}]}, "status": None},
        {"extension": [{"url": "x", "valueFoo": 1}]},
        {"dispenseRequest": {"performer": 5}},
        {"dispenseRequest": {"quantity": {"value": "x"}}},
        {"substitution": {"allowedBoolean": "x"}},
        {"medicationCodeableConcept": {"coding": [{"code": "1", "userSelected": "x"}], "text": "drug a"}},
        {"medicationCodeableConcept": {"coding": [{"code": "1", "version": 5, "id": 5}], "text": "drug a", "extension": 5}},
        {"medicationCodeableConcept": None, "medicationReference": {"display": "drug a", "type": 5, "identifier": 5}},
        {"contained": [{"resourceType": "Medication", "id": "m", "status": 5}, {"resourceType": "Condition", "id": "c", "code": 5}]},
        {"dosageInstruction": [{"text": "t", "method": 5, "site": 5, "additionalInstruction": 5, "extension": 5}]},
        {"dosageInstruction": [{"text": "t", "doseAndRate": [{"rateRatio": 5}]}]},
        {"dosageInstruction": [{"text": "t", "timing": {"code": {"text": "x"}, "extension": 5}}]},
        {
            "dosageInstruction": [
                {"text": "t", "route": {"text": "x", "coding": [{"version": 5, "userSelected": "x", "code": "1", "id": 5}]}}
            ]
        },
        {"dosageInstruction": [{"text": "t", "timing": {"modifierExtension": 5, "code": {"text": "x"}}}]},
        {"modifierExtension": 5},
    ],
)
def test_what_no_rule_reads_is_dropped_without_a_mark(sent: Json) -> None:
    found = order(**sent)
    assert (found.dropped, [one.dropped for one in found.dosages if one.dropped], found.is_readable) == ((), [], True)


@pytest.mark.parametrize(
    ("sent", "lost"),
    [
        ({"text": 5}, "text"),
        ({"timing": {"repeat": {"frequency": "x"}}}, "timing"),
        ({"timing": 5}, "timing"),
        ({"doseAndRate": [{"doseQuantity": {"value": "lots"}}]}, "doseQuantity"),
        ({"doseAndRate": [{"doseQuantity": 5}]}, "doseQuantity"),
        ({"doseAndRate": 5}, "doseAndRate"),
        ({"doseAndRate": [5]}, "doseAndRate"),
        ({"doseAndRate": [{"type": 5}]}, "doseAndRate"),
        ({"asNeededBoolean": "maybe"}, "asNeededBoolean"),
        ({"route": 5}, "route"),
        ({"sequence": "x"}, "sequence"),
        ({"maxDosePerPeriod": 5}, "maxDosePerPeriod"),
    ],
)
def test_what_salvaging_drops_from_a_line_is_named_in_the_line(sent: Json, lost: str) -> None:
    (found,) = order(dosageInstruction=[sent]).dosages
    assert lost in found.dropped


def test_the_line_after_an_unreadable_one_keeps_its_place_and_its_losses() -> None:
    found = order(dosageInstruction=[5, {"text": "b", "sequence": "x"}])
    assert found.dosages == (Dosage(dropped=("dosageInstruction",)), Dosage(text="b", dropped=("sequence",)))
    assert found.dropped == ("dosageInstruction[0]",)


@pytest.mark.parametrize(("sent", "read"), [("Active", "active"), ("on-hold", "on-hold"), (["stopped"], "stopped"), ("ended", "ended")])
def test_a_status_is_read_whatever_its_case(sent: object, read: str) -> None:
    assert order(status=sent).status == read


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("MedicationRequest", "active on-hold ended stopped completed cancelled entered-in-error draft unknown"),
        ("MedicationOrder", "active on-hold completed entered-in-error stopped draft"),
        ("MedicationStatement", "active completed entered-in-error intended stopped on-hold unknown not-taken recorded draft"),
        ("MedicationDispense", "preparation in-progress cancelled on-hold completed entered-in-error stopped declined unknown"),
        ("MedicationAdministration", "in-progress not-done on-hold completed entered-in-error stopped unknown"),
    ],
)
def test_every_status_of_a_type_is_read_and_one_of_another_type_is_lost(kind: str, statuses: str) -> None:
    for status in statuses.split():
        assert record({**ORDER, "resourceType": kind, "status": status}, is_validated=False).status == status
    assert record({**ORDER, "resourceType": kind, "status": "in-force"}, is_validated=False).dropped[0] == "status"


@pytest.mark.parametrize(
    "intent", ["proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order", "option"]
)
def test_every_intent_is_read(intent: str) -> None:
    assert order(intent=intent).intent == intent


def test_the_same_is_read_without_asking_the_library() -> None:
    sent = {**ORDER, "colour": 1, "category": {"text": "x"}, "dosageInstruction": {"doseQuantity": {"value": 1, **MG}}, "authoredOn": "x"}
    validated, lenient = record(sent), record(sent, is_validated=False)
    assert (lenient.dosages, lenient.dropped, lenient.status) == (validated.dosages, validated.dropped, validated.status)


def test_a_line_in_no_shape_is_lost_also_without_asking_the_library() -> None:
    found = record({**ORDER, "dosageInstruction": [5, {"text": "b"}]}, is_validated=False)
    assert (found.dosages, found.dropped) == ((Dosage(dropped=("dosageInstruction",)), Dosage(text="b")), ("dosageInstruction[0]",))


def test_an_order_that_cannot_be_salvaged_says_so_and_keeps_what_can_be_read() -> None:
    inside = {"resourceType": "Medication", "id": "m", "contained": [{"resourceType": "Unheard"}]}
    found = order(contained=[inside], dosageInstruction=[{"text": "b"}])
    assert (found.is_readable, found.status, found.dosages) == (False, "active", (Dosage(text="b"),))


@pytest.mark.parametrize(
    ("sent", "day"),
    [("2026", TODAY), ("2026-11", TODAY), ("2026-10", date(2026, 10, 31)), ("2027", date(2027, 1, 1)), ("2026-11-01", date(2026, 11, 1))],
)
def test_an_order_of_some_day_of_a_month_is_taken_as_the_latest_up_to_today(sent: str, day: date) -> None:
    assert order(authoredOn=sent).authored_on == day


def test_a_draft_is_returned_with_what_r4_requires_and_without_what_was_invalid() -> None:
    sent = {**ORDER, "status": "bogus", "intent": None, "subject": None, "dosageInstruction": [{"text": "a"}, 5], "colour": 1, "note": []}
    found = record(sent, is_draft=True)
    assert dict(found.raw) == {
        "resourceType": "MedicationRequest",
        "id": "r1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": "drug a"},
        "dosageInstruction": [{"text": "a"}],
    }
    assert (found.status, found.intent, found.is_draft) == ("", "", True)
    MODELS["MedicationRequest"].model_validate(dict(found.raw))


def test_a_status_that_is_absent_for_a_reason_stays_so() -> None:
    reason = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
    found = record({**ORDER, "status": None, "_status": reason}, is_draft=True)
    assert (found.raw["_status"], "status" in found.raw, found.status) == (reason, False, "")


def test_a_draft_of_nobody_known_gets_no_subject() -> None:
    nobody = Surroundings(TODAY, UTC, "", lambda _: None)
    found = medication_record(Sighting({**ORDER, "subject": None}, "there", MEDICATION, DRUG), nobody, is_draft=True)
    assert "subject" not in found.raw


@pytest.mark.parametrize(
    ("condition", "reasons"),
    [
        ({"code": {"text": "pain"}}, (Concept((), "pain"),)),
        ({"code": {"text": "pain"}, "verificationStatus": {"coding": [{"code": "refuted"}]}}, ()),
        ({"code": {"text": "pain"}, "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}, ()),
        ({"code": {"text": "pain"}, "verificationStatus": {"coding": [{"code": "confirmed"}]}}, (Concept((), "pain"),)),
        ({}, ()),
    ],
)
def test_a_reason_is_the_condition_referred_to_unless_it_is_not_the_case(condition: Json, reasons: tuple[Concept, ...]) -> None:
    beside = record({**ORDER, "reasonReference": [{"reference": "Condition/c1"}]}, {"Condition/c1": condition})
    inside = order(
        reasonReference={"reference": "#c1"},
        contained=[{"resourceType": "Condition", "id": "c1", "subject": {"display": "x"}, **condition}],
    )
    assert (beside.reasons, inside.reasons) == (reasons, reasons)


def test_an_order_of_dstu2_gives_its_drug_its_dates_and_its_status_alone() -> None:
    found = record(
        {
            "resourceType": "MedicationOrder",
            "id": "o1",
            "status": "active",
            "dateWritten": "2026-11-20",
            "dateEnded": "2026-12-01",
            "patient": {"reference": "Patient/p1"},
            "dosageInstruction": [{"text": "t"}],
        },
    )
    assert (found.is_readable, found.status, found.authored_on, found.validity, found.dosages, found.dropped) == (
        False,
        "active",
        date(2026, 11, 20),
        Period(None, date(2026, 12, 1)),
        (),
        (),
    )


STATEMENT: Json = {**ORDER, "resourceType": "MedicationStatement"}
DISPENSE: Json = {**ORDER, "resourceType": "MedicationDispense", "status": "completed"}
GIVEN: Json = {**ORDER, "resourceType": "MedicationAdministration", "status": "completed"}
for _one in (STATEMENT, DISPENSE, GIVEN):
    del _one["intent"]


@pytest.mark.parametrize(
    ("sent", "effective"),
    [
        ({**STATEMENT, "effectiveDateTime": "2026-11"}, Period(date(2026, 11, 1))),
        ({**STATEMENT, "effectivePeriod": {"start": "2026-11-01", "end": "2026-11-05"}}, Period(date(2026, 11, 1), date(2026, 11, 5))),
        ({**GIVEN, "effectiveDateTime": "2026-11-05T23:00:00Z"}, Period(date(2026, 11, 6), date(2026, 11, 6))),
        ({**DISPENSE, "whenHandedOver": "2026-11-05", "whenPrepared": "2026-11-01"}, Period(date(2026, 11, 5))),
        ({**DISPENSE, "whenPrepared": "2026-11-01"}, Period(date(2026, 11, 1))),
        ({**DISPENSE, "whenHandedOver": "2026-11"}, Period(TODAY)),
        (DISPENSE, None),
    ],
)
def test_a_record_says_when_the_drug_was_taken_given_or_handed_over(sent: Json, effective: Period | None) -> None:
    found = record(sent)
    assert (found.effective, found.dropped) == (effective, ())


@pytest.mark.parametrize(
    ("sent", "lost"),
    [
        ({**STATEMENT, "effectiveDateTime": "x"}, ("effective",)),
        ({**STATEMENT, "effectiveDateTime": "9999-12-31"}, ("effective",)),
        ({**STATEMENT, "effectivePeriod": 5}, ("effective",)),
        ({**STATEMENT, "effectivePeriod": {"start": "2026-11-05", "end": "2026-11-01"}}, ("effective",)),
        ({**DISPENSE, "whenHandedOver": "x", "whenPrepared": "2026-11-01"}, ("whenHandedOver",)),
        ({**DISPENSE, "daysSupply": {"value": "x"}}, ("daysSupply",)),
        ({**STATEMENT, "dosage": 5}, ("dosage[0]",)),
        ({**GIVEN, "dosage": 5}, ("dosage", "dosage[0]")),
    ],
)
def test_a_lost_time_or_supply_is_named(sent: Json, lost: tuple[str, ...]) -> None:
    assert record(sent).dropped == lost


def test_a_dispense_has_days_of_supply_with_or_without_a_unit_and_a_quantity() -> None:
    found = record({**DISPENSE, "daysSupply": {"value": 10}, "quantity": {"value": 20, "unit": "tablet"}})
    assert (found.supply, found.quantity) == (Quantity(Decimal(10), "d"), Quantity(Decimal(20), "tablet"))


def test_the_dosage_of_a_statement_is_a_list_and_of_an_administration_one_object() -> None:
    taken = record({**STATEMENT, "dosage": [{"text": "t"}], "dateAsserted": "2026-11-01"})
    given = record({**GIVEN, "dosage": {"text": "t", "dose": {"value": 5, **MG}, "route": {"text": "oral"}}})
    assert (taken.dosages, taken.authored_on) == ((Dosage(text="t"),), date(2026, 11, 1))
    assert given.dosages == (Dosage(text="t", route=Concept((), "oral"), doses=(Dose("", exactly(5, "mg")),)),)
    assert record(GIVEN).dosages == ()


def test_a_dose_given_that_cannot_be_read_is_named() -> None:
    (found,) = record({**GIVEN, "dosage": {"text": "t", "dose": {"value": "x"}}}).dosages
    assert found == Dosage(text="t", dropped=("dose",))
    (rated,) = record({**GIVEN, "dosage": {"text": "t", "rateRatio": 5, "extension": 5}}).dosages
    assert rated == Dosage(text="t")


@pytest.mark.parametrize(
    ("subject", "is_other"),
    [
        ({"reference": "Patient/p2"}, True),
        ({"reference": "http://x/fhir/Patient/p2/_history/1"}, True),
        ("Patient/p2", True),
        ({"reference": "Patient/p1"}, False),
        ({"reference": "http://x/fhir/Patient/p1/_history/1"}, False),
        ({"reference": "Group/p2"}, False),
        ({"reference": "#p"}, False),
        ({"reference": "urn:uuid:1"}, False),
        ({"display": "somebody"}, False),
        ({"identifier": {"value": "1"}}, False),
        ({}, False),
        (None, False),
        (5, False),
    ],
)
def test_only_a_reference_to_another_patient_tells_of_another_patient(subject: object, *, is_other: bool) -> None:
    assert is_of_other_patient({"subject": subject}, "p1") is is_other
    assert is_of_other_patient({"patient": subject}, "p1") is is_other
    assert is_of_other_patient({"subject": subject}, "") is False
    assert order(subject=subject).is_of_this_patient is not is_other


# --- conditions and patient -----------------------------------------------------------------------------------------

CONDITION: Json = {
    "resourceType": "Condition",
    "id": "c1",
    "code": {"text": "pain"},
    "subject": {"reference": "Patient/p1"},
    "clinicalStatus": {"coding": [{"code": "active"}]},
    "verificationStatus": {"coding": [{"code": "confirmed"}]},
}


def test_a_condition_is_read_with_its_statuses_and_days() -> None:
    sent = {**CONDITION, "onsetDateTime": "2026-10", "abatementPeriod": {"end": "2026-11"}, "recordedDate": "2026-11-01"}
    found, is_whole = condition_record(sent, "there", (), around())
    assert is_whole
    assert (found.id, found.where, found.concept, found.clinical_status, found.verification_status) == (
        "c1", "there", Concept((), "pain"), "active", "confirmed",
    )  # fmt: skip
    assert (found.onset, found.abated, found.recorded) == (date(2026, 10, 1), date(2026, 11, 30), date(2026, 11, 1))


@pytest.mark.parametrize(
    ("changes", "clinical"),
    [
        ({"clinicalStatus": "active"}, "active"),
        ({"clinicalStatus": {"text": "Active"}}, "active"),
        ({"clinicalStatus": {"coding": [{"code": "55561003"}, {"code": "resolved"}]}}, "resolved"),
        ({"clinicalStatus": None}, ""),
        ({"clinicalStatus": {"extension": [{"url": "x", "valueCode": "unknown"}]}}, ""),
        ({"onsetString": "long ago", "severity": 5, "colour": 1}, "active"),
        ({"onsetPeriod": {"start": "2026"}}, "active"),
        ({"assertedDate": "2026"}, "active"),
    ],
)
def test_a_condition_in_an_odd_but_clear_shape_is_whole(changes: Json, clinical: str) -> None:
    found, is_whole = condition_record({**CONDITION, **changes}, "there", (), around())
    assert (found.clinical_status, is_whole) == (clinical, True)


@pytest.mark.parametrize("code", ["active", "recurrence", "relapse", "inactive", "remission", "resolved"])
def test_every_clinical_status_is_read(code: str) -> None:
    assert condition_record({**CONDITION, "clinicalStatus": {"coding": [{"code": code}]}}, "", (), around())[0].clinical_status == code


@pytest.mark.parametrize("code", ["unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error", "unknown"])
def test_every_verification_status_is_read(code: str) -> None:
    sent = {**CONDITION, "verificationStatus": {"coding": [{"code": code}]}}
    assert condition_record(sent, "", (), around())[0].verification_status == code


@pytest.mark.parametrize(
    "changes",
    [
        {"clinicalStatus": {"coding": [{"code": "bogus"}]}},
        {"clinicalStatus": 5},
        {"verificationStatus": {"coding": [{"code": "bogus"}]}},
        {"onsetDateTime": "long ago"},
        {"onsetPeriod": {"start": "9999"}},
        {"abatementDateTime": "2026-02-30"},
        {"recordedDate": 5},
        {"code": {"text": "pain", "coding": [{"code": Decimal("5.5")}]}},
        {"subject": {"reference": 5}},
    ],
)
def test_a_condition_that_lost_what_a_rule_reads_is_not_whole(changes: Json) -> None:
    _, is_whole = condition_record({**CONDITION, **changes}, "there", (), around())
    assert not is_whole


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("1980-05-05", (date(1980, 5, 5), True)),
        ("2008", (date(2008, 12, 31), True)),
        (None, (None, True)),
        ("2026", (date(2026, 12, 31), True)),
        ("2027", (None, False)),
        ("x", (None, False)),
        (5, (None, False)),
    ],
)
def test_a_day_of_birth_is_in_the_past_and_the_youngest_possible(sent: object, found: tuple[date | None, bool]) -> None:
    assert birth_date({"resourceType": "Patient", "birthDate": sent}, around()) == found
