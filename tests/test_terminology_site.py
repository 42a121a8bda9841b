"""What a site adds by file: its own drug codes and value sets, checked with all mistakes at once, and what they change over HTTP."""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from cds_service.advisor import PackAdvisor
from cds_service.app import advisor_for, create_app
from cds_service.cli.main import commands
from cds_service.errors import RulebookInvalid
from cds_service.fhir.elements import Concept
from cds_service.fhir.terminology import DrugMatch
from cds_service.pack import read_pack
from cds_service.service import Wishes
from cds_service.settings import Settings, read_settings
from cds_service.terminology.rxnorm_import import import_release
from cds_service.terminology.site_files import SiteFiles, Terminology, read_terminology
from cds_service.unknown import Unknown
from tests.clinic import DAILY, FIBROMYALGIA, TABLET_50, call, concept, dosage, findings, listed, order
from tests.conftest import ROOT, ZONE
from tests.rxnorm_release import small_release
from tests.terminology_folder import ICD10CM, NDC, RXNORM, SNOMED, coded, files, shipped_once, strength  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("shipped_once")
OWN = "https://hospital.example/drugs"
HEADER = "system,code,name,ingredient,product,strength,per,form,route\n"
LDN = f"{OWN},LDN45,LDN 4.5 cap compounded,naltrexone,,4.5,{{piece}},capsule,oral\n"


def lists(folder: Path, drugs: str = "", **sets: object) -> SiteFiles:
    folder.mkdir(exist_ok=True)
    if drugs:
        (folder / "drugs.csv").write_text(HEADER + drugs, encoding="utf-8")
    for name, content in sets.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return SiteFiles(folder=folder)


def problems(site: SiteFiles) -> list[str]:
    with pytest.raises(RulebookInvalid) as caught:
        read_terminology(files(), site)
    return [
        str(problem).rpartition("/")[2] if "//" not in str(problem) else str(problem).partition(f"{site.folder}/")[2]
        for problem in caught.value.problems
    ]


def told(terminology: Terminology, *codings: tuple[str, str], text: str = "") -> str:
    found = terminology.drugs.find(coded(*codings, text=text))
    if isinstance(found, DrugMatch):
        return f"{found.name}: {' '.join(sorted(found.classes))}: {strength(found)}: {found.form}: {found.route}"
    return found.reason if isinstance(found, Unknown) else "another drug"


@pytest.mark.parametrize(
    ("row", "coding", "expected"),
    [
        (LDN, (OWN, "LDN45"), "LDN 4.5 cap compounded: naltrexone: 4.5 mg/{piece}: capsule: oral"),
        (LDN, (OWN.upper() + "/", " LDN45 "), "LDN 4.5 cap compounded: naltrexone: 4.5 mg/{piece}: capsule: oral"),
        (LDN, (OWN, "ldn45"), "no-drug-name"),
        (LDN, ("", "LDN45"), "no-drug-name"),
        (LDN, (OWN, ""), "no-drug"),
        (f"{OWN},1,LDN drops,naltrexone,,1,mL,solution,\n", (OWN, "1"), "LDN drops: naltrexone: 1 mg/mL: solution: "),
        (f"{OWN},1,Low dose naltrexone 3 mg,naltrexone,,,,,\n", (OWN, "1"), "Low dose naltrexone 3 mg: naltrexone: 3 mg/{piece}: : "),
        (f"{OWN},1,,naltrexone,,,,,\n", (OWN, "1"), "naltrexone: naltrexone: no-strength: : "),
        (f"{OWN},1,naltrexone 380 mg injection,naltrexone,,,,,\n", (OWN, "1"), "naltrexone 380 mg injection: depot naltrexone: 380 mg/{piece}: injection: "),
        (f"{OWN},1,Painkiller A,oxycodone,,5,{{piece}},,\n", (OWN, "1"), "Painkiller A: opioid opioid-agonist: 5 mg/{piece}: : "),
        (f"{OWN},1,our tablet,,1483744,,,,\n", (OWN, "1"), "naltrexone hydrochloride 50 MG Oral Tablet: naltrexone: 50 mg/{piece}: Oral Tablet: oral"),
        (f"{OWN},1,our spray,,7242,,,,\n", (OWN, "1"), "another drug"),
        (f"{OWN},1,Sugar,another-drug,,,,,\n", (OWN, "1"), "another drug"),
        ("urn:oid:1.2.3,1,Painkiller A,oxycodone,,,,,\n", ("1.2.3", "1"), "Painkiller A: opioid opioid-agonist: no-strength: : "),
        (f"{NDC},77777-1234-1,LDN kit,naltrexone,,1.5,{{piece}},,\n", (NDC, "77777123401"), "LDN kit: naltrexone: 1.5 mg/{piece}: : "),
        ("ndc,77777-1234-01,LDN kit,naltrexone,,1.5,{piece},,\n", (NDC, "77777-1234-1"), "LDN kit: naltrexone: 1.5 mg/{piece}: : "),
        (f"{RXNORM},9900500,LDN kit,naltrexone,,1.5,{{piece}},,\n", (RXNORM, "9900500"), "LDN kit: naltrexone: 1.5 mg/{piece}: : "),
    ],
)  # fmt: skip
def test_a_code_of_the_sites_own_list_is_found(tmp_path: Path, row: str, coding: tuple[str, str], expected: str) -> None:
    assert told(read_terminology(files(), lists(tmp_path, row)), coding) == expected


def test_a_code_and_a_text_of_different_strengths_leave_none(tmp_path: Path) -> None:
    terminology = read_terminology(files(), lists(tmp_path, LDN))
    assert told(terminology, (OWN, "LDN45"), text="naltrexone 3 mg capsule").split(": ")[2] == "contradictory-strength"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (",1,x,naltrexone,,,,,\n", "drugs.csv:2:1 TERM-012 the column system is empty; expected the URI that the orders carry"),
        ("http://hl7.org/fhir/sid/ndcc,1,x,naltrexone,,,,,\n", "drugs.csv:2:1 TERM-012 no code system 'http://hl7.org/fhir/sid/ndcc'; did you mean 'http://hl7.org/fhir/sid/ndc'?"),
        (f"{NDC},12,x,naltrexone,,,,,\n", "drugs.csv:2:1 TERM-004 code '12' is no code of its system"),
        (f"{OWN}, ,x,naltrexone,,,,,\n", "drugs.csv:2:1 TERM-004 code ' ' is no code of its system"),
        (LDN + LDN, f"drugs.csv:3:1 TERM-004 code 'LDN45' of {OWN} stands twice"),
        (f"{RXNORM},1483744,x,naltrexone,,,,,\n", "drugs.csv:2:1 TERM-019 code '1483744' stands in the shipped tables; they win"),
        (f"{OWN},1,x,,,,,,\n", "drugs.csv:2:1 TERM-018 exactly one of the columns ingredient and product is needed"),
        (f"{OWN},1,x,naltrexone,1483744,,,,\n", "drugs.csv:2:1 TERM-018 exactly one of the columns ingredient and product is needed"),
        (f"{OWN},1,x,naltrexon,,,,,\n", "drugs.csv:2:1 TERM-006 no ingredient 'naltrexon'; did you mean 'naltrexone'?"),
        (f"{OWN},1,x,loperamide,,,,,\n", "drugs.csv:2:1 TERM-018 the ingredient 'loperamide' is of no rule's concern; write another-drug"),
        (f"{OWN},1,x,naltrexone,,a lot,{{piece}},,\n", "drugs.csv:2:1 TERM-005 'a lot' in strength is not a number above 0"),
        (f"{OWN},1,x,naltrexone,,4.5,mg,,\n", "drugs.csv:2:1 TERM-005 no unit per 'mg'"),
        (f"{OWN},1,x,naltrexone,,4.5,,,\n", "drugs.csv:2:1 TERM-018 strength (in mg) and per ({piece} or mL) are given together or not at all"),
        (f"{OWN},1,x,naltrexone,,,mL,,\n", "drugs.csv:2:1 TERM-018 strength (in mg) and per ({piece} or mL) are given together or not at all"),
        (f"{OWN},1,LDN 3 mg,naltrexone,,4.5,{{piece}},,\n", "drugs.csv:2:1 TERM-018 the name speaks of another drug or strength than ingredient, strength and per"),
        (f"{OWN},1,oxycodone 5 mg,naltrexone,,,,,\n", "drugs.csv:2:1 TERM-018 the name speaks of another drug or strength than ingredient, strength and per"),
        (f"{OWN},1,x,,99,,,,\n", "drugs.csv:2:1 TERM-018 no RxNorm product '99' in the tables or the index"),
        (f"{OWN},1,x\n", "drugs.csv:2:1 TERM-002 3 fields where the header has 9"),
    ],
)  # fmt: skip
def test_each_mistake_in_the_list_is_told_with_its_line(tmp_path: Path, row: str, expected: str) -> None:
    assert problems(lists(tmp_path, row)) == [expected]


def test_two_systems_of_the_sites_own_may_be_alike(tmp_path: Path) -> None:
    row = f"{OWN}-1,1,x,naltrexone,,,,,\n{OWN}-2,1,x,another-drug,,,,,\nhttp://hl7.org/fhir/sid/icd-10-nl,1,x,another-drug,,,,,\n"
    terminology = read_terminology(files(), lists(tmp_path, row))
    assert [told(terminology, (f"{OWN}-{number}", "1")) for number in (1, 2)] == ["x: naltrexone: no-strength: : ", "another drug"]


def test_a_product_of_the_index_can_be_named_too_and_the_list_goes_before_the_index(tmp_path: Path) -> None:
    import_release(small_release().write(tmp_path / "rrf"), tmp_path / "index", {7804}, lambda _: None)
    rows = f"{OWN},1,x,,9900011,,,,\n{OWN},2,x,,9900014,,,,\n{NDC},99999-0003-01,Repackaged,oxycodone,,5,{{piece}},,\n"
    site = SiteFiles(tmp_path / "index", lists(tmp_path / "site", rows).folder)
    terminology = read_terminology(files(), site)
    assert [
        told(terminology, coding).split(": ")[0] for coding in ((OWN, "1"), (OWN, "2"), (NDC, "99999000301"), (NDC, "99999000101"))
    ] == [
        "oxycodone hydrochloride 7 MG Oral Tablet",
        "another drug",
        "Repackaged",
        "oxycodone hydrochloride 7 MG Oral Tablet",
    ]


# Value sets


def valueset(*codes: object, set_id: str = "fibromyalgia", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"resourceType": "ValueSet", "id": set_id, "expansion": {"contains": list(codes)}, **more}


def code(system: str, value: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"system": system, "code": value, "display": "Fibro, ours", **more}


def member_rule(rule: str) -> list[dict[str, str]]:
    return [{"url": "https://x/StructureDefinition/terminology-match-rule", "valueCode": rule}]


COMPOSE = {"include": [{"system": OWN, "concept": [{"code": "FM", "display": "Fibro, ours"}]}]}


@pytest.mark.parametrize(
    ("added", "coding", "expected"),
    [
        (valueset(code(OWN, "FM")), (OWN, "FM"), ["fibromyalgia"]),
        (valueset(code(OWN, "FM")), (f"{OWN}/", "FM"), ["fibromyalgia"]),
        (valueset(code(OWN, "FM")), (OWN, "FM1"), []),
        (valueset(code(OWN, "FM", extension=member_rule("prefix"))), (OWN, "FM1"), ["fibromyalgia"]),
        (valueset(code(SNOMED, "24693007")), (SNOMED, "24693007"), ["fibromyalgia"]),
        (valueset(code(ICD10CM, "M60.9")), (ICD10CM, "M609"), ["fibromyalgia"]),
        (valueset(code(ICD10CM, "M60.9")), (ICD10CM, "M79.7"), ["fibromyalgia"]),
        (valueset(code(OWN, "FM"), set_id="opioid-use"), (OWN, "FM"), ["opioid-use"]),
        (valueset({"display": "Heading", "contains": [code(OWN, "FM"), 7]}, 7), (OWN, "FM"), ["fibromyalgia"]),
        (valueset(code(OWN, "TOP", abstract=True, contains=[code(OWN, "FM")])), (OWN, "TOP"), []),
        ({"resourceType": "ValueSet", "id": "fibromyalgia", "compose": COMPOSE}, (OWN, "FM"), ["fibromyalgia"]),
        (valueset(code(OWN, "FM", extension="odd")), (OWN, "FM"), ["fibromyalgia"]),
        (valueset(code(OWN, "FM", extension=["odd"])), (OWN, "FM"), ["fibromyalgia"]),
    ],
)  # fmt: skip
def test_a_value_set_of_the_site_adds_its_codes(tmp_path: Path, added: object, coding: tuple[str, str], expected: list[str]) -> None:
    conditions = read_terminology(files(), lists(tmp_path, ours=added)).conditions
    assert [match.valueset for match in conditions.find(coded(coding).concept)] == expected


def test_the_name_shown_is_the_sites_and_the_title_the_shipped_one(tmp_path: Path) -> None:
    conditions = read_terminology(files(), lists(tmp_path, ours=valueset(code(OWN, "FM")))).conditions
    (match,) = conditions.find(coded((OWN, "FM")).concept)
    assert (match.name, match.title, match.matched_by) == ("Fibro, ours", "Fibromyalgia", "code")


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("{", "ours.json:1:1 TERM-009 not readable as JSON"),
        ("[" * 100_000, "ours.json:1:1 TERM-009 not readable as JSON"),
        ("[]", "ours.json:1:1 TERM-009 no ValueSet with an id"),
        ({"resourceType": "ValueSet"}, "ours.json:1:1 TERM-009 no ValueSet with an id"),
        ({"resourceType": "CodeSystem", "id": "fibromyalgia"}, "ours.json:1:1 TERM-009 no ValueSet with an id"),
        (valueset(code(OWN, "FM"), set_id="fibromyalgie"), "ours.json:1:1 TERM-011 no value set 'fibromyalgie'; did you mean 'fibromyalgia'?"),
        (valueset(code("http://snomed.info/sctt", "1")), "ours.json:1:1 TERM-012 no code system 'http://snomed.info/sctt'; did you mean 'http://snomed.info/sct'?"),
        (valueset({"code": "1"}), "ours.json:1:1 TERM-012 no code system ''"),
        (valueset(code(SNOMED, "abc")), "ours.json:1:1 TERM-009 the member 'abc' has no code or no match rule (exact, prefix)"),
        (valueset(code(OWN, "1", extension=member_rule("fuzzy"))), "ours.json:1:1 TERM-009 the member '1' has no code or no match rule (exact, prefix)"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_value_set_is_told(tmp_path: Path, added: object, expected: str) -> None:
    assert problems(lists(tmp_path, ours=added)) == [expected]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"expansion": {"contains": []}},
        {"expansion": {}},
        {"compose": COMPOSE | {"exclude": [{"system": OWN}]}},
        {"compose": {"include": [{"system": OWN}]}},
        {"compose": {"include": [COMPOSE["include"][0] | {"filter": [{}]}]}},
        {"compose": {"include": [COMPOSE["include"][0] | {"valueSet": ["x"]}]}},
        {"compose": {"include": [{"system": OWN, "concept": ["x"]}]}},
        {"compose": {"include": {}}},
        {"compose": []},
    ],
)  # fmt: skip
def test_a_value_set_that_lists_no_codes_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    expected = (
        "ours.json:1:1 TERM-009 the ValueSet is not expanded: codes stand in expansion.contains, or listed in compose.include.concept"
    )
    assert problems(lists(tmp_path, ours={"resourceType": "ValueSet", "id": "fibromyalgia", **more})) == [expected]


# Folders, checks, hashes


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    site = lists(tmp_path, f"{OWN},1,x,naltrexon,,,,,\n", ours="{")
    assert [line.split(" ")[1] for line in problems(SiteFiles(tmp_path / "no-index", site.folder))] == ["TERM-006", "TERM-016", "TERM-009"]


def test_an_empty_folder_and_a_file_that_is_no_utf_8_are_told(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("ours", encoding="utf-8")
    assert problems(SiteFiles(folder=tmp_path))[0].endswith(":1:1 TERM-001 neither drugs.csv nor a ValueSet (*.json) is here")
    (tmp_path / "drugs.csv").write_bytes(b"\xff")
    assert problems(SiteFiles(folder=tmp_path)) == ["drugs.csv:1:1 TERM-002 not readable as UTF-8 text"]


def test_a_byte_order_mark_and_windows_line_ends_make_no_difference(tmp_path: Path) -> None:
    (tmp_path / "drugs.csv").write_bytes(b"\xef\xbb\xbf" + (HEADER + LDN).replace("\n", "\r\n").encode())
    assert told(read_terminology(files(), SiteFiles(folder=tmp_path)), (OWN, "LDN45")).startswith("LDN 4.5 cap compounded: ")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, ["terminology", "check", *map(str, arguments)])


def test_the_check_tells_nothing_wrong_or_every_problem(tmp_path: Path) -> None:
    lists(tmp_path / "good", LDN)
    lists(tmp_path / "bad", f"{OWN},1,x,naltrexon,,,,,\n{OWN},,x,naltrexone,,,,,\n")
    import_release(small_release().write(tmp_path / "rrf"), tmp_path / "index", {7804}, lambda _: None)
    good, bad = run(tmp_path / "good", "--index", tmp_path / "index"), run(tmp_path / "bad")
    assert (good.exit_code, good.output) == (0, "RxNorm 26AA_261102F\n0 problems\n")
    assert (bad.exit_code, [line.partition("drugs.csv:")[2][:12] for line in bad.output.splitlines()]) == (
        1,
        ["2:1 TERM-006", "3:1 TERM-004", ""],
    )


def test_the_check_takes_what_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists(tmp_path, f"{OWN},1,x,naltrexon,,,,,\n")
    assert run().output == "0 problems\n"
    monkeypatch.setenv("CDS_SITE_TERMINOLOGY_DIR", str(tmp_path))
    assert run().exit_code == 1


def test_the_hash_that_decisions_record_changes_with_every_site_file_and_not_with_its_place(tmp_path: Path) -> None:
    import_release(small_release().write(tmp_path / "rrf"), tmp_path / "index", {7804}, lambda _: None)
    lists(tmp_path / "a", LDN)
    lists(tmp_path / "b", LDN)
    lists(tmp_path / "c", LDN + f"{OWN},2,x,another-drug,,,,,\n")
    lists(tmp_path / "d", LDN, ours=valueset(code(OWN, "FM")))
    index = tmp_path / "index"
    sites = [SiteFiles(), SiteFiles(folder=tmp_path / "a"), SiteFiles(index, tmp_path / "a"), SiteFiles(index)]
    sites += [SiteFiles(folder=tmp_path / name) for name in ("c", "d")]
    hashes = [read_terminology(files(), site).pack_hash("rules") for site in sites]
    assert (hashes[0], len(set(hashes))) == ("rules", 6)
    assert read_terminology(files(), SiteFiles(folder=tmp_path / "b")).pack_hash("rules") == hashes[1]
    assert len({read_terminology(files(), site).drugs.fingerprint for site in sites[:4]}) == 4


@pytest.mark.parametrize(("name", "found"), [("CDS_TERMINOLOGY_FILE", "file"), ("CDS_SITE_TERMINOLOGY_DIR", "folder")])
def test_the_settings_refuse_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: str) -> None:
    monkeypatch.setenv(name, "")
    assert read_settings().model_dump()[name.removeprefix("CDS_").lower()] is None
    monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    with pytest.raises(Exception, match=rf"SET-001 {name}: found .*; expected empty, or a {found} that exists"):
        read_settings()


# Brands of one strength


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("ReVia", "", "50 mg/{piece}"),
        ("REVIA tablet", "", "50 mg/{piece}"),
        ("ReVia 50 mg tablet", "", "50 mg/{piece}"),
        ("ReVia 25 mg", "", "25 mg/{piece}"),
        ("ReVia capsule", "", "no-strength"),
        ("ReVia", "oral solution", "no-strength"),
        ("naltrexone", "", "no-strength"),
        ("Depade", "", "no-strength"),
        ("Vivitrol", "", "no-strength"),
    ],
)
def test_a_brand_that_exists_in_one_strength_alone_gives_it(text: str, form: str, expected: str) -> None:
    found = read_terminology(files()).drugs.find(coded(text=text, form=form))
    assert strength(found) == expected


def test_a_package_code_whose_strength_is_a_guess_has_none() -> None:
    rows = [line for line in files()["drugs/ndc.csv"].splitlines() if "US oral tablets are 50 mg" in line]
    terminology = read_terminology(files())
    assert {strength(terminology.drugs.find(coded((NDC, row.split(",")[1])))) for row in rows} == {"no-strength"}


def test_a_brand_of_one_strength_needs_a_strength() -> None:
    changed = dict(files())
    changed["drugs/brand-strengths.csv"] += "Other,,,tablet,x,low\n"
    with pytest.raises(RulebookInvalid, match="TERM-005 a brand of one strength needs a strength"):
        read_terminology(changed)


# Over HTTP

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def service(site: SiteFiles) -> FlaskClient:
    pack = read_pack(ROOT / "rules", ROOT / "cards", site_files=site)
    noon = datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)
    return create_app(Settings(), PackAdvisor(pack, ZONE, Wishes(), lambda: noon)).test_client()


def answered(client: FlaskClient, request: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = client.post(f"/cds-services/naltrexone-{request['hook']}", json=request).get_json()
    return body


def kinds(answer: dict[str, Any]) -> set[str]:
    return {finding["kind"] for finding in findings(answer)}


def test_an_opioid_known_only_by_its_package_code_becomes_a_conflict_after_an_import(tmp_path: Path) -> None:
    import_release(small_release().write(tmp_path / "rrf"), tmp_path / "index", {7804}, lambda _: None)
    medications = [listed(concept("", "99999-0001-01", NDC), dosage(1, "{tbl}", DAILY), since=3, supply=30)]
    request = call(order(TABLET_50, dosage(50)), medications=medications)
    before, after = (answered(service(site), request) for site in (SiteFiles(), SiteFiles(tmp_path / "index")))
    assert ("opioid-conflict" in kinds(before), "opioid-conflict" in kinds(after)) == (False, True)
    (card,) = [one for one in after["cards"] if one["indicator"] == "critical"]
    assert "oxycodone hydrochloride 7 MG Oral Tablet" in card["summary"] + card["detail"]


def test_a_local_code_of_a_compounded_capsule_gives_the_dose(tmp_path: Path) -> None:
    request = call(order(concept("", "LDN45", OWN), dosage(1, "{capsule}")), conditions=[], hook="order-sign", prefetch=None)
    request["context"]["draftOrders"]["entry"][0]["resource"]["reasonCode"] = [FIBROMYALGIA]
    before, after = (answered(service(site), request) for site in (SiteFiles(), lists(tmp_path, LDN)))
    assert "4.5 mg" not in json.dumps(before)
    assert (kinds(after), "4.5 mg" in json.dumps(after)) == ({"off-label", "titration"}, True)


def test_the_program_reads_the_site_files_that_its_settings_name(tmp_path: Path) -> None:
    lists(tmp_path, LDN)
    advisor = advisor_for(Settings(site_terminology_dir=tmp_path))
    assert isinstance(advisor, PackAdvisor)
    assert advisor.pack.rulebook.hash != read_pack(ROOT / "rules", ROOT / "cards").rulebook.hash
    found = advisor.pack.drugs.find(coded((OWN, "LDN45")))
    assert isinstance(found, DrugMatch)
    assert not isinstance(found.strength, Unknown)
    assert found.strength.value == Decimal("4.5")


def test_a_concept_without_anything_stays_empty(tmp_path: Path) -> None:
    assert read_terminology(files(), lists(tmp_path, ours=valueset(code(OWN, "FM")))).conditions.find(Concept()) == ()


@pytest.mark.parametrize("language", ["csv", "json"])
def test_the_examples_of_the_documentation_are_right(tmp_path: Path, language: str) -> None:
    page = (ROOT / "docs" / "terminology.md").read_text(encoding="utf-8")
    example = page.partition(f"```{language}\n")[2].partition("```")[0]
    (tmp_path / {"csv": "drugs.csv", "json": "ours.json"}[language]).write_text(example, encoding="utf-8")
    terminology = read_terminology(files(), SiteFiles(folder=tmp_path))
    if language == "csv":
        codes = [(OWN, code) for code in ("LDN15", "LDNSOL", "NTX50", "VITB")]
        assert [told(terminology, coding).split(": ")[-3:-2] for coding in codes] == [
            ["1.5 mg/{piece}"],
            ["1 mg/mL"],
            ["50 mg/{piece}"],
            [],
        ]
    else:
        assert [match.valueset for match in terminology.conditions.find(coded(("https://hospital.example/problems", "FM1")).concept)] == [
            "fibromyalgia"
        ]
