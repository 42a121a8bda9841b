"""Floor 7: value sets and drug classes as lists, for people who want to see what is in them."""

from dataclasses import dataclass
from decimal import Decimal

from cds_service.fhir.terminology import ConditionIndex, DrugIndex
from cds_service.quantities import plain
from cds_service.terminology.tables import TableDrugIndex
from cds_service.terminology.valuesets import TableConditionIndex


@dataclass(frozen=True, slots=True)
class ListedCode:
    """One code of a value set; `is_prefix` where all codes below it count too."""

    system: str
    code: str
    display: str
    is_prefix: bool


@dataclass(frozen=True, slots=True)
class ListedDrug:
    """One ingredient of a drug class, by its RxNorm code where one is verified, with how many codes of its products the tables hold."""

    name: str
    code: str
    opioid_free: str
    products: int


def set_title(index: ConditionIndex, valueset: str) -> str:
    """Return the title of a value set, its id where the index tells none."""
    return index.sets[valueset].title if isinstance(index, TableConditionIndex) and valueset in index.sets else valueset


def codes_of(index: ConditionIndex, valueset: str) -> tuple[ListedCode, ...]:
    """List the codes of a value set by system and code."""
    if not isinstance(index, TableConditionIndex):
        return ()
    found = {ListedCode(system, one.code, one.display, is_prefix) for system, one, is_prefix in index.listed(valueset)}
    return tuple(sorted(found, key=lambda one: (one.system, one.code)))


def drugs_of(index: DrugIndex, drug_class: str) -> tuple[ListedDrug, ...]:
    """List the ingredients that have products of a class, by name."""
    if not isinstance(index, TableDrugIndex):
        return ()
    products: dict[str, list[str]] = {}
    for (_, code), drug in index.tables.codes.items():
        if drug_class in drug.classes:
            products.setdefault(drug.ingredient, []).append(code)
    return tuple(_drug(index, name, len(codes)) for name, codes in sorted(products.items()))


def class_meaning(index: DrugIndex, drug_class: str) -> str:
    """Return what a class stands for; empty where the index tells none."""
    return index.tables.classes.get(drug_class, "") if isinstance(index, TableDrugIndex) else ""


def _drug(index: TableDrugIndex, name: str, products: int) -> ListedDrug:
    facts = index.tables.ingredients.get(name)
    days = facts.opioid_free_days if facts else None
    return ListedDrug(name, facts.code if facts else "", plain(days) if isinstance(days, Decimal) else "", products)
