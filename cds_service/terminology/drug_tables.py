"""Floor 7: rules/drugs/*.csv read into look-ups, every mistake in them told with its place."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from cds_service.quantities import Quantity
from cds_service.terminology.drugs import (
    NO_INTERVAL,
    ClassWord,
    Combination,
    Drug,
    IngredientFacts,
    Level,
    NameTables,
)
from cds_service.terminology.rows import Files, Report, Row, fingerprint, number, read_rows
from cds_service.terminology.strengths import PER_ML, PER_PIECE
from cds_service.terminology.systems import Systems, read_systems
from cds_service.terminology.words import Phrases, phrase, phrases_of
from cds_service.unknown import Unknown

FOLDER: Final = "drugs"
_UNITS: Final = MappingProxyType({"{piece}": PER_PIECE, "mL": PER_ML})
_PERS: Final = ("", "{piece}", "mL", "h", "{actuation}", "{billing-unit}")
_PRODUCT_COLUMNS: Final = ("classes", "ingredient", "others", "strength", "per", "form", "route", "brand")
_CODE_COLUMNS: Final = ("rxnorm", "atc", "unii")
_ROLES: Final = ("guard-before", "guard-after", "connector", "join", "filler", "uninformative", "form", "route", "salt")

Codes = dict[tuple[str, str], Drug]


@dataclass(frozen=True, slots=True)
class BrandStrength:
    """The one strength of a brand, in the one form that it exists in."""

    strength: Quantity
    form: str


@dataclass(frozen=True, slots=True)
class DrugTables:
    """The drug tables, ready for look-up by (system, code), by prefix and by name."""

    systems: Systems
    codes: Mapping[tuple[str, str], Drug]
    prefixes: Mapping[tuple[str, str], Drug]
    misused: frozenset[tuple[str, str]]
    """Codes that circulate with a wrong meaning: they tell nothing."""
    ingredients: Mapping[str, IngredientFacts]
    names: NameTables
    classes: Mapping[str, str]
    no_interval: frozenset[str]
    """Classes of which no number of opioid-free days is known."""
    prefixed: frozenset[str]
    """Systems of which prefixes are known."""
    brand_strengths: Mapping[str, BrandStrength]
    """Brands that exist in one strength alone."""
    fingerprint: str


def read_tables(files: Files) -> DrugTables:
    """Read all tables; raises RulebookInvalid with TERM codes and places."""
    report = Report([])
    reading = _Reading(files, report)
    tables = reading.tables()
    report.raise_if_any()
    return tables


class _Reading:
    """One pass over the files; holds what later tables are checked against."""

    def __init__(self, files: Files, report: Report) -> None:
        self.files = files
        self.report = report
        self.systems = read_systems(files, _path("systems"), report)
        self.classes = {row["class"]: row for row in self.rows("classes", "class", "interval", "meaning")}
        self.ingredient_rows = {
            row["ingredient"]: row for row in self.rows("ingredients", "ingredient", *_CODE_COLUMNS, "classes", "opioid_free_days")
        }
        self.codes: Codes = {}

    def rows(self, table: str, *columns: str) -> tuple[Row, ...]:
        return read_rows(self.files, _path(table), columns, self.report)

    def tables(self) -> DrugTables:
        products = [self.add_product(row) for row in self.rows("products", "system", "code", "name", *_PRODUCT_COLUMNS)]
        packages = [self.add_package(row) for row in self.rows("ndc", "system", "ndc11", "name", *_PRODUCT_COLUMNS)]
        self.add_package_families()
        names = self.names([*products, *packages])
        for row in self.ingredient_rows.values():
            self.add_codes(row, self.ingredient_drug(row))
        self.add_lookalikes()
        prefixes = self.prefixes()
        return DrugTables(
            systems=self.systems,
            codes=MappingProxyType(self.codes),
            prefixes=MappingProxyType(prefixes),
            misused=self.misused(),
            ingredients=MappingProxyType({name: self.facts(row) for name, row in self.ingredient_rows.items()}),
            names=names,
            classes=MappingProxyType({name: row["meaning"] for name, row in self.classes.items()}),
            no_interval=frozenset(name for name, row in self.classes.items() if row["interval"] == "none"),
            prefixed=frozenset(system for system, _ in prefixes),
            brand_strengths=MappingProxyType(dict(self.brand_strengths())),
            fingerprint=fingerprint(self.files, (path for path in self.files if path.startswith(f"{FOLDER}/"))),
        )

    def class_words(self, row: Row) -> frozenset[str]:
        """Read the classes of a row; an unknown one is TERM-003."""
        return frozenset(
            word for word in row.words("classes") if self.report.one_of(row.where, "TERM-003", "drug class", word, self.classes)
        )

    def known_ingredient(self, row: Row, column: str = "ingredient") -> str:
        self.report.one_of(row.where, "TERM-006", "ingredient", row[column], self.ingredient_rows)
        return row[column]

    def put(self, row: Row, system: str, code: str, drug: Drug) -> None:
        """Keep a code; a second, different meaning of it is TERM-004."""
        known = self.systems.by_name.get(system)
        if known is None:
            self.report.one_of(row.where, "TERM-012", "code system", system, self.systems.by_name)
            return
        key = (known.uri, known.normal(code))
        if not key[1] or key in self.codes:
            self.report.add(row.where, "TERM-004", f"code '{code}' of {system} {'stands twice' if key[1] else 'is no code of its system'}")
        self.codes[key] = drug

    def product(self, row: Row, code: str) -> Drug:
        strength = self.strength(row)
        return Drug(
            name=row["name"],
            classes=self.class_words(row),
            ingredient=self.known_ingredient(row),
            level=Level.STRENGTH if strength else Level.PRODUCT,
            key=f"{row['system']}|{code}",
            others=frozenset(row.words("others")),
            strength=strength,
            form=row["form"],
            route=row["route"],
            brand=row["brand"],
        )

    def add_product(self, row: Row) -> Drug:
        drug = self.product(row, row["code"])
        self.put(row, row["system"], row["code"], drug)
        return drug

    def add_package(self, row: Row) -> Drug:
        drug = self.product(row, row["ndc11"])
        self.put(row, row["system"], row["ndc11"], drug)
        return drug

    def add_package_families(self) -> None:
        """Let a package code without its package segment stand for the product, where all its packages are alike."""
        families: defaultdict[tuple[str, str], list[Drug]] = defaultdict(list)
        for (system, code), drug in self.codes.items():
            if self.systems.by_name[system].form == "ndc":
                families[system, code[:9]].append(drug)
        for key, drugs in families.items():
            if len({(drug.classes, drug.strength) for drug in drugs}) == 1:
                self.codes[key] = drugs[0]

    def strength(self, row: Row) -> Quantity | None:
        value = number(row, "strength", self.report)
        self.report.one_of(row.where, "TERM-005", "unit per", row["per"], _PERS)
        unit = _UNITS.get(row["per"])
        return Quantity(value, unit) if value is not None and unit else None

    def brand_strengths(self) -> Iterator[tuple[str, BrandStrength]]:
        for row in self.rows("brand-strengths", "brand", "strength", "per", "form"):
            strength = self.strength(row)
            if strength:
                yield row["brand"], BrandStrength(strength, row["form"])
            else:
                self.report.add(row.where, "TERM-005", "a brand of one strength needs a strength per {piece} or mL")

    def ingredient_drug(self, row: Row) -> Drug:
        name = row["ingredient"]
        return Drug(name, self.class_words(row), name, Level.INGREDIENT, key=name)

    def add_codes(self, row: Row, drug: Drug) -> None:
        """Keep the codes of an ingredient; a code that a product table has already told more exactly stays."""
        for column in _CODE_COLUMNS:
            system = self.systems.by_name.get(column)
            for code in row.words(column):
                if system and (system.uri, system.normal(code)) not in self.codes:
                    self.put(row, column, code, drug)

    def add_lookalikes(self) -> None:
        for row in self.rows("lookalikes", "name", *_CODE_COLUMNS):
            if row["name"] not in self.ingredient_rows:
                self.add_codes(row, _another(row["name"]))

    def prefixes(self) -> dict[tuple[str, str], Drug]:
        system = self.systems.by_name.get("atc")
        rows = self.rows("atc", "prefix", "classes", "name")
        uri = system.uri if system else ""
        return {(uri, row["prefix"]): Drug(row["name"], self.class_words(row), "", Level.FAMILY, key=row["prefix"]) for row in rows}

    def misused(self) -> frozenset[tuple[str, str]]:
        """Read the codes not to be used; one that the tables use for another drug than theirs is TERM-008."""
        keys = set()
        for row in self.rows("do_not_use", "system", "code", "actually"):
            key = (row["system"], row["code"])
            drug = self.codes.get(key)
            if (drug.ingredient if drug else "") != row["actually"]:
                self.report.add(row.where, "TERM-008", f"code '{row['code']}' is not to be used but stands in the tables")
            keys.add(key)
        return frozenset(keys)

    def facts(self, row: Row) -> IngredientFacts:
        days: Decimal | Unknown = number(row, "opioid_free_days", self.report) or NO_INTERVAL
        codes = row.words("rxnorm")
        return IngredientFacts(codes[0] if codes else "", days)

    def names(self, products: Iterable[Drug]) -> NameTables:
        groups: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in self.rows("words", "role", "phrase", "value"):
            groups[row["role"]].append((row["phrase"], row["value"]))
        for role in _ROLES:
            groups.setdefault(role, [])
        return NameTables(
            names=phrases_of(self.with_salts([salt for salt, _ in groups["salt"]])),
            guards_before=phrases_of(groups["guard-before"]),
            guards_after=phrases_of(groups["guard-after"]),
            longest_guard=max((len(phrase(text)) for text, _ in groups["guard-before"]), default=0),
            connectors=_texts(groups["connector"]),
            joins=_texts(groups["join"]),
            fillers=_texts(groups["filler"]),
            unnaming=_texts(pair for role in ("uninformative", "filler", "connector", "form") for pair in groups[role]),
            forms=phrases_of(groups["form"]),
            routes=_in_order(groups["route"]),
            groups=MappingProxyType({role: phrases_of(pairs) for role, pairs in groups.items() if role not in _ROLES}),
            class_words=MappingProxyType(self.words_of_classes(groups)),
            combinations=MappingProxyType(self.combinations()),
            strengths_of=MappingProxyType(_strengths(products)),
        )

    def with_salts(self, salts: Sequence[str]) -> Iterator[tuple[str, Drug]]:
        """Go through all names, then through those of one word with a salt glued to them ("morphinsulfat"), as German writes them."""
        named = list(self.named())
        yield from named
        for name, drug in named:
            if not drug.brand and len(phrase(name)) == 1:
                yield from ((name + salt, drug) for salt in salts)

    def named(self) -> Iterator[tuple[str, Drug]]:
        """Go through all names; one that stands for two different drugs is TERM-007."""
        seen: dict[tuple[str, ...], str] = {}
        for table in ("names", "own-names"):
            for row in self.rows(table, "name", "ingredient", "others", "classes", "brand"):
                words = phrase(row["name"])
                if not words or seen.setdefault(words, row["ingredient"]) != row["ingredient"]:
                    self.report.add(
                        row.where, "TERM-007", f"the name '{row['name']}' {'stands for two drugs' if words else 'has no word in it'}"
                    )
                yield row["name"], self.named_drug(row)
        for table in ("lookalikes", "own-lookalikes"):
            for row in self.rows(table, "name"):
                yield row["name"], _another(row["name"])

    def named_drug(self, row: Row) -> Drug:
        """Make the drug of a name: a brand tells a product, a name of the ingredient no more than that."""
        classes, brand = self.class_words(row), row["brand"]
        others = frozenset(row.words("others"))
        known = self.ingredient_rows.get(row["ingredient"])
        if classes:
            self.known_ingredient(row)
        plain = frozenset(known.words("classes")) if known else classes
        level = Level.PRODUCT if others or classes != plain else Level.INGREDIENT
        held = " / ".join((row["ingredient"], *sorted(others)))
        shown = f"{brand} ({held})" if brand else row["ingredient"]
        return Drug(shown, classes, row["ingredient"], level, key=row["name"], others=others, brand=brand)

    def words_of_classes(self, groups: Mapping[str, object]) -> dict[str, Phrases[ClassWord]]:
        entries: defaultdict[str, list[tuple[str, ClassWord]]] = defaultdict(list)
        for row in self.rows("class-words", "ingredient", "phrase", "adds", "unless", "strength"):
            self.known_ingredient(row)
            self.report.one_of(row.where, "TERM-003", "drug class", row["adds"], self.classes)
            self.report.one_of(
                row.where, "TERM-010", "group of words", row["unless"], ("", *(group for group in groups if group not in _ROLES))
            )
            word = ClassWord(frozenset({row["adds"]}), row["unless"], needs_strength=row["strength"] == "listed")
            entries[row["ingredient"]].append((row["phrase"], word))
        return {ingredient: phrases_of(pairs) for ingredient, pairs in entries.items()}

    def combinations(self) -> dict[frozenset[str], Combination]:
        found = {}
        for row in self.rows("combinations", "ingredient", "with", "classes", "main"):
            self.known_ingredient(row)
            pair = (row["ingredient"], row["with"])
            main, other = pair if row["main"] == "ingredient" else pair[::-1]
            found[frozenset(pair)] = Combination(self.class_words(row), main, other)
        return found


def _path(table: str) -> str:
    return f"{FOLDER}/{table}.csv"


def _another(name: str) -> Drug:
    """Make a drug that no rule concerns."""
    return Drug(name, frozenset(), name, Level.INGREDIENT, key=name)


def _texts(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(text for text, _ in pairs)


def _in_order(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, Phrases[str]], ...]:
    """Gather the phrases of each value, values in the order of the file: the first that is found counts."""
    by_value: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for text, value in pairs:
        by_value[value].append((text, value))
    return tuple((value, phrases_of(entries)) for value, entries in by_value.items())


def _strengths(products: Iterable[Drug]) -> dict[tuple[str, str], frozenset[Quantity]]:
    found: defaultdict[tuple[str, str], set[Quantity]] = defaultdict(set)
    for drug in products:
        for name in drug.classes:
            if drug.strength:
                found[drug.ingredient, name].add(drug.strength)
    return {key: frozenset(values) for key, values in found.items()}
