"""Pure: intervals of whole numbers, such as ranges of time in nanoseconds."""

from __future__ import annotations

from collections.abc import Iterable


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
