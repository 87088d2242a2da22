"""Pure: spans -> compact decision trees, with clock skew corrected as an overlay.

Skew follows Jaeger's adjuster (clockskew.go): across machines, a child that does not fit into its
parent is moved; durations never change. Shifts are kept beside the raw times.

Some SDKs begin a span at a whole millisecond, as that of JavaScript does by `Date.now`, and count
its duration to the nanosecond. So a call seems to go on for less than a millisecond after the next
one began that waited for it, and would be on no critical path: it ends where that one begins.

What goes on long after its parent and the decision are over, as an audit record that is written
beside the answer, was waited for by neither: it would take the whole path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attribution.path.membership import Flag, Forest, Members, find_members
from attribution.path.spans import (
    CLIENT,
    CONSUMER,
    INTERNAL,
    NONE,
    PRODUCER,
    UNSPECIFIED,
    Bools,
    Ids,
    Ints,
    Links,
    Roots,
    Spans,
)
from collector.core.times import NS_PER_MS

# A span ends some time after what it waited for, or before, by how it is instrumented.
_OVER_NS = NS_PER_MS
_OVER_PART = 10  # ... and by the tenth part of itself at most


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees of many decisions, one row a span; parents are indexes into the same arrays.

    Rows are sorted by decision, shifted start and span id, so that one input gives one output.
    """

    row: Ints  # index into Spans
    decision: Ints  # index into Roots
    parent: Ints  # NONE for a root
    start_ns: Ints  # after the shift
    end_ns: Ints
    shift_ns: Ints
    bound_ns: Ints  # of the error against its parent's clock; 0 of one clock, NONE if unknown
    span_id: Ids
    is_blocking: Bools  # false where its parent did not wait for it
    is_inner: Bools  # the root of another decision, which began inside this one
    levels: tuple[Ints, ...]  # rows at each depth, the roots first
    flags: Ints  # of each decision, bits of membership.Flag

    def __len__(self) -> int:
        return len(self.row)


def assemble(
    spans: Spans, roots: Roots, links: Links, *, skew_max_ns: int, forest: Forest | None = None
) -> Trees:
    """Build the tree of every decision.

    Args:
        spans: all spans of the traces that the decisions touch, in any order.
        roots: the decisions; a span that is the root of two counts for the first.
        links: span links among `spans`.
        skew_max_ns: a larger shift is flagged and not applied; 0 applies none.
        forest: of these spans, where it is known.
    """
    members = _sorted(find_members(spans, roots, links, forest), spans)
    member_spans = spans.take(members.row)
    levels = by_depth(members.parent)
    is_blocking = _blocking(members, member_spans)
    bound_ns = _bounds(members, member_spans)
    # Shorter than what its clock may be wrong by: any place in its parent would be a guess.
    lost = is_blocking & ~members.is_hung & (bound_ns > member_spans.end_ns - member_spans.start_ns)
    is_blocking &= ~lost
    shift_ns, oversized = _shifts(members, member_spans, levels, is_blocking, skew_max_ns)
    is_blocking &= ~_outlives(members, member_spans, shift_ns)
    flags = members.flags.copy()
    for mask, flag in (
        (~is_blocking & ~lost, Flag.ASYNC),
        (lost, Flag.CLOCK_EXCLUDED),
        (shift_ns != 0, Flag.SHIFTED),
        (oversized, Flag.SKEW_TOO_LARGE),
    ):
        flags[members.decision[mask]] |= flag
    flags[roots.ingress_ns > roots.start_ns] |= Flag.CLIPPED_INGRESS
    return Trees(
        row=members.row,
        decision=members.decision,
        parent=members.parent,
        start_ns=member_spans.start_ns + shift_ns,
        end_ns=_ends(members, member_spans, is_blocking, shift_ns) + shift_ns,
        shift_ns=shift_ns,
        bound_ns=bound_ns,
        span_id=member_spans.span_id,
        is_blocking=is_blocking,
        is_inner=members.is_inner,
        levels=levels,
        flags=flags,
    )


def by_depth(parent: Ints) -> tuple[Ints, ...]:
    """Return the rows at each depth, in ascending order within one."""
    depth, jump = (parent >= 0).astype(np.int64), parent.copy()
    while len(open_ := np.flatnonzero(jump >= 0)):
        through = jump[open_]
        depth[open_] += depth[through]
        jump[open_] = jump[through]
    order = np.argsort(depth, kind="stable")
    bounds = np.searchsorted(depth[order], np.arange(1, int(depth.max(initial=0)) + 1))
    return tuple(np.split(order, bounds))


def _sorted(members: Members, spans: Spans) -> Members:
    order = np.lexsort((spans.span_id[members.row], spans.start_ns[members.row], members.decision))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    parent = members.parent[order]
    return Members(
        row=members.row[order],
        decision=members.decision[order],
        parent=np.where(parent >= 0, place[parent], NONE) if len(order) else parent,
        is_hung=members.is_hung[order],
        is_linked=members.is_linked[order],
        is_inner=members.is_inner[order],
        flags=members.flags,
    )


def _blocking(members: Members, spans: Spans) -> Bools:
    """Return which spans their parent waited for; what the span says wins over inference."""
    is_root = members.parent < 0
    is_below_producer = ~members.is_hung & (spans.kind[members.parent] == PRODUCER)
    consumed = (spans.kind == CONSUMER) & is_below_producer
    inferred = is_root | ~(consumed | members.is_linked)
    blocks: Bools = np.where(spans.blocking == NONE, inferred, (spans.blocking == 1) | is_root)
    return blocks


def _outlives(members: Members, spans: Spans, shift_ns: Ints) -> Bools:
    """Return which spans go on after their parent and the decision, by more than times are off.

    By one clock, and where the span does not say itself whether it was waited for. The other side
    of a call goes on where its caller has given up: that waited for it until then.
    """
    child = np.flatnonzero((members.parent >= 0) & (spans.blocking == NONE))
    parent = members.parent[child]
    roots = np.flatnonzero(members.parent < 0)
    end_ns = spans.end_ns + shift_ns
    root_end_ns = np.zeros(int(members.decision.max(initial=-1)) + 1, np.int64)
    root_end_ns[members.decision[roots]] = end_ns[roots]
    over_ns = end_ns[child] - np.maximum(end_ns[parent], root_end_ns[members.decision[child]])
    length_ns = spans.end_ns[child] - spans.start_ns[child]
    is_over = (over_ns > _OVER_NS) & (over_ns > length_ns // _OVER_PART)
    is_over &= (spans.start_ns + shift_ns)[child] < end_ns[parent]
    is_over &= ~np.isin(spans.kind[parent], (CLIENT, PRODUCER))
    is_over &= _same_clock(spans, child, parent)
    outlives = np.zeros(len(spans), bool)
    outlives[child] = is_over
    return outlives


def _bounds(members: Members, spans: Spans) -> Ints:
    """Return by how much each span's place in its parent may be wrong."""
    bound = np.zeros(len(spans), np.int64)
    child = np.flatnonzero(members.parent >= 0)
    parent = members.parent[child]
    error, other = spans.clock_error_ns[child], spans.clock_error_ns[parent]
    is_known = (error >= 0) & (other >= 0)
    apart = np.where(is_known, error + other, NONE)
    bound[child] = np.where(_same_clock(spans, child, parent), 0, apart)
    return bound


def _shifts(
    members: Members, spans: Spans, levels: tuple[Ints, ...], is_blocking: Bools, max_ns: int
) -> tuple[Ints, Bools]:
    """Return the shift of each span, and where one was too large to apply."""
    shift = np.zeros(len(spans), np.int64)
    oversized = np.zeros(len(spans), bool)
    if max_ns == 0:
        return shift, oversized
    for rows in levels[1:]:
        parent = members.parent[rows]
        same_clock = _same_clock(spans, rows, parent)
        # Where its own parent is unknown, or did not wait for it, nothing says where it fits.
        is_judged = ~same_clock & ~members.is_hung[rows] & is_blocking[rows]
        start, end = spans.start_ns[rows], spans.end_ns[rows]
        from_, to = spans.start_ns[parent] + shift[parent], spans.end_ns[parent] + shift[parent]
        slack = (to - from_) - (end - start)
        centred = from_ + slack // 2 - start
        fits = (start >= from_) & (end <= to)
        needed = np.where(slack < 0, np.maximum(from_ - start, 0), np.where(fits, 0, centred))
        needed = np.where(is_judged, needed, 0)
        oversized[rows] = np.abs(needed) > max_ns
        applied = np.where(oversized[rows], 0, needed)
        shift[rows] = np.where(same_clock & ~members.is_hung[rows], shift[parent], applied)
    return shift, oversized


def _ends(members: Members, spans: Spans, is_blocking: Bools, shift_ns: Ints) -> Ints:
    """Return where each span ends: at the last whole millisecond where a sibling began then."""
    child = np.flatnonzero(is_blocking & (members.parent >= 0))
    began = child[spans.start_ns[child] % NS_PER_MS == 0]
    if not len(began):
        return spans.end_ns
    whole_ns = spans.end_ns - spans.end_ns % NS_PER_MS
    ended = child[(whole_ns[child] > spans.start_ns[child]) & (whole_ns < spans.end_ns)[child]]
    times, place = np.unique((spans.start_ns + shift_ns)[began], return_inverse=True)
    at = np.minimum(np.searchsorted(times, (whole_ns + shift_ns)[ended]), len(times) - 1)
    is_one = times[at] == (whole_ns + shift_ns)[ended]
    is_one &= np.isin(
        members.parent[ended] * len(times) + at, members.parent[began] * len(times) + place
    )
    end_ns = spans.end_ns.copy()
    end_ns[ended[is_one]] = whole_ns[ended[is_one]]
    return end_ns


def _same_clock(spans: Spans, child: Ints, parent: Ints) -> Bools:
    """Return whether one clock stamped both: one machine, or one process.

    Where a machine is not named, a child that did not cross the wire is its parent's process.
    """
    host, other = spans.host[child], spans.host[parent]
    named = (host > 0) & (other > 0)
    one_machine = host == other
    if spans.addresses:
        one_machine |= _share_address(spans, host, other)
    in_process = np.isin(spans.kind[child], (UNSPECIFIED, INTERNAL, CLIENT, PRODUCER))
    one_process = in_process & (spans.service[child] == spans.service[parent])
    same: Bools = np.where(named, one_machine, one_process)
    return same


def _share_address(spans: Spans, host: Ints, other: Ints) -> Bools:
    """Return where two machines have an address in common.

    Each pair is judged by itself, and not by way of a third machine: what else is among the spans
    makes no difference.
    """
    size = int(spans.host.max(initial=0)) + 1
    pair, pair_of_span = np.unique(host * size + other, return_inverse=True)
    none: frozenset[str] = frozenset()
    get = spans.addresses.get
    shared = [
        not get(each // size, none).isdisjoint(get(each % size, none)) for each in pair.tolist()
    ]
    is_shared: Bools = np.array(shared, bool)[pair_of_span]
    return is_shared
