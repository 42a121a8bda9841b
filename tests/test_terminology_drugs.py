"""Drugs by code: every row of the shipped tables, the traps, and what happens where codes, ingredients and names disagree."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.fhir.elements import Coding, Concept, Ingredient, Medication, Ratio
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity
from cds_service.unknown import Unknown
from tests.terminology_folder import ATC, HCPCS, NDC, RXNORM, SNOMED, UNII, classes, coded, drugs, found, rows, strength

PRODUCTS = rows("drugs/products.csv")
PACKAGES = rows("drugs/ndc.csv")
INGREDIENTS = rows("drugs/ingredients.csv")
LOOKALIKES = rows("drugs/lookalikes.csv")
DO_NOT_USE = rows("drugs/do_not_use.csv")
DAYS = {row["ingredient"]: row["opioid_free_days"] for row in INGREDIENTS}
CODES_OF = {"rxnorm": RXNORM, "atc": ATC, "unii": UNII}
GPI = "urn:oid:2.16.840.1.113883.6.68"


def expected_days(row: dict[str, str]) -> Decimal | Unknown:
    days = DAYS[row["ingredient"]]
    return Decimal(days) if days and "depot" not in row["classes"].split() else Unknown("no-interval")


def expected_strength(row: dict[str, str]) -> str:
    unit = {"{piece}": "mg/{piece}", "mL": "mg/mL"}.get(row["per"])
    return f"{Decimal(row['strength'])} {unit}" if row["strength"] and unit else "no-strength"


def written_in_the_table(row: dict[str, str]) -> tuple[object, ...]:
    told = (row["ingredient"], row["name"], row["form"], row["route"], row["brand"])
    return (*told, frozenset(row["classes"].split()), expected_strength(row), expected_days(row), "code", False)


def told_by_the_index(match: DrugMatch) -> tuple[object, ...]:
    told = (match.ingredient, match.name, match.form, match.route, match.brand)
    return (*told, match.classes, strength(match), match.opioid_free_days, match.matched_by, match.contradicts)


def test_each_product_code_is_found_with_its_class_strength_and_interval() -> None:
    assert len(PRODUCTS) > 1500
    told = {row["code"]: told_by_the_index(found(coded((row["system"], row["code"])))) for row in PRODUCTS}
    assert told == {row["code"]: written_in_the_table(row) for row in PRODUCTS}


@pytest.mark.parametrize("row", PACKAGES, ids=lambda row: row["ndc"])
def test_each_package_code_is_found_however_it_is_hyphenated(row: dict[str, str]) -> None:
    labeler, product, package = row["ndc"].split("-")
    written = {row["ndc11"], row["ndc"]}
    written |= {f"{labeler[1:]}-{product}-{package}"} if labeler.startswith("0") else set()
    written |= {f"{labeler}-{product[1:]}-{package}"} if product.startswith("0") else set()
    written |= {f"{labeler}-{product}-{package[1:]}"} if package.startswith("0") else set()
    matches = [found(coded((NDC, code))) for code in sorted(written)]
    assert {match.classes for match in matches} == {frozenset(row["classes"].split())}
    assert {strength(match) for match in matches} == {expected_strength(row)}
    assert {match.name for match in matches} == {row["name"]}


def test_a_package_code_without_its_package_segment_tells_the_product() -> None:
    assert strength(drugs().find(coded((NDC, "0406-1170")))) == "50 mg/{piece}"


@pytest.mark.parametrize(
    "code", ["0406117003", "00406-1170", "99999-9999-99", "00406-1170-003", "00406 1170 03", "x0406-1170-03", "00406117003-1"]
)
def test_a_package_code_in_no_known_form_is_not_guessed(code: str) -> None:
    expected = ["50 mg/{piece}"] if code == "00406-1170" else []
    match = drugs().find(coded((NDC, code)))
    assert ([strength(match)] if isinstance(match, DrugMatch) else []) == expected


INGREDIENT_CODES = [(row, CODES_OF[column], code) for row in INGREDIENTS for column in CODES_OF for code in row[column].split()]
EXACT = {(row["system"], row["code"]) for row in PRODUCTS}


@pytest.mark.parametrize(
    ("row", "system", "code"), INGREDIENT_CODES, ids=lambda value: value if isinstance(value, str) else value["ingredient"]
)
def test_each_ingredient_code_is_found_and_one_without_conflict_is_no_drug_that_a_rule_concerns(
    row: dict[str, str], system: str, code: str
) -> None:
    match = drugs().find(coded((system, code)))
    if not row["classes"]:
        assert match is None
    elif (system, code) not in EXACT:
        assert isinstance(match, DrugMatch)
        assert (match.classes, match.ingredient, match.name) == (frozenset(row["classes"].split()), row["ingredient"], row["ingredient"])
        assert match.opioid_free_days == expected_days(row)
        assert match.ingredient_code == (row["rxnorm"].split() or [""])[0]
        assert strength(match) == "no-strength"


LOOKALIKE_CODES = [(row["name"], CODES_OF[column], code) for row in LOOKALIKES for column in CODES_OF for code in row[column].split()]


@pytest.mark.parametrize(("name", "system", "code"), LOOKALIKE_CODES)
def test_no_lookalike_code_is_taken_for_a_drug_of_the_rules(name: str, system: str, code: str) -> None:
    match = drugs().find(coded((system, code, name)))
    assert (match is None) == (name != "nalbuphine")


@pytest.mark.parametrize("name", [row["name"] for row in LOOKALIKES if row["name"] != "nalbuphine"])
@pytest.mark.parametrize("written", ["{}", "{} 2 MG", "{} hydrochloride 10 mg tablet", "ORAL {}"])
def test_no_lookalike_name_is_taken_for_a_drug_of_the_rules(name: str, written: str) -> None:
    assert drugs().find(coded(text=written.format(name))) is None
    assert drugs().find(coded(text=written.format(name.upper()))) is None


@pytest.mark.parametrize("row", DO_NOT_USE, ids=lambda row: row["code"])
def test_a_code_that_circulates_with_a_wrong_meaning_never_means_that(row: dict[str, str]) -> None:
    match = drugs().find(coded((row["system"], row["code"])))
    if row["actually"]:
        assert isinstance(match, DrugMatch)
        assert (match.ingredient, "naltrexone" in match.classes) == (row["actually"], False)
    else:
        assert match == Unknown("no-drug-name")


def test_a_wrong_code_beside_a_right_name_leaves_the_name_to_tell() -> None:
    match = found(coded((RXNORM, "1116442", "Naltrexone 380 MG Injection")))
    assert (classes(match), match.matched_by, strength(match)) == ("depot naltrexone", "name", "380 mg/{piece}")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("N02AG51", "opioid opioid-agonist"),
        ("N02A", "opioid opioid-agonist"),
        ("n02ax99", "opioid opioid-agonist"),
        ("N01AH99", "opioid opioid-agonist"),
        ("N07BC99", "agonist-treatment opioid opioid-agonist"),
        ("R05DA20", "opioid opioid-agonist"),
        ("N07BB04", "naltrexone"),
        ("A08AA62", "fixed-combination naltrexone"),
        ("N02AA56", "opioid opioid-agonist sequestered-antagonist"),
        ("A07DA01", "opioid opioid-weak"),
        ("A07DA02", "opioid opioid-agonist"),
        ("R05DA08", "opioid opioid-weak"),
    ],
)
def test_atc_codes_and_groups_tell_the_class(code: str, expected: str) -> None:
    assert classes(drugs().find(coded((ATC, code)))) == expected


@pytest.mark.parametrize(
    "code", ["N07BC04", "R05DA07", "R05DA09", "A07DA03", "A07DA53", "N07BB05", "A06AH01", "A06AH99", "N02B", "N02", "V03AB15"]
)
def test_atc_traps_are_no_drug_of_the_rules(code: str) -> None:
    assert drugs().find(coded((ATC, code))) is None


def test_a_group_code_has_no_interval_and_a_closer_name_gives_one() -> None:
    assert found(coded((ATC, "N02AG51"))).opioid_free_days == Unknown("no-interval")
    closer = found(coded((ATC, "N02AG51"), text="Methadone 10 mg"))
    assert (closer.ingredient, closer.opioid_free_days, closer.contradicts, closer.matched_by) == ("methadone", Decimal(14), False, "code")


@pytest.mark.parametrize(
    "system",
    [
        "urn:oid:2.16.840.1.113883.6.88",
        "2.16.840.1.113883.6.88",
        "URN:OID:2.16.840.1.113883.6.88",
        RXNORM + "/",
        RXNORM.replace("http:", "https:"),
        "RxNorm",
        f" {RXNORM} ",
    ],
)
def test_a_system_is_known_by_its_oid_and_in_the_ways_that_senders_write_it(system: str) -> None:
    assert classes(drugs().find(coded((system, "7243")))) == "naltrexone"


@pytest.mark.parametrize(
    ("system", "code"),
    [("urn:oid:2.16.840.1.113883.6.69", "00406-1170-03"), (UNII, "z6375yw9sf"), (HCPCS, "j2315"), (HCPCS, "G2073"), (RXNORM, " 7243 ")],
)
def test_codes_are_found_whatever_their_case_and_blanks(system: str, code: str) -> None:
    assert "naltrexone" in found(coded((system, code))).classes


@pytest.mark.parametrize("row", [row for row in PRODUCTS if "sequestered-antagonist" in row["classes"]], ids=lambda row: row["code"])
def test_an_opioid_with_shut_in_naltrexone_is_never_naltrexone(row: dict[str, str]) -> None:
    match = found(coded((row["system"], row["code"], row["name"]), text=row["name"]))
    assert (match.classes, match.contradicts) == (frozenset({"opioid", "opioid-agonist", "sequestered-antagonist"}), False)


def test_no_product_contradicts_its_own_name() -> None:
    matches = {row["code"]: found(coded((row["system"], row["code"], row["name"]))) for row in PRODUCTS}
    told = {code: (match.contradicts, match.classes, match.name) for code, match in matches.items()}
    assert told == {row["code"]: (False, frozenset(row["classes"].split()), row["name"]) for row in PRODUCTS}


def test_the_name_of_a_product_alone_tells_its_ingredient_and_classes() -> None:
    matches = {row["code"]: found(coded(text=row["name"])) for row in PRODUCTS}
    told = {code: (match.ingredient, match.classes - {"depot"}, match.matched_by, match.contradicts) for code, match in matches.items()}
    assert told == {row["code"]: (row["ingredient"], frozenset(row["classes"].split()) - {"depot"}, "name", False) for row in PRODUCTS}


def epic() -> Medication:
    nonsense = Ratio(Quantity(Decimal(50), "mg"), Quantity(Decimal(50), "mg"))
    return coded(
        (GPI, "92400030000310", "Naltrexone HCl Tab 50 MG"),
        (RXNORM, "7243"),
        (RXNORM, "1483742"),
        (RXNORM, "1483744"),
        ("urn:oid:1.2.840.114350.1.13.0.1.7.2.698288", "5374", "NALTREXONE 50 MG PO TABS"),
        text="naltrexone (DEPADE) 50 MG tablet",
        ingredients=(Ingredient(Concept((Coding(RXNORM, "7243", "naltrexone"),)), nonsense),),
    )


def test_epics_many_levels_of_one_drug_make_one_drug() -> None:
    match = found(epic())
    assert (classes(match), strength(match), match.contradicts, match.matched_by) == ("naltrexone", "50 mg/{piece}", False, "code")
    assert match.name == "naltrexone hydrochloride 50 MG Oral Tablet"


CODINGS = [
    (RXNORM, "7243", "naltrexone"),
    (RXNORM, "1483744", "naltrexone hydrochloride 50 MG Oral Tablet"),
    (RXNORM, "637213", "naltrexone 380 MG Injection"),
    (RXNORM, "835603", "naltrexone oral tablet"),
    (RXNORM, "863848", ""),
    (RXNORM, "866331", ""),
    (RXNORM, "1551468", ""),
    (RXNORM, "7242", "naloxone"),
    (RXNORM, "1819", "buprenorphine"),
    (RXNORM, "1996193", "Sublocade"),
    (ATC, "N02AG51", ""),
    (NDC, "00406-1170-03", "NALTREXONE 50MG TAB"),
    (GPI, "1", "LDN 4.5 mg capsule"),
    (GPI, "2", "LDN 3 mg sublingual troche"),
    ("", "x", "lisinopril 10 mg"),
]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.sampled_from(CODINGS), min_size=1, max_size=5, unique=True).flatmap(
        lambda some: st.tuples(st.just(some), st.permutations(some))
    )
)
def test_the_order_of_codings_never_matters(orders: tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]) -> None:
    one, other = orders
    assert drugs().find(coded(*one)) == drugs().find(coded(*other))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(CODINGS), min_size=1, max_size=4, unique=True), st.sampled_from(CODINGS))
def test_a_further_coding_never_takes_an_opioid_away(some: list[tuple[str, str, str]], more: tuple[str, str, str]) -> None:
    before, after = drugs().find(coded(*some)), drugs().find(coded(*some, more))
    if isinstance(before, DrugMatch) and "opioid" in before.classes:
        assert "opioid" in found(coded(*some, more)).classes, after


def test_a_code_of_one_drug_with_the_name_of_another_keeps_both_classes_and_trusts_no_strength() -> None:
    match = found(coded((RXNORM, "835603", "naltrexone oral tablet")))
    assert (classes(match), strength(match), match.contradicts) == ("naltrexone opioid opioid-agonist", "contradictory-drug", True)
    assert (match.ingredient, match.name, match.matched_by, match.opioid_free_days) == (
        "tramadol",
        "tramadol or naltrexone",
        "code",
        Decimal(10),
    )


def test_the_longest_interval_of_two_opioids_counts() -> None:
    match = found(coded((RXNORM, "7804"), text="methadone 10 mg"))
    assert (match.ingredient, match.opioid_free_days, match.contradicts) == ("oxycodone", Decimal(14), True)


def test_a_code_of_one_strength_with_the_name_of_another_has_no_strength() -> None:
    match = found(coded((RXNORM, "1483744"), text="NALTREXONE 4.5 MG CAP"))
    assert (strength(match), match.contradicts, match.name, classes(match)) == ("contradictory-strength", True, "naltrexone", "naltrexone")


def test_a_strength_that_the_name_leaves_open_is_told_by_the_code() -> None:
    match = found(coded((RXNORM, "1483744"), text="naltrexone 50 mg tablet (25 mg)"))
    assert (strength(match), match.contradicts) == ("50 mg/{piece}", False)


@pytest.mark.parametrize(
    ("codes", "text", "expected"),
    [
        (("7243",), "4.5 MG CAP", "4.5 mg/{piece} naltrexone"),
        (("7243",), "Naltrexone 380 mg IM", "380 mg/{piece} depot naltrexone"),
        (("7243",), "Vivitrol", "no-strength depot naltrexone"),
        (("7243",), "Contrave", "no-strength fixed-combination naltrexone"),
        (("1819",), "Sublocade 300 mg/1.5 mL", "200 mg/mL agonist-treatment depot opioid opioid-agonist"),
        (("7052",), "Embeda", "no-strength opioid opioid-agonist sequestered-antagonist"),
        (("7243", "7052"), "", "no-strength opioid opioid-agonist sequestered-antagonist"),
        (("866331", "7243"), "", "no-strength opioid opioid-agonist sequestered-antagonist"),
        (("1819", "7242"), "", "no-strength agonist-treatment opioid opioid-agonist"),
        (("7243", "7052", "863848"), "", "20 mg/{piece} opioid opioid-agonist sequestered-antagonist"),
        (("1483744", "999999"), "", "50 mg/{piece} naltrexone"),
    ],
)
def test_what_says_more_of_the_same_drug_is_taken_and_contradicts_nothing(codes: tuple[str, ...], text: str, expected: str) -> None:
    match = found(coded(*((RXNORM, code) for code in codes), text=text))
    assert (f"{strength(match)} {classes(match)}", match.contradicts) == (expected, False)


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        (("1483744",), "Vivitrol"),
        (("7243", "6813"), ""),
        (("1483744", "863848"), ""),
        (("7242",), "naltrexone 50 mg"),
        (("7243",), "Embeda"),
        (("1483744",), "naltrexone powder"),
    ],
)
def test_what_cannot_be_one_product_contradicts(codes: tuple[str, ...], text: str) -> None:
    assert found(coded(*((RXNORM, code) for code in codes), text=text)).contradicts


def test_the_powder_for_compounding_takes_its_strength_from_what_was_made_of_it() -> None:
    match = found(coded((NDC, "00395-8083-19"), text="naltrexone 4.5 mg capsule"))
    assert (classes(match), strength(match), match.contradicts) == ("bulk-powder naltrexone", "4.5 mg/{piece}", False)


def ingredient(numerator: tuple[str, str], denominator: tuple[str, str], *codings: tuple[str, str], text: str = "") -> Ingredient:
    ratio = Ratio(Quantity(Decimal(numerator[0]), numerator[1]), Quantity(Decimal(denominator[0]), denominator[1]))
    return Ingredient(Concept(tuple(Coding(*coding) for coding in codings), text), ratio)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (("4.5", "mg"), ("1", "capsule"), "4.5 mg/{piece}"),
        (("4.5", "MG"), ("1", "{tbl}"), "4.5 mg/{piece}"),
        (("4500", "ug"), ("1", "1"), "4.5 mg/{piece}"),
        (("4.5", "mg"), ("1", ""), "4.5 mg/{piece}"),
        (("9", "mg"), ("2", "TAB"), "4.5 mg/{piece}"),
        (("1", "mg"), ("1", "mL"), "1 mg/mL"),
        (("4.5", "mg"), ("5", "mL"), "0.9 mg/mL"),
        (("1", "g"), ("1", "L"), "1 mg/mL"),
        (("50", "mg"), ("50", "mg"), "no-strength"),
        (("4.5", "mg"), ("1", "d"), "no-strength"),
        (("4.5", "mg"), ("0", "mL"), "no-strength"),
        (("0", "mg"), ("1", "mL"), "no-strength"),
        (("4.5", "mL"), ("1", "capsule"), "no-strength"),
        (("4.5", "mg"), ("1", "furlong"), "no-strength"),
    ],
)
def test_an_ingredients_ratio_is_the_strength(numerator: tuple[str, str], denominator: tuple[str, str], expected: str) -> None:
    match = found(coded(text="COMPOUND", ingredients=(ingredient(numerator, denominator, (RXNORM, "7243")),)))
    assert (strength(match), match.matched_by, classes(match)) == (expected, "ingredient", "naltrexone")


def test_of_several_ingredients_the_strength_is_that_of_the_drug() -> None:
    other = ingredient(("1", "mg"), ("1", "capsule"), text="ketotifen")
    match = found(coded(text="LDN/ketotifen", ingredients=(other, ingredient(("3", "mg"), ("1", "capsule"), text="naltrexone HCl"))))
    assert (strength(match), match.contradicts, match.matched_by) == ("3 mg/{piece}", False, "ingredient")


def test_two_ingredients_that_the_tables_know_together_are_that_combination() -> None:
    both = tuple(Ingredient(Concept((), name)) for name in ("naltrexone", "bupropion"))
    match = found(Medication(Concept(), ingredients=both))
    assert (classes(match), match.name) == ("fixed-combination naltrexone", "naltrexone / bupropion")


def test_an_ingredient_that_the_code_does_not_hold_contradicts() -> None:
    match = found(coded((RXNORM, "1483744"), ingredients=(Ingredient(Concept((Coding(RXNORM, "7804"),))),)))
    assert (classes(match), match.contradicts) == ("naltrexone opioid opioid-agonist", True)


def test_a_ratio_that_the_code_contradicts_leaves_no_strength() -> None:
    match = found(coded((RXNORM, "1483744"), ingredients=(ingredient(("4.5", "mg"), ("1", "tablet"), (RXNORM, "7243")),)))
    assert (strength(match), match.contradicts) == ("contradictory-strength", True)


def test_the_dose_form_helps_to_tell_a_depot() -> None:
    assert (
        classes(drugs().find(coded((RXNORM, "7243", "naltrexone"), form="Injection, suspension, extended release"))) == "depot naltrexone"
    )
    assert classes(drugs().find(coded((RXNORM, "7243", "naltrexone"), form="oral capsule"))) == "naltrexone"


@pytest.mark.parametrize(
    ("medication", "expected"),
    [
        (coded(), Unknown("no-drug")),
        (coded(text=" "), Unknown("no-drug")),
        (coded((RXNORM, "")), Unknown("no-drug")),
        (coded((NDC, "11111-1111-11")), Unknown("no-drug-name")),
        (coded((GPI, "36100020000310")), Unknown("no-drug-name")),
        (coded((SNOMED, "387207008")), Unknown("no-drug-name")),
        (coded((UNII, "UNKNOWN")), Unknown("no-drug-name")),
        (coded((RXNORM, "UNK")), Unknown("no-drug-name")),
        (coded((GPI, "1"), text="see note"), Unknown("no-drug-name")),
        (coded(text="COMPOUNDED MEDICATION 4.5 MG CAPSULE"), Unknown("no-drug-name")),
        (coded(("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK", "unknown")), Unknown("no-drug-name")),
        (coded(text="COMPOUND", ingredients=(Ingredient(Concept((Coding(GPI, "1"),))),)), Unknown("no-drug-name")),
        (
            coded(text="COMPOUND", ingredients=(Ingredient(Concept((), "ketotifen")), Ingredient(Concept((Coding(GPI, "1"),))))),
            Unknown("no-drug-name"),
        ),
        (coded(text="COMPOUND", ingredients=(Ingredient(Concept((), "ketotifen")),)), None),
        (coded(text="ketotifen", ingredients=(Ingredient(Concept((Coding(GPI, "1"),))),)), None),
        (coded((RXNORM, "314076")), None),
        (coded((RXNORM, "314076"), (NDC, "11111-1111-11")), None),
        (coded((RXNORM, "314076", "lisinopril 10 MG Oral Tablet")), None),
        (coded((GPI, "1", "Lisinopril Tab 10 MG")), None),
        (coded((ATC, "C09AA03")), None),
        (coded((RXNORM, "7242")), None),
    ],
)
def test_a_drug_that_cannot_be_told_is_unknown_and_another_drug_is_none(medication: Medication, expected: Unknown | None) -> None:
    assert drugs().find(medication) == expected


def test_an_unlisted_code_leaves_the_name_to_tell() -> None:
    match = found(coded((RXNORM, "999999"), text="LDN 4.5 mg"))
    assert (strength(match), match.matched_by, match.contradicts) == ("4.5 mg/{piece}", "name", False)


def test_the_words_of_the_rules_are_those_of_the_class_table() -> None:
    assert drugs().classes == frozenset(row["class"] for row in rows("drugs/classes.csv"))
    assert len(drugs().fingerprint) == 64
