"""Pure: the acceptable tail: up to which percentile a target latency is worth holding.

To hold a percentile at a target is to bring so many of the decisions, the fastest first, down to
it; the rest stay as slow as they are. What that brings a year grows with the percentile, and so
does what it costs. The acceptable tail begins where the dollar that the next decision brings is the
dollar that it costs: where the gain less the cost is highest.

Costs are stated at some percentiles. Between two of them each further nine costs the same: from
90 to 99 % as much as from 99 to 99.9 %, since what is left of the tail falls by a factor each time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from attribution.path.spans import Ints
from attribution.revenue.loss import Slope
from attribution.revenue.sums import Floats
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS

STEPS = 200
# So many decisions beyond a percentile say where it is.
BEYOND_MIN = 10


@dataclass(frozen=True, slots=True)
class CostPoint:
    """What it costs a year to hold a percentile at the target, in all."""

    percentile: float
    usd_per_year: float


@dataclass(frozen=True, slots=True)
class Latencies:
    """The decisions that a tail is of."""

    total_ns: Ints  # of those that did not fail, or of a sample of them
    earned_usd_per_year: float
    earned_low_usd_per_year: float  # 90 % interval of that
    earned_high_usd_per_year: float
    low_ns: int  # the slope was measured between these two latencies,
    high_ns: int  # and what is beyond them is in no gain


@dataclass(frozen=True, slots=True)
class TailStep:
    """One percentile that could be held."""

    percentile: float
    latency_ms: float  # of the decision at that percentile today
    gain_usd_per_year: float  # in all
    cost_usd_per_year: float
    marginal_gain_usd: float  # a year, of the step to this percentile from the one before
    marginal_cost_usd: float


@dataclass(frozen=True, slots=True)
class Tail:
    """Up to which percentile the target pays."""

    target_ms: float
    percentile: float
    low_percentile: float  # at the low end of slope and earnings
    high_percentile: float
    within: float  # share of the decisions that are within the target today
    at: str  # crossing, first (no step pays) or last (the last one still pays)
    net_usd_per_year: float
    limit_percentile: float  # beyond it too few decisions say where a percentile is
    clipped: float  # share of the decisions slower than the slope was measured for
    step: TailStep  # the last that pays, or the first
    next_step: TailStep | None  # the first that does not
    steps: Sequence[TailStep]  # of the stated percentiles


def checked(points: Sequence[CostPoint]) -> list[CostPoint]:
    """Return the points by percentile. Raises InputError where they are no curve of costs."""
    ordered = sorted(points, key=lambda point: point.percentile)
    if len(ordered) < 2:
        raise InputError("[[tail]]: two percentiles or more say what the tail costs; add one")
    for before, after in pairwise(ordered):
        if before.percentile == after.percentile:
            raise InputError(f"[[tail]]: percentile {after.percentile:g} is there twice; keep one")
        if after.usd_per_year < before.usd_per_year:
            raise InputError(
                f"[[tail]]: percentile {after.percentile:g} costs less than "
                f"{before.percentile:g}; costs are in all, from nothing"
            )
    return ordered


def acceptable_tail(
    latencies: Latencies, slope: Slope, target_ns: int, points: Sequence[CostPoint]
) -> Tail:
    """Return the percentile at which the marginal dollar is the marginal cost.

    Raises:
        InputError: the costs are no curve, the target is where nothing was measured, or too few
            decisions say where the lowest percentile is; with the remedy.
    """
    ordered = checked(points)
    ns = np.sort(latencies.total_ns)
    floor_ns = max(target_ns, latencies.low_ns)
    if floor_ns >= latencies.high_ns:
        raise InputError(
            f"target {target_ns / NS_PER_MS:g} ms: the slope was measured from "
            f"{latencies.low_ns / NS_PER_MS:.0f} to {latencies.high_ns / NS_PER_MS:.0f} ms; "
            "take a target below"
        )
    limit = 100 * (1 - BEYOND_MIN / len(ns)) if len(ns) else 0.0
    if limit <= ordered[0].percentile:
        raise InputError(
            f"{len(ns):,} decisions: percentile {ordered[0].percentile:g} needs "
            f"{math.ceil(BEYOND_MIN / (1 - ordered[0].percentile / 100)):,}; widen --window"
        )
    first, last = _nines(ordered[0].percentile), _nines(min(ordered[-1].percentile, limit))
    nines = np.linspace(first, last, STEPS + 1)
    costs = np.interp(
        nines,
        [_nines(each.percentile) for each in ordered],
        [each.usd_per_year for each in ordered],
    )
    percentiles = 100 * (1 - 10.0**-nines)
    ranks = percentiles / 100 * len(ns)
    gains = [
        _gains(ns, ranks, floor_ns, latencies, beta, max(earned, 0.0))
        for beta, earned in (
            (slope.median, latencies.earned_usd_per_year),
            (slope.low, latencies.earned_low_usd_per_year),
            (slope.high, latencies.earned_high_usd_per_year),
        )
    ]
    best, low, high = (int(np.argmax(np.round(each - costs, 6))) for each in gains)
    latency = ns[np.clip(np.ceil(ranks).astype(np.int64) - 1, 0, len(ns) - 1)]
    steps = _steps(percentiles, latency, gains[0], costs)
    stated = [
        int(np.argmin(np.abs(percentiles - each.percentile)))
        for each in ordered
        if each.percentile <= percentiles[-1] + 1e-9
    ]
    return Tail(
        target_ms=target_ns / NS_PER_MS,
        percentile=float(percentiles[best]),
        low_percentile=float(percentiles[min(low, best)]),
        high_percentile=float(percentiles[max(high, best)]),
        within=float((ns <= target_ns).mean()),
        at="first" if best == 0 else "last" if best == STEPS else "crossing",
        net_usd_per_year=float(gains[0][best] - costs[best]),
        limit_percentile=limit,
        clipped=float((ns > latencies.high_ns).mean()),
        step=steps[best],
        next_step=steps[best + 1] if best < STEPS else None,
        steps=[steps[index] for index in dict.fromkeys(stated)],
    )


def _nines(percentile: float) -> float:
    return -math.log10(1 - percentile / 100)


def _gains(
    ns: Ints, ranks: Floats, floor_ns: int, latencies: Latencies, beta: float, earned: float
) -> Floats:
    """Return what it brings a year to hold so many of the decisions, the fastest first.

    A part of one brings that part: else a step between two decisions would cost and bring nothing.
    """
    # Slower than was measured counts as the slowest that was: it brings that much at least.
    over = np.minimum(ns, latencies.high_ns).astype(np.float64)
    kept = np.exp(-beta * (over - over.min(initial=latencies.high_ns)))
    faster = np.exp(-beta * (np.minimum(over, floor_ns) - over.min(initial=latencies.high_ns)))
    gained = np.concatenate([[0.0], np.cumsum(faster - kept)])
    gains_usd: Floats = earned * np.interp(ranks, np.arange(len(gained)), gained) / kept.sum()
    return gains_usd


def _steps(percentiles: Floats, latency: Ints, gains: Floats, costs: Floats) -> list[TailStep]:
    before_gain = np.concatenate([gains[:1], gains[:-1]])
    before_cost = np.concatenate([costs[:1], costs[:-1]])
    return [
        TailStep(
            percentile=float(percentiles[index]),
            latency_ms=float(latency[index]) / NS_PER_MS,
            gain_usd_per_year=float(gains[index]),
            cost_usd_per_year=float(costs[index]),
            marginal_gain_usd=float(gains[index] - before_gain[index]),
            marginal_cost_usd=float(costs[index] - before_cost[index]),
        )
        for index in range(len(percentiles))
    ]
