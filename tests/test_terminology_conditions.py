"""Conditions by code and by name: every member of the shipped value sets, near misses, and what takes a name back."""

import json
import time

import pytest
from fhir.resources.R4B.valueset import ValueSet
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.fhir.elements import Coding, Concept
from cds_service.fhir.terminology import ConditionMatch
from tests.terminology_folder import ICD9, ICD10, ICD10CM, RULES, SNOMED, conditions, match_of, rows, sets_of

VALUESETS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((RULES / "valuesets").glob("*.json"))}
BASE = "https://naltrexone-cds.org/fhir"
IDS = {
    "fibromyalgia", "other-ldn-use", "pruritus", "alcohol-dependence", "alcohol-use", "opioid-dependence", "opioid-use", "long-term-opioid-use",
    "opioid-withdrawal", "opioid-agonist-therapy", "severe-liver-disease", "liver-caution", "pregnancy-lactation", "obesity",
}  # fmt: skip


def says(element: dict[str, object], name: str) -> object:
    extensions = element.get("extension", [])
    assert isinstance(extensions, list)
    values = [one for one in extensions if one["url"] == f"{BASE}/StructureDefinition/terminology-{name}"]
    return next((value for one in values for key, value in one.items() if key != "url"), None)


MEMBERS = [
    (name, member["system"], member["code"], str(says(member, "match-rule")))
    for name, one in VALUESETS.items()
    for member in one["expansion"]["contains"]
]


def test_the_sets_are_those_that_rules_name() -> None:
    assert (set(VALUESETS), set(conditions().valuesets)) == (IDS | {"not-the-condition"}, IDS)
    assert len(conditions().fingerprint) == 64


@pytest.mark.parametrize("name", sorted(VALUESETS))
def test_each_set_is_a_valid_expanded_r4_value_set_with_sources(name: str) -> None:
    raw = VALUESETS[name]
    assert ValueSet.model_validate(raw).id == name
    assert (raw["url"], raw["status"], raw["expansion"]["total"]) == (
        f"{BASE}/ValueSet/{name}",
        "active",
        len(raw["expansion"]["contains"]),
    )
    assert all(
        says(member, "sources") and says(member, "confidence") in {"high", "medium", "low"} for member in raw["expansion"]["contains"]
    )
    assert conditions().sets[name].version == raw["version"]


@pytest.mark.parametrize(("name", "system", "code", "rule"), MEMBERS)
def test_each_member_is_found_with_and_without_its_dot_and_in_any_case(name: str, system: str, code: str, rule: str) -> None:
    ends = ["", "1", ".1"] if rule == "prefix" and "." not in code else ["", "1"] if rule == "prefix" else [""]
    written = {f"{code}{end}" for end in ends}
    written |= {one.replace(".", "") for one in written} | {one.lower() for one in written}
    expected = name != "not-the-condition"
    assert {one: name in sets_of((system, one)) for one in written} == dict.fromkeys(written, expected)


@pytest.mark.parametrize(
    ("name", "system", "code", "rule"), [member for member in MEMBERS if member[3] == "exact" and member[0] != "not-the-condition"]
)
def test_an_exact_member_is_no_prefix(name: str, system: str, code: str, rule: str) -> None:  # noqa: ARG001 - the row
    inherited = {
        other
        for other, where, prefix, how in MEMBERS
        if how == "prefix" and where == system and code.replace(".", "").startswith(prefix.replace(".", ""))
    }
    assert set(sets_of((system, f"{code}99"))) == inherited - {"not-the-condition"}


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD10CM, "F11.3"),
        (SNOMED, "M79.7"),
        ("http://example.org/local", "M79.7"),
        (ICD10, "K50.0"),
        (ICD9, "F10.2"),
        (ICD10, "F11.1"),
        (ICD10CM, "303.90"),
    ],
)
def test_a_code_counts_in_its_own_system_alone(system: str, code: str) -> None:
    assert sets_of((system, code)) == []


def test_withdrawal_in_dependence_is_both() -> None:
    assert sets_of((ICD10CM, "F11.23")) == ["opioid-dependence", "opioid-withdrawal"]
    assert sets_of((ICD10CM, "F11.13")) == ["opioid-use", "opioid-withdrawal"]
    assert sets_of((ICD10CM, "F11.93")) == ["opioid-use", "opioid-withdrawal"]
    assert sets_of((ICD10, "F11.3")) == ["opioid-withdrawal"]


@pytest.mark.parametrize("code", ["G35", "G35.A", "G35A", "G35.D"])
def test_the_new_children_of_an_old_code_are_found(code: str) -> None:
    assert sets_of((ICD10CM, code)) == ["other-ldn-use"]


@pytest.mark.parametrize(
    "system", ["urn:oid:2.16.840.1.113883.6.90", "2.16.840.1.113883.6.90", "http://hl7.org/fhir/sid/icd-10-cm/", "ICD-10-CM"]
)
def test_a_system_is_known_by_its_oid(system: str) -> None:
    assert sets_of((system, "M797")) == ["fibromyalgia"]


def test_the_other_oids_are_known() -> None:
    assert sets_of(("urn:oid:2.16.840.1.113883.6.96", "203082005")) == ["fibromyalgia"]
    assert sets_of(("urn:oid:2.16.840.1.113883.6.103", "303.90")) == ["alcohol-dependence"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("M79.7", ["fibromyalgia"]), (" f1020 ", ["alcohol-dependence"]), ("203082005", []), ("303.90", []), ("M79.7.1", []), ("", [])],
)
def test_a_code_without_system_counts_only_in_the_shape_of_icd_10_cm(code: str, expected: list[str]) -> None:
    assert sets_of(("", code)) == expected


def test_remission_counts_for_dependence_and_use_and_treatment_alone() -> None:
    counts = {name for name, one in conditions().sets.items() if one.counts_in_remission}
    assert counts == {"alcohol-dependence", "alcohol-use", "opioid-dependence", "opioid-use", "opioid-agonist-therapy"}
    assert match_of((ICD10CM, "F10.21")) == ConditionMatch(
        "alcohol-dependence", "Alcohol dependence", "Alcohol dependence", "code", counts_in_remission=True
    )
    assert match_of((ICD10CM, "M79.7")) == ConditionMatch("fibromyalgia", "Fibromyalgia", "Fibromyalgia", "code", counts_in_remission=False)


def test_the_name_shown_is_that_of_the_most_exact_member() -> None:
    names = {match.valueset: match.name for match in conditions().find(Concept((Coding(ICD10CM, "F11.23", "patient text"),)))}
    assert names == {"opioid-dependence": "Opioid dependence", "opioid-withdrawal": "Opioid dependence with withdrawal"}


def test_all_codes_of_a_concept_count() -> None:
    assert sets_of((ICD10CM, "M79.7"), (SNOMED, "75544000")) == ["fibromyalgia", "opioid-dependence"]


@pytest.mark.parametrize(("system", "code"), [(member[1], member[2]) for member in MEMBERS if member[0] == "not-the-condition"])
def test_a_near_miss_stops_a_match_by_name_and_by_a_weak_code(system: str, code: str) -> None:
    assert sets_of((system, code, "fibromyalgia"), text="Fibromyalgia, opioid dependence, pregnant") == []
    assert sets_of((system, code), (ICD9, "729.1")) == []
    assert sets_of((system, code), (SNOMED, "56557000")) == []
    assert sets_of((system, code), (ICD10CM, "M79.7")) == ["fibromyalgia"]


def test_a_weak_code_alone_counts() -> None:
    assert (sets_of((ICD9, "729.1")), sets_of((SNOMED, "56557000"))) == (["fibromyalgia"], ["fibromyalgia"])


def test_a_code_is_believed_before_a_name_and_a_name_where_no_code_is_in_a_set() -> None:
    assert sets_of((ICD10CM, "K50.00"), text="Fibromyalgia") == ["other-ldn-use"]
    assert sets_of(("http://example.org/local", "77", "Fibromyalgia")) == ["fibromyalgia"]
    assert sets_of((SNOMED, "24693007", "Fibromyalgia syndrome")) == ["fibromyalgia"]
    assert sets_of((ICD10CM, "O99.311", "Alcohol use complicating pregnancy")) == ["pregnancy-lactation"]
    assert match_of(text="fibromyalgia").matched_by == "name"


@pytest.mark.parametrize("row", rows("valuesets/names.csv"), ids=lambda row: row["name"])
def test_each_name_is_found_in_any_case(row: dict[str, str]) -> None:
    expected = sorted(set(row["valuesets"].split()) - {"not-the-condition"})
    around = [] if row["match"] == "whole" else [f"Severe {row['name']}, stable"]
    assert [sets_of(text=text) for text in (row["name"], row["name"].upper(), f"({row['name']})", *around)] == [expected] * (
        3 + len(around)
    )
    assert {match.name for match in conditions().find(Concept((), row["name"]))} <= {row["shown"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fibromyalgia, not otherwise specified", ["fibromyalgia"]),
        ("possible fibromyalgia", ["fibromyalgia"]),
        ("Crohn\u2019s disease of colon", ["other-ldn-use"]),
        ("MULTIPLE SCLEROSIS (relapsing)", ["other-ldn-use"]),
        ("Post-COVID-19 syndrome", ["other-ldn-use"]),
        ("Opioid dependence in remission", ["opioid-dependence"]),
        ("h/o alcohol dependence", ["alcohol-dependence"]),
        ("Opioid use disorder, mild", ["opioid-use"]),
        ("Opioid use disorder, severe, on methadone", ["opioid-agonist-therapy", "opioid-dependence"]),
        ("Opioid dependence with withdrawal", ["opioid-dependence", "opioid-withdrawal"]),
        ("Long term (current) use of opiate analgesic", ["long-term-opioid-use"]),
        ("No evidence of fibromyalgia; chronic pain", ["other-ldn-use"]),
        ("Chronic pain not due to fibromyalgia", ["other-ldn-use"]),
        ("No diabetes, fibromyalgia", ["fibromyalgia"]),
        ("Diabetes without complication with fibromyalgia", ["fibromyalgia"]),
        ("No acute distress but fibromyalgia", ["fibromyalgia"]),
        ("Denies pain. Fibromyalgia.", ["fibromyalgia"]),
        ("no change since the last visit in fibromyalgia", ["fibromyalgia"]),
        ("Positive pregnancy test", ["pregnancy-lactation"]),
        ("Acute hepatitis B", ["severe-liver-disease"]),
        ("MS", []),
        ("FMS screening", []),
        ("myalgia", []),
        ("fibromyalgia-like pain", []),
        ("nonalcoholic steatohepatitis", []),
        ("low back pain", []),
        ("No fibromyalgia", []),
        ("not fibromyalgia", []),
        ("denies chronic pain, fibromyalgia", []),
        ("Negative for opioid use disorder", []),
        ("rule out fibromyalgia", []),
        ("r/o fibromyalgia", []),
        ("fibromyalgia - ruled out", []),
        ("Fibromyalgia: no", []),
        ("Screening for alcohol use disorder", []),
        ("alcohol use disorder screening", []),
        ("Family history of diabetes, alcoholism", []),
        ("FH: alcoholism", []),
        ("alcoholism in mother", []),
        ("alcoholism (father)", []),
        ("h/o alcoholism in mother", []),
        ("Mother with fibromyalgia", []),
        ("At risk for opioid dependence", []),
        ("Not pregnant", []),
        ("Pregnancy test", []),
        ("Pregnancy test negative", []),
        ("History of pregnancy", []),
        ("history of opioid withdrawal", []),
        ("no history of opioid use disorder", []),
    ],
)
def test_a_name_counts_unless_the_words_around_it_take_it_back(text: str, expected: list[str]) -> None:
    assert sets_of(text=text) == expected


@pytest.mark.parametrize(
    "row",
    [row for row in rows("valuesets/guards.csv") if row["side"] in {"before", "after"}],
    ids=lambda row: f"{row['phrase']} {row['side']}",
)
def test_each_guard_takes_a_name_back_as_far_as_it_reaches(row: dict[str, str]) -> None:
    reach = int(row["reach"] or 0)
    name, valueset = (
        ("pregnancy", "pregnancy-lactation")
        if "pregnancy" in row["valuesets"] or not row["valuesets"]
        else ("opioid withdrawal", "opioid-withdrawal")
    )
    near, far, comma = (" ".join(["x"] * reach), " ".join(["x"] * (reach + 1)), ", ")
    texts = [f"{row['phrase']} {near} {name}", f"{row['phrase']} {far} {name}", f"{row['phrase']}{comma}{name}"]
    if row["side"] == "after":
        texts = [f"{name} {near} {row['phrase']}", f"{name} {far} {row['phrase']}", f"{name}{comma}{row['phrase']}"]
    assert [valueset in sets_of(text=text) for text in texts] == [False, True, not row["crosses_commas"]]
    assert (valueset in sets_of(text="; ".join(texts[0].replace(name, f"; {name} ;").split(";")))) is True


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                (ICD10CM, "F11.23"),
                (ICD9, "729.1"),
                (ICD10CM, "M79.10"),
                ("local", "1", "Crohn disease"),
                ("local", "2", "crohns"),
                ("", "M79.7"),
            ]
        ),
        min_size=1,
    ).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some)))
)
def test_the_order_of_codings_never_matters(orders: tuple[list[tuple[str, str]], list[tuple[str, str]]]) -> None:
    one, other = (conditions().find(Concept(tuple(Coding(*coding) for coding in order))) for order in orders)
    assert one == other


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert isinstance(sets_of(text=text), list)


@pytest.mark.parametrize(
    "part", ["no fibromyalgia ", "fibromyalgia ", "no ", "alcohol use ", ", ", "fibromyalgia no ", "denies, ", "in ", "family history "]
)
def test_hostile_text_is_read_in_linear_time(part: str) -> None:
    begun = time.process_time()
    sets_of(text=(part * 5_000)[:9_900] + " fibromyalgia")
    assert time.process_time() - begun < 1


def test_an_empty_concept_is_in_no_set() -> None:
    assert (sets_of(), sets_of(text=" "), sets_of(("", ""))) == ([], [], [])
