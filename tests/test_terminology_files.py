"""The terminology files: every mistake is told with its place, and the build makes the same bytes from the same sources."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import commands
from cds_service.errors import RulebookInvalid
from cds_service.terminology import read_condition_index, read_drug_index
from cds_service.terminology.build import build_drugs
from cds_service.terminology.build_valuesets import build_valuesets
from tests.terminology_folder import RULES, files

Change = Callable[[dict[str, str]], None]


def problems(change: Change) -> list[str]:
    """Return what both readers say of the shipped files after a change."""
    changed = dict(files())
    change(changed)
    said = []
    for read in (read_drug_index, read_condition_index):
        try:
            read(changed)
        except RulebookInvalid as error:
            said += [str(problem) for problem in error.problems]
    return said


def appended(path: str, line: str) -> Change:
    def change(changed: dict[str, str]) -> None:
        changed[path] += line + "\n"

    return change


def replaced(path: str, old: str, new: str) -> Change:
    def change(changed: dict[str, str]) -> None:
        assert old in changed[path]
        changed[path] = changed[path].replace(old, new, 1)

    return change


def removed(path: str) -> Change:
    def change(changed: dict[str, str]) -> None:
        del changed[path]

    return change


def last_line(path: str) -> int:
    return files()[path].count("\n") + 1


FIBRO = "valuesets/fibromyalgia.json"
PRODUCT = "http://www.nlm.nih.gov/research/umls/rxnorm,{code},x,{classes},{ingredient},,{strength},{per},,,,s,high"


def product(
    code: str = "99", classes: str = "naltrexone", ingredient: str = "naltrexone", strength: str = "50", per: str = "{piece}"
) -> Change:
    return appended("drugs/products.csv", PRODUCT.format(code=code, classes=classes, ingredient=ingredient, strength=strength, per=per))


def test_the_shipped_files_are_right_and_a_good_row_more_too() -> None:
    assert (problems(lambda _: None), problems(product())) == ([], [])


@pytest.mark.parametrize(
    ("change", "path", "expected"),
    [
        (removed("drugs/atc.csv"), "drugs/atc.csv", "1:1 TERM-001 the file is missing"),
        (removed("valuesets/guards.csv"), "valuesets/guards.csv", "1:1 TERM-001 the file is missing"),
        (replaced("drugs/atc.csv", "prefix,", "prefixes,"), "drugs/atc.csv", "1:1 TERM-002 the header lacks prefix"),
        (lambda changed: changed.update({"drugs/atc.csv": ""}), "drugs/atc.csv", "1:1 TERM-002 the header lacks prefix, classes, name"),
        (appended("drugs/atc.csv", "N02A"), "drugs/atc.csv", "{last}:1 TERM-002 1 fields where the header has 5"),
        (appended("drugs/atc.csv", '"N02A'), "drugs/atc.csv", "{last}:1 TERM-002 not readable as CSV: unexpected end of data"),
        (product(classes="naltrexon"), "drugs/products.csv", "{last}:1 TERM-003 no drug class 'naltrexon'; did you mean 'naltrexone'?"),
        (
            appended("drugs/class-words.csv", "naltrexone,x,depots,,any"),
            "drugs/class-words.csv",
            "{last}:1 TERM-003 no drug class 'depots'; did you mean 'depot'?",
        ),
        (
            product(code="7804x"),
            "drugs/products.csv",
            "{last}:1 TERM-004 code '7804x' of http://www.nlm.nih.gov/research/umls/rxnorm is no code of its system",
        ),
        (
            product(code="1483744"),
            "drugs/products.csv",
            "{last}:1 TERM-004 code '1483744' of http://www.nlm.nih.gov/research/umls/rxnorm stands twice",
        ),
        (product(strength="five"), "drugs/products.csv", "{last}:1 TERM-005 'five' in strength is not a number above 0"),
        (product(strength="-1"), "drugs/products.csv", "{last}:1 TERM-005 '-1' in strength is not a number above 0"),
        (product(strength="NaN"), "drugs/products.csv", "{last}:1 TERM-005 'NaN' in strength is not a number above 0"),
        (product(per="spoon"), "drugs/products.csv", "{last}:1 TERM-005 no unit per 'spoon'"),
        (product(ingredient="naltrexon"), "drugs/products.csv", "{last}:1 TERM-006 no ingredient 'naltrexon'; did you mean 'naltrexone'?"),
        (
            appended("drugs/own-names.csv", "LDN,oxycodone,,opioid opioid-agonist,,s,low"),
            "drugs/own-names.csv",
            "{last}:1 TERM-007 the name 'LDN' stands for two drugs",
        ),
        (
            appended("drugs/own-names.csv", "--,oxycodone,,opioid opioid-agonist,,s,low"),
            "drugs/own-names.csv",
            "{last}:1 TERM-007 the name '--' has no word in it",
        ),
        (product(code="1116442"), "drugs/do_not_use.csv", "3:1 TERM-008 code '1116442' is not to be used but stands in the tables"),
        (
            appended("drugs/class-words.csv", "naltrexone,x,depot,not-depots,any"),
            "drugs/class-words.csv",
            "{last}:1 TERM-010 no group of words 'not-depots'; did you mean 'not-depot'?",
        ),
        (
            appended("drugs/systems.csv", "http://x,y,digit,nothing,z"),
            "drugs/systems.csv",
            "{last}:1 TERM-010 no form of codes 'digit'; did you mean 'digits'?",
        ),
        (
            appended("drugs/products.csv", "rxnor,1,x,naltrexone,naltrexone,,50,{piece},,,,s,high"),
            "drugs/products.csv",
            "{last}:1 TERM-012 no code system 'rxnor'; did you mean 'rxnorm'?",
        ),
        (
            lambda changed: changed.update({FIBRO: "{"}),
            FIBRO,
            "1:2 TERM-009 not readable as JSON: Expecting property name enclosed in double quotes",
        ),
        (lambda changed: changed.update({FIBRO: "[]"}), FIBRO, "1:1 TERM-009 no ValueSet with id, url, version, title"),
        (replaced(FIBRO, '"ValueSet"', '"CodeSystem"'), FIBRO, "1:1 TERM-009 no ValueSet with id, url, version, title"),
        (replaced(FIBRO, '"title": "Fibromyalgia"', '"title": 1'), FIBRO, "1:1 TERM-009 no ValueSet with id, url, version, title"),
        (replaced(FIBRO, '"contains"', '"container"'), FIBRO, "1:1 TERM-009 the ValueSet is not expanded"),
        (replaced(FIBRO, '"expansion": {', '"expansion": [1], "x": {'), FIBRO, "1:1 TERM-009 the ValueSet is not expanded"),
        (replaced(FIBRO, '"contains": [', '"contains": [1,'), FIBRO, "1:1 TERM-009 the ValueSet is not expanded"),
        (replaced(FIBRO, '"expansion"', '"compose"'), FIBRO, "1:1 TERM-009 the ValueSet is not expanded"),
        (
            replaced(FIBRO, '"valueCode": "exact"', '"valueCode": "exactly"'),
            FIBRO,
            "{M79.7}:1 TERM-009 the member 'M79.7' has no code or no match rule (exact, prefix)",
        ),
        (
            replaced(FIBRO, '"code": "203082005"', '"code": "M79"'),
            FIBRO,
            "{203082005}:1 TERM-009 the member 'M79' has no code or no match rule (exact, prefix)",
        ),
        (
            replaced(FIBRO, "http://snomed.info/sct", "http://snomed.info"),
            FIBRO,
            "{203082005}:1 TERM-012 no code system 'http://snomed.info'",
        ),
        (
            appended("valuesets/names.csv", "x,X,fibromyalgy,anywhere,s"),
            "valuesets/names.csv",
            "{last}:1 TERM-011 no value set 'fibromyalgy'; did you mean 'fibromyalgia'?",
        ),
        (
            appended("valuesets/names.csv", "x,X,fibromyalgia,somewhere,s"),
            "valuesets/names.csv",
            "{last}:1 TERM-010 no way to match 'somewhere'",
        ),
        (
            appended("valuesets/guards.csv", "x,befor,1,,,"),
            "valuesets/guards.csv",
            "{last}:1 TERM-010 no side of a guard 'befor'; did you mean 'before'?",
        ),
        (
            appended("valuesets/guards.csv", "x,before,far,,,"),
            "valuesets/guards.csv",
            "{last}:1 TERM-005 'far' in reach is not a count of words",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_nearest_word(change: Change, path: str, expected: str) -> None:
    code = next((code for code in ("M79.7", "203082005") if f"{{{code}}}" in expected), "")
    changed = dict(files())
    change(changed)
    shown = code if f'"{code}"' in changed.get(path, "") else "M79"
    line = changed.get(path, "").split(f'"{shown}"')[0].count("\n") + 1
    expected = expected.replace("{last}", str(last_line(path))).replace(f"{{{code}}}", str(line))
    assert f"{path}:{expected}" in problems(change)


def test_all_mistakes_are_told_at_once_in_order() -> None:
    def change(changed: dict[str, str]) -> None:
        product(strength="x", classes="y")(changed)
        appended("drugs/atc.csv", "N02A")(changed)

    assert [line.split(" ")[1] for line in problems(change)] == ["TERM-002", "TERM-003", "TERM-005"]


SOURCES = {
    "naltrexone_products.csv": (
        "system,code,tty,display,naltrexone_mg,per,form,route,role,other_ingredients,sources,confidence,note\n"
        "http://www.nlm.nih.gov/research/umls/rxnorm,7243,IN,naltrexone,,,,,naltrexone,,A,high,n\n"
        "http://fdasis.nlm.nih.gov,U1,UNII,NALTREXONE,,,,,naltrexone,,B,high,\n"
        "http://www.nlm.nih.gov/research/umls/rxnorm,11,SBD,ntx 50 MG Oral Tablet [ReVia],50,tablet,Oral Tablet,oral,naltrexone,,A,high,\n"
        "http://www.nlm.nih.gov/research/umls/rxnorm,9,SBD,morphine 20 MG / ntx 0.8 MG [Embeda],0.8,capsule,Oral Capsule,oral,opioid_with_sequestered_naltrexone,morphine,A,high,\n"
    ),
    "naltrexone_ndc.csv": (
        "system,ndc11,ndc_5_4_2,rxcui,role,strength_mg,sources,confidence,note\n"
        "http://hl7.org/fhir/sid/ndc,00406117003,00406-1170-03,11,naltrexone,50,C,high,\n"
        "http://hl7.org/fhir/sid/ndc,00395808319,00395-8083-19,,bulk_powder_for_compounding,,C,medium,powder\n"
    ),
    "opioid_ingredients.csv": (
        "name,rxnorm_in,atc,unii,action,conflict_level,min_opioid_free_days,synonyms_and_brands,sources,confidence,note\n"
        "morphine,7052,N02AA01|N02AA51,U2,full_agonist,critical,10,MSIR|Embeda (with naltrexone),S,high,\n"
        "buprenorphine,1819,,,partial_agonist,critical,14,,S,high,\n"
        "oxycodone,7804,,,full_agonist,critical,10,,S,high,\nmethadone,6813,,,full_agonist,critical,14,,S,high,\n"
        "levomethadone,,,,a,critical,14,,S,high,\nlevomethadyl,,,,a,critical,14,,S,high,\n"
        "diphenoxylate,3500,,,a,warning,,,S,high,\nloperamide,6468,,,a,none,,,S,high,\n"
    ),
    "opioid_salts_and_combinations.csv": (
        "system,tty,display,code,opioid_in,sources,confidence\n"
        "http://www.nlm.nih.gov/research/umls/rxnorm,PIN,morphine sulfate,30236,7052,S2,high\n"
        "http://www.nlm.nih.gov/research/umls/rxnorm,MIN,morphine / x,30237,7052,S2,high\n"
    ),
    "opioid_products.csv": (
        "system,code,display,opioid_strength,form,route,brand,ingredient,contains_naloxone,contains_naltrexone,sources,confidence\n"
        "http://www.nlm.nih.gov/research/umls/rxnorm,9,morphine 20 MG / ntx 0.8 MG [Embeda],morphine 20 MG,Oral Capsule,oral,Embeda,morphine,,Y,D,high\n"
        "http://www.nlm.nih.gov/research/umls/rxnorm,10,bup 200 MG/ML Syringe [Sub Reformulated May 2009],buprenorphine 200 MG/ML,Syringe,parenteral,Sub Reformulated May 2009,buprenorphine,,,D,high\n"
        "http://www.nlm.nih.gov/research/umls/rxnorm,12,bup pack,buprenorphine 8 MG,Pack,oral,Sub 8 MG,buprenorphine,Y,,D,high\n"
    ),
    "lookalikes.csv": "name,kind,rxnorm_in,atc,unii,trap,sources,confidence\nnaloxone,k,7242,V03AB15|A06AH04 (with x),,t,S,high\n",
    "do_not_use_codes.csv": 'system,code,claimed,finding\nhttp://www.nlm.nih.gov/research/umls/rxnorm,"9, 77",c,f\n',
    "conditions.csv": (
        "concept,role,system,code,match,display,sources,confidence,note\n"
        "fibromyalgia,offlabel_ldn_indication,http://hl7.org/fhir/sid/icd-9-cm,729.1,exact,Myalgia,S,high,n\n"
        "pruritus,other_offlabel_indication,http://hl7.org/fhir/sid/icd-10-cm,L29,prefix,Pruritus,S,high,\n"
        "psoriasis,other_offlabel_indication,http://hl7.org/fhir/sid/icd-10-cm,L40,prefix,Psoriasis,S,high,\n"
    ),
}


def made(table: str) -> list[list[str]]:
    text = build_drugs(SOURCES, files())[f"drugs/{table}.csv"]
    return [line.split(",") for line in text.splitlines()]


def test_products_take_the_classes_of_all_sources_and_the_strength_of_their_main_ingredient() -> None:
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    bup = "opioid opioid-agonist agonist-treatment"
    assert made("products")[1:] == [
        [rxnorm, "9", "morphine 20 MG / ntx 0.8 MG [Embeda]", "opioid opioid-agonist sequestered-antagonist", "morphine", "naltrexone", "20", "{piece}", "Oral Capsule", "oral", "Embeda", "D; A", "high"],
        [rxnorm, "10", "bup 200 MG/ML Syringe [Sub Reformulated May 2009]", f"{bup} depot", "buprenorphine", "", "200", "mL", "Syringe", "other", "Sub Reformulated May 2009", "D", "high"],
        [rxnorm, "11", "ntx 50 MG Oral Tablet [ReVia]", "naltrexone", "naltrexone", "", "50", "{piece}", "Oral Tablet", "oral", "ReVia", "A", "high"],
        [rxnorm, "12", "bup pack", bup, "buprenorphine", "naloxone", "", "", "Pack", "oral", "Sub 8 MG", "D", "high"],
        [rxnorm, "30237", "morphine / x", "opioid opioid-agonist", "morphine", "", "", "", "", "", "", "S2", "high"],
    ]  # fmt: skip


def test_packages_take_their_name_from_the_product() -> None:
    ndc = "http://hl7.org/fhir/sid/ndc"
    assert made("ndc")[1:] == [
        [ndc, "00406117003", "00406-1170-03", "11", "ntx 50 MG Oral Tablet [ReVia]", "naltrexone", "naltrexone", "", "50", "{piece}", "Oral Tablet", "oral", "ReVia", "C", "high", ""],
        [ndc, "00395808319", "00395-8083-19", "", "naltrexone", "naltrexone bulk-powder", "naltrexone", "", "", "", "", "", "", "C", "medium", "powder"],
    ]  # fmt: skip


def test_ingredients_keep_codes_of_salts_days_and_no_classes_where_nothing_conflicts() -> None:
    told = {row[0]: row[1:6] for row in made("ingredients")[1:]}
    assert told["naltrexone"] == ["7243", "", "U1", "naltrexone", ""]
    assert told["morphine"] == ["7052 30236", "N02AA01 N02AA51", "U2", "opioid opioid-agonist", "10"]
    assert told["methadone"] == ["6813", "", "", "opioid opioid-agonist agonist-treatment", "14"]
    assert told["levomethadone"][3] == told["levomethadyl"][3] == "opioid opioid-agonist agonist-treatment"
    assert (told["diphenoxylate"][3], told["loperamide"][3]) == ("opioid opioid-weak", "")
    assert made("ingredients")[2][8] == "S; salts: S2"


def test_names_are_ingredients_brands_and_synonyms_each_once() -> None:
    told = {row[0]: row[1:5] for row in made("names")[1:]}
    bup = "opioid opioid-agonist agonist-treatment"
    assert told["Embeda"] == ["morphine", "naltrexone", "opioid opioid-agonist sequestered-antagonist", "Embeda"]
    assert told["Sub"] == ["buprenorphine", "naloxone", bup, "Sub"]
    assert told["MSIR"] == ["morphine", "", "opioid opioid-agonist", ""]
    assert told["naltrexone"] == ["naltrexone", "", "naltrexone", ""]
    assert len(told) == len(made("names")) - 1


def test_lookalikes_and_wrong_codes_are_brought_into_one_form() -> None:
    assert made("lookalikes")[1] == ["naloxone", "k", "7242", "V03AB15 A06AH04", "", "t", "S", "high"]
    assert [row[1:] for row in made("do_not_use")[1:]] == [["9", "c", "f", "morphine"], ["77", "c", "f", ""]]


def test_value_sets_hold_their_members_with_rule_source_and_weakness() -> None:
    sets = {path: json.loads(text) for path, text in build_valuesets(SOURCES, files(), "https://x.example/fhir/").items()}
    fibromyalgia = sets["valuesets/fibromyalgia.json"]
    assert fibromyalgia["url"] == "https://x.example/fhir/ValueSet/fibromyalgia"
    base = "https://x.example/fhir/StructureDefinition/terminology-"
    assert fibromyalgia["expansion"]["contains"] == [
        {
            "extension": [
                {"url": f"{base}match-rule", "valueCode": "exact"},
                {"url": f"{base}confidence", "valueCode": "high"},
                {"url": f"{base}sources", "valueString": "S"},
                {"url": f"{base}note", "valueString": "n"},
                {"url": f"{base}weak", "valueBoolean": True},
            ],
            "system": "http://hl7.org/fhir/sid/icd-9-cm",
            "code": "729.1",
            "display": "Myalgia",
        }
    ]
    codes = {path: [one["code"] for one in raw["expansion"]["contains"]] for path, raw in sets.items()}
    assert (codes["valuesets/pruritus.json"], codes["valuesets/other-ldn-use.json"]) == (["L29"], ["L40"])
    assert sets["valuesets/alcohol-use.json"]["extension"] == [{"url": f"{base}counts-in-remission", "valueBoolean": True}]


def test_a_condition_that_no_set_takes_is_a_mistake() -> None:
    sources = SOURCES | {"conditions.csv": SOURCES["conditions.csv"] + "x,y,http://snomed.info/sct,1,exact,X,S,high,\n"}
    with pytest.raises(RulebookInvalid, match=r"conditions.csv:5:1 TERM-011 no value set for x as y"):
        build_valuesets(sources, files(), "https://x.example/fhir")


def test_a_missing_source_is_a_mistake() -> None:
    with pytest.raises(RulebookInvalid, match=r"lookalikes.csv:1:1 TERM-001 the file is missing"):
        build_drugs({name: text for name, text in SOURCES.items() if name != "lookalikes.csv"}, files())


def run(sources: Path, rules: Path, *options: str) -> Result:
    return CliRunner().invoke(commands, ["terminology", "build", str(sources), str(rules), *options])


def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Lay out the small sources and the hand-written tables, with the names that need products left out."""
    sources, rules = tmp_path / "sources", tmp_path / "rules"
    sources.mkdir()
    for name, text in SOURCES.items():
        (sources / name).write_bytes(text.encode())
    for path, text in files().items():
        (rules / path).parent.mkdir(parents=True, exist_ok=True)
        (rules / path).write_bytes(text.encode())
    kept = ("naltrexone", "morphine", "oxycodone", "methadone", "levomethadone", "buprenorphine", "bupropion")
    lines = files()["drugs/own-names.csv"].splitlines(keepends=True)
    (rules / "drugs/own-names.csv").write_text(
        "".join([lines[0], *(line for line in lines if line.split(",")[1] in kept)]), encoding="utf-8"
    )
    (rules / "manifest.yaml").write_text("canonical: https://x.example/fhir   # base\n", encoding="utf-8")
    return sources, rules


def test_the_command_builds_what_both_readers_accept_and_the_same_again(tmp_path: Path) -> None:
    sources, rules = folders(tmp_path)
    (rules / "valuesets/left-over.json").write_text("{}", encoding="utf-8")
    assert "not up to date" in run(sources, rules, "--check").output
    first = run(sources, rules)
    assert (first.exit_code, first.output) == (0, "21 files, 21 changed, 1 removed\n")
    assert json.loads((rules / "valuesets/obesity.json").read_text(encoding="utf-8"))["url"] == "https://x.example/fhir/ValueSet/obesity"
    assert not (rules / "valuesets/left-over.json").exists()
    assert run(sources, rules).output == "21 files, 0 changed, 0 removed\n"
    assert run(sources, rules, "--check").exit_code == 0


def test_the_command_takes_the_base_uri_as_an_option_and_needs_one(tmp_path: Path) -> None:
    sources, rules = folders(tmp_path)
    assert run(sources, rules, "--canonical", "https://y.example").exit_code == 0
    assert '"https://y.example/ValueSet/obesity"' in (rules / "valuesets/obesity.json").read_text(encoding="utf-8")
    (rules / "manifest.yaml").unlink()
    refused = run(sources, rules)
    assert (refused.exit_code, "no canonical base URI" in refused.output) == (2, True)


def test_a_build_that_would_not_load_writes_nothing(tmp_path: Path) -> None:
    sources, rules = folders(tmp_path)
    before = (rules / "drugs/products.csv").read_bytes()
    (sources / "naltrexone_ndc.csv").write_text(SOURCES["naltrexone_ndc.csv"].replace("00406117003", "1"), encoding="utf-8")
    result = run(sources, rules)
    assert (isinstance(result.exception, RulebookInvalid), (rules / "drugs/products.csv").read_bytes()) == (True, before)


SHARED = Path(__file__).parents[2] / "shared" / "terminology"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the fact tables live outside the repository")
def test_the_shipped_files_are_what_the_fact_tables_give() -> None:
    assert run(SHARED, RULES, "--check").output == "21 files, 0 changed, 0 removed\n"
