"""Floor 7: what codes, ingredients and names say of one product, brought together without losing an opioid on the way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from cds_service.fhir.terminology import MatchedBy
from cds_service.terminology.drugs import Combination, Drug, Level
from cds_service.terminology.names import combined


@dataclass(frozen=True, slots=True)
class Source:
    """The drugs that one kind of evidence speaks of, and the look-alikes and partners that it mentions."""

    kind: MatchedBy
    drugs: tuple[Drug, ...]
    mentioned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The drug that the best evidence tells; `strangers` are those that other evidence names instead."""

    kind: MatchedBy
    main: Drug
    classes: frozenset[str]
    strangers: tuple[Drug, ...] = ()
    contradicts: bool = False


def judge(sources: Sequence[Source], combinations: Mapping[frozenset[str], Combination]) -> Verdict | None:
    """Let the first source that names a drug decide, and add from the others what is more exact or speaks against it.

    Where two sources name different drugs the classes of both are kept: a check too many is told apart by a reader in
    seconds, a check too few by nobody.
    """
    told = [(source.kind, drug) for source in sources for drug in _joined(source, combinations) if drug.classes]
    if not told:
        return None
    kind = told[0][0]
    main = max((drug for here, drug in told if here == kind), key=lambda drug: drug.rank)
    main = _closer(main, [drug for _, drug in told])
    start = Verdict(kind, main, main.classes)
    return reduce(_weigh, sorted((drug for _, drug in told), key=lambda drug: drug.rank), start)


def _joined(source: Source, combinations: Mapping[frozenset[str], Combination]) -> tuple[Drug, ...]:
    """Make one product of two ingredients that the tables know as a combination, where no product is told.

    Names are joined where they are read: two drugs in one text may be a product and a remark.
    """
    if source.kind == "name" or any(drug.level > Level.INGREDIENT for drug in source.drugs):
        return source.drugs
    here = {drug.ingredient for drug in source.drugs} | source.mentioned
    for pair, combination in combinations.items():
        if pair <= here:
            product = combined(combination.main, combination.other, combination.classes)
            return (product, *(drug for drug in source.drugs if drug.ingredient not in pair))
    return source.drugs


def _closer(main: Drug, drugs: Iterable[Drug]) -> Drug:
    """Take a drug that says the same and more, where the best evidence tells a family or an ingredient alone."""
    if main.level is Level.STRENGTH:
        return main
    better = [
        drug for drug in drugs if drug.level > main.level and main.classes <= drug.classes and main.ingredient in {drug.ingredient, ""}
    ]
    return max(better, key=lambda drug: drug.rank, default=main)


def _weigh(verdict: Verdict, drug: Drug) -> Verdict:
    """Weigh one further drug: nothing new, a product of the same ingredient that differs, or a stranger."""
    main = verdict.main
    if drug.ingredient == main.ingredient or (drug.ingredient in main.ingredients and main.level >= Level.PRODUCT):
        differs = drug.level >= Level.PRODUCT and not drug.classes <= main.classes
        return replace(verdict, contradicts=True) if differs else verdict
    if not drug.ingredient and drug.classes <= verdict.classes:
        return verdict
    return replace(verdict, classes=verdict.classes | drug.classes, strangers=(*verdict.strangers, drug), contradicts=True)
