"""Floor 7: makes rules/drugs/*.csv from the fact tables that people keep; the same sources give the same bytes.

What each role, conflict level or unit of the sources means stands in roles.csv beside the result, and which file holds
what in sources.csv, so that no drug is named here.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final

from cds_service.terminology.rows import Files, Report, Row, read_rows

FOLDER: Final = "drugs"
PRODUCT_COLUMNS: Final = (
    "system", "code", "name", "classes", "ingredient", "others", "strength", "per", "form", "route", "brand", "sources", "confidence",
)  # fmt: skip
PACKAGE_COLUMNS: Final = (
    "system", "ndc11", "ndc", "rxcui", "name", "classes", "ingredient", "others", "strength", "per", "form", "route", "brand", "sources",
    "confidence", "note",
)  # fmt: skip
INGREDIENT_COLUMNS: Final = (
    "ingredient", "rxnorm", "atc", "unii", "classes", "opioid_free_days", "action", "conflict", "sources", "confidence", "note",
)  # fmt: skip
NAME_COLUMNS: Final = ("name", "ingredient", "others", "classes", "brand", "sources", "confidence")
LOOKALIKE_COLUMNS: Final = ("name", "kind", "rxnorm", "atc", "unii", "trap", "sources", "confidence")
DO_NOT_USE_COLUMNS: Final = ("system", "code", "claimed", "finding", "actually")
_HOLDS: Final = "contains_"
_SALT: Final = "PIN"
"""RxNorm's term type for a precise ingredient: a salt."""
_SYSTEM_COLUMNS: Final = ("rxnorm", "atc", "unii")

Record = dict[str, str]


@dataclass(frozen=True, slots=True)
class Roles:
    """roles.csv: what the words of the sources mean in the words of the rules."""

    values: Mapping[tuple[str, str], Row]

    def of(self, kind: str, word: str) -> str:
        """Return what a word means; an empty text where the file does not say."""
        row = self.values.get((kind, word))
        return row["value"] if row else ""

    def main(self, role: str) -> str:
        """Tell whether a product of a role is named by its own ingredient or by the other one."""
        row = self.values.get(("role", role))
        return row["main"] if row else "own"


@dataclass(frozen=True, slots=True)
class Sources:
    """The source tables by what they are for, with the two words that sources.csv adds to each."""

    tables: Mapping[str, tuple[Row, ...]]
    strength: Mapping[str, str]
    ingredient: Mapping[str, str]
    systems: Mapping[str, str]
    """URI of a code system → the short name that columns go by."""


def build_drugs(sources: Files, rules: Files) -> Files:
    """Return the generated tables by path inside the rules folder; raises RulebookInvalid where a source lacks a column."""
    report = Report([])
    roles = Roles(
        {(row["kind"], row["word"]): row for row in read_rows(rules, f"{FOLDER}/roles.csv", ("kind", "word", "value", "main"), report)}
    )
    read = read_sources(sources, rules, report)
    report.raise_if_any()
    products = _products(read, roles)
    tables = {
        "products": (PRODUCT_COLUMNS, products),
        "ndc": (PACKAGE_COLUMNS, list(_packages(read, roles, products))),
        "ingredients": (INGREDIENT_COLUMNS, _ingredients(read, roles)),
        "names": (NAME_COLUMNS, _names(read, roles, products)),
        "lookalikes": (LOOKALIKE_COLUMNS, list(_lookalikes(read))),
        "do_not_use": (DO_NOT_USE_COLUMNS, list(_do_not_use(read, products))),
    }
    return {f"{FOLDER}/{name}.csv": written(columns, records) for name, (columns, records) in tables.items()}


def read_sources(sources: Files, rules: Files, report: Report) -> Sources:
    """Read the source tables that sources.csv lists."""
    listed = read_rows(rules, f"{FOLDER}/sources.csv", ("table", "file", "strength", "ingredient"), report)
    systems = read_rows(rules, f"{FOLDER}/systems.csv", ("system", "aliases"), report)
    return Sources(
        {row["table"]: read_rows(sources, row["file"], (), report) for row in listed},
        {row["table"]: row["strength"] for row in listed},
        {row["table"]: row["ingredient"] for row in listed},
        {row["system"]: row.words("aliases")[-1] for row in systems},
    )


def written(columns: Sequence[str], records: Iterable[Mapping[str, str]]) -> str:
    """Write a table as CSV with line feeds."""
    text = StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _products(read: Sources, roles: Roles) -> list[Record]:
    """Gather products of all sources; one that two sources list keeps the strength of the first and the classes of both."""
    merged: dict[tuple[str, str], Record] = {}
    for record in (*_conflicting_products(read, roles), *_salts(read, roles), *_own_products(read, roles)):
        known = merged.setdefault((record["system"], record["code"]), record)
        known["classes"] = _union(known["classes"], record["classes"])
        known["others"] = _union(known["others"], record["others"])
        known["sources"] = "; ".join(dict.fromkeys([*known["sources"].split("; "), *record["sources"].split("; ")]))
    return sorted(merged.values(), key=lambda record: (record["system"], len(record["code"]), record["code"]))


def _union(one: str, other: str) -> str:
    return " ".join(dict.fromkeys([*one.split(), *other.split()]))


def _classes_of(read: Sources, roles: Roles) -> dict[str, str]:
    """Classes of each ingredient of the conflict table."""
    return {
        row["name"]: _union(roles.of("conflict", row["conflict_level"]), roles.of("ingredient", row["name"]))
        for row in read.tables["ingredients"]
    }


def _conflicting_products(read: Sources, roles: Roles) -> Iterator[Record]:
    classes = _classes_of(read, roles)
    for row in read.tables["products"]:
        held = [column.removeprefix(_HOLDS) for column, cell in row.cells.items() if column.startswith(_HOLDS) and cell]
        strength, per = _strength(row, read, roles)
        depot = roles.of("depot", f"{row['ingredient']} {strength} {per}")
        added = [classes[row["ingredient"]], *(roles.of("holds", name) for name in held), depot]
        yield {
            **row.cells,
            "name": row["display"],
            "classes": " ".join(word for word in added if word),
            "others": " ".join(held),
            "strength": strength,
            "per": per,
            "route": roles.of("route", row["route"]) or row["route"],
        }


def _strength(row: Row, read: Sources, roles: Roles) -> tuple[str, str]:
    """Read the number and the unit that a name such as "… 27 MG" ends with; a pack has no single strength."""
    parts = row[read.strength["products"]].split()
    if len(parts) < len(("number", "unit")) or row["form"] == "Pack":
        return "", ""
    return parts[-2], roles.of("per", parts[-1])


def _salts(read: Sources, roles: Roles) -> Iterator[Record]:
    """Go through the combinations of ingredients; a salt is no product but the ingredient itself."""
    classes = _classes_of(read, roles)
    by_code = {row["rxnorm_in"]: row["name"] for row in read.tables["ingredients"] if row["rxnorm_in"]}
    for row in (row for row in read.tables["salts"] if row["tty"] != _SALT):
        name = by_code[row["opioid_in"]]
        yield {**row.cells, "name": row["display"], "classes": classes[name], "ingredient": name, "others": ""}


def _own_products(read: Sources, roles: Roles) -> Iterator[Record]:
    """Go through the products of the drug that the rules are about; its bare ingredient codes go elsewhere."""
    own = read.ingredient["own-products"]
    for row in read.tables["own-products"]:
        if _is_ingredient(row):
            continue
        other = row["other_ingredients"]
        is_own = roles.main(row["role"]) == "own"
        yield {
            **row.cells,
            "name": row["display"],
            "classes": roles.of("role", row["role"]),
            "ingredient": own if is_own else other,
            "others": other if is_own else own,
            "strength": row[read.strength["own-products"]] if is_own else "",
            "per": roles.of("per", row["per"]) if is_own else "",
            "brand": _brand(row["display"]),
        }


def _is_ingredient(row: Row) -> bool:
    return row["tty"] in {"IN", "ATC5", "UNII"} and not row["other_ingredients"]


def _brand(display: str) -> str:
    """Return the brand that a display ends with in brackets."""
    return display.rpartition("[")[2].rstrip("]") if display.endswith("]") else ""


def _packages(read: Sources, roles: Roles, products: Sequence[Record]) -> Iterator[Record]:
    """Go through the packages; name, form and brand are those of the product where the source links one."""
    own = read.ingredient["own-packages"]
    by_code = {record["code"]: record for record in products}
    for row in read.tables["own-packages"]:
        product = by_code.get(row["rxcui"], {})
        strength = row[read.strength["own-packages"]]
        yield {
            **row.cells,
            "ndc": row["ndc_5_4_2"],
            "name": product.get("name", own),
            "classes": roles.of("role", row["role"]),
            "ingredient": own,
            "strength": strength,
            "per": "{piece}" if strength else "",
            **{column: product.get(column, "") for column in ("others", "form", "route", "brand")},
        }


def _ingredients(read: Sources, roles: Roles) -> list[Record]:
    """Gather the ingredients with their codes; the opioid-free days stand here and nowhere else."""
    classes = _classes_of(read, roles)
    salts: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read.tables["salts"]:
        salts[row["opioid_in"] if row["tty"] == _SALT else ""].append(row)
    listed = [
        {
            **row.cells,
            "ingredient": row["name"],
            "rxnorm": " ".join(filter(None, (row["rxnorm_in"], *(salt["code"] for salt in salts.get(row["rxnorm_in"] or "-", ()))))),
            "atc": row["atc"].replace("|", " "),
            "unii": row["unii"].replace("|", " "),
            "classes": classes[row["name"]],
            "opioid_free_days": row["min_opioid_free_days"],
            "conflict": row["conflict_level"],
            "sources": "; ".join(filter(None, (row["sources"], _salt_sources(salts.get(row["rxnorm_in"] or "-", ()))))),
        }
        for row in read.tables["ingredients"]
    ]
    return [_own_ingredient(read, roles), *listed]


def _salt_sources(salts: Iterable[Row]) -> str:
    names = sorted({source for row in salts for source in row["sources"].split("; ")})
    return f"salts: {', '.join(names)}" if names else ""


def _own_ingredient(read: Sources, roles: Roles) -> Record:
    rows = [row for row in read.tables["own-products"] if _is_ingredient(row)]
    codes: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        codes[read.systems[row["system"]]].append(row["code"])
    first = rows[0]
    return {
        "ingredient": read.ingredient["own-products"],
        **{column: " ".join(codes[column]) for column in _SYSTEM_COLUMNS},
        "classes": roles.of("role", first["role"]),
        "sources": "; ".join(dict.fromkeys(row["sources"] for row in rows)),
        "confidence": first["confidence"],
        "note": first["note"],
    }


def _names(read: Sources, roles: Roles, products: Sequence[Record]) -> list[Record]:
    """Gather names of ingredients, brands of products and synonyms; a brand is of the classes that all its products share."""
    classes = _classes_of(read, roles)
    own = read.ingredient["own-products"]
    records = [_name(own, own, _own_ingredient(read, roles)["classes"], "ingredient table")]
    records += [_name(row["name"], row["name"], classes[row["name"]], "ingredient table") for row in read.tables["ingredients"]]
    records += _brands(products)
    for row in read.tables["ingredients"]:
        for synonym in filter(None, row["synonyms_and_brands"].split("|")):
            name = synonym.partition(" (")[0]
            records.append(_name(name, row["name"], classes[row["name"]], "synonyms of the ingredient table"))
    unique: dict[str, Record] = {}
    for record in records:
        unique.setdefault(record["name"].casefold(), record)
    return list(unique.values())


def _brands(products: Sequence[Record]) -> list[Record]:
    by_brand: defaultdict[str, list[Record]] = defaultdict(list)
    for product in products:
        if product.get("brand"):
            by_brand[_bare(product["brand"])].append(product)
    return [_brand_name(brand, them) for brand, them in sorted(by_brand.items())]


def _bare(brand: str) -> str:
    """Drop what RxNorm adds to a brand: the date of a new formula, a strength."""
    words = brand.partition(" Reformulated")[0].split()
    return " ".join(words[:-2] if words[-1] in {"MCG", "MG"} else words)


def _brand_name(brand: str, products: Sequence[Record]) -> Record:
    shared = [word for word in products[0]["classes"].split() if all(word in product["classes"].split() for product in products)]
    others = " ".join(sorted({other for product in products for other in product["others"].split()}))
    return {**_name(brand, products[0]["ingredient"], " ".join(shared), "brand of products.csv"), "brand": brand, "others": others}


def _name(name: str, ingredient: str, classes: str, source: str) -> Record:
    return {"name": name, "ingredient": ingredient, "others": "", "classes": classes, "brand": "", "sources": source, "confidence": "high"}


def _lookalikes(read: Sources) -> Iterator[Record]:
    for row in read.tables["lookalikes"]:
        codes = {"rxnorm": row["rxnorm_in"], "atc": row["atc"], "unii": row["unii"]}
        yield {**row.cells, **{column: cell.partition(" (")[0].replace("|", " ") for column, cell in codes.items()}}


def _do_not_use(read: Sources, products: Sequence[Record]) -> Iterator[Record]:
    """Give each wrong code a row of its own, with what it really is where the product table knows it."""
    known = {(record["system"], record["code"]): record["ingredient"] for record in products}
    for row in read.tables["do-not-use"]:
        for code in row["code"].split(", "):
            yield {**row.cells, "code": code, "actually": known.get((row["system"], code), "")}
