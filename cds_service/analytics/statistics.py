"""Floor 7: the little statistics that small counts need: a confidence interval of a share, and tails of the binomial distribution."""

import math
from collections.abc import Iterable
from typing import Final

_Z: Final = 1.959963984540054
"""The 97.5 % point of the normal distribution, for intervals of 95 %."""
_NEGLIGIBLE: Final = 1e-17


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share by Wilson's score, which holds for small counts too; (0, 1) for no count at all."""
    if whole == 0:
        return 0.0, 1.0
    share, spread = part / whole, _Z * _Z / whole
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / whole + spread / (4 * whole)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def at_most(successes: int, tries: int, chance: float) -> float:
    """Return how likely a binomial count is to be so small or smaller."""
    if successes >= tries:
        return 1.0
    return _sum(_terms(range(successes, -1, -1), tries, chance))


def at_least(successes: int, tries: int, chance: float) -> float:
    """Return how likely a binomial count is to be so large or larger."""
    if successes <= 0:
        return 1.0
    return _sum(_terms(range(successes, tries + 1), tries, chance))


def _terms(counts: Iterable[int], tries: int, chance: float) -> Iterable[float]:
    if chance <= 0 or chance >= 1:
        sure = 0 if chance <= 0 else tries
        return (1.0 if count == sure else 0.0 for count in counts)
    ways, yes, no = math.lgamma(tries + 1), math.log(chance), math.log1p(-chance)
    return (
        math.exp(ways - math.lgamma(count + 1) - math.lgamma(tries - count + 1) + count * yes + (tries - count) * no) for count in counts
    )


def _sum(terms: Iterable[float]) -> float:
    """Add the terms of a tail, from the middle outwards, until what follows no longer matters."""
    total, before = 0.0, 0.0
    for term in terms:
        total += term
        if term < before and term < _NEGLIGIBLE * total:
            break
        before = term
    return min(1.0, total)
