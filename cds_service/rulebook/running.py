"""Floor 4: runs cases, for `cds-service test`, `cds-service check` and pytest alike, and asks whether a case shows anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, combinations_with_replacement
from types import MappingProxyType
from typing import Final

from cds_service.errors import Problem
from cds_service.facts.registry import EXPOSURES, FACTS, Fact, FactKind, Item, OrderFacts, Value
from cds_service.quantities import exactly, in_unit
from cds_service.rulebook.cases import LACK, Case, Expectation
from cds_service.rulebook.evaluation import evaluate
from cds_service.rulebook.lines import lines_of
from cds_service.rulebook.operators import limits_of
from cds_service.rulebook.types import Outcome, Rule
from cds_service.unknown import Unknown

_OTHER: Final = Unknown("changed-to-see")


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of a case; `indecisive` are the facts under `because` that can change without changing the answer."""

    case: Case
    outcome: Outcome
    indecisive: tuple[str, ...]

    @property
    def is_as_expected(self) -> bool:
        """The rule answered as the case expects."""
        return meets(self.outcome, self.case.expect)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What a person must mend: RULE-060 and RULE-061."""
        case = self.case
        if not self.is_as_expected:
            message = f"case '{case.name}': expected {expected_text(case.expect)}; the rule says {answer_text(self.outcome)}"
            return (Problem(case.where, "RULE-060", message),)
        return tuple(
            Problem(case.where, "RULE-061", f"case '{case.name}': the answer stays the same whatever '{path}' is")
            for path in self.indecisive
        )


def run_cases(rule: Rule, cases: tuple[Case, ...]) -> tuple[CaseResult, ...]:
    """Run the cases of a rule, each with its full trace."""
    return tuple(_run(rule, case) for case in cases)


def meets(outcome: Outcome, expect: Expectation) -> bool:
    """Compare an outcome with an expectation; what the expectation does not name is not compared."""
    if outcome.state != expect.state or expect.lacks != frozenset(outcome.lacks):
        return False
    finding = outcome.finding
    if finding is None:
        return True
    return finding.severity == expect.severity and expect.says in (None, finding.says) and expect.is_certain in (None, finding.is_certain)


def expected_text(expect: Expectation) -> str:
    """Write an expectation as a case file does."""
    if expect.state == "incomplete":
        return f"incomplete: [{', '.join(sorted(expect.lacks))}]"
    if expect.severity is None:
        return expect.state
    says = f", says: {expect.says}" if expect.says is not None else ""
    certain = f", certain: {str(expect.is_certain).lower()}" if expect.is_certain is not None else ""
    return f"{{fires: {expect.severity.word}{says}{certain}}}"


def answer_text(outcome: Outcome) -> str:
    """Write an outcome as a case file would."""
    finding = outcome.finding
    if finding is None:
        return expected_text(Expectation(outcome.state, lacks=frozenset(outcome.lacks)))
    return expected_text(Expectation("fired", finding.severity, finding.says, finding.is_certain))


def _run(rule: Rule, case: Case) -> CaseResult:
    outcome = evaluate(rule, case.facts, case.today, trace=True)
    answer = answer_text(outcome)
    indecisive = (path for path in case.because if not _decides(rule, case, path, answer))
    return CaseResult(case, outcome, tuple(indecisive))


def _decides(rule: Rule, case: Case, path: str, answer: str) -> bool:
    """Tell whether some other value of a fact gives another answer."""
    return any(answer_text(evaluate(rule, changed, case.today)) != answer for changed in _changed(rule, case, path))


def _changed(rule: Rule, case: Case, path: str) -> Iterator[OrderFacts]:
    facts = case.facts
    if path == "lacks":
        yield from (replace(facts, exposures_lack=lacks) for lacks in ((), LACK) if lacks != facts.exposures_lack)
    elif path.startswith("exposures."):
        number, name = path.removeprefix("exposures.").split(".")
        for value in _other_values(rule, EXPOSURES[name], case):
            yield replace(facts, exposures=_with_item(facts.exposures, int(number), name, value))
    else:
        for value in _other_values(rule, FACTS[path], case):
            yield replace(facts, facts=_with(facts.facts, path, value))


def _with_item(items: tuple[Item, ...], number: int, name: str, value: Value) -> tuple[Item, ...]:
    return tuple(_with(item, name, value) if place == number else item for place, item in enumerate(items))


def _with(facts: Mapping[str, Fact], name: str, value: Value) -> Mapping[str, Fact]:
    return MappingProxyType({**facts, name: Fact(value)})


def _other_values(rule: Rule, kind: FactKind, case: Case) -> Iterator[Value]:
    """Give values that make every test of the fact true and false; an unknown one only where the rule asks for that.

    Unknown in place of a value would change nearly every answer, and so show nothing.
    """
    tests = [line for line, _ in lines_of(rule.when, rule.unless) if line.fact == kind.name]
    if any(line.operator == "is_known" for line in tests):
        yield _OTHER
    if kind.type == "truth":
        yield from (True, False)
    if kind.type == "quantity":
        yield exactly(1, kind.unit)
    if kind.type == "words":
        yield from _other_words([line.operand for line in tests if isinstance(line.operand, frozenset)])
    limits = {name: threshold.on(case.today) for name, threshold in rule.thresholds.items()}
    for limit in chain.from_iterable(limits_of(line.operand, limits) for line in tests):
        value = in_unit(limit, kind.unit) or Decimal(0)
        yield from (exactly(value + step, kind.unit) for step in (-1, 0, 1))


def _other_words(tested: list[frozenset[str]]) -> Iterator[frozenset[str]]:
    """Give no word, each word alone, each test's words together, and any two tests' words together."""
    yield frozenset()
    yield from (frozenset((word,)) for word in sorted(frozenset().union(*tested)))
    yield from (one | other for one, other in combinations_with_replacement(tested, 2))
