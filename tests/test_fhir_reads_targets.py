"""Which FHIR base may be called, and which addresses lie under it."""

import pytest

from cds_service.fhir_reads.references import target_of
from cds_service.fhir_reads.targets import LOOPBACK_ONLY, Allowed, Base, allowed_base, parse_base

LISTED = ("https://ehr.example.org/fhir/R4", "http://127.0.0.1:8080/fhir", "https://[2001:db8::1]:8443/fhir")
BASE = Base("https", "ehr.example.org", 443, ("fhir", "R4"))


@pytest.mark.parametrize(
    "same",
    [
        "https://ehr.example.org/fhir/R4",
        "https://ehr.example.org/fhir/R4/",
        "https://EHR.Example.ORG/fhir/R4",
        "HTTPS://ehr.example.org:443/fhir/R4",
        "https://[2001:DB8:0:0::1]:8443/fhir",
        "http://127.0.0.1:8080/fhir",
    ],
)
def test_the_same_base_may_be_written_in_several_ways(same: str) -> None:
    assert allowed_base(same, LISTED) is not None


@pytest.mark.parametrize(
    "other",
    [
        "",
        "https://ehr.example.org",
        "https://ehr.example.org/fhir",
        "https://ehr.example.org/fhir/r4",
        "https://ehr.example.org/fhir/R4evil",
        "https://ehr.example.org/fhir/R4/more",
        "https://ehr.example.org:8443/fhir/R4",
        "https://ehr.example.org:/fhir/R4",
        "http://ehr.example.org/fhir/R4",
        "http://ehr.example.org:443/fhir/R4",
        "https://ehr.example.org.evil.example/fhir/R4",
        "https://ehr.example.org./fhir/R4",
        "https://ehr.example.org@evil.example/fhir/R4",
        "https://evil.example/https://ehr.example.org/fhir/R4",
        "https://user@ehr.example.org/fhir/R4",
        "https://ehr.example.org\\@evil.example/fhir/R4",
        "https://ehr.example.org/fhir/R4?x=1",
        "https://ehr.example.org/fhir/R4#x",
        "https://ehr.example.org/fhir/./R4",
        "https://ehr.example.org/fhir/x/../R4",
        "https://ehr.example.org/fhir//R4",
        "https://ehr.example.org//fhir/R4",
        "https://ehr.example.org/fhir%2FR4",
        "https://ehr.example.org/fhir/R4%2f..",
        "https://ehr.example.org/fhir/R4 ",
        " https://ehr.example.org/fhir/R4",
        "https://ehr.example.org/fhir/R4\n",
        "https://ehr.example.org\t/fhir/R4",
        "https:ehr.example.org/fhir/R4",
        "https:///ehr.example.org/fhir/R4",
        "//ehr.example.org/fhir/R4",
        "ftp://ehr.example.org/fhir/R4",
        "https://ehr\u3002example.org/fhir/R4",
        "https://\uff45hr.example.org/fhir/R4",
        "http://127.0.0.1:80801/fhir",
        "http://127.0.0.1:808/fhir",
        "http://127.0.0.1:0/fhir",
        "http://127.0.0.1:8080/fhirevil",
        "http://127.1:8080/fhir",
        "http://2130706433:8080/fhir",
        "http://0x7f.0.0.1:8080/fhir",
        "http://[::ffff:127.0.0.1]:8080/fhir",
        "https://[2001:db8::2]:8443/fhir",
        "https://[2001:db8::1%25eth0]:8443/fhir",
        "https://[ehr.example.org]/fhir/R4",
        "https://[2001:db8::1:8443/fhir",
        "https://" + "a" * 5000,
    ],
)
def test_another_base_is_never_called(other: str) -> None:
    assert allowed_base(other, LISTED) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:8090/fhir", True),
        ("http://127.7.7.7/fhir", True),
        ("http://localhost:1/", True),
        ("http://[::1]:8090/fhir", True),
        ("https://localhost", True),
        ("http://localhost.evil.example/fhir", False),
        ("http://127.0.0.1.evil.example/fhir", False),
        ("http://127.0.0.1@evil.example/fhir", False),
        ("http://10.0.0.1/fhir", False),
        ("http://0.0.0.0/fhir", False),
        ("http://169.254.169.254/latest", False),
        ("https://ehr.example.org/fhir/R4", False),
    ],
)
def test_without_a_list_only_this_machine_is_called(address: str, expected: bool) -> None:  # noqa: FBT001
    assert (allowed_base(address, LOOPBACK_ONLY) is not None) is expected


@pytest.mark.parametrize("allowed", [(), ("not an address",), ("http://ehr.example.org/fhir",)])
def test_an_empty_or_unreadable_or_plain_http_list_allows_nothing(allowed: Allowed) -> None:
    assert allowed_base("http://ehr.example.org/fhir", allowed) is None


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://ehr.example.org/fhir/R4/Condition?page=2", "/fhir/R4/Condition?page=2"),
        ("https://EHR.example.org:443/fhir/R4?_getpages=a%2Fb&x=1#frag", "/fhir/R4?_getpages=a%2Fb&x=1"),
        ("Condition?page=2", "/fhir/R4/Condition?page=2"),
        ("?page=2", "/fhir/R4?page=2"),
        ("/fhir/R4/Condition?page=2", "/fhir/R4/Condition?page=2"),
        ("https://ehr.example.org/fhir/R4/Condition?next=https://evil.example/../x", "/fhir/R4/Condition?next=https://evil.example/../x"),
        ("https://ehr.example.org/fhir/R4/a%20b", None),
        ("https://ehr.example.org/fhir/R5/Condition?page=2", None),
        ("https://ehr.example.org/fhir/R4x?page=2", None),
        ("/fhir?page=2", None),
        ("../R5/Condition", None),
        ("https://ehr.example.org/fhir/R4/../../admin", None),
        ("https://ehr.example.org/fhir/R4/..;/admin", None),
        ("https://ehr.example.org/fhir/R4/%2e%2e/admin", None),
        ("https://ehr.example.org/fhir/R4/%2E%2E%2Fadmin", None),
        ("https://ehr.example.org/fhir/R4/%zz", None),
        ("https://ehr.example.org/fhir/R4/..\\..\\admin", None),
        ("//evil.example/fhir/R4/Condition", None),
        ("http://ehr.example.org/fhir/R4/Condition", None),
        ("https://ehr.example.org:444/fhir/R4/Condition", None),
        ("https://ehr.example.org@evil.example/fhir/R4/Condition", None),
        ("https://evil.example\\@ehr.example.org/fhir/R4", None),
        ("https://[::1/fhir", None),
        ("file:///etc/passwd", None),
        ("gopher://ehr.example.org/fhir/R4", None),
        ("", None),
    ],
)
def test_a_link_stays_under_the_base_or_is_not_followed(link: str, expected: str | None) -> None:
    assert BASE.target_of(link) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Medication/m-1.x", "/fhir/R4/Medication/m-1.x"),
        ("https://ehr.example.org/fhir/R4/Medication/m1", "/fhir/R4/Medication/m1"),
        ("https://ehr.example.org/fhir/R4/Medication/m1/_history/3", "/fhir/R4/Medication/m1"),
        ("Medication/" + "a" * 256, "/fhir/R4/Medication/" + "a" * 256),
        ("Medication/" + "a" * 257, None),
        ("Medication/..", None),
        ("Medication/a b", None),
        ("Medication/a%2fb", None),
        ("Medication/a?_format=x", None),
        ("Medication/a#b", None),
        ("Patient/p1", None),
        ("x/Medication/m1", None),
        ("https://ehr.example.org/fhir/R4/x/Medication/m1", None),
        ("https://evil.example/fhir/R4/Medication/m1", None),
        ("urn:uuid:0b6a1fa6-1b1e-4a55-a3f5-9a3a2f3f0c11", None),
        ("#m1", None),
        ("m1", None),
        ("", None),
    ],
)
def test_a_medication_is_read_by_its_id_under_the_base_alone(address: str, expected: str | None) -> None:
    assert target_of(address, BASE) == expected


def test_a_base_at_the_root_of_its_server_has_plain_targets() -> None:
    base = parse_base("https://ehr.example.org")
    assert base is not None
    assert (base.target("Condition?patient=p1"), base.target_of("Condition?page=2")) == ("/Condition?patient=p1", "/Condition?page=2")
