"""Pure: what each class earned in the window that ends with a second.

A window has no bound, and what is in it may be beyond 64 bits. Whole numbers are added up in
halves, whose sums are not, so a mean is exact however much comes in and leaves again.
"""

from __future__ import annotations

import numpy as np

from attribution.path.spans import Ints
from attribution.revenue.loss import Cells
from attribution.revenue.sums import EarnedInCells, Floats

_HALF_BITS = 32


def earned_in_window(
    cells: Cells,
    before: Ints,
    leaving_second_ns: Ints,
    leaving_group: Ints,
    leaving: Ints,
    window_ns: int,
) -> EarnedInCells:
    """Return what each cell's class earned in the window that ends with the cell's second.

    Args:
        cells: every cell from one second on, without a gap.
        before: groups x columns in halves, what each class earned in the window that ends before
            that second.
        leaving_second_ns: seconds of that window's cells, which leave it as time goes on.
        leaving_group: ... their classes.
        leaving: ... and what they earned, cells x columns.
        window_ns: length of the window.
    """
    instants = np.concatenate([leaving_second_ns + window_ns, cells.second_ns])
    group = np.concatenate([leaving_group, cells.group])
    change = halves(np.concatenate([-leaving, cells.earned.matrix()]))
    is_cell = np.arange(len(instants)) >= len(leaving)
    order = np.lexsort((is_cell, instants, group))
    running = np.cumsum(change[order], axis=0)
    sorted_group = group[order]
    first = np.searchsorted(sorted_group, sorted_group)
    running = running - running[first] + change[order][first] + before[sorted_group]
    result = np.empty_like(running)
    result[order] = running
    return EarnedInCells.from_matrix(whole(result[len(leaving) :]))


def halves(values: Ints) -> Ints:
    """Return each number as two, whose sums stay in 64 bits where that of numbers may not."""
    return np.stack([values >> _HALF_BITS, values & ((1 << _HALF_BITS) - 1)], axis=-1)


def whole(values: Ints) -> Floats:
    """Return what numbers are whose halves are in the last axis."""
    high, low = np.moveaxis(values.astype(np.float64), -1, 0)
    result: Floats = high * 2.0**_HALF_BITS + low
    return result
