"""Pure: the spans of one decision as a tree: their order, and which are left out of very many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from dashboard.read.rows import PathSpan

SpanT = TypeVar("SpanT")
# How far up the callers of one span are looked for: a chain of spans may be as long as the trace.
_CALLERS_MAX: Final = 256


class TreeNode(NamedTuple):
    """What places one span in the tree."""

    span_id: str
    parent_span_id: str
    start_ns: int  # as it is shown, beside the others
    duration_ns: int


def tree_order(
    spans: Iterable[SpanT], node_of: Callable[[SpanT], TreeNode]
) -> list[tuple[int, SpanT]]:
    """Return spans with their depth, parents before children, children by start.

    Of those that start together the longest is first, as the one that may contain the others. A
    span whose parent is not among them, or that is its own, stands at the top.
    """
    nodes = [(node_of(span), span) for span in spans]
    ids = {node.span_id for node, _ in nodes}
    children: dict[str, list[tuple[TreeNode, SpanT]]] = defaultdict(list)
    for node, span in sorted(
        nodes, key=lambda pair: (pair[0].start_ns, -pair[0].duration_ns, pair[0].span_id)
    ):
        parent = node.parent_span_id
        children[parent if parent in ids and parent != node.span_id else ""].append((node, span))
    ordered: list[tuple[int, SpanT]] = []
    waiting = [(0, *top) for top in reversed(children.pop("", []))]
    while waiting:
        depth, node, span = waiting.pop()
        ordered.append((depth, span))
        waiting += [(depth + 1, *child) for child in reversed(children.pop(node.span_id, []))]
    # What hangs in a ring of parents is reached from no top; it is shown all the same.
    return ordered + [(0, span) for ring in children.values() for _, span in ring]


def path_node(span: PathSpan) -> TreeNode:
    """Return what places a span of a decision, by the decision's clock."""
    return TreeNode(span.span_id, span.parent_span_id, span.shown_ns, span.duration_ns)


def dearest(spans: Sequence[PathSpan], most: int) -> list[PathSpan]:
    """Return at most so many spans, in their order: the longest on the critical path, then off it.

    With their parents, as far as these have room: a bar without what called it says little.
    """
    if len(spans) <= most:
        return list(spans)
    by_id = {span.span_id: span for span in spans}
    kept: set[str] = set()
    for span in sorted(spans, key=lambda s: (-s.self_ns, -s.duration_ns, s.span_id)):
        room = min(most - len(kept), _CALLERS_MAX)
        if not room:
            break
        line: set[str] = set()
        above: PathSpan | None = span
        while above is not None and len(line) <= room:
            if above.span_id in kept or above.span_id in line:  # a ring of parents has no top
                break
            line.add(above.span_id)
            above = by_id.get(above.parent_span_id)
        if len(line) <= room:
            kept |= line
    for span in spans:  # those whose callers were too many take the room that is left
        if len(kept) == most:
            break
        kept.add(span.span_id)
    return [span for span in spans if span.span_id in kept]
