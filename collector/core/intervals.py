"""Pure: ranges of whole numbers, such as of time in ns, and the 95 % interval of a share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

# Of the standard normal distribution, for two-sided intervals of 90 and of 95 %.
Z90 = NormalDist().inv_cdf(0.95)
Z95 = NormalDist().inv_cdf(0.975)


def merge(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the intervals that cover the same numbers and neither overlap nor touch, ascending.

    Args:
        intervals: begin and end of each, in any order; no begin lies behind its end.
    """
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    return merged


def overlap(intervals: Iterable[tuple[int, int]], begin: int, end: int) -> int:
    """Return how much of [begin, end) intervals cover, none of which overlaps another."""
    inside = (min(until, end) - max(after, begin) for after, until in intervals)
    return sum(each for each in inside if each > 0)


def wilson(count: float, total: float) -> tuple[float, float]:
    """Return the 95 % interval of a share; effective numbers need not be whole.

    Source: Wilson (1927).
    """
    share, z2 = count / total, Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(0.0, centre - half), min(1.0, centre + half)
