"""Floor 4: the pack's manifest: what it is, who made it, what it is for, and how doses are classed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

from cds_service.errors import nearest
from cds_service.facts.coverage import STATUSES_OVER
from cds_service.facts.dose_class import DoseClasses
from cds_service.facts.registry import FACTS
from cds_service.located import Block, Entry, Located
from cds_service.quantities import in_unit
from cds_service.rulebook.loader import read_reference
from cds_service.rulebook.reading import Reader
from cds_service.rulebook.types import Reference
from cds_service.rulebook.vocabulary import Vocabulary

REQUIRED: Final = (
    "id", "title", "version", "released", "revised", "canonical", "license", "developer", "funding", "intended_use",
    "source_attributes", "services", "dose_classes", "indications", "signals", "depot_durations", "references",
)  # fmt: skip
OPTIONAL: Final = ("longest_courses",)
SOURCE_ATTRIBUTES: Final = (
    "citation", "developer", "funding", "dates", "race", "ethnicity", "language", "sexual_orientation", "gender_identity", "sex",
    "date_of_birth", "social_determinants", "health_status_assessments",
)  # fmt: skip
"""The thirteen source attributes of evidence-based decision support, 45 CFR 170.315(b)(11)(iv)(A), in the order of the rule."""
HookName = Literal["order-select", "order-sign"]
HOOKS: Final[tuple[HookName, ...]] = ("order-select", "order-sign")
_VERSION: Final = re.compile(r"[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServiceText:
    """One CDS Hooks service as discovery names it."""

    id: str
    hook: HookName
    title: str
    description: str
    usage_requirements: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `rules/manifest.yaml` says; `canonical` is the base URI of topics, override reasons and value sets, without slash."""

    id: str
    title: str
    version: str
    released: date
    revised: date
    canonical: str
    license: str
    developer: str
    funding: str
    intended_use: str
    source_attributes: tuple[tuple[str, str], ...]
    services: tuple[ServiceText, ...]
    dose_classes: DoseClasses
    indications: frozenset[str]
    """Value sets that can be the reason for a drug."""
    signals: Mapping[str, frozenset[str]]
    """Value sets of conditions that tell of a drug in use, with its drug classes."""
    depot_durations: Mapping[str, Decimal]
    """Days that one injection of a depot acts, by ingredient."""
    longest_courses: Mapping[str, Decimal]
    """Days that an order covers at most which is over and names neither supply nor end, by its status."""
    references: tuple[Reference, ...]


def read_manifest(text: str, file: str, vocabulary: Vocabulary, reader: Reader) -> Manifest | None:
    """Read the manifest; `None` where it has a problem, which the reader then holds."""
    before = len(reader.problems)
    block = reader.file(text, file)
    manifest = _manifest(block, vocabulary, reader) if block else None
    return manifest if len(reader.problems) == before else None


def _manifest(block: Block, vocabulary: Vocabulary, reader: Reader) -> Manifest:
    reader.keys(block, "the manifest", REQUIRED, OPTIONAL)
    references = tuple(read_reference(entry, reader) for entry in reader.block(block.get("references"), "'references'") or ())
    return Manifest(
        id=reader.text(block, "id"),
        title=reader.text(block, "title"),
        version=_version(block, reader),
        released=reader.day(block.get("released"), "'released'"),
        revised=reader.day(block.get("revised"), "'revised'"),
        canonical=reader.https(block, "canonical").rstrip("/"),
        license=reader.text(block, "license"),
        developer=reader.text(block, "developer"),
        funding=reader.text(block, "funding"),
        intended_use=reader.text(block, "intended_use"),
        source_attributes=_source_attributes(block, reader),
        services=_services(block, reader),
        dose_classes=_dose_classes(block.get("dose_classes"), vocabulary, reader, references),
        indications=_indications(block, vocabulary, reader),
        signals=_signals(block, vocabulary, reader),
        depot_durations=_durations(tuple(reader.block(block.get("depot_durations"), "'depot_durations'") or ()), reader),
        longest_courses=_longest_courses(block.get("longest_courses"), reader, references),
        references=references,
    )


def _version(block: Block, reader: Reader) -> str:
    version, node = reader.text(block, "version"), block.get("version")
    if node and not _VERSION.fullmatch(version):
        reader.refuse(node.where, "RULE-008", f"'version' is year.month.number, such as 2026.11.0; found '{version}'")
    return version


def _source_attributes(block: Block, reader: Reader) -> tuple[tuple[str, str], ...]:
    node = reader.block(block.get("source_attributes"), "'source_attributes'")
    if node is not None and tuple(node.entries) != SOURCE_ATTRIBUTES:
        reader.refuse(node.where, "RULE-052", f"'source_attributes' holds, in this order: {', '.join(SOURCE_ATTRIBUTES)}")
    return tuple((entry.key, reader.text(node, entry.key)) for entry in node or () if node)


def _dose_classes(node: Located | None, vocabulary: Vocabulary, reader: Reader, references: Iterable[Reference]) -> DoseClasses:
    block = reader.block(node, "'dose_classes'")
    if block is None:
        return DoseClasses("", frozenset(), "", ())
    reader.keys(block, "'dose_classes'", ("for", "not_applicable", "depot_is", "bounds", "reference"))
    reader.word(block.get("reference"), "reference", [reference.id for reference in references], "RULE-010")
    not_applicable = block.get("not_applicable")
    return DoseClasses(
        drug=reader.word(block.get("for"), "drug class", vocabulary.drug_classes, "RULE-018"),
        not_applicable=reader.words(not_applicable, "drug class", vocabulary.drug_classes) if not_applicable else frozenset(),
        depot=reader.word(block.get("depot_is"), "dose class", FACTS["order.dose_class"].words, "RULE-018"),
        bounds=_bounds(block, reader),
    )


def _bounds(block: Block, reader: Reader) -> tuple[tuple[str, Decimal | None, bool], ...]:
    node = block.get("bounds")
    if node is None:
        return ()
    before = len(reader.problems)
    bounds = tuple(_bound(item, reader) for item in reader.sequence(node, "'bounds'"))
    limits = [limit for _, limit, _ in bounds]
    rises = all(low is not None and (high is None or low < high) for low, high in pairwise(limits))
    if len(reader.problems) == before and (not bounds or limits[-1] is not None or not rises):
        reader.refuse(node.where, "RULE-051", "the bounds of dose classes rise, and the last class has none")
    return bounds


def _bound(item: Located, reader: Reader) -> tuple[str, Decimal | None, bool]:
    block = reader.block(item, "a bound")
    if block is None:
        return "", None, False
    reader.keys(block, "a bound", ("class",), ("at_most", "below"))
    if {"at_most", "below"} <= set(block.entries):
        reader.refuse(block.where, "RULE-051", "a bound is either 'at_most' or 'below'")
    name = reader.word(block.get("class"), "dose class", FACTS["order.dose_class"].words, "RULE-018")
    node = block.get("at_most") or block.get("below")
    quantity = reader.quantity(node, "a bound") if node else None
    limit = in_unit(quantity, "mg/d") if quantity else None
    if node and quantity and limit is None:
        reader.refuse(node.where, "RULE-016", f"'{quantity.unit}' cannot be converted to 'mg/d'")
    return name, limit, "at_most" in block.entries


def _services(block: Block, reader: Reader) -> tuple[ServiceText, ...]:
    node = block.get("services")
    items = reader.sequence(node, "'services'") if node else ()
    services = [_service(item, reader) for item in items]
    return tuple(service for service in services if service)


def _service(item: Located, reader: Reader) -> ServiceText | None:
    block = reader.block(item, "a service")
    if block is None:
        return None
    reader.keys(block, "a service", ("id", "hook", "title", "description", "usage_requirements"))
    word = reader.word(block.get("hook"), "hook", HOOKS, "RULE-018")
    hook = next((name for name in HOOKS if name == word), HOOKS[0])
    texts = {name: reader.text(block, name) for name in ("id", "title", "description", "usage_requirements")}
    return ServiceText(texts["id"], hook, texts["title"], texts["description"], texts["usage_requirements"].strip())


def _indications(block: Block, vocabulary: Vocabulary, reader: Reader) -> frozenset[str]:
    node = block.get("indications")
    return reader.words(node, "value set", vocabulary.valuesets) if node else frozenset()


def _signals(block: Block, vocabulary: Vocabulary, reader: Reader) -> Mapping[str, frozenset[str]]:
    entries = tuple(reader.block(block.get("signals"), "'signals'") or ())
    for entry in entries:
        if entry.key not in vocabulary.valuesets:
            reader.refuse(entry.where, "RULE-018", f"no value set '{entry.key}'{nearest(entry.key, vocabulary.valuesets)}")
    return MappingProxyType({entry.key: reader.words(entry.value, "drug class", vocabulary.drug_classes) for entry in entries})


def _longest_courses(node: Located | None, reader: Reader, references: Iterable[Reference]) -> Mapping[str, Decimal]:
    block = reader.block(node, "'longest_courses'") if node else None
    if block is None:
        return MappingProxyType({})
    reader.keys(block, "'longest_courses'", ("reference",), STATUSES_OVER)
    reader.word(block.get("reference"), "reference", [reference.id for reference in references], "RULE-010")
    return _durations(tuple(entry for entry in block if entry.key != "reference"), reader)


def _durations(entries: tuple[Entry, ...], reader: Reader) -> Mapping[str, Decimal]:
    read = {entry.key: reader.quantity(entry.value, "a duration") for entry in entries}
    days = {name: in_unit(quantity, "d") for name, quantity in read.items() if quantity}
    for entry in entries:
        if entry.key in days and days[entry.key] is None:
            reader.refuse(entry.where, "RULE-016", f"'{entry.key}' is a time, such as 28 d")
    return MappingProxyType({name: value for name, value in days.items() if value is not None})
