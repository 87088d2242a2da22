"""Pure: the segment of decisions, stage and class, that takes longer than it did before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from attribution.core.segments import SEGMENTS, STAGES
from collector.core.times import NS_PER_MS

# Fewer decisions than these say nothing about a mean.
DECISIONS_MIN: Final = 8
# Four standard errors: of sixteen segments one passes by chance in a thousand comparisons.
_DEVIATIONS_MIN = 4.0
# A segment below these shares is measurably slower, but does not make decisions late.
_LATENCY_SHARE_MIN = 0.01
_EXCESS_SHARE_MIN = 0.25


@dataclass(frozen=True, slots=True)
class SegmentTimes:
    """Time of the segments over a number of decisions, in the order of `SEGMENTS`."""

    decisions: int
    mean_ns: tuple[float, ...]
    variance_ns2: tuple[float, ...]
    failed_share: float = 0.0  # of the decisions


@dataclass(frozen=True, slots=True)
class Baseline:
    """The times that are usual."""

    name: str  # completes "takes longer than": before, in other regions
    times: SegmentTimes


@dataclass(frozen=True, slots=True)
class Suspect:
    """The segment that stands out."""

    stage: str
    latency_class: str
    excess_ns: int  # mean over the baseline, a decision
    baseline: str

    @property
    def segment(self) -> str:
        """Return "stage/class"."""
        return f"{self.stage}/{self.latency_class}"


@dataclass(frozen=True, slots=True)
class PathNow:
    """How long decisions take on their path in a window, and what is usual; means by stage."""

    decisions: int
    now_ns: tuple[float, ...]
    usual: str  # before, in other regions; "" where nothing is known to compare with
    usual_ns: tuple[float, ...]  # as many as `now_ns`, none where nothing is known

    @property
    def text(self) -> str:
        """Return it in words, ms."""
        then = f", {_ms(sum(self.usual_ns))} {self.usual}" if self.usual else ""
        stages = [
            f"{stage} {_ms(now)}" + (f" ({_ms(self.usual_ns[at])})" if self.usual else "")
            for at, (stage, now) in enumerate(zip(STAGES, self.now_ns, strict=True))
        ]
        return f"path {_ms(sum(self.now_ns))} ms{then}: {', '.join(stages)}"


def path_now(affected: SegmentTimes, baselines: Sequence[Baseline], of: str) -> PathNow:
    """Return the path of a class beside what is usual.

    Args:
        affected: the class, in the window.
        baselines: in order of preference; those of which too little is known are left out.
        of: the baseline that a suspect stands out from, which is preferred; "" for none.
    """
    known = [each for each in baselines if each.times.decisions >= DECISIONS_MIN]
    known.sort(key=lambda each: each.name != of)
    usual, usual_ns = (known[0].name, _by_stage(known[0].times)) if known else ("", ())
    return PathNow(affected.decisions, _by_stage(affected), usual, usual_ns)


def _by_stage(times: SegmentTimes) -> tuple[float, ...]:
    width = len(SEGMENTS) // len(STAGES)
    return tuple(sum(times.mean_ns[at : at + width]) for at in range(0, len(SEGMENTS), width))


def _ms(ns: float) -> str:
    return f"{ns / NS_PER_MS:.1f}"


def find_suspect(affected: SegmentTimes, baselines: Sequence[Baseline]) -> Suspect | None:
    """Return the segment that stands out from the first baseline from which one does.

    Args:
        affected: the class that loses, in the window in which it does.
        baselines: in order of preference.

    Returns:
        None where too little is known, or nothing stands out.
    """
    for baseline in baselines:
        found = _outstanding(affected, baseline)
        if found is not None:
            return found
    return None


def pool(parts: Sequence[SegmentTimes]) -> SegmentTimes:
    """Return the times over all decisions of the parts together."""
    total = sum(part.decisions for part in parts)
    if total == 0:
        return SegmentTimes(0, (0.0,) * len(SEGMENTS), (0.0,) * len(SEGMENTS))
    means, variances = [], []
    for index in range(len(SEGMENTS)):
        mean = sum(part.decisions * part.mean_ns[index] for part in parts) / total
        spread = sum(
            part.decisions * (part.variance_ns2[index] + (part.mean_ns[index] - mean) ** 2)
            for part in parts
        )
        means.append(mean)
        variances.append(spread / total)
    return SegmentTimes(total, tuple(means), tuple(variances))


def _outstanding(affected: SegmentTimes, baseline: Baseline) -> Suspect | None:
    usual = baseline.times
    if min(affected.decisions, usual.decisions) < DECISIONS_MIN:
        return None
    excesses = [now - then for now, then in zip(affected.mean_ns, usual.mean_ns, strict=True)]
    # The spread of the baseline alone: the question is whether the usual could look like this, and
    # a fault that hits half of the decisions would hide in the spread that it makes itself.
    of_means = 1 / affected.decisions + 1 / usual.decisions
    # What is slow now and then, as ever, is in few decisions far longer or shorter than before:
    # what is not longer for sure is no cause, and hides none.
    sure = {
        at: excess_ns
        for at, (excess_ns, variance) in enumerate(zip(excesses, usual.variance_ns2, strict=True))
        if excess_ns > _DEVIATIONS_MIN * math.sqrt(variance * of_means)
    }
    index = max(sure, key=sure.__getitem__, default=0)
    excess_ns = sure.get(index, 0.0)
    least_ns = max(_LATENCY_SHARE_MIN * sum(usual.mean_ns), 1)
    if excess_ns <= least_ns or excess_ns < _EXCESS_SHARE_MIN * sum(sure.values()):
        return None
    stage, latency_class = SEGMENTS[index]
    return Suspect(stage, latency_class, round(excess_ns), baseline.name)
