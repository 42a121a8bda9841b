"""A synthetic RxNorm release of any size: a few real-looking products that tests name, and as many invented ones as asked for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

OXYCODONE, ACETAMINOPHEN, NALTREXONE, MORPHINE, METFORMIN, BUPRENORPHINE, NALOXONE = 7804, 161, 7243, 7052, 6809, 1819, 7242
TABLET, CAPSULE, SYRINGE = 317541, 316965, 721656


def conso(rxcui: int | str, tty: str, name: str, source: str = "RXNORM", suppress: str = "N") -> str:
    return f"{rxcui}|ENG||||||{rxcui}1|{rxcui}1|{rxcui}||{source}|{tty}|{rxcui}|{name}||{suppress}|4096|"


def rel(first: int | str, relation: str, second: int | str, source: str = "RXNORM") -> str:
    """SECOND has the relation to FIRST, as RxNorm writes it."""
    return f"{first}||CUI|RO|{second}||CUI|{relation}|1||{source}|||||4096|"


def sat(rxcui: int | str, name: str, value: str, source: str = "RXNORM", suppress: str = "N") -> str:
    return f"{rxcui}|||{rxcui}1|AUI|{rxcui}|||{name}|{source}|{value}|{suppress}|4096|"


def archived(old: int | str, new: int | str) -> str:
    return f"{old}1||gone|||01-JAN-20 00:00:00 AM|{old}|||||RXNORM_20AA|{old}|RXNORM|SCD|{new}|"


def sab(version: str) -> str:
    return "|".join(["", "C1", f"RXNORM_{version}", "RXNORM", "RxNorm", "RXNORM", version, *[""] * 18]) + "|"


@dataclass
class ReleaseRows:
    """The rows of a release, file by file; tests add to them and spoil them."""

    concepts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    archive: list[str] | None = field(default_factory=list)
    sources: list[str] | None = field(default_factory=list)

    def concept(self, rxcui: int, tty: str, name: str, suppress: str = "N") -> None:
        self.concepts.append(conso(rxcui, tty, name, suppress=suppress))

    def link(self, whole: int, relation: str, inverse: str, part: int) -> None:
        """Both directions, as in a release: the part has the inverse relation to the whole."""
        self.links += [rel(part, relation, whole), rel(whole, inverse, part)]

    def component(self, rxcui: int, ingredient: int, name: str, strength: str | None = None) -> None:
        self.concept(rxcui, "SCDC", name)
        self.link(rxcui, "has_ingredient", "ingredient_of", ingredient)
        if strength:
            self.attributes.append(sat(rxcui, "RXN_STRENGTH", strength))

    def drug(self, rxcui: int, name: str, components: Iterable[int], form: int = TABLET, suppress: str = "N") -> None:
        self.concept(rxcui, "SCD", name, suppress)
        for component in components:
            self.link(rxcui, "consists_of", "constitutes", component)
        self.link(rxcui, "has_dose_form", "dose_form_of", form)

    def package(self, ndc: str, rxcui: int, source: str = "RXNORM", suppress: str = "N") -> None:
        self.attributes.append(sat(rxcui, "NDC", ndc, source, suppress))

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "RXNCONSO": self.concepts,
            "RXNREL": self.links,
            "RXNSAT": self.attributes,
            "RXNATOMARCHIVE": self.archive,
            "RXNSAB": self.sources,
        }
        for name, rows in files.items():
            if rows is not None:
                (folder / f"{name}.RRF").write_text("".join(row + "\n" for row in rows), encoding="utf-8")
        return folder


def small_release(version: str = "26AA_261102F") -> ReleaseRows:
    """Products under codes that the shipped tables do not hold (99…), so that the index alone can tell them."""
    rows = ReleaseRows(sources=[sab(version)])
    for code, name in (
        (OXYCODONE, "oxycodone"), (ACETAMINOPHEN, "acetaminophen"), (NALTREXONE, "naltrexone"), (MORPHINE, "morphine"),
        (METFORMIN, "metformin"), (BUPRENORPHINE, "buprenorphine"), (NALOXONE, "naloxone"),
    ):  # fmt: skip
        rows.concept(code, "IN", name)
    for code, name in ((TABLET, "Oral Tablet"), (CAPSULE, "Oral Capsule"), (SYRINGE, "Prefilled Syringe")):
        rows.concepts.append(conso(code, "DF", name))
    rows.concept(82063, "PIN", "oxycodone hydrochloride")
    rows.link(82063, "form_of", "has_form", OXYCODONE)
    rows.component(9900001, OXYCODONE, "oxycodone hydrochloride 7 MG", "7 MG")
    rows.link(9900001, "has_precise_ingredient", "precise_ingredient_of", 82063)
    rows.component(9900002, ACETAMINOPHEN, "acetaminophen 300 MG", "300 MG")
    rows.component(9900003, NALTREXONE, "naltrexone hydrochloride 4.5 MG")
    rows.component(9900004, METFORMIN, "metformin hydrochloride 333 MG", "333 MG")
    rows.component(9900005, BUPRENORPHINE, "buprenorphine 200 MG/ML", "200 MG/ML")
    rows.component(9900006, MORPHINE, "morphine sulfate 20 MG", "20 MG")
    rows.component(9900007, NALTREXONE, "naltrexone hydrochloride 0.8 MG", "0.8 MG")
    rows.drug(9900011, "oxycodone hydrochloride 7 MG Oral Tablet", [9900001])
    rows.drug(9900012, "acetaminophen 300 MG / oxycodone hydrochloride 7 MG Oral Tablet", [9900001, 9900002])
    rows.drug(9900013, "naltrexone hydrochloride 4.5 MG Oral Capsule", [9900003], CAPSULE)
    rows.drug(9900014, "metformin hydrochloride 333 MG Oral Tablet", [9900004])
    rows.drug(9900015, "1.7 ML buprenorphine 200 MG/ML Prefilled Syringe", [9900005], SYRINGE)
    rows.drug(9900016, "morphine sulfate 20 MG / naltrexone hydrochloride 0.8 MG Oral Capsule", [9900006, 9900007], CAPSULE)
    rows.concept(9900021, "BN", "Zoxydol")
    rows.link(9900021, "tradename_of", "has_tradename", OXYCODONE)
    rows.concept(9900022, "SBDC", "oxycodone hydrochloride 7 MG [Zoxydol]")
    rows.link(9900022, "tradename_of", "has_tradename", 9900001)
    rows.link(9900022, "has_ingredient", "ingredient_of", 9900021)
    rows.concept(9900023, "SBD", "oxycodone hydrochloride 7 MG Oral Tablet [Zoxydol]")
    rows.link(9900023, "consists_of", "constitutes", 9900022)
    rows.link(9900023, "tradename_of", "has_tradename", 9900011)
    rows.concept(9900031, "GPCK", "{10 (oxycodone hydrochloride 7 MG Oral Tablet) } Pack")
    rows.link(9900031, "contains", "contained_in", 9900011)
    rows.concept(9900041, "SCD", "morphine sulfate 33 MG Oral Tablet", suppress="O")
    rows.package("99999000101", 9900011)
    rows.package("99999000201", 9900012)
    rows.package("99999000301", 9900014)
    rows.package("99999000401", 9900031)
    rows.package("99999000501", 9900041)
    rows.package("099999000601", 9900023, source="VANDF")
    rows.package("99999-0007-01", 9900013, source="MTHSPL")
    rows.package("99999000901", 9900011, suppress="O")
    assert rows.archive is not None
    rows.archive.append(archived(9900099, 9900011))
    return rows


def write_large(folder: Path, share: float = 1.0) -> Path:
    """Write a release of `share` times the real size: about 1.2 M atoms, 7 M relations, 7 M attributes, one row in memory at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    small = small_release()
    products, ingredients = int(100_000 * share), max(1, int(14_000 * share))
    _write(folder / "RXNCONSO.RRF", small.concepts, _large_concepts(products, ingredients))
    _write(folder / "RXNREL.RRF", small.links, _large_links(products, ingredients))
    _write(folder / "RXNSAT.RRF", small.attributes, _large_attributes(products))
    _write(folder / "RXNSAB.RRF", small.sources or [], iter(()))
    return folder


def _write(path: Path, first: list[str], more: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(row + "\n" for row in first)
        file.writelines(row + "\n" for row in more)


def _large_concepts(products: int, ingredients: int) -> Iterator[str]:
    for number in range(ingredients):
        yield conso(5_000_000 + number, "IN", f"inventamine {number}")
    for number in range(products):
        yield conso(3_000_000 + number, "SCDC", f"inventamine {number % ingredients} {number % 97 + 1} MG")
        yield conso(4_000_000 + number, "SCD", f"inventamine {number % ingredients} {number % 97 + 1} MG Oral Tablet")
        yield conso(4_000_000 + number, "PSN", f"inventamine {number} tablet")
        for source in ("MTHSPL", "NDDF", "GS", "MMSL", "VANDF", "MMX", "SNOMEDCT_US", "ATC"):
            yield conso(4_000_000 + number, "CD", f"INVENTAMINE {number} {number % 97 + 1}MG TAB", source)


def _large_links(products: int, ingredients: int) -> Iterator[str]:
    for number in range(products):
        component, drug, ingredient = 3_000_000 + number, 4_000_000 + number, 5_000_000 + number % ingredients
        for first, relation, second in (
            (ingredient, "has_ingredient", component), (component, "ingredient_of", ingredient),
            (component, "consists_of", drug), (drug, "constitutes", component), (TABLET, "has_dose_form", drug),
            (drug, "dose_form_of", TABLET), (drug, "isa", component), (component, "inverse_isa", drug),
        ):  # fmt: skip
            yield rel(first, relation, second)
        for place in range(62):
            yield f"|{drug}{place}|AUI|SY||{component}{place}|AUI||{place}||{'RXNORM' if place < 20 else 'NDDF'}|||||4096|"


def _large_attributes(products: int) -> Iterator[str]:
    for number in range(products):
        drug = 4_000_000 + number
        yield sat(3_000_000 + number, "RXN_STRENGTH", f"{number % 97 + 1} MG")
        for place in range(10):
            yield sat(
                drug,
                "NDC",
                f"{number % 90000:05}{number // 90000:02}{place // 3:02}{place:02}",
                "RXNORM" if place < 6 else "NDDF",
                "N" if place < 8 else "O",
            )
        for place in range(59):
            yield sat(drug, f"SPL_{place}", f"value {number} {place}", "MTHSPL")
