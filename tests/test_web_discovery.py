"""GET /cds-services says what the services are and which data they want."""

from urllib.parse import parse_qsl

import pytest

from cds_service.fhir.chart import Kind
from cds_service.hooks.discovery import PREFETCH, ServiceDescription, discovery_answer, prefetch_templates
from tests.web_floor import FakeAdvisor, client_with


def test_discovery_names_both_services_with_all_members() -> None:
    answer = client_with(hooks_version="2.0.0").get("/cds-services")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    services = answer.get_json()["services"]
    assert [service["id"] for service in services] == ["some-order-sign", "some-order-select"]
    assert services[0] == {
        "hook": "order-sign",
        "title": "Title",
        "description": "Description",
        "id": "some-order-sign",
        "prefetch": {
            "patient": "Patient/{{context.patientId}}",
            "conditions": "Condition?patient={{context.patientId}}",
            "activeMedications": "MedicationRequest?patient={{context.patientId}}&status=active,on-hold,unknown",
            "recentMedications": "MedicationRequest?patient={{context.patientId}}&_sort=-authoredon&_count=100",
        },
        "usageRequirements": "Needs nothing",
        "version": "2.0.0",
        "hookVersion": "1.0",
    }


def test_empty_members_are_left_out_of_discovery() -> None:
    service = ServiceDescription("a", "order-sign", "T", "D", kinds=frozenset())
    assert discovery_answer([service], "2.0.1") == {
        "services": [{"hook": "order-sign", "title": "T", "description": "D", "id": "a", "version": "2.0.1", "hookVersion": "1.0"}]
    }


def test_without_services_discovery_is_an_empty_list() -> None:
    answer = client_with(FakeAdvisor(offered=())).get("/cds-services")
    assert (answer.status_code, answer.get_data()) == (200, b'{"services":[]}')


@pytest.mark.parametrize(
    ("kinds", "keys"),
    [
        (list(Kind), ["patient", "conditions", "activeMedications", "recentMedications"]),
        ([Kind.HISTORY, Kind.MEDICATIONS], ["activeMedications", "recentMedications"]),
        ([Kind.CONDITIONS], ["conditions"]),
        ([], []),
    ],
)
def test_only_data_that_rules_read_is_asked_for(kinds: list[Kind], keys: list[str]) -> None:
    assert list(prefetch_templates(kinds)) == keys


@pytest.mark.parametrize("query", [query for _, query in PREFETCH.values()])
def test_each_template_keeps_to_the_restrictions_of_the_specification(query: str) -> None:
    path, _, search = query.partition("?")
    names = [name for name, _ in parse_qsl(search)]
    tokens = [part.partition("}}")[0] for part in query.split("{{")[1:]]
    assert not path.startswith(("/", "http"))
    assert sorted(set(names)) == sorted(names)
    assert set(names) <= {"patient", "status", "_sort", "_count"}
    assert tokens == ["context.patientId"]
