"""Pure: compact trees -> latency by segment and self time by span, with NumPy alone.

The same walk as `critical_path.py`, from columns whose order is known: level by level from the
roots down, and only below what is on the path. Equal to its numba twin bit for bit: both add whole
nanoseconds.
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
from attribution.core.segments import CLASSES, SEGMENTS, STAGES, UNTRACED
from attribution.path.spans import Bools, Ints


@dataclass(frozen=True, slots=True)
class Split:
    """Latency of each decision by segment, and self time of each span."""

    segment_ns: Ints  # 16 x decisions, rows as spans.SEGMENTS; a column sums to the latency
    self_ns: Ints  # 0 off the path


@dataclass(frozen=True, slots=True)
class _Level:
    """What is on the path at one depth, with the times as fitted into its parents."""

    row: Ints
    decision: Ints
    start: Ints
    end: Ints


@dataclass(frozen=True, slots=True)
class _Children:
    """What may be on the path below a level, by parent and ascending in end and start."""

    owner: Ints  # index into the level
    row: Ints
    start: Ints
    end: Ints


@dataclass(frozen=True, slots=True)
class _Sections:
    """Stretches of the path, each on one span or on none."""

    decision: Ints
    latency_class: Ints
    stage: Ints  # as sent, NONE where the stamps cut
    from_ns: Ints
    to_ns: Ints


def split(trees: CompactTrees) -> Split:
    """Walk every tree."""
    self_ns = np.zeros(len(trees.parent), np.int64)
    return Split(_walk(trees, self_ns), self_ns)


def segments(trees: CompactTrees) -> Ints:
    """Walk every tree for `Split.segment_ns` alone."""
    return _walk(trees, None)


def _walk(trees: CompactTrees, self_ns: Ints | None) -> Ints:
    segment_ns = np.zeros((len(SEGMENTS), len(trees)), np.int64)
    child_from, child_count = _child_ranges(trees)
    level = _roots(trees, segment_ns)
    while len(level.row):
        children = _children(trees, level, child_from, child_count)
        chosen, owner, from_ns, to_ns = _choose(level, children)
        if self_ns is not None:
            np.add.at(self_ns, level.row[owner], to_ns - from_ns)
        traits = trees.traits[level.row[owner]].astype(np.int64)
        sections = _Sections(
            level.decision[owner],
            traits & CLASS_BITS,
            (traits >> STAGE_SHIFT & STAGE_BITS) - 1,
            from_ns,
            to_ns,
        )
        _charge(segment_ns, sections, trees.bounds_ns)
        level = _Level(
            children.row[chosen],
            level.decision[children.owner[chosen]],
            children.start[chosen],
            children.end[chosen],
        )
    return segment_ns


def _child_ranges(trees: CompactTrees) -> tuple[Ints, Ints]:
    """Return where the children of each span begin, and how many they are."""
    begin = trees.first[:-1]
    sizes = np.diff(trees.first)
    parent = np.repeat(begin, sizes) + trees.parent
    count = np.bincount(parent, minlength=len(parent))
    # Parents ascend, and each root counts as its own first child: sums of counts are positions.
    child_from = np.cumsum(count) - count
    roots = begin[sizes > 0]
    child_from[roots] += 1
    count[roots] -= 1
    return child_from, count


def _roots(trees: CompactTrees, segment_ns: Ints) -> _Level:
    """Return the roots from their ingress on; charge what is before them to no span."""
    decision = np.flatnonzero(np.diff(trees.first))
    row = trees.first[decision]
    began = trees.offset_ns[row].astype(np.int64)
    end = began + trees.duration_ns[row].astype(np.int64)
    ingress, until = trees.bounds_ns[0], trees.bounds_ns[-1]
    gap_to = until.copy()
    gap_to[decision] = began
    every = np.arange(len(trees))
    none = np.full(len(trees), -1, np.int64)
    gap = _Sections(every, none + 1 + UNTRACED, none, ingress, np.clip(gap_to, ingress, until))
    _charge(segment_ns, gap, trees.bounds_ns)
    return _Level(row, decision, np.minimum(np.maximum(began, ingress[decision]), end), end)


def _children(trees: CompactTrees, level: _Level, child_from: Ints, child_count: Ints) -> _Children:
    """Fit the children of a level into it; drop what is outside or was not waited for."""
    count = child_count[level.row]
    owner = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    row = child_from[level.row][owner] + within
    duration = trees.duration_ns[row].astype(np.int64)
    sent = trees.offset_ns[row].astype(np.int64)
    start = np.maximum(sent, level.start[owner])
    end = np.minimum(sent + duration, level.end[owner])
    inside = (end > start) | ((end == start) & (duration == 0))
    keep = np.flatnonzero(inside & (trees.traits[row] >> BLOCKING_SHIFT > 0))
    children = _Children(owner[keep], row[keep], start[keep], end[keep])
    if _is_sorted(children):
        return children
    # Stored for another ingress than this one; equal ones keep their order, by falling span id.
    order = np.lexsort((children.start, children.end, children.owner))
    return _Children(
        children.owner[order], children.row[order], children.start[order], children.end[order]
    )


def _is_sorted(children: _Children) -> bool:
    owner, start, end = children.owner, children.start, children.end
    falls = (end[1:] < end[:-1]) | ((end[1:] == end[:-1]) & (start[1:] < start[:-1]))
    return not bool((falls & (owner[1:] == owner[:-1])).any())


def _choose(level: _Level, children: _Children) -> tuple[Ints, Ints, Ints, Ints]:
    """Walk the children of every span backwards, one of each a round.

    Returns:
        The chosen children; the sections of the level, as owner, from and to.
    """
    size = np.bincount(children.owner, minlength=len(level.row))
    begin = np.cumsum(size) - size
    row = begin + size - 1
    cursor = level.end.copy()
    chosen, owners, froms, tos = [], [], [], []
    open_ = np.flatnonzero(size)
    while len(open_):
        child = row[open_]
        fits: Bools = children.end[child] <= cursor[open_]
        owner, child = open_[fits], child[fits]
        chosen.append(child)
        owners.append(owner)
        froms.append(children.end[child])
        tos.append(cursor[owner])
        cursor[owner] = children.start[child]
        row[open_] -= 1
        open_ = open_[row[open_] >= begin[open_]]
    owners.append(np.arange(len(level.row)))
    froms.append(level.start)
    tos.append(cursor)
    picked = np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)
    return picked, np.concatenate(owners), np.concatenate(froms), np.concatenate(tos)


def _charge(segment_ns: Ints, sections: _Sections, bounds_ns: Ints) -> None:
    """Add sections to their segments, cutting at the stamps where no stage was sent."""
    decision, from_ns, to_ns = sections.decision, sections.from_ns, sections.to_ns
    flat, width = segment_ns.reshape(-1), segment_ns.shape[1]
    place = sections.latency_class * width + decision
    step = len(CLASSES) * width
    sent = np.flatnonzero(sections.stage >= 0)
    np.add.at(flat, place[sent] + sections.stage[sent] * step, (to_ns - from_ns)[sent])
    cut = np.flatnonzero((sections.stage < 0) & (to_ns > from_ns))
    decision, from_ns, to_ns, place = decision[cut], from_ns[cut], to_ns[cut], place[cut]
    for stage in range(len(STAGES)):
        lower, upper = bounds_ns[stage][decision], bounds_ns[stage + 1][decision]
        length = np.minimum(to_ns, upper) - np.maximum(from_ns, lower)
        real = np.flatnonzero(length > 0)
        np.add.at(flat, place[real] + stage * step, length[real])
