"""Pure: the twin of `kernel.py` compiled by numba, for the extra `accel`; equal bit for bit."""

from __future__ import annotations

import numba
import numpy as np

from attribution.compact.kernel import Split
from attribution.compact.trees import (
    BLOCKING_SHIFT,
    CLASS_BITS,
    STAGE_BITS,
    STAGE_SHIFT,
    Bytes,
    CompactTrees,
    Words,
)
from attribution.core.segments import CLASSES, SEGMENTS, STAGES, UNTRACED
from attribution.path.spans import Ints

_CLASSES, _STAGES, _SEGMENTS = len(CLASSES), len(STAGES), len(SEGMENTS)
_BLOCK = 8  # decisions whose sums of one segment fill a cache line


def split(trees: CompactTrees) -> Split:
    """Walk every tree."""
    self_ns = np.zeros(len(trees.parent), np.int64)
    return Split(_walked(trees, self_ns), self_ns)


def segments(trees: CompactTrees) -> Ints:
    """Walk every tree for `Split.segment_ns` alone."""
    return _walked(trees, np.empty(0, np.int64))


def _walked(trees: CompactTrees, self_ns: Ints) -> Ints:
    segment_ns = np.empty((_SEGMENTS, len(trees)), np.int64)
    _walk(
        trees.first,
        trees.parent,
        trees.offset_ns,
        trees.duration_ns,
        trees.traits,
        trees.bounds_ns,
        segment_ns,
        self_ns,
    )
    return segment_ns


def _charge_plain(sums: Ints, traits: int, from_ns: int, to_ns: int, limits: Ints) -> None:
    """Add one section to its segment, cutting it at the stamps where no stage was sent."""
    if to_ns <= from_ns:
        return
    latency_class = traits & CLASS_BITS
    stage = (traits >> STAGE_SHIFT & STAGE_BITS) - 1
    if stage >= 0:
        sums[stage * _CLASSES + latency_class] += to_ns - from_ns
        return
    for each in range(_STAGES):
        upper = min(to_ns, limits[each + 1])
        if upper > from_ns and upper > limits[each]:
            sums[each * _CLASSES + latency_class] += upper - max(from_ns, limits[each])
            if upper == to_ns:
                return


# Called, not decorated: numba ships no types, and a decorator would take ours away.
_charge = numba.njit(cache=True, nogil=True)(_charge_plain)


def _sort_plain(order: Ints, count: int, start: Ints, end: Ints) -> None:
    """Sort children by end and start, equal ones in place; they lie almost sorted."""
    for position in range(1, count):
        child = order[position]
        place = position - 1
        while place >= 0 and (
            end[order[place]] > end[child]
            or (end[order[place]] == end[child] and start[order[place]] > start[child])
        ):
            order[place + 1] = order[place]
            place -= 1
        order[place + 1] = child


_sort = numba.njit(cache=True, nogil=True)(_sort_plain)


def _fit_plain(
    span: int,
    child: int,
    begin: int,
    until: int,
    parent: Words,
    offset_ns: Words | Ints,
    duration_ns: Words | Ints,
    traits: Bytes,
    start: Ints,
    end: Ints,
    order: Ints,
) -> tuple[int, int]:
    """Fit the children of a span on the path into it.

    Returns:
        The first span behind the children; how many are in `order`: inside, and waited for.
    """
    count = 0
    while child < until and np.int64(parent[begin + child]) == span:
        sent, lasted = np.int64(offset_ns[begin + child]), np.int64(duration_ns[begin + child])
        from_ns, to_ns = max(sent, start[span]), min(sent + lasted, end[span])
        inside = to_ns > from_ns or (to_ns == from_ns and lasted == 0)
        if inside and traits[begin + child] >> BLOCKING_SHIFT:
            start[child], end[child] = from_ns, to_ns
            order[count] = child
            count += 1
        child += 1
    return child, count


_fit = numba.njit(cache=True, nogil=True)(_fit_plain)


def _keep_plain(block: Ints, sums: Ints, t: int, is_last: bool, segment_ns: Ints) -> None:
    """Collect sums and write whole cache lines: a decision alone would touch sixteen."""
    slot = t % _BLOCK
    block[:, slot] = sums
    if slot == _BLOCK - 1 or is_last:
        for each in range(_SEGMENTS):
            for k in range(slot + 1):
                segment_ns[each, t - slot + k] = block[each, k]


_keep = numba.njit(cache=True, nogil=True)(_keep_plain)


def _walk_plain(
    first: Ints,
    parent: Words,
    offset_ns: Words | Ints,
    duration_ns: Words | Ints,
    traits: Bytes,
    bounds_ns: Ints,
    segment_ns: Ints,
    self_ns: Ints,
) -> None:
    """Walk each tree from its root down, in one pass over its spans.

    Every number is made a signed one first: numba adds signed and unsigned as floats. Without
    room for self times none are written.
    """
    longest = 0
    for t in range(len(first) - 1):
        longest = max(longest, first[t + 1] - first[t])
    start, end = np.empty(longest, np.int64), np.empty(longest, np.int64)
    order, on_path = np.empty(longest, np.int64), np.empty(longest, np.bool_)
    sums, limits = np.empty(_SEGMENTS, np.int64), np.empty(_STAGES + 1, np.int64)
    block = np.empty((_SEGMENTS, _BLOCK), np.int64)
    for t in range(len(first) - 1):
        b, n = first[t], first[t + 1] - first[t]
        limits[:] = bounds_ns[:, t]
        ingress, gap_to = limits[0], limits[_STAGES]
        sums[:] = 0
        on_path[:n] = False
        if n > 0:
            began = np.int64(offset_ns[b])
            end[0] = began + np.int64(duration_ns[b])
            start[0] = min(max(began, ingress), end[0])
            gap_to = max(min(began, gap_to), ingress)
            on_path[0] = True
        _charge(sums, UNTRACED, ingress, gap_to, limits)
        child = np.int64(1)
        for u in range(n):
            if not on_path[u]:
                while child < n and np.int64(parent[b + child]) == u:
                    child += 1
                continue
            child, count = _fit(
                u, child, b, n, parent, offset_ns, duration_ns, traits, start, end, order
            )
            _sort(order, count, start, end)
            cursor, own, code = end[u], np.int64(0), np.int64(traits[b + u])
            for back in range(count - 1, -1, -1):
                c = order[back]
                if end[c] <= cursor:
                    on_path[c] = True
                    own += cursor - end[c]
                    _charge(sums, code, end[c], cursor, limits)
                    cursor = start[c]
            _charge(sums, code, start[u], cursor, limits)
            if len(self_ns):
                self_ns[b + u] = own + cursor - start[u]
        _keep(block, sums, t, t == len(first) - 2, segment_ns)


_walk = numba.njit(cache=True, nogil=True)(_walk_plain)
