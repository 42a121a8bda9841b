"""Floor 4: how a group of tests stands for one order, from false over two sorts of unknown to true (see operators)."""

from collections.abc import Iterator, Mapping

from cds_service.facts.registry import Fact, OrderFacts
from cds_service.rulebook.operators import FALSE, LACKING, MAYBE, NOT_GIVEN, TRUE, Limits, negated, standing
from cds_service.rulebook.types import Alternative, Group, Line, Quantified
from cds_service.unknown import Unknown

Facts = Mapping[str, Fact]
"""The facts of an order, or the attributes of one exposure."""


def standing_of(group: Group, facts: Facts, order: OrderFacts, limits: Limits) -> int:
    """All lines hold together, and one alternative of each set: as little as the least of them."""
    least = TRUE
    for line in group.lines:
        found = line_standing(line, facts, order, limits)
        if found < least:
            if found == FALSE:
                return FALSE
            least = found
    for options in group.sets:
        least = min(least, best_of(options, facts, order, limits))
    return least


def best_of(options: tuple[Alternative, ...], facts: Facts, order: OrderFacts, limits: Limits) -> int:
    """One alternative holds: as much as the most of them."""
    most = FALSE
    for option in options:
        found = standing_of(option.group, facts, order, limits)
        if found == TRUE:
            return TRUE
        most = max(most, found)
    return most


def line_standing(line: Line | Quantified, facts: Facts, order: OrderFacts, limits: Limits) -> int:
    """Answer one test, or one question about the list of exposures.

    An exposure is itself there: what is unknown of it, whatever the cause, is an attribute.
    """
    if isinstance(line, Quantified):
        return _quantified(line, order, limits)
    fact = facts.get(line.fact)
    found = standing(line, NOT_GIVEN if fact is None else fact.value, limits)
    return MAYBE if found == LACKING and facts is not order.facts else found


def lacks_of(group: Group, facts: Facts, order: OrderFacts, limits: Limits) -> Iterator[str]:
    """Give the kinds of data for want of which a group stands at LACKING."""
    for line in group.lines:
        if line_standing(line, facts, order, limits) == LACKING:
            yield from order.exposures_lack if isinstance(line, Quantified) else _missing(facts[line.fact])
    for options in group.sets:
        if best_of(options, facts, order, limits) == LACKING:
            for option in options:
                yield from lacks_of(option.group, facts, order, limits)


def _quantified(line: Quantified, order: OrderFacts, limits: Limits) -> int:
    some = max((standing_of(line.group, item, order, limits) for item in order.exposures), default=FALSE)
    if some == FALSE and order.exposures_lack:
        some = LACKING
    return some if line.quantifier == "some" else negated(some)


def _missing(fact: Fact) -> tuple[str, ...]:
    return (fact.value.missing,) if isinstance(fact.value, Unknown) else ()
