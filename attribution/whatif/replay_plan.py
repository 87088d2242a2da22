"""Pure: compact trees -> the order in which a replay recomputes them, made once for many replays.

What a span did itself falls into gaps: before each child, from the last sibling that had ended (or
its own start) to the child's start; and after its last child. Below each span lie events in time
order: a child starts, a child ends. A replay walks the events of all spans of one depth at once,
the first of each, then the second; the deepest spans first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attribution.compact.trees import (
    BLOCKING_SHIFT,
    CLASS_BITS,
    STAGE_BITS,
    STAGE_SHIFT,
    CompactTrees,
)
from attribution.core.segments import CLASSES, STAGES, UNTRACED
from attribution.path.spans import NONE, Bools, Ints

# At one instant: what ends there, then spans of no length in their order, then what starts there.
_ENDS, _INSTANT, _STARTS = range(3)


@dataclass(frozen=True, slots=True)
class Round:
    """One event of each of many spans."""

    starts: Ints  # children, rows of the trees
    ends: Ints


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay needs of trees. Rows are spans; a span not on `row` was not waited for."""

    row: Ints  # spans that their parents waited for, roots too
    root: Ints  # row of the root of each decision, NONE without spans
    parent: Ints  # by row
    rounds: tuple[tuple[Round, ...], ...]  # by depth of the parents, deepest first
    gap_span: Ints  # whose own time each gap is; ascending in span, then in time. NONE: no span's
    gap_of: Ints  # child that it lies before, or the span for its last; of no span: decision
    gap_segment: Ints  # of the call: stage in which its span began x its class
    piece_gap: Ints  # gaps cut at the stamps: index of the gap
    piece_segment: Ints
    piece_decision: Ints
    piece_ns: Ints


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Spans as fitted into their parents, by row of the trees."""

    parent: Ints  # NONE for a root
    depth: Ints  # NONE for what is not kept
    decision: Ints
    start: Ints
    end: Ints


def plan_of(trees: CompactTrees) -> Plan:
    """Return the order of a replay of these trees."""
    fitted = _fit(trees)
    kept = np.flatnonzero(fitted.depth >= 0)
    root = np.full(len(trees), NONE, np.int64)
    filled = np.flatnonzero(np.diff(trees.first))
    root[filled] = trees.first[filled]
    child = kept[fitted.parent[kept] >= 0]
    rounds, ended = _events(fitted, child)
    last = fitted.start.copy()
    np.maximum.at(last, fitted.parent[child], fitted.end[child])

    every, none = np.arange(len(trees)), np.full(len(trees), NONE, np.int64)
    began = np.where(root >= 0, _began(trees, root), trees.bounds_ns[-1])
    gap_to = np.clip(began, trees.bounds_ns[0], trees.bounds_ns[-1])
    span = np.concatenate([fitted.parent[child], kept, none])
    edge_span = np.concatenate([child, kept, every])
    from_ns = np.concatenate([ended, last[kept], trees.bounds_ns[0]])
    to_ns = np.concatenate([fitted.start[child], fitted.end[kept], gap_to])
    decision = np.concatenate([fitted.decision[child], fitted.decision[kept], every])
    order = np.lexsort((edge_span, np.where(span >= 0, to_ns, 0), span))
    span, edge_span, decision = span[order], edge_span[order], decision[order]
    segment = _segment_begun(trees, fitted, span)
    gap, piece_segment, piece_ns = _pieces(trees, span, decision, from_ns[order], to_ns[order])
    return Plan(
        row=kept,
        root=root,
        parent=fitted.parent,
        rounds=rounds,
        gap_span=span,
        gap_of=edge_span,
        gap_segment=segment,
        piece_gap=gap,
        piece_segment=piece_segment,
        piece_decision=decision[gap],
        piece_ns=piece_ns,
    )


def _began(trees: CompactTrees, root: Ints) -> Ints:
    if len(trees.offset_ns) == 0:
        return np.zeros(len(root), np.int64)
    began: Ints = trees.offset_ns[root].astype(np.int64)
    return began


def _fit(trees: CompactTrees) -> _Fitted:
    """Fit every span into its parent, depth by depth, as the kernels do on the path."""
    sizes = np.diff(trees.first)
    decision = np.repeat(np.arange(len(trees)), sizes)
    begin = trees.first[:-1][decision]
    row = np.arange(len(decision))
    is_root = row == begin
    parent = np.where(is_root, NONE, begin + trees.parent)
    sent = trees.offset_ns.astype(np.int64)
    length = trees.duration_ns.astype(np.int64)
    start, end = sent.copy(), sent + length
    start[is_root] = np.minimum(
        np.maximum(sent[is_root], trees.bounds_ns[0][decision[is_root]]), end[is_root]
    )
    depth = np.where(is_root, 0, NONE)
    waits = trees.traits >> BLOCKING_SHIFT > 0
    level, row_of_level = 0, row[is_root]
    # Parents ascend in a decision: the children of a level are found among the rest in one look.
    others = row[~is_root]
    while len(row_of_level) and len(others):
        is_next = depth[parent[others]] == level
        child, others = others[is_next], others[~is_next]
        above = parent[child]
        from_ns = np.maximum(sent[child], start[above])
        to_ns = np.minimum(end[child], end[above])
        inside = (to_ns > from_ns) | ((to_ns == from_ns) & (length[child] == 0))
        keep: Bools = inside & waits[child]
        row_of_level = child[keep]
        start[row_of_level], end[row_of_level], depth[row_of_level] = (
            from_ns[keep],
            to_ns[keep],
            level + 1,
        )
        level += 1
    return _Fitted(parent, depth, decision, start, end)


def _events(fitted: _Fitted, child: Ints) -> tuple[tuple[tuple[Round, ...], ...], Ints]:
    """Return the rounds of events by depth, and when each child's wait had begun."""
    start, end = fitted.start[child], fitted.end[child]
    is_instant = start == end
    who = np.concatenate([child, child])
    is_end = np.repeat([False, True], len(child))
    time = np.concatenate([start, end])
    kind = np.concatenate(
        [np.where(is_instant, _INSTANT, _STARTS), np.where(is_instant, _INSTANT, _ENDS)]
    )
    parent = fitted.parent[who]
    order = np.lexsort((is_end, who, kind, time, parent))
    who, is_end, time, parent = who[order], is_end[order], time[order], parent[order]

    is_first = np.ones(len(who), bool)
    is_first[1:] = parent[1:] != parent[:-1]
    group_from = np.flatnonzero(is_first)
    group = np.cumsum(is_first) - 1
    position = np.arange(len(who)) - group_from[group]
    ended = _last_end(fitted, who, is_end, time, parent)

    rounds = []
    depth = fitted.depth[parent]
    for level in range(int(depth.max(initial=-1)), -1, -1):
        mine = np.flatnonzero(depth == level)
        mine = mine[np.argsort(position[mine], kind="stable")]
        cuts = np.flatnonzero(np.diff(position[mine])) + 1
        rounds.append(
            tuple(
                Round(starts=who[each[~is_end[each]]], ends=who[each[is_end[each]]])
                for each in np.split(mine, cuts)
                if len(each)
            )
        )
    by_child = np.empty(len(fitted.parent), np.int64)
    begins = ~is_end
    by_child[who[begins]] = ended[begins]
    return tuple(rounds), by_child[child]


def _last_end(fitted: _Fitted, who: Ints, is_end: Bools, time: Ints, parent: Ints) -> Ints:
    """Return for each event when the last child before it had ended, else when its parent began."""
    index = np.arange(len(who))
    last = np.maximum.accumulate(np.where(is_end, index, NONE))
    before = np.concatenate([[NONE], last[:-1]]) if len(last) else last
    mine = (before >= 0) & (parent[np.maximum(before, 0)] == parent)
    last_end: Ints = np.where(mine, time[np.maximum(before, 0)], fitted.start[parent])
    return last_end


def _segment_begun(trees: CompactTrees, fitted: _Fitted, span: Ints) -> Ints:
    """Return the segment of the call that each gap belongs to; NONE where no span does."""
    if len(trees.traits) == 0:
        return np.full(len(span), NONE, np.int64)
    traits = trees.traits[span].astype(np.int64)
    sent = (traits >> STAGE_SHIFT & STAGE_BITS) - 1
    bounds = trees.bounds_ns[1:4][:, fitted.decision[span]]
    later = (fitted.start[span] >= bounds).sum(axis=0)
    stage = np.where(sent >= 0, sent, later)
    return np.where(span >= 0, stage * len(CLASSES) + (traits & CLASS_BITS), NONE)


def _pieces(
    trees: CompactTrees, span: Ints, decision: Ints, from_ns: Ints, to_ns: Ints
) -> tuple[Ints, Ints, Ints]:
    """Cut gaps at the stamps where no stage was sent.

    Returns:
        Gap, segment and length of each piece that has one.
    """
    if len(trees.traits):
        traits = np.where(span >= 0, trees.traits[span].astype(np.int64), UNTRACED)
    else:
        traits = np.full(len(span), UNTRACED)
    sent = (traits >> STAGE_SHIFT & STAGE_BITS) - 1
    latency_class = traits & CLASS_BITS
    gaps, segments, lengths = [], [], []
    for stage in range(len(STAGES)):
        lower, upper = trees.bounds_ns[stage][decision], trees.bounds_ns[stage + 1][decision]
        cut = np.minimum(to_ns, upper) - np.maximum(from_ns, lower)
        length = np.where(sent < 0, cut, np.where(sent == stage, to_ns - from_ns, 0))
        real = np.flatnonzero(length > 0)
        gaps.append(real)
        segments.append(stage * len(CLASSES) + latency_class[real])
        lengths.append(length[real])
    return np.concatenate(gaps), np.concatenate(segments), np.concatenate(lengths)
