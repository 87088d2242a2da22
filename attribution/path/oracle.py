"""Pure: the critical path of one decision in plain Python, the rival and the oracle.

Written from the definition, one decision and one span at a time, and sharing no code with the
NumPy twin: the two have to agree to the nanosecond on any input.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

_MS = 1_000_000
_IN_PROCESS = ("Unspecified", "Internal", "Client", "Producer")


@dataclass(frozen=True, slots=True)
class PlainSpan:
    """A span of the trace of one decision."""

    span_id: int
    parent_id: int  # 0 for none
    start_ns: int
    end_ns: int
    kind: str = "Internal"
    host: str = ""
    service: str = ""
    blocking: bool | None = None
    received_ns: int = 0
    clock_error_ns: int | None = None


@dataclass(frozen=True, slots=True)
class PlainPath:
    """What became of each span, by span id."""

    shift_ns: dict[int, int]
    self_ns: dict[int, int]  # only of what is on the path
    sections: dict[int, list[tuple[int, int]]]  # ascending, none empty


def plain_path(
    spans: list[PlainSpan], root_id: int, ingress_ns: int, skew_max_ns: int
) -> PlainPath:
    """Find the critical path of the decision whose root is `root_id`.

    All spans are of one trace with one root; spans above the root are left out.
    """
    by_id: dict[int, PlainSpan] = {}
    # Where no span names a machine nothing tells skew from work that outlives its parent.
    is_one = not any(span.host for span in spans)
    for span in sorted(spans, key=lambda s: s.received_ns):
        by_id.setdefault(span.span_id, replace(span, host="one") if is_one else span)
    parents = _uncycled(by_id)
    children, hung = _children(parents, root_id)
    shift: dict[int, int] = {}
    self_ns: dict[int, int] = {}
    sections: dict[int, list[tuple[int, int]]] = {}

    root = by_id[root_id]
    waiting: list[tuple[int, int, int, bool]] = [
        (root_id, min(max(root.start_ns, ingress_ns), root.end_ns), root.end_ns, True)
    ]
    shift[root_id] = 0
    while waiting:
        span_id, start, end, on_path = waiting.pop()
        fitted = []
        blocking = {}
        for child_id in children.get(span_id, []):
            child = by_id[child_id]
            blocks = _blocks(child, by_id[span_id], child_id in hung)
            shift[child_id] = 0
            if skew_max_ns and child_id not in hung:
                shift[child_id] = _shift(child, by_id[span_id], shift[span_id], blocks, skew_max_ns)
            ends = (by_id[span_id].end_ns + shift[span_id], root.end_ns)
            is_left = _is_left(child, by_id[span_id], shift[child_id], ends)
            blocking[child_id] = blocks and not is_left
        begun = {
            by_id[child_id].start_ns + shift[child_id]
            for child_id, blocks in blocking.items()
            if blocks and by_id[child_id].start_ns % _MS == 0
        }
        for child_id, blocks in blocking.items():
            child = by_id[child_id]
            from_ = max(child.start_ns + shift[child_id], start)
            to = min(child.end_ns + shift[child_id], end)
            whole = child.end_ns // _MS * _MS
            if blocks and whole > child.start_ns and whole + shift[child_id] in begun:
                to = min(to, whole + shift[child_id])
            is_instant = child.start_ns == child.end_ns
            if on_path and blocks and (to > from_ or (to == from_ and is_instant)):
                fitted.append((-to, -from_, child_id))
            else:
                waiting.append((child_id, from_, max(from_, to), False))
        if not on_path:
            waiting += [(child_id, -start, -end, False) for end, start, child_id in fitted]
            continue
        instant_ns = end
        own_segments: list[tuple[int, int]] = []
        for minus_to, minus_from, child_id in sorted(fitted):
            if -minus_to <= instant_ns:
                own_segments.append((-minus_to, instant_ns))
                instant_ns = -minus_from
                waiting.append((child_id, -minus_from, -minus_to, True))
            else:
                waiting.append((child_id, -minus_from, -minus_to, False))
        own_segments.append((start, instant_ns))
        sections[span_id] = sorted(pair for pair in own_segments if pair[1] > pair[0])
        self_ns[span_id] = sum(to - from_ for from_, to in own_segments)
    return PlainPath(shift, self_ns, sections)


def _uncycled(by_id: dict[int, PlainSpan]) -> dict[int, int]:
    """Return the parent of each span, 0 for none; cycles are cut at their earliest span."""
    parents = {
        span.span_id: span.parent_id if span.parent_id in by_id else 0 for span in by_id.values()
    }
    for begin in by_id:
        trail: list[int] = []
        node = begin
        while node and node not in trail:
            trail.append(node)
            node = parents[node]
        if node:
            cycle = trail[trail.index(node) :]
            parents[min(cycle, key=lambda span_id: (by_id[span_id].start_ns, span_id))] = 0
    return parents


def _children(parents: dict[int, int], root_id: int) -> tuple[dict[int, list[int]], set[int]]:
    """Return children by parent, with what lost its own parent under the root, and those."""
    above = {root_id}
    node = parents[root_id]
    while node:
        above.add(node)
        node = parents[node]
    children: dict[int, list[int]] = {}
    hung: set[int] = set()
    for span_id, parent in parents.items():
        if span_id in above:
            continue
        if parent == 0:
            hung.add(span_id)
            parent = root_id
        # Beside the root under its caller: the caller's, and no descendant of the root either.
        children.setdefault(parent, []).append(span_id)
    return children, hung


def _blocks(child: PlainSpan, parent: PlainSpan, is_hung: bool) -> bool:
    blocks = is_hung or not (child.kind == "Consumer" and parent.kind == "Producer")
    blocks = blocks if child.blocking is None else child.blocking
    return blocks and (is_hung or not _is_lost(child, parent))


def _is_left(child: PlainSpan, parent: PlainSpan, shift: int, ends: tuple[int, int]) -> bool:
    """Return whether a span was left running by its parent and its decision, which ended then."""
    if child.blocking is not None or parent.kind in ("Client", "Producer"):
        return False
    if not _same_clock(child, parent) or child.start_ns + shift >= ends[0]:
        return False
    over = child.end_ns + shift - max(ends)
    return over > _MS and over > (child.end_ns - child.start_ns) // 10


def _same_clock(child: PlainSpan, parent: PlainSpan) -> bool:
    if child.host and parent.host:
        return not _addresses(child.host).isdisjoint(_addresses(parent.host))
    return child.kind in _IN_PROCESS and child.service == parent.service


def _addresses(host: str) -> set[str]:
    """Return the addresses of a machine that is named by a JSON array of them, else its name."""
    if not host.startswith("["):
        return {host}
    named = set(json.loads(host))
    return named - {"127.0.0.1", "::1", "172.17.0.1"} or named


def _is_lost(child: PlainSpan, parent: PlainSpan) -> bool:
    """Return whether a span is shorter than what the two clocks may differ by."""
    if _same_clock(child, parent) or child.clock_error_ns is None or parent.clock_error_ns is None:
        return False
    return child.clock_error_ns + parent.clock_error_ns > child.end_ns - child.start_ns


def _shift(
    child: PlainSpan, parent: PlainSpan, parent_shift: int, blocks: bool, max_ns: int
) -> int:
    if _same_clock(child, parent):
        return parent_shift
    if not blocks:
        return 0
    from_, to = parent.start_ns + parent_shift, parent.end_ns + parent_shift
    parent_ns, child_ns = to - from_, child.end_ns - child.start_ns
    if child_ns > parent_ns:
        shift = max(from_ - child.start_ns, 0)
    elif child.start_ns >= from_ and child.end_ns <= to:
        shift = 0
    else:
        shift = from_ + (parent_ns - child_ns) // 2 - child.start_ns
    return shift if abs(shift) <= max_ns else 0
