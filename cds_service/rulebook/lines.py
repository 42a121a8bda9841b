"""Floor 4: reads `when:` and `unless:` into groups of typed lines, checked against the registry of facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal, get_args

from cds_service.errors import Location, nearest
from cds_service.facts.registry import FactKind
from cds_service.located import Block, Entry, Located, Scalar
from cds_service.quantities import Quantity, same_dimension
from cds_service.rulebook.operators import FITTING
from cds_service.rulebook.reading import Reader
from cds_service.rulebook.types import Alternative, Group, Line, Operand, Operator, Quantified, Severity, Threshold, ThresholdName
from cds_service.rulebook.vocabulary import EXPOSURE, ORDER, Subject, Vocabulary

SEVERITIES: Final[Mapping[str, Severity]] = {severity.word: severity for severity in Severity}
OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
_LABELS: Final = frozenset(["severity", "says"])


@dataclass(frozen=True, slots=True)
class LineReader:
    """Reads the groups of one rule, whose thresholds a line may name."""

    reader: Reader
    vocabulary: Vocabulary
    thresholds: Mapping[str, Threshold]

    def group(self, node: Located | None, what: str, subject: Subject = ORDER) -> Group:
        """Read a mapping of lines, `exposures:`, `any:` and `all:` that hold together."""
        block = self.reader.block(node, what)
        if block is None:
            return Group()
        return self._group(block, what, subject, frozenset())

    def _group(self, block: Block, what: str, subject: Subject, labels: frozenset[str]) -> Group:
        lines: list[Line | Quantified] = []
        sets: list[tuple[Alternative, ...]] = []
        tests = [entry for entry in block if entry.key not in labels]
        if not tests:
            self.reader.refuse(block.where, "RULE-019", f"{what} tests nothing")
        for entry in tests:
            if entry.key == "any":
                sets.append(self._alternatives(entry, subject))
            elif entry.key == "all":
                for group in self._together(entry, subject):
                    lines.extend(group.lines)
                    sets.extend(group.sets)
            elif entry.key == "exposures":
                lines.extend(self._exposures(entry, subject))
            else:
                lines.extend(self._lines(entry, subject))
        return Group(tuple(lines), sets[0] if sets else (), tuple(sets[1:]))

    def _alternatives(self, entry: Entry, subject: Subject) -> tuple[Alternative, ...]:
        items = self._listed(entry)
        return tuple(self._alternative(block, subject) for item in items if (block := self.reader.block(item, "an alternative")))

    def _alternative(self, block: Block, subject: Subject) -> Alternative:
        group = self._group(block, "an alternative", subject, _LABELS)
        severity = self.reader.word(block.get("severity"), "severity", SEVERITIES)
        return Alternative(group, block.where, SEVERITIES.get(severity), self.reader.text(block, "says"))

    def _together(self, entry: Entry, subject: Subject) -> tuple[Group, ...]:
        return tuple(self.group(item, "a group of `all`", subject) for item in self._listed(entry))

    def _listed(self, entry: Entry) -> tuple[Located, ...]:
        items = self.reader.sequence(entry.value, f"'{entry.key}'")
        if not items:
            self.reader.refuse(entry.where, "RULE-019", f"'{entry.key}' lists nothing")
        return items

    def _exposures(self, entry: Entry, subject: Subject) -> tuple[Quantified, ...]:
        if not subject.has_exposures:
            self.reader.refuse(entry.where, "RULE-021", "'exposures' cannot stand inside 'exposures'")
            return ()
        block = self.reader.block(entry.value, "'exposures'")
        if block is None:
            return ()
        members = tuple(block)
        if len(members) == 1 and members[0].key in {"some", "none"}:
            quantifier: Literal["some", "none"] = "some" if members[0].key == "some" else "none"
            group = self.group(members[0].value, f"'{quantifier}'", EXPOSURE)
            return (Quantified("exposures", quantifier, group, entry.where),)
        self.reader.refuse(entry.where, "RULE-021", "'exposures' holds either 'some' or 'none', and nothing else")
        return ()

    def _lines(self, entry: Entry, subject: Subject) -> tuple[Line, ...]:
        kind = self._kind(entry, subject)
        tests = self.reader.block(entry.value, f"the test of '{entry.key}'") if kind else None
        if kind is None or tests is None:
            return ()
        if not tests.entries:
            self.reader.refuse(entry.value.where, "RULE-019", f"'{entry.key}' is not tested for anything")
        return tuple(line for test in tests if (line := self._line(kind, test)))

    def _kind(self, entry: Entry, subject: Subject) -> FactKind | None:
        kind = subject.kinds.get(entry.key)
        if kind is None:
            self.reader.refuse(entry.where, "RULE-014", f"no fact '{entry.key}'{nearest(entry.key, subject.kinds)}")
        elif kind.type == "text":
            self.reader.refuse(entry.where, "RULE-020", f"'{entry.key}' is text for cards; rules cannot test it")
            return None
        return kind

    def _line(self, kind: FactKind, test: Entry) -> Line | None:
        fitting = FITTING[kind.type]
        operator = next((name for name in fitting if name == test.key), None)
        if operator is None:
            self._refuse_operator(kind, test, fitting)
            return None
        operand = self._operand(kind, operator, test)
        return None if operand is None else Line(kind.name, operator, operand, test.where)

    def _refuse_operator(self, kind: FactKind, test: Entry, fitting: tuple[Operator, ...]) -> None:
        if test.key in OPERATORS:
            hint = f"does not go with '{kind.name}' ({kind.type}); allowed: {', '.join(fitting)}"
            self.reader.refuse(test.where, "RULE-015", f"operator '{test.key}' {hint}")
        else:
            hint = nearest(test.key, fitting) or f"; allowed: {', '.join(fitting)}"
            self.reader.refuse(test.where, "RULE-015", f"no operator '{test.key}'{hint}")

    def _operand(self, kind: FactKind, operator: Operator, test: Entry) -> Operand | None:
        if operator == "is_known" or kind.type == "truth":
            return self.reader.truth(test.value, f"'{test.key}' of '{kind.name}'")
        if kind.type == "words":
            words = self.reader.words(test.value, f"word of '{kind.name}'", self.vocabulary.words_of(kind))
            return self._not_empty(words, test)
        if operator == "one_of":
            limits = (self._literal(kind, item) for item in self.reader.several(test.value))
            return self._not_empty(tuple(limit for limit in limits if limit), test)
        return self._limit(kind, test.value)

    def _not_empty(self, operand: Operand, test: Entry) -> Operand | None:
        if not operand and not self.reader.several(test.value):
            self.reader.refuse(test.where, "RULE-019", f"'{test.key}' lists nothing")
        return operand or None

    def _limit(self, kind: FactKind, node: Located) -> Operand | None:
        if isinstance(node, Scalar) and node.text.startswith("$"):
            return self._threshold(kind, node.text[1:], node.where)
        return self._literal(kind, node)

    def _threshold(self, kind: FactKind, name: str, where: Location) -> ThresholdName | None:
        threshold = self.thresholds.get(name)
        if threshold is None:
            hint = nearest(name, self.thresholds) or f"; the rule has: {', '.join(sorted(self.thresholds)) or 'none'}"
            self.reader.refuse(where, "RULE-017", f"no threshold '{name}'{hint}")
            return None
        self._convertible(kind, threshold.unit, where)
        return ThresholdName(name)

    def _literal(self, kind: FactKind, node: Located) -> Quantity | None:
        quantity = self.reader.quantity(node, f"the limit of '{kind.name}'")
        if quantity:
            self._convertible(kind, quantity.unit, node.where)
        return quantity

    def _convertible(self, kind: FactKind, unit: str, where: Location) -> None:
        if same_dimension(unit, unit) and not same_dimension(unit, kind.unit):
            self.reader.refuse(where, "RULE-016", f"'{unit}' cannot be converted to '{kind.unit}', the unit of '{kind.name}'")


def lines_of(*groups: Group, is_of_exposure: bool = False) -> Iterator[tuple[Line, bool]]:
    """Give every line of some groups in the order of evaluation, each with whether it speaks of an exposure."""
    for group in groups:
        for line in group.lines:
            if isinstance(line, Quantified):
                yield from lines_of(line.group, is_of_exposure=True)
            else:
                yield line, is_of_exposure
        for option in chain.from_iterable(group.sets):
            yield from lines_of(option.group, is_of_exposure=is_of_exposure)


def drug_classes_of(group: Group) -> frozenset[str]:
    """Return the drug classes of which the draft must have one for the group to hold; empty where it can hold for any."""
    wanted = [
        line.operand
        for line in group.lines
        if isinstance(line, Line) and line.fact == "order.drug" and line.operator != "none_in" and isinstance(line.operand, frozenset)
    ]
    for options in group.sets:
        each = [drug_classes_of(option.group) for option in options]
        if all(each):
            wanted.append(frozenset().union(*each))
    return min(wanted, key=len, default=frozenset())
