"""Pure: how much of the spread of latency goes with a cache's hits and misses.

A decision is a miss of a cache where one of its lookups missed. Within each action and region the
variance of latency is split into what lies between hits and misses and what lies within them; the
first over the sum is what the cache explains. What another hit ratio would give is a mixture of
the same two populations, within each action and region too: it holds only if what would hit then is
like what hits there now. An action and region that hardly ever hits stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from attribution.core.slo import Z95, wilson
from attribution.path.spans import Bools, Ints
from attribution.revenue.sums import Floats
from attribution.whatif.answers import Latencies, latencies_of
from collector.core.times import NS_PER_MS

DECISIONS_MIN = 30
TAIL = 0.95
# One hit, or one miss, of an action and region says nothing of what others would take.
_SIDE_MIN = 2


@dataclass(frozen=True, slots=True)
class CacheDecisions:
    """Decisions that asked one cache."""

    group: Ints  # code of (action, region)
    total_ns: Ints
    hits: Ints
    misses: Ints


@dataclass(frozen=True, slots=True)
class AtTarget:
    """What latency would spread like if fewer decisions, or more, missed."""

    hit_ratio: float  # of decisions, not of lookups: as asked
    reached_ratio: float  # less, or more, where some stay as they are
    # Decisions of an action and region that hardly ever hits, where more are to hit, or misses,
    # where fewer are: what they would take then nobody knows.
    left: int
    sd_ms: float
    variance_ratio: float  # over that of now
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class CacheSpread:
    """One cache; figures that need both hits and misses are None where either is too few."""

    cache: str
    decisions: int  # of the sample
    lookups: int
    hit_ratio: float
    hit_ratio_low: float
    hit_ratio_high: float
    decisions_missed: int
    hit: Latencies | None
    missed: Latencies | None
    sd_ms: float
    miss_adds_ms: float | None  # within action and region
    miss_adds_low_ms: float | None
    miss_adds_high_ms: float | None
    explained_ratio: float | None  # of the variance of latency within action and region
    tail_missed_ratio: float | None  # of the slowest twentieth, so many missed
    at_target: AtTarget | None
    verdict: str


def spread(cache: str, decisions: CacheDecisions, target: float) -> CacheSpread:
    """Return how a cache's misses and the spread of latency go together.

    Args:
        cache: its name.
        decisions: at least one decision.
        target: share of decisions without a miss that the last figure is for.
    """
    is_missed = decisions.misses > 0
    ms = decisions.total_ns / NS_PER_MS
    lookups, hits = int((decisions.hits + decisions.misses).sum()), int(decisions.hits.sum())
    low, high = wilson(hits, lookups)
    missed = int(is_missed.sum())
    is_enough = min(missed, len(ms) - missed) >= DECISIONS_MIN
    adds = _added(decisions.group, ms, is_missed) if is_enough else None
    at_target = _at_target(decisions.group, ms, is_missed, target) if is_enough else None
    tail = ms >= np.quantile(ms, TAIL)
    return CacheSpread(
        cache=cache,
        decisions=len(ms),
        lookups=lookups,
        hit_ratio=hits / lookups,
        hit_ratio_low=low,
        hit_ratio_high=high,
        decisions_missed=missed,
        hit=latencies_of(decisions.total_ns[~is_missed]),
        missed=latencies_of(decisions.total_ns[is_missed]),
        sd_ms=float(ms.std()),
        miss_adds_ms=None if adds is None else adds[0],
        miss_adds_low_ms=None if adds is None else adds[0] - adds[1],
        miss_adds_high_ms=None if adds is None else adds[0] + adds[1],
        explained_ratio=_explained(decisions.group, ms, is_missed) if is_enough else None,
        tail_missed_ratio=float(is_missed[tail].mean()) if is_enough else None,
        at_target=at_target,
        verdict=_verdict(adds),
    )


def _added(group: Ints, ms: Floats, is_missed: Bools) -> tuple[float, float] | None:
    """Return what a miss adds within a group, weighed by misses, and half of its interval."""
    compared, change, variance = 0, 0.0, 0.0
    for code in np.unique(group).tolist():
        is_own = group == code
        missed, hit = ms[is_own & is_missed], ms[is_own & ~is_missed]
        if len(missed) < _SIDE_MIN or len(hit) < _SIDE_MIN:
            continue
        n, m = len(missed), len(hit)
        compared += n
        change += n * float(missed.mean() - hit.mean())
        first, second = float(missed.var(ddof=1)), float(hit.var(ddof=1))
        # A few misses seldom hold what is slow now and then, and seem steady: both are not.
        pooled_variance = ((n - 1) * first + (m - 1) * second) / (n + m - 2)
        variance += n * n * (max(first, pooled_variance) / n + max(second, pooled_variance) / m)
    if compared < DECISIONS_MIN:
        return None
    return change / compared, Z95 * math.sqrt(variance) / compared


def _explained(group: Ints, ms: Floats, is_missed: Bools) -> float:
    """Return the share of the variance within groups that lies between hits and misses."""
    whole = within = 0.0
    for code in np.unique(group).tolist():
        is_own = group == code
        whole += float(((ms[is_own] - ms[is_own].mean()) ** 2).sum())
        for part in (ms[is_own & is_missed], ms[is_own & ~is_missed]):
            if len(part):
                within += float(((part - part.mean()) ** 2).sum())
    return 1.0 - within / whole if whole else 0.0


def _at_target(group: Ints, ms: Floats, is_missed: Bools, target: float) -> AtTarget:
    """Weigh the hits and the misses of each group as they would be at another share.

    Where more are to hit, misses become fewer by one factor in all groups; where fewer, hits do.
    """
    is_rarer = is_missed if target >= 1 - is_missed.mean() else ~is_missed
    share = 1 - target if is_rarer is is_missed else target
    factor = share / float(is_rarer.mean())
    weight, left = np.ones(len(ms)), 0
    for code in np.unique(group).tolist():
        is_own = group == code
        rarer, others = is_own & is_rarer, is_own & ~is_rarer
        few, many = int(rarer.sum()), int(others.sum())
        if few and many < _SIDE_MIN:
            left += few + many
        elif few:
            weight[rarer], weight[others] = factor, 1 + (1 - factor) * few / many
    weight /= weight.sum()
    mean = float((weight * ms).sum())
    variance = float((weight * (ms - mean) ** 2).sum())
    order = np.argsort(ms, kind="stable")
    reached = np.cumsum(weight[order])

    def quantile(share: float) -> float:
        index = min(int(np.searchsorted(reached, share * reached[-1])), len(ms) - 1)
        return float(ms[order][index])

    now = float(ms.var())
    return AtTarget(
        hit_ratio=target,
        reached_ratio=float(weight[~is_missed].sum()),
        left=left,
        sd_ms=math.sqrt(variance),
        variance_ratio=variance / now if now else 1.0,
        p95_ms=quantile(0.95),
        p99_ms=quantile(0.99),
    )


def _verdict(adds: tuple[float, float] | None) -> str:
    if adds is None:
        return "n too small"
    if adds[0] - adds[1] > 0:
        return "misses are slower"
    return "misses are faster" if adds[0] + adds[1] < 0 else "no difference found"
