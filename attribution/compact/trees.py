"""Pure: trees of decisions as few small columns, parents and classes resolved once.

What the kernels walk and what `path_columns` stores: per span a parent index, an offset, a
duration and one byte of traits; per decision where its stages begin. The order of the rows carries
what would otherwise be searched for again: a decision's spans lie by depth, siblings side by side
in the order in which the walk reads them backwards, equal ones by falling span id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from attribution.path.assemble import Trees
from attribution.path.critical_path import clip
from attribution.path.spans import Bools, Ints, Roots, Small

Words: TypeAlias = npt.NDArray[np.uint32]
Bytes: TypeAlias = npt.NDArray[np.uint8]

# Traits: the class in two bits, the stage as sent in three (0: the stamps decide), then one bit.
CLASS_BITS, STAGE_BITS, STAGE_SHIFT, BLOCKING_SHIFT = 3, 7, 2, 5
# 32 bits of nanoseconds: 4.29 s. A decision with a span beyond it is stored the long way too.
WORD_NS_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class CompactTrees:
    """Trees of many decisions. All times are relative to the first span of their decision."""

    first: Ints  # decisions + 1: where the spans of each begin; the root is the first
    parent: Words  # index within the decision; ascending, the root's own is 0
    offset_ns: Words | Ints  # start after the shift; Ints where one is longer than 4.29 s
    duration_ns: Words | Ints
    traits: Bytes
    bounds_ns: Ints  # 5 x decisions: where the four stages begin, and the end

    def __len__(self) -> int:
        return len(self.first) - 1


@dataclass(frozen=True, slots=True)
class Packed:
    """Compact trees, and what ties them to what they were made of."""

    trees: CompactTrees
    row: Ints  # index into Trees of each span
    base_ns: Ints  # of each decision: Unix ns from which its times count


def pack(
    trees: Trees, roots: Roots, bounds_ns: Ints, span_class: Small, sent_stage: Ints
) -> Packed:
    """Put trees into the compact order.

    Args:
        trees: as assembled.
        roots: the decisions.
        bounds_ns: where stages begin and the last ends, decisions x 5, as `budget.stage_bounds`.
        span_class: class of each span.
        sent_stage: stage that each span or an ancestor says, NONE where the stamps decide.
    """
    row = _order(trees, roots)
    count = np.bincount(trees.decision, minlength=len(roots))
    first = np.zeros(len(roots) + 1, np.int64)
    np.cumsum(count, out=first[1:])
    place = np.empty(len(row), np.int64)
    place[row] = np.arange(len(row))
    above = trees.parent[row]
    begin = first[trees.decision[row]]
    parent = np.where(above >= 0, place[above] - begin, 0) if len(row) else above

    start_ns = trees.start_ns[row]
    base_ns = roots.ingress_ns.copy()
    filled = np.flatnonzero(count)
    if len(filled):
        base_ns[filled] = np.minimum.reduceat(start_ns, first[filled])
    offset_ns = start_ns - base_ns[trees.decision[row]]
    duration_ns = (trees.end_ns - trees.start_ns)[row]
    traits = (
        span_class[row].astype(np.int64)
        | (sent_stage[row] + 1) << STAGE_SHIFT
        | trees.is_blocking[row].astype(np.int64) << BLOCKING_SHIFT
    )
    return Packed(
        CompactTrees(
            first=first,
            parent=parent.astype(np.uint32),
            offset_ns=_narrow(offset_ns),
            duration_ns=_narrow(duration_ns),
            traits=traits.astype(np.uint8),
            bounds_ns=np.ascontiguousarray((bounds_ns - base_ns[:, None]).T),
        ),
        row,
        base_ns,
    )


def no_trees() -> CompactTrees:
    """Return the trees of no decisions."""
    none = np.empty(0, np.uint32)
    return CompactTrees(
        np.zeros(1, np.int64), none, none, none, none.astype(np.uint8), np.empty((5, 0), np.int64)
    )


def is_long(trees: CompactTrees) -> Bools:
    """Return which decisions have a time that does not fit into 32 bits."""
    beyond = (trees.offset_ns > WORD_NS_MAX) | (trees.duration_ns > WORD_NS_MAX)
    total = np.zeros(len(beyond) + 1, np.int64)
    np.cumsum(beyond, out=total[1:])
    longer: Bools = total[trees.first[1:]] > total[trees.first[:-1]]
    return longer


def _order(trees: Trees, roots: Roots) -> Ints:
    """Return rows by decision, depth, parent, and clipped end and start within its children."""
    start, end, _, _ = clip(
        trees.parent,
        trees.levels,
        trees.start_ns,
        trees.end_ns,
        trees.is_blocking,
        roots.ingress_ns[trees.decision],
    )
    # The smallest span id of equals is read first, and the walk reads backwards.
    rank = np.empty(len(trees), np.int64)
    depth = np.zeros(len(trees), np.int64)
    top = trees.levels[0]
    rank[top] = trees.decision[top]
    for level, rows in enumerate(trees.levels[1:], 1):
        order = np.lexsort((~trees.span_id[rows], start[rows], end[rows], rank[trees.parent[rows]]))
        rank[rows[order]] = np.arange(len(rows))
        depth[rows] = level
    return np.lexsort((rank, depth, trees.decision))


def _narrow(values: Ints) -> Words | Ints:
    return values if int(values.max(initial=0)) > WORD_NS_MAX else values.astype(np.uint32)
