"""Pure: what-if: decisions run again with some of their time changed.

A change does not just subtract: time saved off the critical path saves nothing, and time saved on
it may bring another branch onto it. So each decision is replayed by the order that its spans kept.
A child begins when the siblings that had ended before it began have ended anew, plus the wait that
lay between; a parent ends with the last child it waited for, plus what it did after. A replay
without a change gives every latency back exactly.

Source: the retiming of CRISP and of Google's calligator, with the order read from each decision.
Two calls that ran in turn by chance are taken to depend on each other; to know better needs many
decisions of one shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from attribution.compact import kernel
from attribution.compact.trees import CompactTrees
from attribution.core.segments import SEGMENTS, segments_name
from attribution.path.spans import Ints
from attribution.whatif.replay_plan import Plan, plan_of
from collector.core.times import NS_PER_MS

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Change:
    """One change to the time that some segments take themselves.

    `scale` multiplies it. `call_ns` is taken off each call, a span that began in these segments,
    at most all that it did itself. `decision_ns` is taken off the critical time that a decision
    spends in these segments, in proportion; `floor_ns` brings it down to so much where it is more.
    """

    segments: frozenset[int]  # indexes into spans.SEGMENTS
    scale: float = 1.0
    call_ns: int = 0
    decision_ns: int = 0
    floor_ns: int | None = None

    def text(self) -> str:
        """Return the change in words, with what each part of it applies to."""
        parts = [f"{segments_name(self.segments)}:"]
        if self.scale != 1.0:
            parts.append(f"the own time of each span times {self.scale:g}")
        if self.call_ns:
            parts.append(f"{self.call_ns / NS_PER_MS:g} ms off each call")
        if self.decision_ns:
            parts.append(f"{self.decision_ns / NS_PER_MS:g} ms off each decision, once")
        if self.floor_ns is not None:
            parts.append(f"at most {self.floor_ns / NS_PER_MS:g} ms a decision")
        return f"{parts[0]} {', '.join(parts[1:]) or 'nothing changed'}"

    def within(self, segments: frozenset[int]) -> Change:
        """Return the part of this change that falls to some segments."""
        return replace(self, segments=self.segments & segments)


class Replay:
    """Replays the same trees under any number of changes."""

    def __init__(self, trees: CompactTrees) -> None:
        self._plan = plan_of(trees)
        self._own_ns = kernel.segments(trees)
        self._spans = len(trees.parent)

    def latencies(self, changes: Sequence[Change]) -> Ints:
        """Return the latency of each decision under these changes, in ns.

        Several changes of one segment multiply their factors and add what they take off calls.
        """
        plan = self._plan
        gap_ns = self._gaps(changes)
        is_no_span = plan.gap_span < 0
        latency_ns = gap_ns[is_no_span].copy()  # one a decision, in their order
        before, tail = np.zeros(self._spans, np.int64), np.zeros(self._spans, np.int64)
        is_tail = ~is_no_span & (plan.gap_span == plan.gap_of)
        is_before = ~is_no_span & ~is_tail
        tail[plan.gap_of[is_tail]] = gap_ns[is_tail]
        before[plan.gap_of[is_before]] = gap_ns[is_before]
        length_ns = _walk(plan, before, tail)
        filled = np.flatnonzero(plan.root >= 0)
        latency_ns[filled] += length_ns[plan.root[filled]]
        return latency_ns

    def _gaps(self, changes: Sequence[Change]) -> Ints:
        """Return what each gap becomes."""
        plan = self._plan
        ratio, call_ns = self._terms(changes)
        column = plan.piece_decision if ratio.shape[1] > 1 else np.zeros(1, np.int64)
        # A factor of 1 gives a whole number back exactly: times stay under 2^53.
        pieces = (plan.piece_ns * ratio[plan.piece_segment, column]).astype(np.int64)
        gap_ns = np.zeros(len(plan.gap_span), np.int64)
        np.add.at(gap_ns, plan.piece_gap, pieces)
        cut = np.where(plan.gap_segment >= 0, call_ns[plan.gap_segment], 0)
        return gap_ns if not cut.any() else _without(gap_ns, plan.gap_span, cut)

    def _terms(self, changes: Sequence[Change]) -> tuple[Floats, Ints]:
        """Return factors, 16 x 1 or x decisions, and what each call loses, by segment."""
        by_decision = any(each.decision_ns or each.floor_ns is not None for each in changes)
        decisions = self._own_ns.shape[1] if by_decision else 1
        ratio, call_ns = np.ones((len(SEGMENTS), decisions)), np.zeros(len(SEGMENTS), np.int64)
        for change in changes:
            segments = sorted(change.segments)
            ratio[segments] *= change.scale
            call_ns[segments] += change.call_ns
            if change.decision_ns or change.floor_ns is not None:
                ratio[segments] *= _shrunk(self._own_ns[segments].sum(axis=0), change)
        return ratio, call_ns


def _shrunk(own_ns: Ints, change: Change) -> Floats:
    """Return the factor that brings this time of each decision down as the change says."""
    shrunk_ns = np.maximum(own_ns - change.decision_ns, 0)
    if change.floor_ns is not None:
        shrunk_ns = np.minimum(shrunk_ns, change.floor_ns)
    factor: Floats = np.where(own_ns > 0, shrunk_ns / np.maximum(own_ns, 1), 1.0)
    return factor


def _without(gap_ns: Ints, gap_span: Ints, cut_ns: Ints) -> Ints:
    """Take `cut_ns` off the gaps of each span, the earliest first, at most all of them."""
    total = np.cumsum(gap_ns)
    is_first = np.ones(len(gap_span), bool)
    is_first[1:] = gap_span[1:] != gap_span[:-1]
    begin = np.flatnonzero(is_first)
    group = np.cumsum(is_first) - 1
    upto = total - (total[begin] - gap_ns[begin])[group]  # sums within each span
    left = np.maximum(upto - cut_ns, 0)
    shifted = np.concatenate([[0], left[:-1]]) if len(left) else left
    less: Ints = left - np.where(is_first, 0, shifted)
    return less


def _walk(plan: Plan, before_ns: Ints, tail_ns: Ints) -> Ints:
    """Return the new length of every span, the deepest first."""
    length, start = tail_ns.copy(), np.zeros(len(tail_ns), np.int64)
    ended = np.zeros(len(tail_ns), np.int64)  # by parent: the last end so far, from its start
    for rounds in plan.rounds:
        for each in rounds:
            start[each.starts] = ended[plan.parent[each.starts]] + before_ns[each.starts]
            above = plan.parent[each.ends]
            ended[above] = np.maximum(ended[above], start[each.ends] + length[each.ends])
        touched = np.unique(np.concatenate([plan.parent[each.ends] for each in rounds]))
        length[touched] += ended[touched]
    return length
