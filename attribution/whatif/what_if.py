"""Pure: what decisions would have taken, and been worth, had some of their time been different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attribution.compact.trees import CompactTrees
from attribution.core.segments import SEGMENTS
from attribution.path.spans import Bools, Ints
from attribution.revenue.loss import Slope
from attribution.revenue.sums import Floats
from attribution.whatif.replay import Change, Replay
from attribution.whatif.shapley import is_exact, shapley

# How changes are told apart in the shares: by class, by stage, or each segment for itself.
SHARES = ("class", "stage", "segment")


@dataclass(frozen=True, slots=True)
class Worth:
    """What decides the dollars of each decision."""

    earned_micros: Floats  # by a decision of its class on average, failed ones too; NaN is unknown
    group: Ints  # code of its class
    is_error: Bools  # it earns nothing, however fast it were


@dataclass(frozen=True, slots=True)
class Dollars:
    """What is earned more, in millionths of a dollar, at the median, low and high slope."""

    median: int
    low: int
    high: int
    unvalued: int  # decisions whose value is unknown: in none of the three


@dataclass(frozen=True, slots=True)
class Share:
    """What one part of the changes contributes; the parts sum to the whole exactly."""

    name: str
    saved_ns: int
    saved_micros: int  # at the median slope


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Every decision before and after, and what the difference is worth."""

    before_ns: Ints
    after_ns: Ints
    dollars: Dollars
    shares: tuple[Share, ...]
    is_exact: bool  # shares over every order of the parts; else over drawn ones


def what_if(
    trees: CompactTrees, changes: Sequence[Change], worth: Worth, slope: Slope, by: str = "class"
) -> WhatIf:
    """Replay decisions under some changes.

    Args:
        trees: the decisions.
        changes: made together.
        worth: of the same decisions.
        slope: how value is lost with latency.
        by: one of SHARES.
    """
    replay = Replay(trees)
    before_ns = replay.latencies([])
    after_ns = replay.latencies(changes)
    parts = _parts(changes, by)
    names = sorted(parts)

    def value(who: frozenset[int]) -> Sequence[int]:
        segments = frozenset[int]().union(*(parts[names[each]] for each in who))
        with_them = replay.latencies([each.within(segments) for each in changes])
        saved = saved_dollars(before_ns, with_them, worth, slope)
        return [int((before_ns - with_them).sum()), saved.median]

    shares = shapley(len(names), value)
    return WhatIf(
        before_ns=before_ns,
        after_ns=after_ns,
        dollars=saved_dollars(before_ns, after_ns, worth, slope),
        shares=tuple(
            Share(name, saved_ns, micros)
            for name, (saved_ns, micros) in zip(names, shares, strict=True)
        ),
        is_exact=is_exact(len(names)),
    )


def saved_dollars(before_ns: Ints, after_ns: Ints, worth: Worth, slope: Slope) -> Dollars:
    """Return what is earned more when latencies become these: the change of the ERV, summed.

    What a class earned is shared out among its decisions that did not fail, by exp(-slope x L).
    """
    is_known = ~np.isnan(worth.earned_micros)
    # Losing a decision that costs money is no loss.
    earned = np.where(is_known, np.maximum(worth.earned_micros, 0.0), 0.0)
    groups = int(worth.group.max(initial=-1)) + 1
    total = np.bincount(worth.group, weights=earned, minlength=groups)
    from_ns = int(before_ns.min(initial=0))

    def gain(beta: float) -> int:
        kept, then = (
            np.where(worth.is_error, 0.0, np.exp(-beta * (each - from_ns).astype(np.float64)))
            for each in (before_ns, after_ns)
        )
        share = np.bincount(worth.group, weights=kept, minlength=groups)
        each_kept = np.divide(total, share, out=np.zeros(groups), where=share > 0)
        return round(float((each_kept[worth.group] * (then - kept)).sum()))

    median, low, high = gain(slope.median), gain(slope.low), gain(slope.high)
    return Dollars(median, min(low, median, high), max(low, median, high), int((~is_known).sum()))


def _parts(changes: Sequence[Change], by: str) -> Mapping[str, frozenset[int]]:
    """Return the changed segments by the name of their part."""
    assert by in SHARES, by
    parts: dict[str, set[int]] = {}
    for segment in sorted(frozenset[int]().union(*(each.segments for each in changes))):
        stage, latency_class = SEGMENTS[segment]
        name = {"class": latency_class, "stage": stage}.get(by, f"{stage}/{latency_class}")
        parts.setdefault(name, set()).add(segment)
    return {name: frozenset(each) for name, each in parts.items()}
