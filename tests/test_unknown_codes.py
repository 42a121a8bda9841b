"""A code that no table knows beside a name that one does is counted, and nothing else of the order."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.advisor import PackAdvisor
from cds_service.hooks.parse import read_call
from cds_service.service import Decision, Pack, Wishes
from cds_service.store.decisions import Occasion, decision_rows, keep_decisions
from cds_service.store.engine import Store
from cds_service.store.schema import unknown_codes
from tests.clinic import LDN_CAPSULE, METFORMIN, RXNORM, SNOMED, TABLET_50, call, concept, dosage, listed, order
from tests.conftest import NOON, ZONE
from tests.store_floor import DATABASES, opened, rows

Json = dict[str, Any]
NDC = "http://hl7.org/fhir/sid/ndc"
LOCAL = "urn:oid:1.2.3"


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as one:
        yield one


def signing(*codings: tuple[str, str], text: str = "naltrexone 50 mg tablet", **more: Any) -> Json:  # noqa: ANN401 - of the call
    drug = {"text": text, "coding": [{"system": system, "code": code} for system, code in codings]}
    request = call(order(drug, dosage(50), id="order-12"), **more)
    request["context"].update(patientId="pat-7", encounterId="enc-9")
    request["context"]["draftOrders"]["entry"][0]["resource"]["subject"] = {"reference": "Patient/pat-7"}
    return request


def decided(pack: Pack, request: Json) -> Decision:
    return PackAdvisor(pack, ZONE, Wishes(), lambda: NOON).decide(read_call(json.dumps(request).encode(), "order-sign"))


def told(pack: Pack, request: Json) -> list[tuple[str, str, str]]:
    return [(one.system, one.code, one.word) for one in decided(pack, request).unknown_codes]


def found(pack: Pack, request: Json) -> list[tuple[str, str]]:
    decision = decided(pack, request)
    assert {one.word for one in decision.unknown_codes} <= {"naltrexone", "oxycodone"}
    return [(one.system, one.code) for one in decision.unknown_codes]


@pytest.mark.parametrize(
    "coding",
    [
        (RXNORM, "9999999"),
        (NDC, "99999999999"),
        (NDC, "99999-9999-9"),
        (SNOMED, "999999999999999999"),
        (LOCAL, "MED-123"),
        (LOCAL, "N.50_T"),
    ],
)
def test_a_code_that_no_table_knows_is_told(pack: Pack, coding: tuple[str, str]) -> None:
    assert found(pack, signing(coding)) == [coding]


@pytest.mark.parametrize(
    "coding",
    [
        (LOCAL, "12345678"),
        (LOCAL, "A1234567"),
        (LOCAL, "Jane Doe"),
        (LOCAL, "x" * 17),
        (LOCAL, "pat-7"),
        (LOCAL, "for-PAT-7"),
        (LOCAL, "enc-9"),
        (LOCAL, "order-12"),
        (RXNORM, "Doe, Jane"),
        ("", "MED-1"),
        ("Jane Doe", "MED-1"),
        ("http://example.org/orders?patient=7", "MED-1"),
        ("urn:oid:1.2.1234567", "MED-1"),
        ("http://user@example.org", "MED-1"),
    ],
)
def test_a_code_that_could_be_about_a_patient_is_counted_without_itself(pack: Pack, coding: tuple[str, str]) -> None:
    assert found(pack, signing(coding)) == [("", "")]


@pytest.mark.parametrize("drug", [TABLET_50, LDN_CAPSULE, METFORMIN, concept("some new drug", "9999999")])
def test_a_known_code_a_bare_name_and_another_drug_are_not_told(pack: Pack, drug: Json) -> None:
    assert found(pack, call(order(drug, dosage(50)))) == []


def test_one_known_code_is_enough(pack: Pack) -> None:
    assert found(pack, signing((LOCAL, "MED-1"), (RXNORM, "1483744"))) == []


def test_listed_orders_are_looked_at_too(pack: Pack) -> None:
    opioid = listed(concept("oxycodone 5 mg tablet", "OXY5", LOCAL), since=3)
    assert found(pack, call(order(TABLET_50, dosage(50)), medications=[opioid]))[:1] == [(LOCAL, "OXY5")]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Naltrexne 50 mg tablet", "naltrexone?"),
        ("NALTREXXONE HCL 50 MG", "naltrexone?"),
        ("naltrexoen 4.5 mg capsule", "naltrexone?"),
        ("maltrexone", "naltrexone?"),
        ("oxycodome 5 mg", "oxycodone?"),
        ("Suboxine film", "buprenorphine?"),
        ("methadome", "methadone?"),
    ],
)
@pytest.mark.parametrize("code", ["", "MED-1"])
def test_a_name_that_is_nearly_one_is_told_with_a_question_mark(pack: Pack, name: str, word: str, code: str) -> None:
    drug = {"text": name, **({"coding": [{"system": LOCAL, "code": code}]} if code else {})}
    assert told(pack, call(order(drug, dosage(50)))) == [(LOCAL if code else "", code, word)]
    beside = call(order(TABLET_50, dosage(50)), medications=[listed(drug, since=3)])
    assert told(pack, beside) == [(LOCAL if code else "", code, word)]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "naloxone 4 mg nasal spray",
            "methylnaltrexone",
            "nalmefene",
            "naltrexone",
            "metformin 500 mg",
            "methazolamide 50 mg",
            "morphea cream",
        ),
        *(
            "codein",
            "apomorphine",
            "trazodone 50 mg",
            "oxybutynin",
            "hydrocortisone",
            "methyldopa",
            "fenofibrate",
            "ms contin",
            "",
        ),
    ],
)
def test_a_name_of_something_else_is_not_nearly_one(pack: Pack, name: str) -> None:
    assert [word for *_, word in told(pack, call(order({"text": name}, dosage(50)))) if word.endswith("?")] == []


def test_a_name_that_is_nearly_one_raises_no_card(pack: Pack) -> None:
    decision = decided(pack, call(order({"text": "naltrexne 50 mg"}, dosage(50))))
    assert (decision.cards, len(decision.unknown_codes)) == ((), 1)


def test_of_many_names_the_first_are_looked_at(pack: Pack) -> None:
    many = [listed(concept(f"some drug {number}", f"{number}"), since=3) for number in range(200)]
    late = listed({"text": "oxycodome"}, since=3)
    assert told(pack, call(order(TABLET_50, dosage(50)), medications=[*many, late])) == []
    assert told(pack, call(order(TABLET_50, dosage(50)), medications=[*many[1:], late])) == [("", "", "oxycodone?")]


def test_the_counts_of_a_day_are_added_up_and_a_decision_counts_once(pack: Pack, store: Store) -> None:
    one = read_call(json.dumps(signing((LOCAL, "MED-1"))).encode(), "order-sign")
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON)
    made = [decision_rows(advisor.decide(one), one, Occasion(NOON, 1.0, client), b"k") for client in ("ehr", "ehr", "other")]
    store.write(lambda connection: keep_decisions(connection, made[:1]))
    store.write(lambda connection: keep_decisions(connection, made))
    kept = [(row["client"], row["system"], row["code"], row["word"], row["orders"], row["day"]) for row in rows(store, unknown_codes)]
    assert sorted(kept) == [(client, LOCAL, "MED-1", "naltrexone", number, NOON.date()) for client, number in (("ehr", 2), ("other", 1))]
