"""Floor 4: reads case files: patients in a few facts, and what the rule must say of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final, Literal

from cds_service.errors import Location, nearest
from cds_service.facts.registry import EXPOSURES, FACTS, Fact, FactKind, Item, OrderFacts, Value
from cds_service.located import Block, Entry, Located, Scalar
from cds_service.quantities import QuantityRange, parse_quantity, same_dimension
from cds_service.rulebook.lines import SEVERITIES
from cds_service.rulebook.operators import NOT_GIVEN, converted
from cds_service.rulebook.reading import Reader
from cds_service.rulebook.types import Severity
from cds_service.rulebook.vocabulary import Vocabulary
from cds_service.unknown import Unknown

LACK: Final = ("conditions", "history", "medications", "patient")
"""Kinds of data that `lacks` and `missing` can name."""
SUBJECTS: Final = ("order", "data", "patient")
STATED: Final = "stated-unknown"
"""The reason of a fact that a case gives as `unknown` without a reason of its own."""
State = Literal["fired", "quiet", "held", "incomplete"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the rule must answer; `says` and `is_certain` are compared only where given (not `None`)."""

    state: State
    severity: Severity | None = None
    says: str | None = None
    is_certain: bool | None = None
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Case:
    """One case: `given` are the paths of the facts that it gives, `because` those of which each decides."""

    rule: str
    name: str
    today: date
    facts: OrderFacts
    expect: Expectation
    because: tuple[str, ...]
    given: frozenset[str]
    where: Location


def read_cases(text: str, file: str, rules: frozenset[str], vocabulary: Vocabulary, reader: Reader) -> tuple[Case, ...]:
    """Read a case file that stands beside `rules`; problems are noted, and the cases then not to be run."""
    block = reader.file(text, file)
    if block is None:
        return ()
    reader.keys(block, "a case file", ("rule", "today", "cases"))
    rule = reader.id(block, "rule", PurePosixPath(file).name.removesuffix(".test.yaml"))
    entry = block.entries.get("rule")
    if entry and rule and rule not in rules:
        reader.refuse(entry.value.where, "RULE-030", f"no rule '{rule}'{nearest(rule, rules)}")
    today = reader.day(block.get("today"), "'today'")
    cases = _CaseReader(reader, vocabulary, rule, today).cases(block.get("cases"))
    return tuple(cases)


@dataclass(frozen=True, slots=True)
class _CaseReader:
    """Reads the cases of one file."""

    reader: Reader
    vocabulary: Vocabulary
    rule: str
    today: date

    def cases(self, node: Located | None) -> Iterator[Case]:
        names: set[str] = set()
        for item in self.reader.sequence(node, "'cases'"):
            case = self._case(item)
            if case and case.name in names:
                self.reader.refuse(case.where, "RULE-033", f"two cases are named '{case.name}'")
            if case:
                names.add(case.name)
                yield case

    def _case(self, item: Located) -> Case | None:
        block = self.reader.block(item, "a case")
        if block is None:
            return None
        self.reader.keys(block, "a case", ("name", "facts", "expect"), ("because", "today"))
        facts = self.reader.block(block.get("facts"), "'facts'")
        today = block.get("today")
        given = frozenset(_paths(facts)) if facts else frozenset()
        return Case(
            rule=self.rule,
            name=self.reader.text(block, "name"),
            today=self.reader.day(today, "'today'") if today else self.today,
            facts=self._facts(facts),
            expect=self._expectation(block.get("expect")),
            because=self._because(block.get("because"), given),
            given=given,
            where=block.where,
        )

    def _facts(self, block: Block | None) -> OrderFacts:
        if block is None:
            return OrderFacts("MedicationRequest/case", MappingProxyType({}))
        self.reader.keys(block, "'facts'", (), (*SUBJECTS, "exposures", "lacks"))
        facts: dict[str, Fact] = {name: Fact(NOT_GIVEN) for name in FACTS}
        for subject in SUBJECTS:
            members = self.reader.block(block.get(subject), f"'{subject}'")
            facts.update(self._members(members, FACTS, f"{subject}.") if members else {})
        exposures = tuple(self._exposure(item) for item in self.reader.sequence(block.get("exposures"), "'exposures'"))
        lacks = block.get("lacks")
        missing = self.reader.words(lacks, "kind of data", LACK, "RULE-006") if lacks else frozenset()
        return OrderFacts("MedicationRequest/case", MappingProxyType(facts), exposures, tuple(sorted(missing)))

    def _exposure(self, node: Located) -> Item:
        block = self.reader.block(node, "an exposure")
        given = self._members(block, EXPOSURES, "") if block else {}
        return MappingProxyType({**{name: Fact(NOT_GIVEN) for name in EXPOSURES}, **given})

    def _members(self, block: Block, kinds: Mapping[str, FactKind], prefix: str) -> dict[str, Fact]:
        return {f"{prefix}{entry.key}": fact for entry in block if (fact := self._fact(entry, kinds, prefix))}

    def _fact(self, entry: Entry, kinds: Mapping[str, FactKind], prefix: str) -> Fact | None:
        kind = kinds.get(f"{prefix}{entry.key}")
        if kind is None:
            hint = nearest(f"{prefix}{entry.key}", kinds)
            self.reader.refuse(entry.where, "RULE-014", f"no fact '{prefix}{entry.key}'{hint}")
            return None
        unknown = self._unknown(entry.value, kind)
        value = self._value(entry.value, kind) if unknown is None else unknown
        return None if value is None else Fact(value)

    def _unknown(self, node: Located, kind: FactKind) -> Unknown | None:
        """Read `unknown`, or `{unknown: reason, missing: kind}`; the word alone is a value of facts that have such a word."""
        if isinstance(node, Block):
            self.reader.keys(node, f"'{kind.name}'", ("unknown",), ("missing",))
            missing = self.reader.word(node.get("missing"), "kind of data", LACK)
            return Unknown(self.reader.text(node, "unknown") or STATED, missing)
        is_stated = isinstance(node, Scalar) and node.text == "unknown" and "unknown" not in kind.words
        return Unknown(STATED) if is_stated else None

    def _value(self, node: Located, kind: FactKind) -> Value | None:
        if kind.type == "truth":
            return self.reader.truth(node, f"'{kind.name}'")
        if kind.type == "words":
            return self.reader.words(node, f"word of '{kind.name}'", self.vocabulary.words_of(kind))
        scalar = self.reader.scalar(node, f"'{kind.name}'")
        if kind.type == "text" or scalar is None:
            return scalar.text if scalar else None
        return self._range(scalar, kind)

    def _range(self, scalar: Scalar, kind: FactKind) -> QuantityRange | None:
        """Read "4.5 mg/d" or "1.5 to 3 mg/d" into the unit of the fact."""
        low, separator, high = scalar.text.partition(" to ")
        upper = parse_quantity(high if separator else low)
        lower = parse_quantity(f"{low} {upper.unit}") if upper and separator else upper
        if upper is None or lower is None or lower.value > upper.value:
            message = f"'{scalar.text}' is no quantity; write 4.5 mg/d, 1.5 to 3 mg/d or unknown"
            self.reader.refuse(scalar.where, "RULE-031", message)
            return None
        if not same_dimension(upper.unit, kind.unit):
            message = f"'{upper.unit}' cannot be converted to '{kind.unit}', the unit of '{kind.name}'"
            self.reader.refuse(scalar.where, "RULE-016", message)
        return converted(QuantityRange(lower.value, upper.value, upper.unit), kind.unit)

    def _because(self, node: Located | None, given: frozenset[str]) -> tuple[str, ...]:
        paths = []
        for item in self.reader.several(node) if node else ():
            scalar = self.reader.scalar(item, "'because'")
            if scalar and scalar.text not in given:
                hint = nearest(scalar.text, given) or f"; it gives: {', '.join(sorted(given))}"
                self.reader.refuse(scalar.where, "RULE-034", f"the case does not give '{scalar.text}'{hint}")
            elif scalar:
                paths.append(scalar.text)
        return tuple(paths)

    def _expectation(self, node: Located | None) -> Expectation:
        if isinstance(node, Scalar) and node.text == "quiet":
            return Expectation("quiet")
        if isinstance(node, Scalar) and node.text == "held":
            return Expectation("held")
        if isinstance(node, Block) and "incomplete" in node.entries:
            self.reader.keys(node, "'expect'", ("incomplete",))
            return Expectation("incomplete", lacks=self.reader.words(node.entries["incomplete"].value, "kind of data", LACK, "RULE-006"))
        if isinstance(node, Block) and "fires" in node.entries:
            return self._fires(node)
        if node is not None:
            message = "'expect' is quiet, held, {fires: warning} or {incomplete: [medications]}"
            self.reader.refuse(node.where, "RULE-032", message)
        return Expectation("quiet")

    def _fires(self, block: Block) -> Expectation:
        self.reader.keys(block, "'expect'", ("fires",), ("says", "certain"))
        severity = SEVERITIES.get(self.reader.word(block.get("fires"), "severity", SEVERITIES))
        says = self.reader.text(block, "says") if block.get("says") else None
        certain = block.get("certain")
        return Expectation("fired", severity, says, self.reader.truth(certain, "'certain'") if certain else None)


def _paths(facts: Block) -> Iterator[str]:
    """Give the path of every fact that a case gives: "order.route", "exposures.0.is_current", "lacks"."""
    for entry in facts:
        if entry.key == "lacks":
            yield "lacks"
        elif isinstance(entry.value, Block):
            yield from (f"{entry.key}.{member.key}" for member in entry.value)
        elif not isinstance(entry.value, Scalar):
            blocks = ((number, item) for number, item in enumerate(entry.value.items) if isinstance(item, Block))
            yield from (f"exposures.{number}.{member.key}" for number, block in blocks for member in block)
