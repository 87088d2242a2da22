"""Pure: trees -> the critical path, by the last child that finished.

From the end of a span backwards: the child that ended last was waited for; go on from its start.
What no chosen child covers is the span's self time. The sections of a decision tile it from its
(clipped) root start to its root end, so they sum to it exactly. Integer nanoseconds throughout:
no float ever holds a time.

Source: the walk of CRISP (Uber) and of Jaeger's critical path, with `<=`, so that two children
that touch are both on the path, and with ties broken by end, start and span id.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attribution.path.assemble import Trees
from attribution.path.spans import Bools, Ids, Ints, Roots


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The critical path of every decision; the first arrays are one row a row of `Trees`."""

    on_path: Bools
    self_ns: Ints  # 0 off the path
    is_outside: Bools  # wholly outside its parent
    section_row: Ints  # index into Trees; sections are sorted by decision and time
    section_from_ns: Ints
    section_to_ns: Ints


def critical_path(trees: Trees, roots: Roots) -> CriticalPath:
    """Walk every tree; a decision begins at its ingress stamp where its root began earlier."""
    floor_ns = roots.ingress_ns[trees.decision]
    start, end, kept, is_outside = clip(
        trees.parent, trees.levels, trees.start_ns, trees.end_ns, trees.is_blocking, floor_ns
    )
    child, on_path = choose(trees.parent, trees.levels, start, end, trees.span_id, kept)
    child = child[on_path[child]]
    self_ns = np.where(on_path, end - start, 0)
    np.subtract.at(self_ns, trees.parent[child], (end - start)[child])
    row, from_ns, to_ns = _sections(trees.parent, child, on_path, start, end)
    order = np.lexsort((from_ns, trees.decision[row]))
    return CriticalPath(on_path, self_ns, is_outside, row[order], from_ns[order], to_ns[order])


def clip(
    parent: Ints,
    levels: tuple[Ints, ...],
    start_ns: Ints,
    end_ns: Ints,
    is_blocking: Bools,
    floor_ns: Ints,
) -> tuple[Ints, Ints, Bools, Bools]:
    """Fit each span into its parent, from the root down.

    Returns:
        Start and end as fitted; what may be on the path; what lies wholly outside its parent. A
        span of no length inside its parent is kept.
    """
    start, end = start_ns.copy(), end_ns.copy()
    kept = is_blocking.copy()
    is_outside = np.zeros(len(parent), bool)
    top = levels[0]
    start[top] = np.minimum(np.maximum(start[top], floor_ns[top]), end[top])
    for rows in levels[1:]:
        above = parent[rows]
        from_ = np.maximum(start[rows], start[above])
        to = np.minimum(end[rows], end[above])
        inside = (to > from_) | ((to == from_) & (start[rows] == end[rows]))
        is_outside[rows] = kept[rows] & kept[above] & ~inside
        kept[rows] &= kept[above] & inside
        start[rows], end[rows] = from_, np.maximum(from_, to)
    return start, end, kept, is_outside


def choose(
    parent: Ints, levels: tuple[Ints, ...], start: Ints, end: Ints, span_id: Ids, kept: Bools
) -> tuple[Ints, Bools]:
    """Walk the children of every span at once.

    Returns:
        The chosen children, by parent and ascending in time; what is on the path, the roots too.
    """
    child = np.flatnonzero(kept & (parent >= 0))
    # Read backwards: the last end first, then the last start, then the smallest id.
    child = child[np.lexsort((~span_id[child], start[child], end[child], parent[child]))]
    group = parent[child]
    ends, starts = _one_number(group, end[child], start[child])
    position = np.arange(len(child))
    # Where a child was chosen, the next is the last one that ended by its start.
    before = np.minimum(np.searchsorted(ends, starts, side="right") - 1, position - 1)
    follows = (before >= 0) & (group[before] == group)
    is_last = np.ones(len(child), bool)
    is_last[:-1] = group[1:] != group[:-1]
    chosen = np.zeros(len(child), bool)
    step = np.flatnonzero(is_last)
    while len(step):
        chosen[step] = True
        step = before[step[follows[step]]]

    child = child[chosen]
    on_path = np.zeros(len(parent), bool)
    on_path[levels[0]] = True
    picked = np.zeros(len(parent), bool)
    picked[child] = True
    for rows in levels[1:]:
        on_path[rows] = picked[rows] & on_path[parent[rows]]
    return child, on_path


def _one_number(group: Ints, end: Ints, start: Ints) -> tuple[Ints, Ints]:
    """Put (group, end) and (group, start) into one sortable number each, losing nothing."""
    if len(group) == 0:
        return end, start
    base = int(start.min())
    span = int(end.max()) - base + 1
    if (int(group[-1]) + 1) * span < 2**63:  # group ascends
        return group * span + (end - base), group * span + (start - base)
    # Days apart in one batch: ranks of the times are dense, and as few as there are times.
    times = np.unique(np.concatenate([end, start]))
    rank_end, rank_start = np.searchsorted(times, end), np.searchsorted(times, start)
    return group * len(times) + rank_end, group * len(times) + rank_start


def _sections(
    parent: Ints, child: Ints, on_path: Bools, start: Ints, end: Ints
) -> tuple[Ints, Ints, Ints]:
    """Return what each span on the path covers itself: before, between and after its children."""
    span = np.flatnonzero(on_path)
    owner = parent[child]
    is_first = np.ones(len(child), bool)
    is_first[1:] = owner[1:] != owner[:-1]
    is_last = np.ones(len(child), bool)
    is_last[:-1] = is_first[1:]

    head_to = end.copy()
    head_to[owner[is_first]] = start[child[is_first]]
    tail_to = np.empty(len(child), np.int64)
    tail_to[is_last] = end[owner[is_last]]
    tail_to[~is_last] = start[child[1:][~is_first[1:]]]

    row = np.concatenate([span, owner])
    from_ns = np.concatenate([start[span], end[child]])
    to_ns = np.concatenate([head_to[span], tail_to])
    real = np.flatnonzero(to_ns > from_ns)
    return row[real], from_ns[real], to_ns[real]
