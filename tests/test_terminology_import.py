"""An RxNorm release becomes an index that tells codes the shipped tables lack; a broken, spoilt or wrong one is told, never trusted."""

import os
import sqlite3
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import commands
from cds_service.errors import RulebookInvalid
from cds_service.fhir.terminology import DrugMatch
from cds_service.terminology import TableDrugIndex, rxnorm_import, rxnorm_staging
from cds_service.terminology.rxnorm_import import Imported, import_release
from cds_service.terminology.rxnorm_index import RxNormIndex
from cds_service.terminology.rxnorm_products import read_contents, written
from cds_service.terminology.rxnorm_rows import LINKS, RowReader
from cds_service.terminology.rxnorm_staging import package_number
from cds_service.terminology.site_files import SiteFiles, read_terminology
from cds_service.unknown import Unknown
from tests.rxnorm_release import (
    ACETAMINOPHEN,
    METFORMIN,
    NALOXONE,
    NALTREXONE,
    OXYCODONE,
    ReleaseRows,
    archived,
    conso,
    rel,
    sat,
    small_release,
    write_large,
)
from tests.terminology_folder import NDC, RXNORM, coded, files, shipped_once, strength  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("shipped_once")
CONCERNED = {7804, 7243, 7052, 1819}
Change = Callable[[ReleaseRows], object]


def imported(folder: Path, change: Change = lambda _: None) -> Imported:
    rows = small_release()
    change(rows)
    return import_release(rows.write(folder / "rrf"), folder / "index.sqlite", CONCERNED, lambda _: None)


def index_of(folder: Path, change: Change = lambda _: None) -> TableDrugIndex:
    imported(folder, change)
    return read_terminology(files(), SiteFiles(folder / "index.sqlite")).drugs


@pytest.fixture(scope="module")
def drugs(tmp_path_factory: pytest.TempPathFactory) -> TableDrugIndex:
    return index_of(tmp_path_factory.mktemp("rxnorm"))


def told(drugs: TableDrugIndex, *codings: tuple[str, str], text: str = "") -> str:
    """What an index makes of codes, in one line."""
    found = drugs.find(coded(*codings, text=text))
    if isinstance(found, DrugMatch):
        return f"{found.ingredient}: {' '.join(sorted(found.classes))}: {strength(found)}"
    return found.reason if isinstance(found, Unknown) else "another drug"


OXYCODONE_7 = "oxycodone: opioid opioid-agonist: 7 mg/{piece}"


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (NDC, "99999000101", OXYCODONE_7),
        (NDC, "99999-0001-01", OXYCODONE_7),
        (NDC, "99999-001-01", OXYCODONE_7),
        (NDC, "99999-0001", OXYCODONE_7),
        (NDC, "99999000201", OXYCODONE_7),
        (NDC, "99999000301", "another drug"),
        (NDC, "99999000401", "oxycodone: opioid opioid-agonist: no-strength"),
        (NDC, "99999000501", "morphine: opioid opioid-agonist: 33 mg/{piece}"),
        (NDC, "99999000601", OXYCODONE_7),
        (NDC, "99999000701", "naltrexone: naltrexone: 4.5 mg/{piece}"),
        (NDC, "99999000901", OXYCODONE_7),
        (NDC, "99999000999", "no-drug-name"),
        (NDC, "99999-0777", "no-drug-name"),
        (NDC, "not a code", "no-drug-name"),
        (RXNORM, "9900001", OXYCODONE_7),
        (RXNORM, "9900011", OXYCODONE_7),
        (RXNORM, "9900012", OXYCODONE_7),
        (RXNORM, "9900014", "another drug"),
        (RXNORM, "9900015", "buprenorphine: agonist-treatment depot opioid opioid-agonist: 200 mg/mL"),
        (RXNORM, "9900016", "morphine: opioid opioid-agonist sequestered-antagonist: 20 mg/{piece}"),
        (RXNORM, "9900021", "oxycodone: opioid opioid-agonist: no-strength"),
        (RXNORM, "9900022", OXYCODONE_7),
        (RXNORM, "9900023", OXYCODONE_7),
        (RXNORM, "9900031", "oxycodone: opioid opioid-agonist: no-strength"),
        (RXNORM, "9900041", "morphine: opioid opioid-agonist: 33 mg/{piece}"),
        (RXNORM, "9900099", OXYCODONE_7),
        (RXNORM, "9900777", "another drug"),
        (RXNORM, "1311287", "no-drug-name"),
        (RXNORM, "9" * 19, "another drug"),
        (RXNORM, "0", "another drug"),
    ],
)
def test_a_code_that_the_shipped_tables_lack_is_told_by_the_index(drugs: TableDrugIndex, system: str, code: str, expected: str) -> None:
    assert told(drugs, (system, code)) == expected


def test_without_the_index_the_same_codes_tell_nothing() -> None:
    shipped = read_terminology(files()).drugs
    assert (told(shipped, (NDC, "99999000101")), told(shipped, (RXNORM, "9900011"))) == ("no-drug-name", "another drug")


def test_what_the_shipped_tables_know_stays_as_they_have_it(tmp_path: Path) -> None:
    def claim(rows: ReleaseRows) -> None:
        rows.component(9900008, METFORMIN, "metformin hydrochloride 50 MG")
        rows.drug(1483744, "metformin hydrochloride 50 MG Oral Tablet", [9900008])
        rows.package("00406117003", 9900014)
        rows.package("99999001001", 1483744)

    index = index_of(tmp_path, claim)
    shipped = "naltrexone: naltrexone: 50 mg/{piece}"
    assert [told(index, (RXNORM, "1483744")), told(index, (NDC, "00406117003")), told(index, (NDC, "99999001001"))] == [shipped] * 3


def test_a_code_and_a_name_of_different_drugs_contradict_each_other(drugs: TableDrugIndex) -> None:
    found = drugs.find(coded((NDC, "99999000101"), text="naltrexone 50 mg tablet"))
    assert isinstance(found, DrugMatch)
    assert (found.contradicts, "naltrexone" in found.classes, "opioid" in found.classes) == (True, True, True)


def test_an_opioid_named_beside_a_package_code_of_another_drug_still_counts(drugs: TableDrugIndex) -> None:
    assert told(drugs, (NDC, "99999000301"), text="oxycodone 5 mg tablet") == "oxycodone: opioid opioid-agonist: 5 mg/{piece}"


def _two(*pairs: tuple[int, str, str]) -> Change:
    def change(rows: ReleaseRows) -> None:
        for rxcui, source, suppress in pairs:
            rows.package("99999002001", rxcui, source, suppress)

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_two((9900011, "RXNORM", "O"), (9900014, "RXNORM", "N")), "another drug"),
        (_two((9900011, "NDDF", "N"), (9900014, "RXNORM", "N")), "another drug"),
        (_two((9900011, "NDDF", "N"), (9900014, "RXNORM", "O")), OXYCODONE_7),
        (_two((9900011, "RXNORM", "N"), (9900023, "RXNORM", "N")), OXYCODONE_7),
        (_two((9900011, "RXNORM", "N"), (9900031, "RXNORM", "N")), "oxycodone: opioid opioid-agonist: no-strength"),
        (_two((9900011, "RXNORM", "N"), (9900014, "RXNORM", "N")), OXYCODONE_7),
        (_two((9900099, "RXNORM", "N")), OXYCODONE_7),
        (_two((9900777, "RXNORM", "N")), "no-drug-name"),
    ],
    ids=["reused code", "RxNorm's own first", "present before historic", "brand and generic", "tablet and pack", "opioid and other", "merged", "no such"],
)  # fmt: skip
def test_of_several_meanings_of_a_package_the_most_trusted_counts_and_no_opioid_is_lost(
    tmp_path: Path, change: Change, expected: str
) -> None:
    assert told(index_of(tmp_path, change), (NDC, "99999002001")) == expected


def test_a_package_of_two_conflicting_drugs_keeps_both(tmp_path: Path) -> None:
    found = index_of(tmp_path, _two((9900011, "RXNORM", "N"), (9900013, "RXNORM", "N"))).find(coded((NDC, "99999002001")))
    assert isinstance(found, DrugMatch)
    assert (found.contradicts, {"naltrexone", "opioid"} <= found.classes) == (True, True)


def test_a_product_whose_links_are_lost_is_told_by_its_name(tmp_path: Path) -> None:
    def lose(rows: ReleaseRows) -> None:
        rows.links = [row for row in rows.links if "9900001|" not in row]

    index = index_of(tmp_path, lose)
    assert [told(index, (RXNORM, "9900012")), told(index, (RXNORM, "9900014"))] == [OXYCODONE_7, "another drug"]


@pytest.mark.parametrize(
    ("attribute", "name", "expected"),
    [
        ("2.5 MG", "naltrexone hydrochloride 2.5 MG", "2.5 mg/{piece}"),
        (None, "naltrexone hydrochloride 2.5 MG", "2.5 mg/{piece}"),
        ("1 MG/ML", "naltrexone hydrochloride 1 MG/ML", "1 mg/mL"),
        ("12 UNT", "naltrexone hydrochloride", "no-strength"),
        ("x MG", "naltrexone hydrochloride", "no-strength"),
        ("NaN MG", "naltrexone hydrochloride", "no-strength"),
        ("1 2 MG", "naltrexone hydrochloride", "no-strength"),
        ("3 MG", "naltrexone hydrochloride 2.5 MG", "no-strength"),
    ],
)
def test_a_strength_comes_from_the_component_and_agrees_with_its_name(
    tmp_path: Path, attribute: str | None, name: str, expected: str
) -> None:
    index = index_of(tmp_path, lambda rows: rows.component(9900009, NALTREXONE, name, attribute))
    assert told(index, (RXNORM, "9900009")) == f"naltrexone: naltrexone: {expected}"


def test_a_component_of_two_ingredients_has_no_strength_of_either(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.component(9900009, NALTREXONE, "naltrexone compound", "5 MG")
        rows.link(9900009, "has_ingredient", "ingredient_of", ACETAMINOPHEN)

    assert told(index_of(tmp_path, change), (RXNORM, "9900009")) == "naltrexone: naltrexone: no-strength"


def test_contents_are_written_and_read_back() -> None:
    contents = frozenset([(7804, "7 MG"), (161, "")])
    assert (written(contents), read_contents(written(contents)), read_contents("")) == ("161=\n7804=7 MG", ((161, ""), (7804, "7 MG")), ())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("00054017713", 54017713),
        ("0054-0177-13", 54017713),
        ("000054017713", 54017713),
        ("100054017713", None),
        ("0054-0177", None),
        ("00054-*177-13", None),
        ("ABC", None),
        ("", None),
    ],
)
def test_package_codes_are_brought_to_one_form(code: str, expected: int | None) -> None:
    assert package_number(code) == expected


def test_chains_of_merged_codes_are_followed_and_circles_lead_nowhere(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        assert rows.archive is not None
        rows.archive += [archived(9900101, 9900102), archived(9900102, 9900011), archived(9900103, 9900104), archived(9900104, 9900103)]
        rows.archive += [archived(9900014, 9900011), archived(9900105, 9900106)]

    index = index_of(tmp_path, change)
    expected = [OXYCODONE_7, OXYCODONE_7, "another drug", "another drug", "another drug"]
    assert [told(index, (RXNORM, code)) for code in ("9900101", "9900102", "9900103", "9900014", "9900105")] == expected


def test_codes_of_the_next_product_are_none_of_this_ones_packages(tmp_path: Path) -> None:
    index = index_of(tmp_path, lambda rows: rows.package("99999000200", 9900031))
    assert told(index, (NDC, "99999-0001")) == OXYCODONE_7


def test_a_package_of_a_code_not_to_be_used_tells_nothing(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.concept(1311287, "SCD", "naltrexone 100 MG Oral Tablet")
        rows.package("99999003001", 1311287)

    assert told(index_of(tmp_path, change), (NDC, "99999003001")) == "no-drug-name"


def test_a_package_of_another_drug_and_of_a_concept_that_tells_nothing_is_unknown(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.concept(9900071, "SCD", "Oral Tablet")
        rows.package("99999003001", 9900071)
        rows.package("99999003001", 9900014)

    assert told(index_of(tmp_path, change), (NDC, "99999003001")) == "no-drug-name"


def test_a_salt_of_the_index_leaves_room_for_a_name_that_tells_more(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.concept(9900071, "PIN", "naltrexone pamoate")
        rows.link(9900071, "form_of", "has_form", NALTREXONE)

    index = index_of(tmp_path, change)
    assert told(index, (RXNORM, "9900071"), text="Vivitrol") == "naltrexone: depot naltrexone: no-strength"


def test_a_name_of_the_second_ingredient_is_no_contradiction_and_a_look_alikes_package_is_one(tmp_path: Path) -> None:
    index = index_of(tmp_path, lambda rows: rows.package("99999003001", NALOXONE))
    second = index.find(coded((RXNORM, "9900016"), text="naltrexone"))
    other = index.find(coded((NDC, "99999003001"), text="naltrexone 50 mg"))
    assert isinstance(second, DrugMatch)
    assert isinstance(other, DrugMatch)
    assert (second.contradicts, other.contradicts, told(index, (NDC, "99999003001"))) == (False, True, "another drug")


def test_a_concept_that_is_there_keeps_its_packages_whatever_the_archive_says(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        assert rows.archive is not None
        rows.archive += [archived(9900014, 9900011), archived(9900011, 9900011)]

    index = index_of(tmp_path, change)
    assert [told(index, (NDC, code)) for code in ("99999000301", "99999000101")] == ["another drug", OXYCODONE_7]


def test_links_and_strengths_of_other_sources_do_not_count(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.links.append(f"{OXYCODONE}||CUI|RO|9900004||CUI|has_ingredient|1||NDDF|RXNORM||||4096|")
        rows.attributes.append(sat(9900001, "RXN_STRENGTH", "9 MG", "NDDF"))

    index = index_of(tmp_path, change)
    assert [told(index, (RXNORM, code)) for code in ("9900014", "9900011")] == ["another drug", OXYCODONE_7]


def test_a_brand_that_other_products_share_adds_no_ingredient_and_a_sum_of_ingredients_takes_no_strength(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.link(9900021, "tradename_of", "has_tradename", ACETAMINOPHEN)
        rows.concept(9900061, "MIN", "acetaminophen / oxycodone")
        rows.link(9900061, "has_part", "part_of", OXYCODONE)
        rows.link(9900061, "has_part", "part_of", ACETAMINOPHEN)
        rows.link(9900012, "has_ingredients", "ingredients_of", 9900061)

    imported(tmp_path, change)
    index = RxNormIndex(tmp_path / "index.sqlite")
    found = [product.contents for code in ("9900022", "9900012", "9900061") if (product := index.product(code))]
    assert found == [((7804, "7 MG"),), ((161, "300 MG"), (7804, "7 MG")), ((161, ""), (7804, ""))]


def test_a_concept_with_a_present_and_a_retired_name_is_present(tmp_path: Path) -> None:
    imported(tmp_path)
    result = imported(tmp_path, lambda rows: rows.concept(9900011, "SCD", "a name of old", suppress="O"))
    found = RxNormIndex(tmp_path / "index.sqlite").product("9900011")
    assert found is not None
    assert (result.changes.retired, found.name) == ((), "oxycodone hydrochloride 7 MG Oral Tablet")


def test_a_release_without_archive_and_source_list_is_enough(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.archive = rows.sources = None

    release = imported(tmp_path, change).release
    assert (release.startswith("without a name, "), len(release)) == (True, 28)


def test_the_files_may_stand_in_a_folder_rrf_below(tmp_path: Path) -> None:
    small_release().write(tmp_path / "release" / "rrf")
    assert import_release(tmp_path / "release", tmp_path / "index", CONCERNED, lambda _: None).products == 26


# Malformed rows


def malformed(result: Imported) -> list[str]:
    return [str(problem).rpartition("/")[2] for one in result.files for problem in one.problems]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.concepts.append("1|2|3"), "RXNCONSO.RRF:30:1 TERM-014 row left out: 2 fields where RXNCONSO.RRF has 18"),
        (lambda rows: rows.concepts.append(""), "RXNCONSO.RRF:30:1 TERM-014 row left out: 0 fields where RXNCONSO.RRF has 18"),
        (lambda rows: rows.concepts.append(conso("x7", "SCD", "a")), "RXNCONSO.RRF:30:1 TERM-014 row left out: the concept identifier is no number"),
        (lambda rows: rows.concepts.append(conso("9" * 10, "SCD", "a")), "RXNCONSO.RRF:30:1 TERM-014 row left out: the concept identifier is no number"),
        (lambda rows: rows.concepts.append(conso("٣", "SCD", "a")), "RXNCONSO.RRF:30:1 TERM-014 row left out: the concept identifier is no number"),
        (lambda rows: rows.concepts.append(conso(5, "SCD", " ")), "RXNCONSO.RRF:30:1 TERM-014 row left out: the concept has no name"),
        (lambda rows: rows.links.append(rel("x", "consists_of", 9900011)), "RXNREL.RRF:59:1 TERM-014 row left out: the concept identifier is no number"),
        (lambda rows: rows.attributes.append(sat("-1", "NDC", "99999000101")), "RXNSAT.RRF:15:1 TERM-014 row left out: the concept identifier is no number"),
        (lambda rows: rows.attributes.append("|" * 40), "RXNSAT.RRF:15:1 TERM-014 row left out: 40 fields where RXNSAT.RRF has 13"),
        (lambda rows: [rows.archive.append(archived("y", 9900011)), rows.archive.extend(archived(1, 2) for _ in range(9))], "RXNATOMARCHIVE.RRF:2:1 TERM-014 row left out: the concept identifier is no number"),
    ],
)  # fmt: skip
def test_a_malformed_row_is_told_with_its_place_and_left_out(tmp_path: Path, change: Change, expected: str) -> None:
    result = imported(tmp_path, change)
    assert (malformed(result), [one.malformed for one in result.files if one.problems]) == ([expected], [1])


def test_a_row_that_is_no_utf_8_is_left_out_and_a_truncated_last_one_too(tmp_path: Path) -> None:
    folder = small_release().write(tmp_path / "rrf")
    with (folder / "RXNCONSO.RRF").open("ab") as file:
        file.write(conso(77, "SCD", "caf\xe9").encode("latin-1") + b"\n" + b"9900051|ENG||||||1|RXNORM|SCD")
    assert malformed(import_release(folder, tmp_path / "index", CONCERNED, lambda _: None)) == [
        "RXNCONSO.RRF:30:1 TERM-014 row left out: not readable as UTF-8",
        "RXNCONSO.RRF:31:1 TERM-014 row left out: 9 fields where RXNCONSO.RRF has 18",
    ]


def test_rows_of_other_sources_and_of_atoms_are_passed_over_in_silence(tmp_path: Path) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.concepts.append(conso("no number", "SCD", "RXNORM", source="NDDF"))
        rows.links += [rel("", "consists_of", ""), rel("z", "isa", "z"), rel("z", "consists_of", "z", source="NDDF")]
        rows.attributes += [sat("", "NDC", "99999000101"), sat("z", "RXN_AI", "NDC")]

    result = imported(tmp_path, change)
    assert (malformed(result), result.products, result.packages) == ([], 26, 8)


def test_line_ends_of_windows_a_byte_order_mark_and_a_missing_last_bar_make_no_difference(tmp_path: Path) -> None:
    folder = small_release().write(tmp_path / "rrf")
    concepts = folder / "RXNCONSO.RRF"
    rows = concepts.read_text(encoding="utf-8").splitlines()
    concepts.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(row.removesuffix("|").encode() for row in rows))
    result = import_release(folder, tmp_path / "index", CONCERNED, lambda _: None)
    assert (malformed(result), result.products) == ([], 26)


def test_a_line_without_end_takes_no_more_than_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "RXNREL.RRF"
    path.write_bytes(b"|RXNORM|" * 2_000_000)
    reader = RowReader(path, LINKS, lambda _: None)
    assert ([*reader], reader.malformed, reader.rows) == ([], 1, 1)
    assert [len(line) for line in RowReader(path, LINKS, lambda _: None)._lines()] == [1024 * 1024]  # noqa: SLF001


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.concepts.clear(), "RXNCONSO.RRF:1:1 TERM-015 0 of 0 rows malformed, 0 of RxNorm's own that matter"),
        (lambda rows: rows.links.clear(), "RXNREL.RRF:1:1 TERM-015 0 of 0 rows malformed, 0 of RxNorm's own that matter"),
        (lambda rows: rows.attributes.extend(["x"] * 3), "RXNSAT.RRF:1:1 TERM-015 3 of 17 rows malformed, 14 of RxNorm's own that matter"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, change: Change, expected: str) -> None:
    with pytest.raises(RulebookInvalid) as caught:
        imported(tmp_path, change)
    first = next(str(problem).rpartition("/")[2] for problem in caught.value.problems if problem.code == "TERM-015")
    assert first.startswith(expected)


def test_a_refused_file_leaves_the_index_in_force_and_the_next_import_goes_on(tmp_path: Path) -> None:
    imported(tmp_path)
    before = (tmp_path / "index.sqlite").read_bytes()
    with pytest.raises(RulebookInvalid):
        imported(tmp_path, lambda rows: rows.attributes.extend(["x"] * 9))
    assert (tmp_path / "index.sqlite").read_bytes() == before
    assert [one.is_new for one in imported(tmp_path).files] == [False, False, True, True, True]


# Breaking off and going on


def broken_off(folder: Path, change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import, and break off in the middle of the attributes."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rxnorm_staging, "package_number", stop)
        with pytest.raises(KeyboardInterrupt):
            imported(folder, change)


def test_an_import_goes_on_with_the_file_at_which_it_broke_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(tmp_path)
    before = (tmp_path / "index.sqlite").read_bytes()
    more: Change = lambda rows: rows.concept(9900051, "SCD", "oxycodone 9 MG")  # noqa: E731
    broken_off(tmp_path, more, monkeypatch)
    assert (tmp_path / "index.sqlite").read_bytes() == before
    result = imported(tmp_path, more)
    assert ([one.is_new for one in result.files], result.changes.added, result.packages) == (
        [False, False, True, True, True], (), 8,
    )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.sqlite", "rrf"]


def test_what_was_malformed_is_told_after_going_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil: Change = lambda rows: rows.concepts.append("spoilt")  # noqa: E731
    broken_off(tmp_path, spoil, monkeypatch)
    assert malformed(imported(tmp_path, spoil)) == ["RXNCONSO.RRF:30:1 TERM-014 row left out: 0 fields where RXNCONSO.RRF has 18"]


def test_a_file_that_changed_meanwhile_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_off(tmp_path, lambda _: None, monkeypatch)
    result = imported(tmp_path, lambda rows: rows.drug(9900051, "oxycodone hydrochloride 7 MG Tablet", [9900001]))
    assert ([one.is_new for one in result.files], result.products) == ([True] * 5, 27)
    index = read_terminology(files(), SiteFiles(tmp_path / "index.sqlite")).drugs
    assert told(index, (RXNORM, "9900051")) == OXYCODONE_7


def test_where_the_concepts_changed_everything_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(rows: ReleaseRows) -> None:
        rows.drug(9900051, "some tablet", [9900001])

    def first(rows: ReleaseRows) -> None:
        change(rows)
        rows.concepts.pop()

    broken_off(tmp_path, first, monkeypatch)
    imported(tmp_path, change)
    assert told(read_terminology(files(), SiteFiles(tmp_path / "index.sqlite")).drugs, (RXNORM, "9900051")) == OXYCODONE_7


def test_a_spoilt_work_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite.importing").write_bytes(b"no database" * 1000)
    (tmp_path / "index.sqlite.new").write_bytes(b"half an index" * 1000)
    assert imported(tmp_path).products == 26


def test_a_second_import_at_the_same_time_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "index.sqlite.importing") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            RulebookInvalid, match=r"index\.sqlite:1:1 TERM-017 the index cannot be written: another import is at work on it"
        ):
            imported(tmp_path)
    other.close()


def test_an_index_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = small_release().write(tmp_path / "rrf")
    with pytest.raises(RulebookInvalid, match="TERM-017 the index cannot be written: unable to open"):
        import_release(folder, tmp_path / "nowhere" / "index.sqlite", CONCERNED, lambda _: None)


def test_the_new_index_is_on_the_disk_before_it_takes_the_place_of_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    real_sync, real_replace = rxnorm_import._sync, Path.replace  # noqa: SLF001

    def sync(path: Path) -> None:
        done.append(f"sync {path.name}")
        real_sync(path)

    def replace(path: Path, target: Path) -> Path:
        done.append(f"replace {target.name}")
        return real_replace(path, target)

    monkeypatch.setattr(rxnorm_import, "_sync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    imported(tmp_path)
    assert done == ["sync index.sqlite.new", "replace index.sqlite", f"sync {tmp_path.name}"]


# What changed


def test_an_import_says_what_changed_of_the_drugs_that_rules_concern(tmp_path: Path) -> None:
    first = imported(tmp_path)
    assert (first.changes.against, first.changes.added) == ("", ())

    def change(rows: ReleaseRows) -> None:
        rows.sources = small_release("27AA_270104F").sources
        rows.drug(9900051, "oxycodone hydrochloride 7 MG Oral Capsule", [9900001], 316965)
        rows.drug(9900052, "metformin hydrochloride 333 MG Oral Capsule", [9900004], 316965)
        rows.concepts = [row for row in rows.concepts if not row.startswith(("9900013|", "9900014|"))]
        rows.concepts = [row.replace("||N|", "||O|") if row.startswith("9900016|") else row for row in rows.concepts]
        rows.attributes = [row.replace("|7 MG|", "|7.5 MG|") for row in rows.attributes if "99999000401" not in row]
        rows.package("99999005101", 9900051)
        rows.package("99999005201", 9900052)

    changes = imported(tmp_path, change).changes
    assert (changes.against, changes.added, changes.removed, changes.retired) == (
        "26AA_261102F",
        ("9900051 oxycodone hydrochloride 7 MG Oral Capsule",),
        ("9900013 naltrexone hydrochloride 4.5 MG Oral Capsule",),
        ("9900016 morphine sulfate 20 MG / naltrexone hydrochloride 0.8 MG Oral Capsule",),
    )
    assert changes.changed == (
        "9900001 oxycodone hydrochloride 7 MG: 7 MG → 7.5 MG",
        "9900011 oxycodone hydrochloride 7 MG Oral Tablet: 7 MG → 7.5 MG",
        "9900012 acetaminophen 300 MG / oxycodone hydrochloride 7 MG Oral Tablet: 300 MG, 7 MG → 300 MG, 7.5 MG",
        "9900022 oxycodone hydrochloride 7 MG [Zoxydol]: 7 MG → 7.5 MG",
        "9900023 oxycodone hydrochloride 7 MG Oral Tablet [Zoxydol]: 7 MG → 7.5 MG",
    )
    assert (changes.packages_added, changes.packages_removed) == (2, 3)


def test_a_product_that_lost_its_ingredients_is_told_as_changed(tmp_path: Path) -> None:
    imported(tmp_path)

    def change(rows: ReleaseRows) -> None:
        rows.links = [row for row in rows.links if "9900021" not in row]

    assert imported(tmp_path, change).changes.changed == ("9900021 Zoxydol: ingredient 7804 → nothing",)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500])
def test_an_earlier_index_that_cannot_be_read_is_no_obstacle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.sqlite").write_bytes(content)
    assert (imported(tmp_path).changes.against, RxNormIndex(tmp_path / "index.sqlite").release) == ("", "26AA_261102F")


# The reader


@pytest.mark.parametrize("make", [lambda _: None, lambda path: path.write_bytes(b"x" * 9000), lambda path: sqlite3.connect(path).close()])
def test_a_file_that_is_no_index_is_refused_at_the_start(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "index")
    with pytest.raises(RulebookInvalid, match=r"index:1:1 TERM-016 (there is no such file|the file is no index of this version)"):
        read_terminology(files(), SiteFiles(tmp_path / "index"))


def test_an_index_of_another_format_is_refused(tmp_path: Path) -> None:
    imported(tmp_path)
    with sqlite3.connect(tmp_path / "index.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '0' WHERE name = 'format'")
    connection.close()
    with pytest.raises(RulebookInvalid, match="TERM-016 the file is no index of this version"):
        RxNormIndex(tmp_path / "index.sqlite")


def test_many_threads_read_at_once_each_with_its_own_connection(drugs: TableDrugIndex) -> None:
    found: list[str] = []
    begin = threading.Barrier(8)

    def read() -> None:
        begin.wait()
        for number in range(50):
            drugs.find(coded((NDC, f"88888{number:06}")))
        found.append(told(drugs, (NDC, "99999000201")))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [OXYCODONE_7] * 8


def test_a_running_reader_keeps_to_the_index_that_it_opened_in_new_threads_too(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    imported(tmp_path, lambda rows: rows.attributes.append(sat(9900014, "NDC", "99999009901")))
    found: list[str] = []
    codes = ("99999000201", "99999009901")
    thread = threading.Thread(target=lambda: found.extend(told(index, (NDC, code)) for code in codes))
    thread.start()
    thread.join()
    assert found == [OXYCODONE_7, "no-drug-name"]


def test_a_reader_whose_file_was_deleted_goes_on(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    (tmp_path / "index.sqlite").unlink()
    assert told(index, (NDC, "99999000201")) == OXYCODONE_7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_opens_its_own_connection(tmp_path: Path) -> None:
    imported(tmp_path)
    index = RxNormIndex(tmp_path / "index.sqlite")
    index.product("9900011")
    before = index._own()  # noqa: SLF001
    child = os.fork()
    if not child:
        os._exit(0 if index._own() is not before and index.product("9900011") else 1)  # noqa: SLF001
    assert (os.waitpid(child, 0)[1], index._own() is before) == (0, True)  # noqa: SLF001


def test_the_fingerprint_changes_with_the_release_and_with_nothing_else(tmp_path: Path) -> None:
    one, same, other = (
        index_of(tmp_path / name, change).fingerprint
        for name, change in (("a", lambda _: None), ("b", lambda _: None), ("c", lambda rows: rows.concept(1, "IN", "x")))
    )
    assert (one == same, one == other) == (True, False)


# The command


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, ["terminology", *map(str, arguments)])


def test_the_command_tells_what_it_read_and_what_changed(tmp_path: Path) -> None:
    rows = small_release()
    rows.concepts.append("spoilt")
    folder, index = rows.write(tmp_path / "rrf"), tmp_path / "index.sqlite"
    first = run("import", folder, "--into", index)
    assert (first.exit_code, "TERM-014" in first.output, "No earlier index to compare with." in first.output) == (0, True, True)
    for number in range(30):
        rows.drug(9910000 + number, f"oxycodone hydrochloride 7 MG Oral Tablet {number}", [9900001])
    rows.concepts += ["spoilt"] * 5
    rows.write(tmp_path / "rrf")
    second = run("import", folder, "--into", index)
    lines = second.output.splitlines()
    assert "Against 26AA_261102F, of the ingredients that rules concern:" in lines
    assert ("  30 products added" in lines, "    … and 10 more" in lines, sum("9910" in line for line in lines)) == (True, True, 20)
    assert "  of all drugs, 0 package codes added, 0 removed" in lines


def test_more_than_twenty_malformed_rows_are_counted(tmp_path: Path) -> None:
    rows = small_release()
    rows.concepts += [conso(1, "SY", "x")] * 500 + ["spoilt"] * 25
    output = run("import", rows.write(tmp_path / "rrf"), "--into", tmp_path / "index").output
    assert (output.count("TERM-014"), "  … and 5 malformed rows more" in output.splitlines()) == (20, True)


def test_the_command_takes_the_index_file_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_release().write(tmp_path / "rrf")
    assert run("import", folder).exit_code == 2
    imported(tmp_path)
    monkeypatch.setenv("CDS_TERMINOLOGY_FILE", str(tmp_path / "index.sqlite"))
    assert "Against 26AA_261102F" in run("import", folder).output


def test_a_folder_without_a_release_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "RXNREL.RRF").write_text("", encoding="utf-8")
    result = run("import", tmp_path, "--into", tmp_path / "index")
    assert isinstance(result.exception, RulebookInvalid)
    assert [str(problem).rpartition("/")[2].partition(":1:1 ")[2] for problem in result.exception.problems] == [
        "TERM-013 no RXNCONSO.RRF; expected the folder of an RxNorm release, or the one above its rrf",
        "TERM-013 no RXNSAT.RRF; expected the folder of an RxNorm release, or the one above its rrf",
    ]


def test_a_generated_release_of_a_thousandth_of_the_real_size_is_read_whole(tmp_path: Path) -> None:
    folder = write_large(tmp_path / "rrf", 0.001)
    result = import_release(folder, tmp_path / "index.sqlite", CONCERNED, lambda _: None)
    assert [one.rows for one in result.files] == [1143, 7058, 7014, 1]
    assert (result.products, malformed(result)) == (240, [])
    found = RxNormIndex(tmp_path / "index.sqlite").product("4000007")
    assert found is not None
    assert (found.contents, found.form) == (((5000007, "8 MG"),), "Oral Tablet")
    assert told(read_terminology(files(), SiteFiles(tmp_path / "index.sqlite")).drugs, (NDC, "00007000000")) == "another drug"
    assert Decimal(result.packages) == 1008
