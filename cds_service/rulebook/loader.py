"""Floor 4: reads one rule file into a Rule, noting every problem in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final, get_args

from cds_service.located import Block, Entry, Located, Sequence
from cds_service.quantities import same_dimension
from cds_service.rulebook.lines import SEVERITIES, LineReader, drug_classes_of
from cds_service.rulebook.reading import Reader
from cds_service.rulebook.types import FindingKind, Group, Reference, Rule, Severity, Status, Threshold
from cds_service.rulebook.vocabulary import Vocabulary

KINDS: Final[tuple[FindingKind, ...]] = get_args(FindingKind)
HOOKS: Final = ("order-select", "order-sign")
SITE_MAY: Final = ("raise", "lower", "nothing")
IF_UNKNOWN: Final = ("fire", "hold")
REQUIRED: Final = ("id", "title", "kind", "status", "version", "hooks", "about", "card", "when", "if_unknown", "references")
OPTIONAL: Final = ("priority", "severity", "says", "thresholds", "unless")
THRESHOLD_KEYS: Final = (("unit", "in_force", "reference"), ("site_may",))
REFERENCE_KEYS: Final = (("title", "checked"), ("section", "url", "published"))
_PRIORITY: Final = 100


def read_rule(text: str, file: str, vocabulary: Vocabulary, reader: Reader) -> Rule | None:
    """Read a rule file; `None` where it has a problem, which the reader then holds."""
    before = len(reader.problems)
    block = reader.file(text, file)
    rule = _RuleReader(reader, vocabulary).rule(block, PurePosixPath(file).stem) if block else None
    return rule if len(reader.problems) == before else None


def read_reference(entry: Entry, reader: Reader) -> Reference:
    """Read one reference; its key is its id."""
    block = reader.block(entry.value, "a reference")
    if block is None:
        return Reference(entry.key, "", date.min)
    reader.keys(block, "a reference", *REFERENCE_KEYS)
    published = block.get("published")
    return Reference(
        id=entry.key,
        title=reader.text(block, "title"),
        checked=reader.day(block.get("checked"), "'checked'"),
        section=reader.text(block, "section"),
        url=reader.https(block, "url"),
        published=reader.day(published, "'published'") if published else None,
    )


@dataclass(frozen=True, slots=True)
class _RuleReader:
    """Reads the parts of one rule file."""

    reader: Reader
    vocabulary: Vocabulary

    def rule(self, block: Block, name: str) -> Rule:
        reader = self.reader
        reader.keys(block, "a rule", REQUIRED, OPTIONAL)
        references = self._references(block)
        thresholds = self._thresholds(block, frozenset(reference.id for reference in references))
        lines = LineReader(reader, self.vocabulary, thresholds)
        unless = block.get("unless")
        when = lines.group(block.get("when"), "'when'")
        self._word(block, "about", ["order"])
        return Rule(
            id=reader.id(block, "id", name),
            title=reader.text(block, "title"),
            kind=self._kind(block),
            status=Status(self._word(block, "status", Status) or Status.DRAFT),
            version=reader.whole(block.get("version"), "'version'", 1),
            hooks=self._hooks(block),
            card=self._word(block, "card", self.vocabulary.cards, "RULE-009"),
            priority=reader.whole(block.get("priority"), "'priority'", _PRIORITY),
            severity=SEVERITIES.get(self._word(block, "severity", SEVERITIES), Severity.INFO),
            when=when,
            unless=lines.group(unless, "'unless'") if unless else Group(),
            if_unknown="fire" if self._word(block, "if_unknown", IF_UNKNOWN) == "fire" else "hold",
            thresholds=MappingProxyType(thresholds),
            references=references,
            where=block.where,
            says=reader.text(block, "says"),
            classes=drug_classes_of(when),
        )

    def _kind(self, block: Block) -> FindingKind:
        word = self._word(block, "kind", KINDS)
        return next((kind for kind in KINDS if kind == word), "other")

    def _word(self, block: Block, key: str, allowed: Iterable[str], code: str = "RULE-006") -> str:
        return self.reader.word(block.get(key), key, allowed, code)

    def _hooks(self, block: Block) -> frozenset[str]:
        node = block.get("hooks")
        if node is None:
            return frozenset()
        if node == Sequence((), node.where):
            self.reader.refuse(node.where, "RULE-019", "'hooks' lists nothing")
        return frozenset(self.reader.word(item, "hook", HOOKS) for item in self.reader.sequence(node, "'hooks'")) - {""}

    def _references(self, block: Block) -> tuple[Reference, ...]:
        node = block.get("references")
        references = self.reader.block(node, "'references'")
        if references is not None and not references.entries:
            self.reader.refuse(references.where, "RULE-010", "a rule rests on at least one reference")
        return tuple(read_reference(entry, self.reader) for entry in references or ())

    def _thresholds(self, block: Block, references: frozenset[str]) -> dict[str, Threshold]:
        thresholds = self.reader.block(block.get("thresholds"), "'thresholds'")
        read = (self._threshold(entry, references) for entry in thresholds or ())
        return {threshold.name: threshold for threshold in read if threshold}

    def _threshold(self, entry: Entry, references: frozenset[str]) -> Threshold | None:
        block = self.reader.block(entry.value, "a threshold")
        if block is None:
            return None
        self.reader.keys(block, "a threshold", *THRESHOLD_KEYS)
        site_may = self._word(block, "site_may", SITE_MAY)
        return Threshold(
            name=entry.key,
            unit=self._unit(block),
            in_force=self._in_force(block.entries.get("in_force")),
            reference=self.reader.word(block.get("reference"), "reference", references, "RULE-010"),
            site_may="raise" if site_may == "raise" else "lower" if site_may == "lower" else "nothing",
        )

    def _unit(self, block: Block) -> str:
        unit, node = self.reader.text(block, "unit"), block.get("unit")
        if node and unit and not same_dimension(unit, unit):
            self.reader.refuse(node.where, "RULE-013", f"no unit '{unit}'; write mg, mg/d, d or another unit of UCUM")
        return unit

    def _in_force(self, entry: Entry | None) -> tuple[tuple[date, Decimal], ...]:
        items = self.reader.sequence(entry.value, "'in_force'") if entry else ()
        values = tuple(value for item in items if (value := self._dated(item)))
        if entry and not items:
            self.reader.refuse(entry.where, "RULE-012", "'in_force' needs at least one value with its date")
        if entry and any(later[0] <= earlier[0] for earlier, later in pairwise(values)):
            self.reader.refuse(entry.where, "RULE-012", "the dates of 'in_force' rise, and none stands twice")
        return values

    def _dated(self, item: Located) -> tuple[date, Decimal] | None:
        block = self.reader.block(item, "a value in force")
        if block is None:
            return None
        self.reader.keys(block, "a value in force", ("from", "value"))
        return self.reader.day(block.get("from"), "'from'"), self.reader.number(block.get("value"), "'value'")
