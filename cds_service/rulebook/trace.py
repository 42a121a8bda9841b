"""Floor 4: writes down how a rule came to its answer, line by line, for `evaluate --explain` and for case files."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cds_service.errors import Location
from cds_service.facts.registry import Fact, OrderFacts
from cds_service.rulebook.operators import NOT_GIVEN, TRUTHS, Limits, asked, found
from cds_service.rulebook.standings import Facts, best_of, line_standing, standing_of
from cds_service.rulebook.types import Alternative, Group, Line, Quantified, Rule, TraceLine

_NOT_GIVEN: Final = Fact(NOT_GIVEN)


def trace_of(rule: Rule, order: OrderFacts, limits: Limits) -> tuple[TraceLine, ...]:
    """Trace `when` and `unless` of a rule in full, also what the answer did not hang on."""
    trace = _Trace(order, limits)
    return (*trace.part("when", rule.when, rule), *trace.part("unless", rule.unless, rule))


@dataclass(frozen=True, slots=True)
class _Trace:
    """What every line of one trace has in common."""

    order: OrderFacts
    limits: Limits

    def part(self, name: str, group: Group, rule: Rule) -> Iterator[TraceLine]:
        if group != Group():
            answer = standing_of(group, self.order.facts, self.order, self.limits)
            yield self._head(0, name, answer, rule.where)
            yield from self._group(group, self.order.facts, 1)

    def _group(self, group: Group, facts: Facts, depth: int) -> Iterator[TraceLine]:
        for line in group.lines:
            yield from self._quantified(line, depth) if isinstance(line, Quantified) else self._line(line, facts, depth)
        for options in group.sets:
            yield self._head(depth, "any of", best_of(options, facts, self.order, self.limits), options[0].where)
            for option in options:
                yield from self._alternative(option, facts, depth + 1)

    def _line(self, line: Line, facts: Facts, depth: int) -> Iterator[TraceLine]:
        fact = facts.get(line.fact, _NOT_GIVEN)
        answer = TRUTHS[line_standing(line, facts, self.order, self.limits)]
        yield TraceLine(depth, asked(line, self.limits), answer, found(fact.value), fact.rests_on, line.where)

    def _alternative(self, option: Alternative, facts: Facts, depth: int) -> Iterator[TraceLine]:
        labels = (option.severity.word if option.severity else "", option.says)
        name = " ".join(("alternative", *filter(None, labels)))
        yield self._head(depth, name, standing_of(option.group, facts, self.order, self.limits), option.where)
        yield from self._group(option.group, facts, depth + 1)

    def _quantified(self, line: Quantified, depth: int) -> Iterator[TraceLine]:
        count = f"{len(self.order.exposures)} known"
        lack = f"; lacking: {', '.join(self.order.exposures_lack)}" if self.order.exposures_lack else ""
        answer = TRUTHS[line_standing(line, self.order.facts, self.order, self.limits)]
        yield TraceLine(depth, f"{line.quantifier} exposure", answer, count + lack, (), line.where)
        for number, item in enumerate(self.order.exposures):
            yield self._head(depth + 1, f"exposure {number}", standing_of(line.group, item, self.order, self.limits), line.where)
            yield from self._group(line.group, item, depth + 2)

    def _head(self, depth: int, name: str, answer: int, where: Location) -> TraceLine:
        return TraceLine(depth, name, TRUTHS[answer], "", (), where)
