"""Pure: the spans of one decision as a tree: their order, and which are left out of very many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from dashboard.read.rows import PathSpan

# How far up the callers of one span are looked for: a chain of spans may be as long as the trace.
_CALLERS_MAX: Final = 256


def tree_order(spans: Sequence[PathSpan]) -> list[tuple[int, PathSpan]]:
    """Return spans with their depth, parents before children, children by start.

    A span whose parent is not among them, or that is its own, stands at the top.
    """
    ids = {span.span_id for span in spans}
    children: dict[str, list[PathSpan]] = defaultdict(list)
    for span in sorted(spans, key=lambda s: (s.shown_ns, -s.duration_ns, s.span_id)):
        parent = span.parent_span_id
        children[parent if parent in ids and parent != span.span_id else ""].append(span)
    ordered: list[tuple[int, PathSpan]] = []
    waiting = [(0, span) for span in reversed(children.pop("", []))]
    while waiting:
        depth, span = waiting.pop()
        ordered.append((depth, span))
        waiting += [(depth + 1, child) for child in reversed(children.pop(span.span_id, []))]
    # What hangs in a ring of parents is reached from no top; it is shown all the same.
    return ordered + [(0, span) for rest in children.values() for span in rest]


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
