"""Pure: VRAM, the Velocity Response Architecture Model: what latency is worth, group by group.

The Expected Revenue Velocity of a group of decisions, in USD a second, when each takes d_i less:

    ERV(d) = rate x value x mean over i of exp(-beta x (L_i - d_i - L0))

It is the value that is left over at these latencies, of decisions worth `value` at the reference
latency L0. Unlike revenue at risk it goes on below the reference: a faster decision earns more.
beta has an interval, rate x value an error, and so has all that follows from them. The weight of a
segment is its Shapley share of what is gained where every segment comes down to its own floor, its
10 % quantile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from attribution.compact import kernel
from attribution.compact.trees import CompactTrees
from attribution.core.segments import SEGMENTS
from attribution.core.slo import Z90
from attribution.path.spans import Bools, Ints
from attribution.revenue.loss import Floats, Slope
from attribution.whatif.replay import Change, Replay
from attribution.whatif.shapley import shapley
from collector.core.clock import NS_PER_MS

SECONDS_A_YEAR = 31_557_600  # of 365.25 days
FLOOR_QUANTILE = 0.1
# Quantiles of the slope over which a band is taken: its median twice, once for either side.
_DRAWS = 201
_NANOS = 10**9


@dataclass(frozen=True, slots=True)
class Group:
    """Decisions that are worth the same: a channel, or an action in a region."""

    name: str
    decisions: int
    decisions_per_s: float
    value_usd: float  # of one, at the reference latency
    slope: Slope  # per ns
    total_ns: Ints  # of a sample of them
    reference_ns: Ints
    is_error: Bools  # these earn nothing, however fast
    error: float = 0.0  # relative, of what they earn in all


@dataclass(frozen=True, slots=True)
class Band:
    """A figure and its 90 % interval, by those of the slope and of what was earned."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a group earns where every decision takes so much longer."""

    shift_ms: float
    erv_usd_per_s: Band
    change_usd_per_year: Band  # against no shift: the integral of revenue over these ms


@dataclass(frozen=True, slots=True)
class Worth:
    """What a group earns, and what milliseconds do to it."""

    name: str
    decisions: int
    sampled: int  # of them, whose latencies stand for all
    value_usd: float  # of one, at the reference latency
    erv_usd_per_s: Band
    marginal_usd_per_ms_year: Band  # of the next millisecond faster, for a year
    gain_10ms_usd_per_year: Band  # of ten, in all
    loss_per_100ms: Band  # share of the value that another 100 ms lose


@dataclass(frozen=True, slots=True)
class Weight:
    """What one segment weighs."""

    segment: str  # stage/class
    weight: float  # share of the gain; all sum to 1
    gain_usd_per_year: float  # where all segments are at their floors, its Shapley share
    gain_low_usd_per_year: float  # at the low ends of all slopes
    gain_high_usd_per_year: float
    time_share: float  # of the critical path
    floor_ms: float  # 10 % quantile of the time that decisions spend in it


def slopes(slope: Slope, count: int = _DRAWS) -> Floats:
    """Return slopes at even quantiles: log-normal on either side of the median."""
    probability = (np.arange(count) + 0.5) / count
    z = np.array([NormalDist().inv_cdf(each) for each in probability]) / Z90
    edge = np.where(z < 0, slope.low, slope.high)
    drawn: Floats
    if slope.low > 0:
        drawn = slope.median * np.exp(np.log(edge / slope.median) * np.abs(z))
    else:  # a slope that may be none has no ratio to it
        drawn = np.maximum(slope.median + (edge - slope.median) * np.abs(z), 0.0)
    return drawn


def erv(group: Group, saved_ns: Ints | int, beta: float) -> float:
    """Return the expected revenue velocity at one slope, in USD a second."""
    if len(group.total_ns) == 0:
        return 0.0
    late_ns = (group.total_ns - saved_ns - group.reference_ns).astype(np.float64)
    left = np.where(group.is_error, 0.0, np.exp(-beta * late_ns))
    return float(group.decisions_per_s * group.value_usd * left.mean())


def curve(group: Group, shifts_ms: Sequence[float]) -> list[CurvePoint]:
    """Return what a group earns at several shifts of its latency; faster is negative."""
    betas, median = slopes(group.slope), group.slope.median
    now = np.array([erv(group, 0, beta) for beta in betas])
    at_median = erv(group, 0, median)
    points = []
    for shift in shifts_ms:
        saved_ns = round(-shift * NS_PER_MS)
        drawn = np.array([erv(group, saved_ns, beta) for beta in betas])
        shifted = erv(group, saved_ns, median)
        points.append(
            CurvePoint(
                shift,
                _band(drawn, shifted, group.error),
                _band(
                    (drawn - now) * SECONDS_A_YEAR,
                    (shifted - at_median) * SECONDS_A_YEAR,
                    group.error,
                ),
            )
        )
    return points


def worth(group: Group) -> Worth:
    """Return what a group earns and what milliseconds are worth to it."""
    betas = slopes(group.slope)
    now = np.array([erv(group, 0, beta) for beta in betas])
    ten_ns = 10 * NS_PER_MS
    faster = np.array([erv(group, ten_ns, beta) for beta in betas])
    median = group.slope.median
    at_median = erv(group, 0, median)
    per_ms = betas * NS_PER_MS * now * SECONDS_A_YEAR
    return Worth(
        name=group.name,
        decisions=group.decisions,
        sampled=len(group.total_ns),
        value_usd=group.value_usd,
        erv_usd_per_s=_band(now, at_median, group.error),
        marginal_usd_per_ms_year=_band(
            per_ms, median * NS_PER_MS * at_median * SECONDS_A_YEAR, group.error
        ),
        gain_10ms_usd_per_year=_band(
            (faster - now) * SECONDS_A_YEAR,
            (erv(group, ten_ns, median) - at_median) * SECONDS_A_YEAR,
            group.error,
        ),
        loss_per_100ms=_band(-np.expm1(-betas * 100 * NS_PER_MS), -math.expm1(-median * 1e8)),
    )


def segment_weights(
    trees: CompactTrees, groups: Sequence[Group], of: Sequence[Ints]
) -> list[Weight]:
    """Return the weight of every segment that takes time, the heaviest first.

    Args:
        trees: a sample of the decisions of all groups.
        groups: what they are worth.
        of: by group, which of the trees are its own, in the order of its `total_ns`.
    """
    own_ns = kernel.split(trees).segment_ns
    taken = [at for at in range(len(SEGMENTS)) if own_ns[at].any()]
    floors = {at: int(np.quantile(own_ns[at], FLOOR_QUANTILE)) for at in taken}
    replay = Replay(trees)
    before_ns = replay.latencies([])

    def gain(who: frozenset[int]) -> Sequence[int]:
        changes = [
            Change(frozenset([taken[each]]), floor_ns=floors[taken[each]]) for each in sorted(who)
        ]
        saved_ns = before_ns - replay.latencies(changes)
        return [
            round(
                _NANOS
                * sum(
                    erv(group, saved_ns[rows], beta) - erv(group, 0, beta)
                    for group, rows, beta in zip(groups, of, at_slope, strict=True)
                )
            )
            for at_slope in betas
        ]

    betas = [[getattr(group.slope, end) for group in groups] for end in ("median", "low", "high")]
    gains = np.array(shapley(len(taken), gain, orders=40), np.float64) / _NANOS
    shares = gains[:, 0].tolist() if taken else []
    # Of small groups more are sampled: each counts as often as it decides.
    spent = sum(
        (
            group.decisions * own_ns[:, rows].mean(axis=1)
            for group, rows in zip(groups, of, strict=True)
        ),
        np.zeros(len(SEGMENTS)),
    )
    whole, time = sum(shares), float(spent.sum())
    weights = [
        Weight(
            segment="/".join(SEGMENTS[at]),
            weight=share / whole if whole else 0.0,
            gain_usd_per_year=share * SECONDS_A_YEAR,
            gain_low_usd_per_year=float(own.min()) * SECONDS_A_YEAR,
            gain_high_usd_per_year=float(own.max()) * SECONDS_A_YEAR,
            time_share=float(spent[at]) / time if time else 0.0,
            floor_ms=floors[at] / NS_PER_MS,
        )
        for at, share, own in zip(taken, shares, gains, strict=True)
    ]
    return sorted(weights, key=lambda each: (-each.gain_usd_per_year, each.segment))


def _band(drawn: Floats, median: float, error: float = 0.0) -> Band:
    if error:  # of what is earned: log-normal, and independent of the slope
        z = np.array([NormalDist().inv_cdf((at + 0.5) / 51) for at in range(51)])
        drawn = np.outer(drawn, np.exp(math.sqrt(math.log1p(error**2)) * z))
    low, high = np.quantile(drawn, [0.05, 0.95])
    return Band(median, min(float(low), median), max(float(high), median))
