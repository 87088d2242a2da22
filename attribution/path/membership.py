"""Pure: which spans belong to which decision, and where each hangs.

A span belongs to its nearest ancestor root, else to the root that shares its decision.id, else
through a span link, either within a day; what is left of a tree whose top was lost hangs under the
root of its trace. Spans above a root, and beside it under the same caller, are the caller's time
and no member. The root of a decision that began inside another is a leaf of that one as well: it is
waited for there, and what is below it is its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

import numpy as np

from attribution.path.spans import NONE, Bools, Ids, Ints, Links, Roots, Spans, lookup
from collector.core.times import NS_PER_DAY

# A span that names a decision further away is no part of it. Whoever looks for what is named looks
# as far, so that it makes no difference what else is read with a span.
NAMED_NS_MAX: Final = NS_PER_DAY


class Flag(IntFlag):
    """What is odd about a decision. The names, in lower case, are the values of `flags`."""

    ORPHAN = 1 << 0  # a span whose parent is not there hangs under the root
    DUPLICATE_SPAN = 1 << 1  # one span id with different content: see `_distinct`
    CYCLE = 1 << 2  # spans were each other's ancestors; cut at the earliest
    LINKED = 1 << 3  # a span belongs through a span link only
    NESTED = 1 << 4  # another decision began inside: what is below its root is its own
    ROOT_MISSING = 1 << 5  # the root's span is not there: all is untraced
    ASYNC = 1 << 6  # a span that nothing waited for was pruned
    OUTSIDE = 1 << 7  # a span lies wholly outside its parent and is off the path
    SHIFTED = 1 << 8  # clock skew was corrected, as an overlay
    SKEW_TOO_LARGE = 1 << 9  # ... or would have been by more than skew_max_s, so was not
    OPAQUE_PEER = 1 << 10  # a client call whose other side sent no span: counted as network
    CLIPPED_INGRESS = 1 << 11  # the ingress stamp lies after the root's start
    CLOCK_EXCLUDED = 1 << 12  # a span is shorter than its clock's bound: where it lies is unknown
    REFUSED_SPANS = 1 << 13  # spans of its traces could not be read from the file


@dataclass(frozen=True, slots=True)
class Members:
    """Spans that belong to a decision. `parent` indexes these arrays."""

    row: Ints  # index into Spans
    decision: Ints  # index into Roots
    parent: Ints  # NONE for the root
    is_hung: Bools  # under the root because its own parent is no member
    is_linked: Bools  # ... and tied by a span link only
    is_inner: Bools  # the root of another decision, as a leaf of the one that it began in
    flags: Ints  # of each root


@dataclass(frozen=True, slots=True)
class Forest:
    """One row a distinct span, sorted by trace and span id."""

    row: Ints  # index into Spans
    parent: Ints
    key: Ints  # trace and span id in one number, sorted
    values: Ids  # the ids that keys are made of
    is_clash: Bools
    is_cut: Bools

    def find(self, trace: Ints, span_id: Ids) -> Ints:
        """Return the index of each span, NONE where it is not there."""
        if len(self.values) == 0:
            return np.full(len(trace), NONE, np.int64)
        code = np.minimum(np.searchsorted(self.values, span_id), len(self.values) - 1)
        key = np.where(trace >= 0, trace * len(self.values) + code, NONE)
        return lookup(self.key, np.where(self.values[code] == span_id, key, NONE))


def find_members(spans: Spans, roots: Roots, links: Links, forest: Forest | None = None) -> Members:
    """Find the members of every decision at once; the order of `spans` makes no difference."""
    if len(roots) == 0:
        none, no = np.empty(0, np.int64), np.empty(0, bool)
        return Members(none, none, none, no, no, no, none)
    forest = forest or plant(spans, roots)
    n, row = len(forest.row), forest.row
    root_at = forest.find(roots.trace, roots.span_id)
    present = np.flatnonzero(root_at >= 0)
    own_root = np.full(n, NONE, np.int64)
    # Of two decisions on one span the first counts: writing backwards leaves it in place.
    own_root[root_at[present][::-1]] = present[::-1]
    root_at[present[own_root[root_at[present]] != present]] = NONE
    present = np.flatnonzero(root_at >= 0)
    is_root = own_root >= 0
    owner = nearest(forest.parent, own_root)

    above = _ancestors(forest.parent, root_at[present])
    seed, is_linked = _seeds(spans, roots, links, forest, owner, root_at, above)
    top = nearest(forest.parent, np.where(forest.parent < 0, np.arange(n), NONE))
    joined = nearest(np.where(owner < 0, forest.parent, NONE), np.where(owner < 0, seed, NONE))
    has_root = np.zeros(n, bool)
    has_root[top[root_at[present]]] = True
    lost = np.flatnonzero((owner < 0) & (joined < 0) & ~has_root[top])
    owner = np.where(owner >= 0, owner, joined)
    owner[lost] = _adopter(spans, roots, present, row[top[lost]])

    keep = np.flatnonzero(owner >= 0)
    place = np.full(n, NONE, np.int64)
    place[keep] = np.arange(len(keep))
    parent = forest.parent[keep]
    is_hung = ~is_root[keep] & ((parent < 0) | (owner[parent] != owner[keep]))
    hook = place[root_at[owner[keep]]]
    local = np.where(is_root[keep], NONE, np.where(is_hung, hook, place[parent]))
    is_linked = is_linked[keep] & is_hung & (joined[keep] >= 0)
    flags = _flags(spans, roots, forest, owner, keep, is_hung, is_linked)
    flags[root_at < 0] |= Flag.ROOT_MISSING
    inner = np.flatnonzero(is_root & (forest.parent >= 0))
    outer = owner[forest.parent[inner]]
    # A caller may be a part of what it called, by a link to it: that is not inside of itself.
    is_inside = (outer >= 0) & (outer != owner[inner])
    inner, outer = inner[is_inside], outer[is_inside]
    flags[outer] |= Flag.NESTED
    is_inner = np.arange(len(keep) + len(inner)) >= len(keep)
    return Members(
        row=row[np.append(keep, inner)],
        decision=np.append(owner[keep], outer),
        parent=np.append(local, place[forest.parent[inner]]),
        is_hung=np.append(is_hung, np.zeros(len(inner), bool)),
        is_linked=np.append(is_linked, np.zeros(len(inner), bool)),
        is_inner=is_inner,
        flags=flags,
    )


def nearest(parent: Ints, own_root: Ints) -> Ints:
    """Return the value of the nearest ancestor-or-self that has one; NONE where none has.

    Pointer doubling: a chain of n spans takes log2(n) rounds. A cycle without a value stays NONE.
    """
    value, jump = own_root.copy(), parent.copy()
    for _ in range(len(parent).bit_length() + 1):
        open_ = np.flatnonzero((value < 0) & (jump >= 0))
        if len(open_) == 0:
            break
        through = jump[open_]
        value[open_], jump[open_] = value[through], jump[through]
    return value


def plant(spans: Spans, roots: Roots | None = None) -> Forest:
    """Return the distinct spans and where each hangs; `roots` as in `_distinct`."""
    row, is_clash = _distinct(spans, roots)
    parent_id = spans.parent_id[row]
    values = np.unique(np.concatenate([spans.span_id[row], parent_id]))
    key = spans.trace[row] * len(values) + np.searchsorted(values, spans.span_id[row])
    parent_key = spans.trace[row] * len(values) + np.searchsorted(values, parent_id)
    parent = np.where(parent_id == 0, NONE, lookup(key, parent_key))
    parent, is_cut = _cut_cycles(parent, spans.start_ns[row])
    return Forest(row, parent, key, values, is_clash, is_cut)


def _distinct(spans: Spans, roots: Roots | None) -> tuple[Ints, Bools]:
    """Return a row of each distinct span, by trace and span id, and which had several contents.

    Of several the first received counts; of those received at once, as all of a file are, the one
    that began first, then the one that ended last, then the least of the rest that it says. So no
    order in which they were sent, written or read makes a difference. Of a decision's root it is
    the span that the decision was made of.
    """
    order = np.lexsort((spans.received_ns, spans.span_id, spans.trace))
    trace, span_id = spans.trace[order], spans.span_id[order]
    first = np.ones(len(order), bool)
    first[1:] = (trace[1:] != trace[:-1]) | (span_id[1:] != span_id[:-1])
    group = np.cumsum(first) - 1
    is_clash = np.zeros(int(first.sum()), bool)
    content = spans.content[order]
    is_clash[group[content != content[first][group]]] = True
    rows = np.flatnonzero(is_clash[group])
    if len(rows):
        clashing = spans.take(order[rows])
        order[rows] = order[rows][_by_content(clashing, group[rows], _is_of_root(clashing, roots))]
    return order[first], is_clash


def _is_of_root(spans: Spans, roots: Roots | None) -> Bools:
    """Return which spans a decision was made of: those of the same ids and times."""
    if roots is None:
        return np.zeros(len(spans), bool)
    names = ("trace", "span_id", "start_ns", "end_ns")
    root_keys = set(zip(*(getattr(roots, name).tolist() for name in names), strict=True))
    ours = zip(*(getattr(spans, name).tolist() for name in names), strict=True)
    return np.array([each in root_keys for each in ours], bool)


def _by_content(spans: Spans, group: Ints, is_of_root: Bools) -> Ints:
    """Return the order of spans within their group; all that a split is computed from is a key.

    The hash is the last: where the rest is equal, only links can make a difference.
    """
    times = (group, ~is_of_root, spans.received_ns, spans.start_ns, -spans.end_ns, spans.parent_id)
    place = (spans.kind, spans.service, spans.label, spans.host, spans.clock_error_ns)
    sent = (spans.latency_class, spans.stage, spans.blocking, spans.is_store, spans.is_receive)
    return np.lexsort((spans.content, spans.decision, *reversed((*times, *place, *sent))))


def _cut_cycles(parent: Ints, start_ns: Ints) -> tuple[Ints, Bools]:
    """Make the earliest span of each cycle parentless; of equals, the smallest span id."""
    is_cut = np.zeros(len(parent), bool)
    reached = nearest(parent, np.where(parent < 0, 0, NONE))
    unreached = np.flatnonzero(reached < 0)
    if len(unreached) == 0:
        return parent, is_cut
    parent, visited = parent.copy(), set[int]()
    for begin in unreached.tolist():
        trail: dict[int, None] = {}
        node = begin
        while node >= 0 and node not in visited:
            visited.add(node)
            trail[node] = None
            node = int(parent[node])
        if node in trail:
            walked = list(trail)
            cycle = walked[walked.index(node) :]
            cut = min(
                cycle, key=lambda node_of_cycle: (int(start_ns[node_of_cycle]), node_of_cycle)
            )
            parent[cut], is_cut[cut] = NONE, True
    return parent, is_cut


def _ancestors(parent: Ints, is_start: Ints) -> Bools:
    """Mark every proper ancestor of some spans."""
    above = np.zeros(len(parent), bool)
    step = parent[is_start]
    while len(step := np.unique(step[step >= 0])):
        step = step[~above[step]]
        above[step] = True
        step = parent[step]
    return above


def _seeds(
    spans: Spans,
    roots: Roots,
    links: Links,
    forest: Forest,
    owner: Ints,
    root_at: Ints,
    above: Bools,
) -> tuple[Ints, Bools]:
    """Return the decision that each span names itself, by id or else by link, and which by link."""
    seed = _by_id(spans, roots, forest.row)
    seed[seed >= 0] = np.where(root_at[seed[seed >= 0]] >= 0, seed[seed >= 0], NONE)
    # A caller that carries the id of what it called is not a part of it.
    same_trace = spans.trace[forest.row] == roots.trace[seed]
    seed[above & same_trace] = NONE

    place = np.full(len(spans), NONE, np.int64)
    place[forest.row] = np.arange(len(forest.row))
    is_linked = np.zeros(len(forest.row), bool)
    target = forest.find(links.trace, links.span_id)
    for link in np.lexsort((target, place[links.row])).tolist():
        source, to = int(place[links.row[link]]), int(target[link])
        if source >= 0 and to >= 0 and owner[source] < 0 and seed[source] < 0 and owner[to] >= 0:
            start_ns = int(spans.start_ns[forest.row[source]])
            if abs(start_ns - int(roots.ingress_ns[owner[to]])) <= NAMED_NS_MAX:
                seed[source], is_linked[source] = owner[to], True
    return seed, is_linked


def _by_id(spans: Spans, roots: Roots, row: Ints) -> Ints:
    """Return the decision that each span names by id: of several the first within a day of it."""
    seed = np.full(len(row), NONE, np.int64)
    named = np.flatnonzero(spans.decision[row] >= 0)
    code, start_ns = spans.decision[row[named]], spans.start_ns[row[named]]
    order = np.lexsort((roots.span_id, roots.trace, roots.ingress_ns, roots.decision))
    # Ranks make (id, time) one sortable number without losing a nanosecond.
    ingress_ns, least_ns = roots.ingress_ns[order], start_ns - NAMED_NS_MAX
    times = np.unique(np.concatenate([ingress_ns, least_ns]))
    keys = roots.decision[order] * len(times) + np.searchsorted(times, ingress_ns)
    key = code * len(times) + np.searchsorted(times, least_ns)
    place = np.minimum(np.searchsorted(keys, key), len(order) - 1)
    is_near = (keys[place] >= key) & (ingress_ns[place] <= start_ns + NAMED_NS_MAX)
    seed[named] = np.where(is_near & (roots.decision[order[place]] == code), order[place], NONE)
    return seed


def _adopter(spans: Spans, roots: Roots, present: Ints, row: Ints) -> Ints:
    """Return the decision of the trace that a span without a known parent falls into.

    With several decisions in a trace: of those that it overlaps, else of all, the last that began
    before the span, else the first.
    """
    order = present[
        np.lexsort((roots.span_id[present], roots.start_ns[present], roots.trace[present]))
    ]
    if len(order) == 0:
        return np.full(len(row), NONE, np.int64)
    span_trace, trace, start_ns = spans.trace[row], roots.trace[order], roots.start_ns[order]
    # Ranks make (trace, time) one sortable number without losing a nanosecond.
    times = np.unique(np.concatenate([start_ns, spans.start_ns[row]]))
    keys = trace * len(times) + np.searchsorted(times, start_ns)
    key = span_trace * len(times) + np.searchsorted(times, spans.start_ns[row])
    last = np.searchsorted(keys, key, side="right") - 1
    first = np.minimum(np.searchsorted(trace, span_trace), len(order) - 1)
    running = _last_that_ends_after(roots.end_ns[order], last, spans.start_ns[row])
    following = np.minimum(np.maximum(last + 1, first), len(order) - 1)
    is_met = (trace[following] == span_trace) & (start_ns[following] < spans.end_ns[row])
    is_met &= start_ns[following] > spans.start_ns[row]
    pick = np.where(is_met, following, np.maximum(last, first))
    pick = np.where(running >= first, running, pick)
    return np.where(trace[pick] == span_trace, order[pick], NONE)


def _last_that_ends_after(end_ns: Ints, upto: Ints, after_ns: Ints) -> Ints:
    """Return the last index up to each of `upto` whose end is after an instant, else NONE.

    Steps of powers of two: a batch of many decisions in one trace is not looked at one by one.
    """
    latest = [end_ns]  # at i of the k-th: the latest end of the 2**k up to i
    while 2 ** len(latest) <= len(end_ns):
        step, ends = 2 ** (len(latest) - 1), latest[-1].copy()
        ends[step:] = np.maximum(ends[step:], latest[-1][:-step])
        latest.append(ends)
    place = upto.copy()
    for power in range(len(latest) - 1, -1, -1):
        is_over = (place >= 0) & (latest[power][np.maximum(place, 0)] <= after_ns)
        place[is_over] = np.maximum(place[is_over] - 2**power, NONE)
    return place


def _flags(
    spans: Spans,
    roots: Roots,
    forest: Forest,
    owner: Ints,
    keep: Ints,
    is_hung: Bools,
    is_linked: Bools,
) -> Ints:
    flags = np.zeros(len(roots), np.int64)
    owners = owner[keep]
    lost = is_hung & ~is_linked & (spans.trace[forest.row[keep]] == roots.trace[owners])
    for mask, flag in (
        (lost, Flag.ORPHAN),
        (is_linked, Flag.LINKED),
        (forest.is_clash[keep], Flag.DUPLICATE_SPAN),
        (forest.is_cut[keep], Flag.CYCLE),
    ):
        flags[owners[mask]] |= flag
    return flags
