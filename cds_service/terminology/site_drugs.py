"""Floor 7: a site's own list of drug codes (`drugs.csv`), each line checked against the shipped tables before any of it counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cds_service.fhir.elements import Concept, Ingredient, Medication, Ratio
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity
from cds_service.terminology.drugs import Drug, Level
from cds_service.terminology.rows import Files, Report, Row, number, read_rows
from cds_service.terminology.rxnorm_index import RxNormIndex
from cds_service.terminology.site_codes import RXNORM, Drugs, Key, drugs_of, site_key
from cds_service.terminology.strengths import ratio_strength
from cds_service.terminology.systems import System
from cds_service.terminology.tables import TableDrugIndex

COLUMNS: Final = ("system", "code", "name", "ingredient", "product", "strength", "per", "form", "route")
ANOTHER: Final = "another-drug"
"""Stands in the column `ingredient` for a drug that no rule concerns."""
_PERS: Final = ("", "{piece}", "mL")


def read_site_drugs(files: Files, path: str, shipped: TableDrugIndex, index: RxNormIndex | None, report: Report) -> Mapping[Key, Drugs]:
    """Read the list by key; every mistake in it goes to the report, with its line."""
    reading = _Reading(shipped, index, report)
    found: dict[Key, Drugs] = {}
    for row in read_rows(files, path, COLUMNS, report):
        key = reading.key(row)
        drugs = reading.drugs(row, key)
        if key in found:
            report.add(row.where, "TERM-004", f"code '{row['code']}' of {row['system']} stands twice")
        if key and drugs is not None:
            found[key] = drugs
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    """What lines are checked against."""

    shipped: TableDrugIndex
    index: RxNormIndex | None
    report: Report

    def key(self, row: Row) -> Key | None:
        """Read system and code; a code that the shipped tables hold already is TERM-019."""
        system = self.system(row)
        key = site_key(row["system"], row["code"], system)
        if not row["system"].strip() or (system is None and self.is_near(row)):
            return None
        if not key[1]:
            self.report.add(row.where, "TERM-004", f"code '{row['code']}' is no code of its system")
            return None
        if key in self.shipped.tables.codes:
            self.report.add(row.where, "TERM-019", f"code '{row['code']}' stands in the shipped tables; they win")
            return None
        return key

    def system(self, row: Row) -> System | None:
        """Find a system of the tables; an empty cell is TERM-012."""
        names = self.shipped.tables.systems.by_name
        if not row["system"].strip():
            self.report.add(row.where, "TERM-012", "the column system is empty; expected the URI that the orders carry")
        return names.get(row["system"].strip()) or names.get(row["system"].strip().casefold())

    def is_near(self, row: Row) -> bool:
        """Tell a known system that is misspelt (TERM-012) from one of the site's own."""
        hint = self.shipped.tables.systems.nearest(row["system"])
        if hint:
            self.report.add(row.where, "TERM-012", f"no code system '{row['system']}'{hint}")
        return bool(hint)

    def drugs(self, row: Row, key: Key | None) -> Drugs | None:
        """Read what a code stands for: a product that is known, or an ingredient with strength and form."""
        if bool(row["ingredient"]) == bool(row["product"]):
            self.report.add(row.where, "TERM-018", "exactly one of the columns ingredient and product is needed")
            return None
        if row["product"]:
            return self.product(row)
        if row["ingredient"] == ANOTHER:
            return ()
        allowed = (*self.shipped.tables.ingredients, ANOTHER)
        if not self.report.one_of(row.where, "TERM-006", "ingredient", row["ingredient"], allowed):
            return None
        return self.described(row, key)

    def product(self, row: Row) -> Drugs | None:
        """Take what the shipped tables or the index say of an RxNorm code."""
        system = self.shipped.tables.systems.by_name[RXNORM]
        drug = self.shipped.tables.codes.get((system.uri, system.normal(row["product"])))
        if drug:
            return (drug,)
        product = self.index.product(system.normal(row["product"])) if self.index else None
        if product is None:
            self.report.add(row.where, "TERM-018", f"no RxNorm product '{row['product']}' in the tables or the index")
            return None
        return drugs_of(self.shipped, product, {})

    def described(self, row: Row, key: Key | None) -> Drugs | None:
        """Make the drug of an ingredient, a strength and a form; a name that says something else is TERM-018."""
        value = number(row, "strength", self.report)
        is_per = self.report.one_of(row.where, "TERM-005", "unit per", row["per"], _PERS)
        if is_per and bool(row["strength"]) != bool(row["per"]):
            self.report.add(row.where, "TERM-018", "strength (in mg) and per ({piece} or mL) are given together or not at all")
        ratio = _ratio(value, row["per"])
        item = Ingredient(Concept((), row["ingredient"]), ratio)
        match = self.shipped.find(Medication(Concept((), row["name"]), Concept((), row["form"]), (item,)))
        if not isinstance(match, DrugMatch):
            self.report.add(row.where, "TERM-018", f"the ingredient '{row['ingredient']}' is of no rule's concern; write {ANOTHER}")
            return None
        strength = ratio_strength(ratio)
        is_told = match.strength if isinstance(match.strength, Quantity) else None
        if match.ingredient != row["ingredient"] or match.contradicts or (strength and is_told != strength):
            self.report.add(row.where, "TERM-018", "the name speaks of another drug or strength than ingredient, strength and per")
            return None
        told = strength or is_told
        return (
            Drug(
                name=row["name"] or match.name,
                classes=match.classes,
                ingredient=match.ingredient,
                level=Level.STRENGTH if told else Level.PRODUCT,
                key="|".join(key or ("", row["code"])),
                strength=told,
                form=row["form"] or match.form,
                route=row["route"] or match.route,
                brand=match.brand,
            ),
        )


def _ratio(value: Decimal | None, per: str) -> Ratio | None:
    return Ratio(Quantity(value, "mg"), Quantity(Decimal(1), per)) if value is not None and per else None
