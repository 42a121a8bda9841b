"""Floor 7: how long answers took, as a histogram whose bands are a fifth wide, so that days and clients can be added up."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from cds_service.unknown import Unknown

BOUNDS: Final = tuple(round(0.5 * 2 ** (step / 4), 3) for step in range(72))
"""Milliseconds at which a band ends and the next begins, from 0.5 ms to about 110 s; band 0 lies below the first, the last above all."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and 95th percentile in milliseconds, as near as the bands of the histogram allow (a tenth); unknown without answers."""

    median: float | Unknown
    p95: float | Unknown


def band_of(ms: float) -> int:
    """Return the band that a number of milliseconds falls into."""
    return bisect_right(BOUNDS, ms)


def latency(histogram: Mapping[int, int]) -> Latency:
    """Read median and 95th percentile from the numbers of answers by band."""
    return Latency(_quantile(histogram, 0.5), _quantile(histogram, 0.95))


def _quantile(histogram: Mapping[int, int], share: float) -> float | Unknown:
    """Find where so many of the answers lie below, in equal ratios within the band."""
    bands = sorted(band for band, number in histogram.items() if number)
    if not bands:
        return Unknown("no-answers")
    below = list(accumulate(histogram[band] for band in bands))
    wanted = share * below[-1]
    place = next(n for n, total in enumerate(below) if total >= wanted)
    band, within = bands[place], 1 - (below[place] - wanted) / histogram[bands[place]]
    low, high = BOUNDS[max(band - 1, 0)], BOUNDS[min(band, len(BOUNDS) - 1)]
    return round(low * math.exp(within * math.log(high / low)), 1)
