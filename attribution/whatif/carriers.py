"""Pure: which values of a dimension carry the difference between two populations of decisions.

A value, such as the region eu-west, carries the time that its decisions take beyond the mean of the
first population. Were a value without a part in the difference, it would carry of it the share that
it has of the first population. What it carries beyond that share is its excess: it is positive
where its decisions got slower than the others, and where it has more decisions among the slow than
elsewhere. The excesses of the values of one dimension sum to 0.

Dollars are shared out alike: each decision's time beyond that mean at the price of its own class,
and of each value what its decisions lose beyond its share of what all lose. So a dear value whose
decisions got slower carries dollars though others got slower still, and less time than its share.

A value counts as different when the excess is far enough from 0 by the delta method, after control
of the false discoveries among all values of all dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from attribution.path.spans import Ints
from attribution.revenue.sums import Floats
from attribution.whatif.compare import (
    DECISIONS_MIN,
    FALSE_DISCOVERIES_MAX,
    false_discovery_shares,
)
from collector.core.intervals import Z95

# A sum of nanoseconds as floats is off by less.
_ROUNDING_NS = 1e-3


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension: its values, and by decision the place of its value among them."""

    name: str
    values: Sequence[str]
    before: Ints
    after: Ints


@dataclass(frozen=True, slots=True)
class Carrier:
    """What one value of a dimension carries of the difference."""

    dimension: str
    value: str
    decisions_before: int
    decisions_after: int
    mean_before_ns: float | None  # None where it has no decision there
    mean_after_ns: float | None
    excess_ns: float  # a decision of the second population, beyond the share of this value
    low_ns: float  # 95 % interval of the excess
    high_ns: float
    p: float  # chance of such an excess, had the value no part in the difference
    q: float  # share of false discoveries, if this one and all with less p are called different
    is_different: bool
    usd_per_decision: float | None  # beyond the share of this value; None where it is unknown


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of one population, by value: decisions, and sums of time beyond the mean of the first."""

    count: Floats
    first: Floats
    second: Floats

    @property
    def decisions(self) -> float:
        return float(self.count.sum())


def carriers(
    before_ns: Ints,
    after_ns: Ints,
    dimensions: Sequence[Dimension],
    usd_per_ns: tuple[Floats, Floats] | None = None,
) -> tuple[Carrier, ...]:
    """Return what each value carries, the dearest first; of dimensions of one value nothing.

    Args:
        before_ns: latency of each decision of what is compared with.
        after_ns: of each decision of what is explained.
        dimensions: by which both are told apart.
        usd_per_ns: by decision of each, what a nanosecond more costs (`prices`); NaN where it is
            unknown. None where nothing is known.
    """
    if not len(before_ns) or not len(after_ns):
        return ()
    found = [
        row
        for dimension in dimensions
        if len(dimension.values) > 1
        for row in _of_dimension(before_ns, after_ns, dimension, usd_per_ns)
    ]
    if not found:
        return ()
    q = false_discovery_shares(np.array([row.p for row in found]))
    is_enough = min(len(before_ns), len(after_ns)) >= DECISIONS_MIN
    rows = [
        replace(row, q=share, is_different=is_enough and share <= FALSE_DISCOVERIES_MAX)
        for row, share in zip(found, q.tolist(), strict=True)
    ]
    return tuple(sorted(rows, key=_dearest_first))


def _of_dimension(
    before_ns: Ints,
    after_ns: Ints,
    dimension: Dimension,
    usd_per_ns: tuple[Floats, Floats] | None,
) -> list[Carrier]:
    """Return what each value carries, as if it were the only test: q is p, nothing is different."""
    size = len(dimension.values)
    mean = float(before_ns.mean())
    before = _sums(before_ns, mean, dimension.before, size)
    after = _sums(after_ns, mean, dimension.after, size)
    share = before.count / before.decisions
    change = float(after.first.sum()) / after.decisions
    excess = after.first / after.decisions - before.first / before.decisions - share * change
    excess = np.where(np.abs(excess) < _ROUNDING_NS, 0.0, excess)
    variance = _variance_after(after, share) + _variance_before(before, after, share, change)
    spread = np.maximum(variance, _pooled(before_ns, after_ns, dimension))
    beyond: list[Floats] = [each.astype(np.float64) - mean for each in (before_ns, after_ns)]
    usd = _dollars(beyond[0], beyond[1], dimension, share, usd_per_ns)
    rows = []
    for at in np.flatnonzero(before.count + after.count).tolist():
        width = Z95 * math.sqrt(spread[at])
        p = _two_sided(float(excess[at]), float(spread[at]))
        rows.append(
            Carrier(
                dimension=dimension.name,
                value=dimension.values[at],
                decisions_before=int(before.count[at]),
                decisions_after=int(after.count[at]),
                mean_before_ns=_mean(before, at, mean),
                mean_after_ns=_mean(after, at, mean),
                excess_ns=float(excess[at]),
                low_ns=float(excess[at] - width),
                high_ns=float(excess[at] + width),
                p=p,
                q=p,
                is_different=False,
                usd_per_decision=None if math.isnan(usd[at]) else float(usd[at]),
            )
        )
    return rows


def _sums(latency_ns: Ints, mean_ns: float, code: Ints, size: int) -> _Sums:
    beyond: Floats = latency_ns.astype(np.float64) - mean_ns
    return _Sums(
        np.bincount(code, minlength=size).astype(np.float64),
        np.bincount(code, beyond, minlength=size).astype(np.float64),
        np.bincount(code, beyond * beyond, minlength=size).astype(np.float64),
    )


def _mean(of: _Sums, at: int, mean_ns: float) -> float | None:
    return float(of.first[at] / of.count[at] + mean_ns) if of.count[at] else None


def _variance_after(after: _Sums, share: Floats) -> Floats:
    """Return the variance by the second population: of `(is value - share) * time` a decision."""
    mine, others = (1 - share) ** 2 * after.second, share**2 * (after.second.sum() - after.second)
    mean = (after.first - share * after.first.sum()) / after.decisions
    return _of_mean(mine + others, mean, after.decisions)


def _variance_before(before: _Sums, after: _Sums, share: Floats, change: float) -> Floats:
    """Return the variance by the first population, whose mean and share the excess rests on."""
    weight = 2 * share - after.count / after.decisions
    less = weight - 1
    mine = less**2 * before.second - 2 * less * change * before.first + change**2 * before.count
    others = weight**2 * (before.second.sum() - before.second)
    total = less * before.first - change * before.count
    total = total + weight * (before.first.sum() - before.first)
    return _of_mean(mine + others, total / before.decisions, before.decisions)


def _of_mean(squares: Floats, mean: Floats, decisions: float) -> Floats:
    spread = np.maximum(squares / decisions - mean**2, 0.0)
    variance: Floats = spread / max(decisions - 1, 1.0)
    return variance


def _pooled(before_ns: Ints, after_ns: Ints, dimension: Dimension) -> Floats:
    """Return the variance of the excess, were the populations equal: the larger one counts."""
    together = np.concatenate([before_ns, after_ns])
    code = np.concatenate([dimension.before, dimension.after])
    sums = _sums(together, float(together.mean()), code, len(dimension.values))
    share = sums.count / sums.decisions
    one = _variance_after(sums, share) * sums.decisions
    variance: Floats = one / len(before_ns) + one / len(after_ns)
    return variance


def _dollars(
    before: Floats,
    after: Floats,
    dimension: Dimension,
    share: Floats,
    usd_per_ns: tuple[Floats, Floats] | None,
) -> Floats:
    """Return by value the dollars that it carries beyond its share, of a decision of the second.

    NaN where of none of its decisions the price is known. Else a decision of unknown price has the
    mean of those that are known, so that the dollars of a dimension sum to 0 as the excesses do.

    Args:
        before: time of each decision beyond the mean of the first population, ns.
        after: of the second.
        dimension: that tells them apart.
        share: of each value among the decisions of the first.
        usd_per_ns: by decision of each.
    """
    size = len(share)
    unknown: Floats = np.full(size, math.nan)
    if usd_per_ns is None or np.isnan(usd_per_ns[1]).all():
        return unknown
    is_known = ~np.isnan(usd_per_ns[1])
    mean = float(usd_per_ns[1][is_known].mean())
    first, second = (np.where(np.isnan(each), mean, each) for each in usd_per_ns)
    own = np.bincount(dimension.after, second * after, size) / len(after)
    own -= np.bincount(dimension.before, first * before, size) / len(before)
    here, known = (
        np.bincount(each, minlength=size) for each in (dimension.after, dimension.after[is_known])
    )
    found: Floats = np.where((here > 0) & (known == 0), math.nan, own - share * own.sum())
    return found


def prices(usd_per_ns: Floats, before: Ints, after: Ints) -> tuple[Floats, Floats]:
    """Return by decision of both populations what a nanosecond more costs.

    The price of a class of few decisions is chance: it has the mean of all that are known.

    Args:
        usd_per_ns: by class, as the second population earned; NaN where it is unknown.
        before: class of each decision of the first population.
        after: of the second.
    """
    own = usd_per_ns[after]
    mean = float(own[~np.isnan(own)].mean()) if not np.isnan(own).all() else math.nan
    is_few = np.bincount(after, minlength=len(usd_per_ns)) < DECISIONS_MIN
    priced = np.where(is_few & ~np.isnan(usd_per_ns), mean, usd_per_ns)
    return priced[before], priced[after]


def _two_sided(excess_ns: float, variance: float) -> float:
    if not excess_ns:
        return 1.0
    return math.erfc(abs(excess_ns) / math.sqrt(2 * variance)) if variance else 0.0


def _dearest_first(row: Carrier) -> tuple[bool, float, float]:
    """Sort what is different before what is not, then by dollars, then by time."""
    return (not row.is_different, -abs(row.usd_per_decision or 0.0), -abs(row.excess_ns))
