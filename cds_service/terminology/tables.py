"""Floor 7: the drug index over the shipped tables: code first, then ingredients, then name."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache, partial
from typing import Final, Protocol

from cds_service.fhir.elements import Coding, Concept, Ingredient, Medication
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity, plain
from cds_service.terminology.drug_tables import DrugTables, read_tables
from cds_service.terminology.drugs import NO_INTERVAL, Drug, Level
from cds_service.terminology.evidence import Source, Verdict, judge
from cds_service.terminology.names import NameReading, is_of_no_listed_drug, read_name
from cds_service.terminology.near_names import near_names
from cds_service.terminology.rows import Files
from cds_service.terminology.strengths import NO_STRENGTH, ratio_strength, settle
from cds_service.terminology.systems import System
from cds_service.unknown import Unknown

NO_DRUG: Final = Unknown("no-drug")
NO_NAME: Final = Unknown("no-drug-name")
CONTRADICTORY_DRUG: Final = Unknown("contradictory-drug")
_CACHED_NAMES: Final = 8192
_LONGEST_CACHED: Final = 300
_LONGEST_PREFIX: Final = 12

Reader = Callable[[str, str], NameReading]


class FurtherCodes(Protocol):
    """What a site knows of codes that the shipped tables lack."""

    @property
    def fingerprint(self) -> str:
        """Return the hash of what is known."""
        ...

    def find(self, coding: Coding, system: System | None) -> tuple[Drug, ...] | None:
        """Return the drugs of a code, none where it is surely of another drug, `None` where nothing is known of it."""
        ...


def read_drug_index(files: Files) -> "TableDrugIndex":
    """Read rules/drugs (path inside the rules folder → text); raises RulebookInvalid with every TERM problem found."""
    tables = read_tables(files)
    reader: Reader = lru_cache(maxsize=_CACHED_NAMES)(partial(read_name, tables.names))
    glance = lru_cache(maxsize=_CACHED_NAMES)(partial(is_of_no_listed_drug, tables.names))
    near = lru_cache(maxsize=_CACHED_NAMES)(near_names(tables.names.names).find)
    return TableDrugIndex(tables, reader, glance, near)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one concept holds: the drugs of its codes (look-alikes among them) and the readings of its names."""

    coded: tuple[Drug, ...]
    readings: tuple[NameReading, ...]
    is_another: bool
    """A code of a system that the tables hold in full, and that is not in them: another drug."""
    has_code: bool

    @property
    def is_told(self) -> bool:
        """Tell whether the concept names any drug at all, be it one that no rule concerns."""
        return self.is_another or any(not drug.classes for drug in self.coded) or any(reading.is_informative for reading in self.readings)


@dataclass(frozen=True, slots=True)
class TableDrugIndex:
    """Finds drugs in the shipped tables; answers to fhir.terminology.DrugIndex."""

    tables: DrugTables
    _read: Reader
    _glance: Callable[[str], bool]
    _near: Callable[[str], str]
    _further: FurtherCodes | None = None

    @property
    def classes(self) -> frozenset[str]:
        """The words that rules may use for a drug."""
        return frozenset(self.tables.classes)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tables, with that of the site's own codes where there are any."""
        return f"{self.tables.fingerprint} {self._further.fingerprint}" if self._further else self.tables.fingerprint

    def with_further(self, further: FurtherCodes) -> "TableDrugIndex":
        """Return an index that asks a site's own codes too, where the tables know nothing of a code."""
        return replace(self, _further=further)

    def find(self, medication: Medication) -> DrugMatch | Unknown | None:
        """Return what the tables say, `None` for a drug that no rule concerns, `Unknown` where no drug can be told."""
        if self._is_of_no_listed_drug(medication):
            return None
        form = _form(medication.form)
        own = self._part(medication.concept, form)
        items = [(item, self._part(item.concept, "")) for item in medication.ingredients]
        verdict = judge(_sources(own, [part for _, part in items]), self.tables.names.combinations)
        if verdict is None:
            return _nothing(own, [part for _, part in items])
        return self._match(verdict, own, items)

    def nearly_named(self, medication: Medication) -> str:
        """Return the ingredient that the names of an unknown drug nearly spell, empty where none does; never a reason for advice."""
        concept = medication.concept
        texts = (concept.text, *(coding.display for coding in concept.codings))
        return next((near for text in texts if text and len(text) <= _LONGEST_CACHED and (near := self._near(text))), "")

    def _is_of_no_listed_drug(self, medication: Medication) -> bool:
        """Tell at a glance: no code of it is in the tables, and its names are of something else."""
        concept = medication.concept
        if medication.ingredients or any(self._code(coding)[0] for coding in concept.codings):
            return False
        texts = [text for text in (concept.text, *(coding.display for coding in concept.codings)) if text]
        return bool(texts) and all(len(text) <= _LONGEST_CACHED and self._glance(text) for text in texts)

    def _part(self, concept: Concept, form: str) -> _Part:
        coded: list[Drug] = []
        is_another = has_code = False
        for coding in concept.codings:
            drugs, is_unlisted = self._code(coding)
            coded += drugs
            is_another |= is_unlisted
            has_code |= bool(coding.code.strip())
        return _Part(tuple(coded), self._readings(concept, form), is_another, has_code)

    def _code(self, coding: Coding) -> tuple[tuple[Drug, ...], bool]:
        """Look one code up: exactly, by the longest prefix, in the site's own codes; tell whether it is surely another drug."""
        system = self.tables.systems.of(coding)
        code = system.normal(coding.code) if system else ""
        drug = self._shipped(system.uri, code) if system and code else None
        if drug:
            return (drug,), False
        if system and (system.uri, code) in self.tables.misused:
            return (), False
        further = self._further.find(coding, system) if self._further and coding.code.strip() else None
        if further is not None:
            return further, not further
        return (), system is not None and bool(code) and system.is_complete

    def _shipped(self, system: str, code: str) -> Drug | None:
        return self.tables.codes.get((system, code)) or (self._prefix(system, code) if system in self.tables.prefixed else None)

    def _prefix(self, system: str, code: str) -> Drug | None:
        """Look the longest known prefix of a code up."""
        prefixes = (self.tables.prefixes.get((system, code[:length])) for length in range(min(len(code), _LONGEST_PREFIX), 0, -1))
        return next((drug for drug in prefixes if drug), None)

    def _readings(self, concept: Concept, form: str) -> tuple[NameReading, ...]:
        texts = sorted({concept.text, *(coding.display for coding in concept.codings)})
        return tuple(self._name(text, form) for text in texts if text and not text.isspace())

    def _name(self, text: str, form: str) -> NameReading:
        return self._read(text, form) if len(text) <= _LONGEST_CACHED else read_name(self.tables.names, text, form)

    def _match(self, verdict: Verdict, own: _Part, items: Sequence[tuple[Ingredient, _Part]]) -> DrugMatch:
        main = verdict.main
        settled, contradicts = _strength(verdict, own, items)
        settled = self._of_brand(own) if settled == NO_STRENGTH and not items else settled
        facts = self.tables.ingredients.get(main.ingredient)
        is_denied = verdict.kind == "name" and _is_denied(own)
        readings = [reading for reading in own.readings if _speaks_of(reading, main)]
        return DrugMatch(
            classes=verdict.classes,
            ingredient=main.ingredient,
            name=_shown(verdict, settled, contradicts=contradicts),
            matched_by=verdict.kind,
            strength=settled,
            opioid_free_days=self._opioid_free_days(verdict),
            form=main.form or _first(reading.form for reading in readings),
            route=main.route or _first(reading.route for reading in readings),
            brand=main.brand,
            ingredient_code=facts.code if facts else "",
            contradicts=verdict.contradicts or contradicts or is_denied,
        )

    def _of_brand(self, own: _Part) -> Quantity | Unknown:
        """Take the strength of a brand that exists in one strength alone, unless another form is named."""
        for reading in own.readings:
            known = self.tables.brand_strengths.get(reading.drugs[0].brand) if reading.drugs else None
            if known and all(one.form in {"", known.form} for one in own.readings):
                return known.strength
        return NO_STRENGTH

    def _opioid_free_days(self, verdict: Verdict) -> Decimal | Unknown:
        """Take the longest interval of the drugs named; none where one of the classes has no number."""
        if verdict.classes & self.tables.no_interval:
            return NO_INTERVAL
        facts = (self.tables.ingredients.get(drug.ingredient) for drug in (verdict.main, *verdict.strangers))
        days = [one.opioid_free_days for one in facts if one and isinstance(one.opioid_free_days, Decimal)]
        return max(days, default=NO_INTERVAL)


def _sources(own: _Part, items: Sequence[_Part]) -> tuple[Source, ...]:
    """Put the evidence in order: codes of the product, its ingredients, its names."""
    names = tuple(drug for reading in own.readings for drug in reading.drugs)
    held = [_ingredient(part) for part in items]
    return (
        Source("code", own.coded),
        Source("ingredient", tuple(drug for drugs, _ in held for drug in drugs), _all(mentioned for _, mentioned in held)),
        Source("name", names),
    )


def _ingredient(part: _Part) -> tuple[tuple[Drug, ...], frozenset[str]]:
    """Tell one ingredient by its codes, else by its names."""
    mentioned = _all(reading.mentioned for reading in part.readings)
    if any(drug.classes for drug in part.coded):
        return part.coded, mentioned
    return tuple(drug for reading in part.readings for drug in reading.drugs), mentioned


def _all(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


def _nothing(own: _Part, items: Sequence[_Part]) -> Unknown | None:
    """Tell a drug that no rule concerns from one that cannot be told."""
    if own.is_told or (items and all(part.is_told for part in items)):
        return None if not any(reading.is_cut for part in (own, *items) for reading in part.readings) else NO_NAME
    is_empty = not any(part.has_code or part.readings for part in (own, *items))
    return NO_DRUG if is_empty else NO_NAME


def _strength(verdict: Verdict, own: _Part, items: Sequence[tuple[Ingredient, _Part]]) -> tuple[Quantity | Unknown, bool]:
    """Settle the strength of the main ingredient from codes, ratios and names."""
    main = verdict.main
    if _is_another_drug(verdict, own):
        return CONTRADICTORY_DRUG, True
    coded = sorted(
        (drug for drug in own.coded if drug.strength and drug.ingredient == main.ingredient), key=lambda drug: drug.rank, reverse=True
    )
    ratios = [
        ratio_strength(item.strength) for item, part in items if any(drug.ingredient == main.ingredient for drug in _ingredient(part)[0])
    ]
    certain = [*(drug.strength for drug in coded if drug.strength), *(ratio for ratio in ratios if ratio)]
    readings = [reading for reading in own.readings if _speaks_of(reading, main)]
    return settle(certain, [reading.strengths for reading in readings], all_clear=all(reading.is_clear for reading in readings))


def _is_another_drug(verdict: Verdict, own: _Part) -> bool:
    """Tell whether some code or name speaks of another drug altogether, so that no strength can be trusted."""
    strangers = {drug.key for drug in verdict.strangers}
    led = [reading.drugs[0].key for reading in own.readings if reading.drugs]
    return bool(strangers.intersection([*(drug.key for drug in own.coded), *led]))


def _speaks_of(reading: NameReading, main: Drug) -> bool:
    """Tell whether a name is of the main ingredient, or of no drug in particular ("2 MG CAP")."""
    return reading.drugs[0].ingredient == main.ingredient if reading.drugs else not reading.mentioned


def _is_denied(own: _Part) -> bool:
    """Tell whether a code speaks of a look-alike that the names do not mention."""
    mentioned = _all(reading.mentioned for reading in own.readings)
    return any(not drug.classes and drug.ingredient not in mentioned for drug in own.coded)


def _shown(verdict: Verdict, strength: Quantity | Unknown, *, contradicts: bool) -> str:
    """Name the product in the words of the tables, with the strength where it was read and not only looked up."""
    main = verdict.main
    if verdict.strangers:
        return " or ".join(dict.fromkeys((main.ingredient or main.name, *(drug.ingredient or drug.name for drug in verdict.strangers))))
    if main.level is Level.STRENGTH:
        return main.ingredient if contradicts else main.name
    if isinstance(strength, Unknown) or main.is_coded_product:
        return main.name
    return f"{main.name} {plain(strength.value)} {strength.unit.removesuffix('/{piece}')}"


def _form(concept: Concept) -> str:
    return " ".join(text for text in (*(coding.display for coding in concept.codings), concept.text) if text)


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")
