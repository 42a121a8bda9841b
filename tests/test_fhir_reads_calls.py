"""What prefetch left out is read from the call's FHIR server, and the cards are those that prefetch would have given."""

import copy
import json
import logging
import socket
from http import HTTPStatus
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from cds_service.advisor import PackAdvisor
from cds_service.hooks.parse import read_call
from cds_service.service import ClientWishes, Pack, Wishes
from tests.clinic import (
    DAILY,
    FIBROMYALGIA,
    LDN_CAPSULE,
    METFORMIN,
    OPIOID_USE_DISORDER,
    OXYCODONE,
    TABLET_50,
    TRAMADOL,
    Json,
    call,
    concept,
    condition,
    dosage,
    findings,
    listed,
    order,
)
from tests.conftest import ZONE
from tests.fhir_reads_floor import KEYS, NOON, Clinic, Ehr, asked_for, clinic_with, plain, without
from tests.misbehaving_server import Asked, Misbehaving, body, empty_bundle, misbehaving, send, silence

CONFLICT = call(
    order(LDN_CAPSULE, dosage(4.5), id="draft-1"),
    medications=[
        listed(OXYCODONE, dosage(5, "mg", DAILY), supply=30, id="m-1"),
        listed(TRAMADOL, since=12, supply=10, status="completed", id="m-2"),
        listed(METFORMIN, id="m-3"),
    ],
    conditions=[condition(FIBROMYALGIA, id="c-1"), condition(OPIOID_USE_DISORDER, id="c-2")],
)


@pytest.fixture
def clinic(pack: Pack) -> Clinic:
    return clinic_with(pack, 2.0)


@pytest.mark.parametrize("left_out", [(), ("conditions",), ("recentMedications",), KEYS[2:]], ids=str)
@pytest.mark.parametrize("page_size", [0, 1, 2])
def test_fetched_and_prefetched_give_the_same_cards(
    clinic: Clinic, httpserver: HTTPServer, left_out: tuple[str, ...], page_size: int
) -> None:
    ehr = Ehr(httpserver, CONFLICT["prefetch"], page_size=page_size)
    prefetched = plain(clinic.ask(CONFLICT))
    fetched = plain(clinic.ask(without(CONFLICT, *left_out, server=ehr.base)))
    assert json.dumps(fetched) == json.dumps(prefetched)
    assert ehr.asked


def test_the_searches_are_those_of_discovery_and_carry_the_token_of_the_call(clinic: Clinic, pack: Pack, httpserver: HTTPServer) -> None:
    ehr = Ehr(httpserver, CONFLICT["prefetch"])
    clinic.ask(without(CONFLICT, server=ehr.base, access="t0ken"))
    assert sorted(one.full_path.rstrip("?").removeprefix("/r4/tenant-1/") for one in ehr.asked) == asked_for(pack)
    assert {(one.headers["Authorization"], one.headers["Accept"]) for one in ehr.asked} == {("Bearer t0ken", "application/fhir+json")}
    ehr.asked.clear()
    clinic.ask(without(CONFLICT, server=ehr.base))
    assert {one.headers.get("Authorization") for one in ehr.asked} == {None}


@pytest.mark.parametrize(
    "request_",
    [
        CONFLICT,
        call(order(METFORMIN)),
        call(),
        call(order(METFORMIN), order(LDN_CAPSULE, dosage(4.5), id="b"), hook="order-select", selections=["MedicationRequest/none-of-these"])
        | {"context": {"userId": "Practitioner/u1", "patientId": "p1"}},
    ],
    ids=["complete prefetch", "an order that no rule concerns", "no drafts", "no draft orders at all"],
)
def test_where_nothing_is_missing_or_no_rule_is_concerned_nothing_is_read(clinic: Clinic, request_: Json) -> None:
    with misbehaving(silence) as server:
        request = copy.deepcopy(request_) | {"fhirServer": server.base}
        if request_ is not CONFLICT:
            request["prefetch"] = {}
        clinic.ask(request)
        assert server.connections == 0
    assert clinic.counted() == {}


def test_a_draft_that_is_not_selected_has_nothing_read(clinic: Clinic) -> None:
    other = order(METFORMIN, id="other")
    request = call(order(LDN_CAPSULE, dosage(4.5), id="ldn"), other, hook="order-select", selections=["MedicationRequest/other"])
    with misbehaving(silence) as server:
        assert clinic.ask(without(request, server=server.base)) == {"cards": []}
        assert server.connections == 0


@pytest.mark.parametrize(
    "sent",
    [
        {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]},
        "user",
        7,
        [],
        {**CONFLICT["prefetch"]["conditions"], "entry": [], "link": [{"relation": "next", "url": "https://elsewhere.example/2"}]},
    ],
    ids=["an error", "a text", "a number", "a list", "a cut list"],
)
def test_prefetch_that_is_an_error_or_cut_is_read_again(clinic: Clinic, httpserver: HTTPServer, sent: Any) -> None:  # noqa: ANN401
    ehr = Ehr(httpserver, CONFLICT["prefetch"])
    request = {**CONFLICT, "prefetch": {**CONFLICT["prefetch"], "conditions": sent}, "fhirServer": ehr.base}
    assert plain(clinic.ask(request)) == plain(clinic.ask(CONFLICT))
    assert len(ehr.asked) == 1


def test_what_the_client_sent_is_kept_beside_what_was_read(clinic: Clinic, httpserver: HTTPServer) -> None:
    Ehr(httpserver, call()["prefetch"])
    cut = {**CONFLICT["prefetch"]["conditions"], "link": [{"relation": "next", "url": "x"}]}
    request = {**CONFLICT, "prefetch": {**CONFLICT["prefetch"], "conditions": cut}, "fhirServer": httpserver.url_for("/r4/tenant-1")}
    assert plain(clinic.ask(request)) == plain(clinic.ask(CONFLICT))


def referring(address: str, **more: Any) -> Json:  # noqa: ANN401
    """The low-dose order with its drug behind a reference."""
    return order({}, dosage(4.5), medicationCodeableConcept=None, medicationReference={"reference": address, **more}, id="draft-1")


MEDICATION = {"resourceType": "Medication", "id": "med.1", "code": LDN_CAPSULE}


@pytest.mark.parametrize("address", ["Medication/med.1", "{base}/Medication/med.1", "{base}/Medication/med.1/_history/2"])
def test_a_reference_to_a_medication_is_resolved(clinic: Clinic, pack: Pack, httpserver: HTTPServer, address: str) -> None:
    ehr = Ehr(httpserver, CONFLICT["prefetch"], {"Medication/med.1": MEDICATION})
    sent = {
        **CONFLICT,
        "context": {**CONFLICT["context"], "draftOrders": call(referring(address.format(base=ehr.base)))["context"]["draftOrders"]},
    }
    with_medication = copy.deepcopy(sent)
    with_medication["context"]["draftOrders"]["entry"].append({"resource": MEDICATION})
    assert plain(clinic.ask({**sent, "fhirServer": ehr.base})) == plain(clinic.ask(with_medication))
    assert [one.path for one in ehr.asked] == ["/r4/tenant-1/Medication/med.1"]
    ehr.asked.clear()
    assert plain(clinic.ask(without(sent, server=ehr.base))) == plain(clinic.ask(with_medication))
    assert len(ehr.asked) == 1 + len(asked_for(pack))


def test_an_order_whose_reference_turns_out_to_be_of_no_concern_has_no_lists_read(clinic: Clinic, httpserver: HTTPServer) -> None:
    ehr = Ehr(httpserver, CONFLICT["prefetch"], {"Medication/med.1": MEDICATION | {"code": METFORMIN}})
    assert clinic.ask(without(call(referring("Medication/med.1")), server=ehr.base)) == {"cards": []}
    assert [one.path for one in ehr.asked] == ["/r4/tenant-1/Medication/med.1"]


def test_a_reference_whose_display_names_a_drug_of_no_concern_is_left_alone(clinic: Clinic, httpserver: HTTPServer) -> None:
    ehr = Ehr(httpserver, CONFLICT["prefetch"])
    assert clinic.ask(without(call(referring("Medication/med.1", display="Metformin 500 mg tablet")), server=ehr.base)) == {"cards": []}
    assert ehr.asked == []


def test_references_of_listed_drugs_are_resolved_wherever_the_list_came_from(clinic: Clinic, httpserver: HTTPServer) -> None:
    hidden = listed({}, supply=30, id="m-9", medicationCodeableConcept=None, medicationReference={"reference": "Medication/oxy"})
    request = call(order(TABLET_50, dosage(50), id="draft-1"), medications=[hidden])
    ehr = Ehr(httpserver, request["prefetch"], {"Medication/oxy": {"resourceType": "Medication", "id": "oxy", "code": OXYCODONE}})
    unresolved = clinic.ask(request)
    assert "opioid-conflict" not in {one["rule"] for one in findings(unresolved)}
    for asking in ({**request, "fhirServer": ehr.base}, without(request, server=ehr.base)):
        answer = clinic.ask(asking)
        assert {"opioid-conflict"} <= {one["rule"] for one in findings(answer)}
        assert "incomplete-data" not in {one["rule"] for one in findings(answer)}


@pytest.mark.parametrize(
    "resource", [{"resourceType": "Medication", "id": "other", "code": METFORMIN}, {"resourceType": "Patient", "id": "med.1"}]
)
def test_a_server_that_answers_with_another_resource_is_not_believed(clinic: Clinic, httpserver: HTTPServer, resource: Json) -> None:
    ehr = Ehr(httpserver, CONFLICT["prefetch"], {"Medication/med.1": resource})
    answer = clinic.ask(without(call(referring("Medication/med.1")), server=ehr.base))
    assert "incomplete-data" in {one["rule"] for one in findings(answer)}
    assert clinic.counted()["wrong-resource"] == 1


def test_no_more_references_are_followed_than_the_limit(clinic: Clinic) -> None:
    many = [
        listed({}, id=f"m-{number}", medicationCodeableConcept=None, medicationReference={"reference": f"Medication/x{number}"})
        for number in range(200)
    ]
    request = call(order(LDN_CAPSULE, dosage(4.5)), medications=many)
    with misbehaving(body({"resourceType": "OperationOutcome"})) as server:
        answer = clinic.ask({**request, "fhirServer": server.base})
        assert len(server.asked) == 40
    assert "incomplete-data" in {one["rule"] for one in findings(answer)}


def test_nothing_leads_to_a_stranger(clinic: Clinic, pack: Pack) -> None:
    """Redirect, next link, absolute reference, user part, prefix and case tricks: the token and the query go to the base alone."""
    with misbehaving(body(empty_bundle())) as stranger:
        tricks = [
            stranger.base,
            f"//127.0.0.1:{stranger.port}/fhir",
            f"http://localhost:{stranger.port}/fhir",
            f"http://[::ffff:127.0.0.1]:{stranger.port}/fhir",
        ]

        def luring(server: Misbehaving, connection: socket.socket, request: Asked) -> None:
            at = f"127.0.0.1:{server.port}@127.0.0.1:{stranger.port}/fhir"
            lures = [*tricks, f"http://{at}", f"http://127.0.0.1:{server.port}\\@127.0.0.1:{stranger.port}/fhir"]
            lure = lures[len(server.asked) % len(lures)]
            if "status" in request.path:
                send(connection, "", "302 Found", Location=lure)
            else:
                hidden = listed({}, medicationCodeableConcept=None, medicationReference={"reference": f"{lure}/Medication/x"})
                page = {"relation": "next", "url": f"{lure}/MedicationRequest?page=2"}
                send(connection, {"resourceType": "Bundle", "link": [page], "entry": [{"resource": hidden}]})

        with misbehaving(luring) as server:
            for trick in tricks:
                draft = referring(f"{trick}/Medication/x")
                for _ in range(3):
                    clinic.ask(without(call(draft, order(LDN_CAPSULE, dosage(4.5))), server=server.base, access="secret"))
            assert server.asked
            for named in (
                *tricks,
                f"http://127.0.0.1:{server.port}@127.0.0.1:{stranger.port}/fhir",
                f"{server.base}evil",
                f"{server.base}/../x",
            ):
                client = ClientWishes(fhir_servers=(server.base,))
                advisor_ask(pack, clinic, without(CONFLICT, server=named, access="secret"), client)
        assert stranger.connections == 0
    assert clinic.counted()["not-allowed"] >= 4


def advisor_ask(pack: Pack, clinic: Clinic, request: Json, client: ClientWishes) -> None:
    """Ask as a client of the registry."""
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON, reads=clinic.reads)
    assert advisor.advise(read_call(json.dumps(request).encode(), "order-sign"), client)["cards"]


def test_a_listed_server_that_is_not_on_this_machine_is_read_with_a_token_alone(clinic: Clinic, pack: Pack) -> None:
    listed_server = "https://ehr.invalid/fhir"
    advisor_ask(pack, clinic, without(CONFLICT, server=listed_server), ClientWishes(fhir_servers=(listed_server,)))
    assert clinic.counted() == {"not-allowed": 1}
    advisor_ask(pack, clinic, without(CONFLICT, server=listed_server, access="t"), ClientWishes(fhir_servers=(listed_server,)))
    assert clinic.counted() == {"not-allowed": 1, "connect": len(asked_for(pack))}


def test_a_server_that_is_not_allowed_leaves_the_data_as_not_sent(clinic: Clinic) -> None:
    answer = clinic.ask(without(CONFLICT, server="https://not-listed.example/fhir", access="t"))
    assert plain(answer) == plain(clinic.ask({**CONFLICT, "prefetch": {}}))
    assert clinic.ask({**CONFLICT, "fhirServer": "https://not-listed.example/fhir"})["cards"]


def bad_header(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n")


def test_no_id_and_no_token_reach_a_log(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with misbehaving(bad_header) as server:
        clinic.ask(without(CONFLICT, server=server.base, access="t0ken-secret"))
    assert "t0ken-secret" not in caplog.text
    assert "patient=" not in caplog.text


def test_a_site_can_have_412_where_nothing_could_be_had(pack: Pack) -> None:
    clinic = clinic_with(pack, refuses_without_data=True)
    bare = {**call(order(LDN_CAPSULE, dosage(4.5))), "prefetch": {}}
    refused = clinic.ask(bare, HTTPStatus.PRECONDITION_FAILED)
    assert (refused["resourceType"], refused["issue"][0]["details"]["coding"]) == ("OperationOutcome", [{"code": "REQ-012"}])
    clinic.ask({**bare, "fhirServer": "http://127.0.0.1:1/fhir"}, HTTPStatus.PRECONDITION_FAILED)
    assert clinic.ask({**call(order(METFORMIN)), "prefetch": {}}) == {"cards": []}
    assert clinic.ask(CONFLICT)["cards"]
    warned = call(order(LDN_CAPSULE, dosage(4.5)), order(OXYCODONE, dosage(5, "mg", DAILY)))
    assert "opioid-conflict" in {one["rule"] for one in findings(clinic.ask({**warned, "prefetch": {}}))}


def test_with_412_what_could_be_read_is_answered_as_ever(pack: Pack, httpserver: HTTPServer) -> None:
    ehr = Ehr(httpserver, CONFLICT["prefetch"])
    assert clinic_with(pack, 2.0, refuses_without_data=True).ask(without(CONFLICT, server=ehr.base))["cards"]


@pytest.mark.parametrize("patient", ["..", "p1/../x", "p 1", "p1?x=1", "é", "a" * 257])
def test_an_id_that_is_none_goes_into_no_address(clinic: Clinic, patient: str) -> None:
    with misbehaving(silence) as server:
        request = without(CONFLICT, server=server.base)
        request["context"] = {**request["context"], "patientId": patient}
        assert clinic.ask(request, HTTPStatus.BAD_REQUEST)["resourceType"] == "OperationOutcome"
        assert server.connections == 0


def test_a_call_without_patient_is_not_asked_for(clinic: Clinic) -> None:
    with misbehaving(silence) as server:
        request = without(CONFLICT, server=server.base)
        request["context"] = {name: value for name, value in request["context"].items() if name != "patientId"}
        clinic.ask(request)
        assert server.connections == 0


def test_names_of_other_drugs_are_not_looked_up(clinic: Clinic, httpserver: HTTPServer) -> None:
    named = listed({}, medicationCodeableConcept=None, medicationReference={"reference": "Medication/a", "display": "Metformin 500 mg"})
    unnamed = listed(concept("Lisinopril 10 mg"))
    request = call(order(LDN_CAPSULE, dosage(4.5)), medications=[named, unnamed])
    ehr = Ehr(httpserver, request["prefetch"])
    clinic.ask(without(request, "conditions", server=ehr.base))
    assert [one.path for one in ehr.asked] == ["/r4/tenant-1/Condition"]
