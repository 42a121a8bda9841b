"""Drugs and strengths by name, as orders and lists really write them."""

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.fhir.terminology import DrugMatch
from cds_service.terminology.strengths import stated_strengths
from cds_service.terminology.words import cut, phrase
from cds_service.unknown import Unknown
from tests.terminology_folder import by_text, classes, coded, drugs, rows, strength

NAMES = [*rows("drugs/names.csv"), *rows("drugs/own-names.csv")]
INGREDIENT_CLASSES = {row["ingredient"]: row["classes"] for row in rows("drugs/ingredients.csv")}


@pytest.mark.parametrize("row", NAMES, ids=lambda row: row["name"])
def test_each_name_of_the_tables_is_found_in_any_case_and_within_other_words(row: dict[str, str]) -> None:
    written = [row["name"], row["name"].upper(), row["name"].lower(), f"Acme {row['name']} XYZ", f"({row['name']})", f"x,{row['name']};"]
    matches = [drugs().find(coded(text=text)) for text in written]
    if row["classes"]:
        assert [match.classes for match in matches if isinstance(match, DrugMatch)] == [frozenset(row["classes"].split())] * len(written)
        assert {match.ingredient for match in matches if isinstance(match, DrugMatch)} == {row["ingredient"]}
    else:
        assert matches == [None] * len(written)


@pytest.mark.parametrize("row", [row for row in NAMES if row["classes"] and " " not in row["name"]], ids=lambda row: row["name"])
def test_no_name_is_found_inside_a_longer_word(row: dict[str, str]) -> None:
    last = row["name"].split("-")[-1].split("#")[-1]
    if last.isalpha() and last == row["name"]:
        assert drugs().find(coded(text=f"zz{row['name']}")) is None
        assert drugs().find(coded(text=f"{row['name']}zz")) is None


@pytest.mark.parametrize("text", [row["name"] for row in NAMES if row["classes"]])
def test_an_invisible_character_or_full_width_letters_hide_no_name(text: str) -> None:
    hidden = text[:2] + "\u200b\u00ad" + text[2:]
    wide = "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)
    control = text[:2] + "\x00" + text[2:]
    assert [isinstance(drugs().find(coded(text=one)), DrugMatch) for one in (hidden, wide, control)] == [True, True, True]


def test_accents_make_no_difference() -> None:
    assert (by_text("péthidine 50 mg").ingredient, by_text("pe\u0301thidine").ingredient) == ("meperidine", "meperidine")


@pytest.mark.parametrize(
    "text",
    [
        "methylnaltrexone 12 mg/0.6 mL", "methyl-naltrexone bromide", "methyl naltrexone", "N-methylnaltrexone", "n-methyl naltrexone", "LDN-193189",
        "LDN193189", "LDN 57444", "apomorphine 10 mg/mL pen", "tiotropium 18 mcg", "ipratropium-albuterol", "nalmefene 18 mg", "naloxone 4 mg nasal spray",
        "naloxegol 25 mg", "alvimopan", "loperamide 2 mg", "eluxadoline", "trazodone 50 mg", "oxybutynin 5 mg", "hydroxyzine 25 mg", "bupropion XL 150 mg",
        "Fioricet", "Fioricet without codeine", "butalbital compound w/o codeine", "codeine-free cough syrup", "Tylenol 325 mg", "Tylenol 3 times daily",
        "fentanyl test strips", "6-beta-naltrexol", "methotrexate (Trexan) 2.5 mg", "lidocaine", "opioid antagonist", "morphinefree",
        "bup XL 150 mg", "hydrocort 1 %", "cod liver oil", "oxybutyn ER",
    ],
)  # fmt: skip
def test_names_that_contain_or_resemble_others_are_no_drug_of_the_rules(text: str) -> None:
    assert drugs().find(coded(text=text)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("morphine/naltrexone", "opioid opioid-agonist sequestered-antagonist"),
        ("oxycodone & naltrexone", "opioid opioid-agonist sequestered-antagonist"),
        ("naltrexone-oxycodone ER 12 hr capsule", "opioid opioid-agonist sequestered-antagonist"),
        ("morphine sulfate 20 mg with naltrexone hydrochloride 0.8 mg", "opioid opioid-agonist sequestered-antagonist"),
        ("EMBEDA 20-0.8 MG (morphine-naltrexone)", "opioid opioid-agonist sequestered-antagonist"),
        ("naltrexone-bupropion 8-90 MG", "fixed-combination naltrexone"),
        ("bupropion and naltrexone", "fixed-combination naltrexone"),
        ("Mysimba 8 mg/90 mg", "fixed-combination naltrexone"),
        ("buprenorphine-naloxone 8-2 mg film", "agonist-treatment opioid opioid-agonist"),
        ("pentazocine/naloxone", "opioid opioid-agonist"),
        ("Tylenol #3", "opioid opioid-agonist"),
        ("TYLENOL W/ CODEINE", "opioid opioid-agonist"),
        ("HYDROCO/APAP TAB 5-325MG", "opioid opioid-agonist"),
        ("OxyContin\u2122 10 mg", "opioid opioid-agonist"),
        ("Vivitrol\u2120 380 mg", "depot naltrexone"),
        ("XR-NTX 380 mg IM", "depot naltrexone"),
        ("oxyc/apap 5-325", "opioid opioid-agonist"),
        ("PROMETH/COD SYP 6.25-10", "opioid opioid-agonist"),
        ("but/apap/caf/cod", "opioid opioid-agonist"),
        ("bup/naloxone 8-2 SL", "agonist-treatment opioid opioid-agonist"),
        ("Targin 10/5 mg Retardtabletten", "opioid opioid-agonist"),
        ("Durogesic 25 patch", "opioid opioid-agonist"),
        ("Tylenol No. 3", "opioid opioid-agonist"),
        ("acetaminophen-codeine #3", "opioid opioid-agonist"),
        ("belladonna and opium 30-16.2 mg supp", "opioid opioid-agonist"),
        ("co-codamol 30/500", "opioid opioid-agonist"),
        ("codeine/APAP", "opioid opioid-agonist"),
        ("HYDROcodone-acetaminophen", "opioid opioid-agonist"),
        ("diphenoxylate-atropine 2.5 mg", "opioid opioid-weak"),
        ("pholcodine linctus", "opioid opioid-weak"),
        ("nalbuphine", "opioid opioid-agonist"),
        ("methadone", "agonist-treatment opioid opioid-agonist"),
        ("L-Polamidon", "agonist-treatment opioid opioid-agonist"),
        ("naltrexone 380 mg", "depot naltrexone"),
        ("naltrexone ER injection", "depot naltrexone"),
        ("naltrexone extended-release IM", "depot naltrexone"),
        ("Naltrexone extended-release injectable suspension 380 mg/4 mL", "depot naltrexone"),
        ("XR-NTX (naltrexone)", "depot naltrexone"),
        ("naltrexone implant", "depot naltrexone"),
        ("naltrexone oral suspension 1 mg/mL", "naltrexone"),
        ("naltrexone ER oral capsule 4.5 mg", "naltrexone"),
        ("naltrexone 4.5 mg ER", "naltrexone"),
        ("naltrexone HCl (bulk) 100 % powder", "bulk-powder naltrexone"),
        ("naltrexone powder capsule 4.5 mg", "naltrexone"),
        ("Sublocade 300 mg/1.5 mL", "agonist-treatment depot opioid opioid-agonist"),
        ("buprenorphine ER injection 300 mg", "agonist-treatment depot opioid opioid-agonist"),
        ("buprenorphine weekly 24 mg/0.48 mL", "agonist-treatment depot opioid opioid-agonist"),
        ("buprenorphine 0.3 mg/mL injection", "agonist-treatment opioid opioid-agonist"),
        ("buprenorphine weekly patch 10 mcg/hr", "agonist-treatment opioid opioid-agonist"),
        ("Naltrexone 4.5mg cap (no codeine)", "naltrexone"),
        ("morphine 15 mg, do not take with naltrexone", "opioid opioid-agonist"),
    ],
)  # fmt: skip
def test_a_name_tells_combination_depot_and_class_without_contradiction(text: str, expected: str) -> None:
    match = by_text(text)
    assert (classes(match), match.contradicts, match.matched_by) == (expected, False, "name")


@pytest.mark.parametrize("text", ["Sublocade", "Brixadi", "Probuphine", "buprenorphine implant", "buprenorphine monthly"])
def test_no_number_of_days_follows_a_depot_of_an_opioid(text: str) -> None:
    assert by_text(text).opioid_free_days == Unknown("no-interval")


@pytest.mark.parametrize(
    ("text", "days"), [("Suboxone", 14), ("methadone", 14), ("Percocet", 10), ("co-codamol", 10), ("naltrexone/morphine", 10)]
)
def test_the_interval_is_that_of_the_ingredient(text: str, days: int) -> None:
    assert by_text(text).opioid_free_days == Decimal(days)


@pytest.mark.parametrize(
    "text",
    [
        "naltrexone 50 mg (hold if morphine given)",
        "Percocet; patient is on LDN",
        "naltrexone 50 mg. Morphine 15 mg.",
        "hydrocodone/naltrexone",
    ],
)
def test_two_drugs_that_are_not_one_product_keep_both_classes(text: str) -> None:
    match = by_text(text)
    assert (classes(match), match.contradicts) == ("naltrexone opioid opioid-agonist", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NALTREXONE (LDN) 4.5 MG CAP - COMPOUND", "4.5 mg/{piece}"),
        ("naltrexone 1 mg/mL oral liquid", "1 mg/mL"),
        ("LDN 4.5 mg per 5 mL", "0.9 mg/mL"),
        ("LDN 4.5MG/5ML", "0.9 mg/mL"),
        ("naltrexone 50 mg in 50 mL", "1 mg/mL"),
        ("naltrexone 100 mcg/0.1 mL", "1 mg/mL"),
        ("naltrexone 1 mg / ml", "1 mg/mL"),
        ("Naltrexon 1,5 mg", "1.5 mg/{piece}"),
        ("naltrexone 0,500 mg", "0.5 mg/{piece}"),
        ("naltrexone 4·5 mg", "4.5 mg/{piece}"),
        ("naltrexone 0.5mg", "0.5 mg/{piece}"),
        ("naltrexone .5 mg", "0.5 mg/{piece}"),
        ("naltrexone 50.0 mg", "50 mg/{piece}"),
        ("naltrexone 1500 mcg", "1.5 mg/{piece}"),
        ("naltrexone 1500 µg", "1.5 mg/{piece}"),
        ("naltrexone 1500 micrograms", "1.5 mg/{piece}"),
        ("naltrexone HCl 50 MG Oral Tablet", "50 mg/{piece}"),
        ("naltrexone 50-mg tablet", "50 mg/{piece}"),
        ("4.5 mg naltrexone capsule", "4.5 mg/{piece}"),
        ("Acme 4.5 mg naltrexone", "4.5 mg/{piece}"),
        ("naltrexone 4.5 mg/capsule", "4.5 mg/{piece}"),
        ("naltrexone 9 mg/2 capsules", "4.5 mg/{piece}"),
        ("naltrexone capsule, dye-free, slow release 4.5 mg", "4.5 mg/{piece}"),
        ("LDN compounded by Harbor Pharmacy 4.5 mg caps #30", "4.5 mg/{piece}"),
        ("naltrexone 4.5 mg daily", "4.5 mg/{piece}"),
        ("LDN-4.5 mg", "4.5 mg/{piece}"),
        ("naltrexone 4.5 mg / ketotifen 1 mg capsule", "4.5 mg/{piece}"),
        ("ketotifen 1 mg / naltrexone 4.5 mg", "4.5 mg/{piece}"),
        ("naltrexone 4.5 mg and alpha lipoic acid 300 mg", "4.5 mg/{piece}"),
        ("bupropion hydrochloride 90 MG / naltrexone hydrochloride 8 MG", "8 mg/{piece}"),
        ("naltrexone-bupropion 8-90 MG", "8 mg/{piece}"),
        ("naltrexone/bupropion ER 8 mg/90 mg", "8 mg/{piece}"),
        ("Contrave 8-90 mg", "8 mg/{piece}"),
        ("EMBEDA 20-0.8 MG", "20 mg/{piece}"),
        ("Vivitrol 380 mg", "380 mg/{piece}"),
        ("naltrexone", "no-strength"),
        ("naltrexone 4.5", "no-strength"),
        ("naltrexone 4.5 mg/day", "no-strength"),
        ("naltrexone 4.5 mg/24 h", "no-strength"),
        ("naltrexone 0.06 mg/kg", "no-strength"),
        ("naltrexone 1% cream", "no-strength"),
        ("naltrexone powder 25 g", "no-strength"),
        ("naltrexone 0 mg", "no-strength"),
        ("naltrexone 2 mg/0 mL", "2 mg/{piece}"),
        ("naltrexone / ketotifen 1 mg", "no-strength"),
        ("fentanyl 25 mcg/hr patch", "no-strength"),
        ("naltrexone 1.5-4.5 mg", "ambiguous-strength"),
        ("naltrexone 1.5 to 4.5 mg", "ambiguous-strength"),
        ("naltrexone 3 mg + 1.5 mg", "ambiguous-strength"),
        ("naltrexone 4.5 mg capsule 50 mg", "ambiguous-strength"),
        ("naltrexone 50 mg tablet dissolved in 50 mL water (1 mg/mL)", "ambiguous-strength"),
        ("naltrexone.5 mg", "ambiguous-strength"),
        ("naltrexone ,5 mg", "ambiguous-strength"),
        ("naltrexone 1,500 mcg", "ambiguous-strength"),
        ("naltrexone 1 500 mcg", "ambiguous-strength"),
        ("naltrexone ½ mg", "ambiguous-strength"),
        ("naltrexone 1½ mg", "ambiguous-strength"),
        ("naltrexone 4500000000000000 mg", "ambiguous-strength"),
        ("HYDROcodone-acetaminophen 5-325 MG", "ambiguous-strength"),
    ],
)
def test_the_strength_is_read_from_the_name_or_left_unknown(text: str, expected: str) -> None:
    assert strength(by_text(text)) == expected


def test_numbers_of_a_list_share_what_they_are_in() -> None:
    found = stated_strengths(cut("7.5-325 mg/15 mL"))
    assert [(str(one.strength.value), one.strength.unit, one.is_listed) for one in found] == [
        ("0.5", "mg/mL", True),
        ("21.66666666666666666666666667", "mg/mL", True),
    ]


def test_two_names_of_one_product_leave_the_strength_that_both_allow() -> None:
    both = coded(("local", "1", "naltrexone 3 mg or 4.5 mg"), text="naltrexone 4.5 mg")
    assert strength(drugs().find(both)) == "4.5 mg/{piece}"
    apart = drugs().find(coded(("local", "1", "naltrexone 3 mg"), text="naltrexone 4.5 mg"))
    assert (strength(apart), isinstance(apart, DrugMatch) and apart.contradicts) == ("contradictory-strength", True)
    units = coded(("local", "1", "naltrexone 1 mg/mL"), text="naltrexone 4.5 mg")
    assert strength(drugs().find(units)) == "ambiguous-strength"


@pytest.mark.parametrize(
    ("text", "name", "form", "route"),
    [
        ("NALTREXONE (LDN) 4.5 MG CAP <b>x</b>", "naltrexone 4.5 mg", "capsule", "oral"),
        ("LDN 1 mg/mL liquid", "naltrexone 1 mg/mL", "liquid", ""),
        ("LDN 3 mg SL troche", "naltrexone 3 mg", "troche", "sublingual"),
        ("Vivitrol kit IM", "Vivitrol (naltrexone)", "", "intramuscular"),
        ("Contrave", "Contrave (naltrexone / bupropion)", "", ""),
        ("MS Contin 15 mg", "MS Contin (morphine) 15 mg", "", ""),
        ("heroin", "diamorphine", "", ""),
    ],
)
def test_the_name_shown_is_our_own_and_form_and_route_are_read(text: str, name: str, form: str, route: str) -> None:
    match = by_text(text)
    assert (match.name, match.form, match.route) == (name, form, route)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    result = drugs().find(coded(text=text))
    assert result is None or isinstance(result, Unknown | DrugMatch)


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.characters(exclude_categories=["L", "N", "M"]), max_size=20),
    st.text(alphabet=st.characters(exclude_categories=["L", "N", "M"]), max_size=20),
)
def test_no_signs_around_a_name_hide_it(before: str, after: str) -> None:
    assert "opioid" in by_text(f"{before}oxycodone{after}").classes


@settings(max_examples=100, deadline=None)
@given(st.decimals(min_value="0.01", max_value="999", places=2), st.sampled_from([("mg", 1), ("mcg", 1000), ("MG", 1), ("ng", 1_000_000)]))
def test_the_same_strength_in_any_unit_is_the_same(value: Decimal, unit: tuple[str, int]) -> None:
    written = f"naltrexone {value * unit[1]:f} {unit[0]} tablet"
    expected = f"{value.normalize():f} mg/{{piece}}"
    assert strength(by_text(written)) == (expected if len(f"{value * unit[1]:f}") <= 12 else "ambiguous-strength")


HOSTILE = [
    "ldn ", "1 mg ", "1 mg x ", "naltrexone ", "no ", "low dose ", "1-", ".5", "er ", "extended release ", "naltrexone 1 mg / ", "morphine naltrexone ", "1,", "a", "((",
    "1 mg/", "without ", "\u0301", "\u200b", "\uff11", "/ x ", "and ketotifen 1 mg ", "naltrexone injection oral ",
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_text_is_read_in_linear_time(part: str) -> None:
    drugs().find(coded(text=part * 20 + "naltrexone"))
    begun = time.process_time()
    drugs().find(coded(text=(part * 10_000)[:9_900] + " naltrexone"))
    assert time.process_time() - begun < 1.5


def test_a_text_too_long_to_read_in_full_is_never_taken_for_another_drug() -> None:
    assert drugs().find(coded(text="lisinopril " * 1_000 + "naltrexone")) == Unknown("no-drug-name")
    assert classes(drugs().find(coded(text="naltrexone " + "x " * 10_000))) == "naltrexone"


def test_a_name_of_a_table_is_cut_like_a_text() -> None:
    assert (phrase("LDN #####"), phrase("Tylenol #3"), phrase("-")) == (("ldn", "#####"), ("tylenol", "#", "3"), ())
