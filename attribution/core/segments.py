"""Pure: the sixteen segments of a decision, a stage and a latency class each, and their names.

Everything that is kept a segment stands in the order of `SEGMENTS`; a code of a stage or a class is
its index here.
"""

from __future__ import annotations

from typing import Final

from collector.core.errors import InputError
from collector.core.event_schema import STAGES as STAGES  # a segment is a stage and a class

INGRESS, TRANSFORM, DECISION, EGRESS = range(len(STAGES))
CLASSES: Final = ("network", "compute", "store", "untraced")
NETWORK, COMPUTE, STORE, UNTRACED = range(len(CLASSES))
SEGMENTS: Final = tuple((stage, latency_class) for stage in STAGES for latency_class in CLASSES)


def segments_of(text: str) -> frozenset[int]:
    """Return the segments that a person names: a class, a stage, `stage/class` or `all`.

    Raises:
        InputError: it names none.
    """
    name = text.strip().lower()
    chosen = frozenset(
        index
        for index, (stage, latency_class) in enumerate(SEGMENTS)
        if name in ("all", stage, latency_class, f"{stage}/{latency_class}")
    )
    if not chosen:
        raise InputError(
            f"{text!r} names no segment; give a class ({', '.join(CLASSES)}), a stage "
            f"({', '.join(STAGES)}), both as decision/store, or all"
        )
    return chosen


def segments_name(segments: frozenset[int]) -> str:
    """Return the shortest name that `segments_of` takes, or several of them."""
    for name in ("all", *CLASSES, *STAGES):
        if segments == segments_of(name):
            return name
    return ", ".join("/".join(SEGMENTS[each]) for each in sorted(segments))
