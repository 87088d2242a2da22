"""I/O: what is normal for a decision: the mean of those like it that met their target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from attribution.core.segments import CLASSES, STAGES
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE
from dashboard.read.reader import Reader
from dashboard.read.rows import DecisionFacts, Range, Reference, SegmentMeans

# The mean of fewer says little about the next.
DECISIONS_MIN: Final = 10
_KEPT_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Normal:
    """Mean time of each stage over the decisions on target, in the day up to a decision."""

    decisions: int  # 0: too few met their target, and nothing is normal
    action: str
    region: str  # "" where too few of the decision's own region did
    target_ns: int
    total_ns: float
    stages_ns: dict[str, float]


class NormalTimes:
    """Reads what is normal; of one action, region and minute once.

    Args:
        reader: of the store.
        reference: the latencies that decisions are late by.
    """

    def __init__(self, reader: Reader, reference: Reference) -> None:
        self._reader = reader
        self._reference = reference
        self._kept: dict[Range, SegmentMeans | None] = {}

    def normal_for(self, facts: DecisionFacts) -> Normal:
        """Return what is normal for one decision."""
        to_ns = (facts.end_ns // NS_PER_MINUTE + 1) * NS_PER_MINUTE
        view = Range(max(0, to_ns - NS_PER_DAY), to_ns, facts.action, facts.region)
        means = self._means(view)
        if means is None and view.region:
            # Too few there ever met their target; the action elsewhere shows what is possible.
            view = Range(view.from_ns, view.to_ns, view.action)
            means = self._means(view)
        width, parts = len(CLASSES), means.segments_ns if means else []
        sums = [sum(parts[at : at + width]) for at in range(0, len(parts), width)]
        return Normal(
            decisions=means.decisions if means else 0,
            action=view.action,
            region=view.region,
            target_ns=self._reference.target_ns(facts.action),
            total_ns=means.total_ns if means else 0.0,
            stages_ns=dict(zip(STAGES, sums, strict=False)),
        )

    def _means(self, view: Range) -> SegmentMeans | None:
        if view not in self._kept:
            means = self._reader.reference_means(view, self._reference)
            while len(self._kept) >= _KEPT_MAX:
                self._kept.pop(next(iter(self._kept)), None)
            is_enough = means is not None and means.decisions >= DECISIONS_MIN
            self._kept[view] = means if is_enough else None
        return self._kept[view]
