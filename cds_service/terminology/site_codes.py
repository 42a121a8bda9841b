"""Floor 7: codes that a site adds to the shipped drug tables: its own list, then its RxNorm index; classes stay those of the tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from cds_service.fhir.elements import Coding, Concept, Ingredient, Medication, Ratio
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity
from cds_service.terminology.drugs import Drug, Level
from cds_service.terminology.rxnorm_index import Product, RxNormIndex
from cds_service.terminology.systems import System, plain_name
from cds_service.terminology.tables import TableDrugIndex
from cds_service.unknown import Unknown

RXNORM: Final = "rxnorm"
PACKAGES: Final = "ndc"
"""Names by which systems.csv knows the two systems that RxNorm tells about."""
Drugs = tuple[Drug, ...]
Key = tuple[str, str]
_CACHED: Final = 65_536
_LONGEST_CACHED: Final = 64
_INGREDIENTS: Final = frozenset(["IN", "PIN", "MIN", "BN"])
_STRENGTH_PARTS: Final = 2


@dataclass(frozen=True, slots=True)
class SiteCodes:
    """What a site's own files say of codes that the shipped tables lack; answers to tables.FurtherCodes."""

    fingerprint: str
    _find: Callable[[str, str], Drugs | None]

    def find(self, coding: Coding, system: System | None) -> Drugs | None:
        """Return the drugs of a code, none where it is surely of another drug, `None` where nothing is known of it."""
        key = site_key(coding.system, coding.code, system)
        return self._find(*key) if len(key[0]) + len(key[1]) <= _LONGEST_CACHED * 2 else None


def site_key(name: str, code: str, system: System | None) -> Key:
    """Make the key of a code: in a system of the tables in the form that they use, else as it stands."""
    return (system.uri, system.normal(code)) if system else (plain_name(name), code.strip())


def site_codes(shipped: TableDrugIndex, own: Mapping[Key, Drugs], index: RxNormIndex | None, fingerprint: str) -> SiteCodes:
    """Bring a site's list and its index together; what was looked up once is remembered."""
    look_up = own.get if index is None else _IndexCodes(shipped, MappingProxyType(dict(own)), index, _shared_classes(shipped)).find
    return SiteCodes(fingerprint, lru_cache(maxsize=_CACHED)(lambda system, code: look_up((system, code))))


@dataclass(frozen=True, slots=True)
class _IndexCodes:
    """Looks a code up in the site's list, then in the index."""

    shipped: TableDrugIndex
    own: Mapping[Key, Drugs]
    index: RxNormIndex
    shared: Mapping[tuple[str, Quantity], frozenset[str]]

    def find(self, key: Key) -> Drugs | None:
        if key in self.own:
            return self.own[key]
        names = self.shipped.tables.systems.by_name
        if names.get(RXNORM) == names.get(key[0]):
            product = self.index.product(key[1])
            return drugs_of(self.shipped, product, self.shared) if product else None
        if names.get(PACKAGES) == names.get(key[0]):
            return self.package(key[1])
        return None

    def package(self, digits: str) -> Drugs | None:
        """Bring the products of a package code together: alike they are one drug; unlike, all of them."""
        found = [drugs_of(self.shipped, product, self.shared) for product in self.index.package(digits)]
        drugs = {drug.key: drug for several in found if several for drug in several}
        if not drugs:
            return None if not found or None in found else ()
        kinds = {(drug.ingredient, drug.classes) for drug in drugs.values()}
        if len(kinds) != 1:
            return tuple(drugs.values())
        first = next(iter(drugs.values()))
        is_one = len({drug.strength for drug in drugs.values()}) == 1
        return (first if is_one else replace(first, name=first.ingredient, strength=None, level=Level.PRODUCT),)


def drugs_of(shipped: TableDrugIndex, product: Product, shared: Mapping[tuple[str, Quantity], frozenset[str]]) -> Drugs | None:
    """Read a product of the index as the shipped tables would, were it in them: they say which classes its ingredients have.

    None of them where it is of drugs that no rule concerns; `None` where neither ingredients nor name tell a drug.
    """
    tables = shipped.tables
    system = tables.systems.by_name[RXNORM].uri
    code = str(product.rxcui)
    known = tables.codes.get((system, code))
    if known:
        return (known,)
    if (system, code) in tables.misused:
        return None
    partners = [one for one in (tables.codes.get((system, str(code))) for code, _ in product.contents) if one and one.classes]
    items = tuple(Ingredient(Concept((Coding(system, str(one)),)), ratio_of(strength)) for one, strength in product.contents if partners)
    match = shipped.find(Medication(Concept((), product.name), Concept((), product.form), items))
    if not isinstance(match, DrugMatch):
        return () if match is None or product.contents else None
    strength = None if isinstance(match.strength, Unknown) or product.is_pack else match.strength
    more = shared.get((match.ingredient, strength), frozenset()) if strength else frozenset[str]()
    is_ingredient = product.tty in _INGREDIENTS and all(one.classes == match.classes for one in partners)
    drug = Drug(
        name=product.name,
        classes=match.classes | more,
        ingredient=match.ingredient,
        level=Level.INGREDIENT if is_ingredient else Level.STRENGTH if strength else Level.PRODUCT,
        key=f"{system}|{code}",
        others=frozenset(one.ingredient for one in partners) - {match.ingredient},
        strength=strength,
        form=product.form or match.form,
        route=match.route,
        brand=product.name.rpartition("[")[2].rstrip("]") if product.name.endswith("]") else "",
    )
    return (drug,)


def ratio_of(strength: str) -> Ratio | None:
    """Read a strength as RxNorm writes it ("5 MG", "1 MG/ML"); `None` for other units, which no dose is told in."""
    parts = strength.split()
    if len(parts) != _STRENGTH_PARTS:
        return None
    numerator, _, denominator = parts[1].partition("/")
    try:
        value = Decimal(parts[0])
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    return Ratio(Quantity(value, numerator), Quantity(Decimal(1), denominator or "1"))


def _shared_classes(shipped: TableDrugIndex) -> Mapping[tuple[str, Quantity], frozenset[str]]:
    """Gather the classes that all shipped products of an ingredient and a strength have: a strength can tell a depot."""
    shared: dict[tuple[str, Quantity], frozenset[str]] = {}
    for drug in shipped.tables.codes.values():
        if drug.strength:
            key = (drug.ingredient, drug.strength)
            shared[key] = shared.get(key, drug.classes) & drug.classes
    return MappingProxyType(shared)
