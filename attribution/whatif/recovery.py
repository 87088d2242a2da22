"""Pure: known delays, and where attribution put them: how far it can be believed.

A delay that was injected is a stretch of time of which the truth is known. Attribution recovers it
where the critical path gives that very stretch to the segment that it was injected into.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from attribution.core.segments import CLASSES, SEGMENTS, STAGES

# The region in which the reference path takes its own time, and nothing is added.
REFERENCE_REGION = "reference"

Piece = tuple[int, int, int]  # index into SEGMENTS, from_ns, to_ns


@dataclass(frozen=True, slots=True)
class PathSection:
    """One stretch of the critical path."""

    latency_class: str
    stage: str  # "" where the decision's stamps cut it
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of the delay of one decision."""

    injected_ns: int
    found_ns: int  # of it, given to the segment that it was injected into
    is_right: bool  # no other segment was given more of it

    @property
    def error_ratio(self) -> float:
        """Return the share of the delay that went elsewhere."""
        return (self.injected_ns - self.found_ns) / self.injected_ns


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of many; None without any."""

    decisions: int
    right_segment_ratio: float | None
    error_ratio_p50: float | None
    error_ratio_p99: float | None


def pieces_of(sections: Iterable[PathSection], bounds_ns: Sequence[int]) -> list[Piece]:
    """Cut the critical path of a decision into pieces of one segment each.

    Args:
        sections: of the critical path.
        bounds_ns: where the four stages begin, and where the decision ends.
    """
    pieces = []
    for section in sections:
        latency_class = CLASSES.index(section.latency_class)
        for stage, name in enumerate(STAGES):
            from_ns, to_ns = section.from_ns, section.to_ns
            if section.stage:
                to_ns = to_ns if section.stage == name else from_ns
            else:
                from_ns = max(from_ns, bounds_ns[stage])
                to_ns = min(to_ns, bounds_ns[stage + 1])
            if to_ns > from_ns:
                pieces.append((stage * len(CLASSES) + latency_class, from_ns, to_ns))
    return pieces


def recovered(
    segment: int, delays_ns: Sequence[tuple[int, int]], pieces: Sequence[Piece]
) -> Recovered:
    """Return where attribution put the delays that one decision suffered in one segment.

    Args:
        segment: that they were injected into.
        delays_ns: when each began and ended; at least one of some length.
        pieces: of the decision's critical path.
    """
    moved_ns = [0] * len(SEGMENTS)
    for place, from_ns, to_ns in pieces:
        for begun_ns, ended_ns in delays_ns:
            moved_ns[place] += max(0, min(to_ns, ended_ns) - max(from_ns, begun_ns))
    injected_ns = sum(ended_ns - begun_ns for begun_ns, ended_ns in delays_ns)
    is_right = moved_ns[segment] > 0 and moved_ns[segment] == max(moved_ns)
    return Recovered(injected_ns, moved_ns[segment], is_right)


def summary_of(all_: Sequence[Recovered]) -> Recovery:
    """Return the ratios over many decisions."""
    if not all_:
        return Recovery(0, None, None, None)
    errors = np.array([each.error_ratio for each in all_])
    p50, p99 = np.quantile(errors, [0.5, 0.99])
    right = sum(each.is_right for each in all_) / len(all_)
    return Recovery(len(all_), right, float(p50), float(p99))
