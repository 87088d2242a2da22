"""Pure: which values of a dimension carry the difference between two populations of decisions.

A value, such as the region eu-west, carries the time that its decisions take beyond the mean of the
first population. Were a value without a part in the difference, it would carry of it the share that
it has of the first population. What it carries beyond that share is its excess: it is positive
where its decisions got slower than the others, and where it has more decisions among the slow than
elsewhere. The excesses of the values of one dimension sum to 0.

What was lost is shared out alike, by failures and by lateness (`losses`). So a dear value whose
decisions got slower carries dollars though others got slower still, and less time than its share.

A value counts as different when its excess of time, or of failures, is far enough from 0 by the
delta method, after control of the false discoveries among all values of all dimensions, and
whether both fail as often. An excess of failures has to be unlikely by their number too.
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
from attribution.whatif.losses import (
    Failures,
    Side,
    beyond_shares_usd,
    failing_chances,
    failures,
)
from collector.core.intervals import Z95

# A sum of floats is off by less, of its mean or of 1.
_ROUNDING = 1e-10


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
    failed_before: int
    failed_after: int
    failed_p: float  # as p and q, of its excess of failures
    failed_q: float
    is_different: bool  # in time or in failures
    usd: float | None  # lost by the second population, beyond its share; None where it is unknown
    failed_usd: float | None  # of it, by failures


@dataclass(frozen=True, slots=True)
class Carried:
    """What values carry, the dearest first, and how often both populations failed."""

    values: tuple[Carrier, ...] = ()
    failures: Failures | None = None  # None where one of both has no decision
    failed_q: float = 1.0  # as that of a value
    is_failing_different: bool = False


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of one population, by value: decisions, and sums of time beyond the mean of the first."""

    count: Floats
    first: Floats
    second: Floats

    @property
    def decisions(self) -> float:
        return float(self.count.sum())


def carriers(before: Side, after: Side, dimensions: Sequence[Dimension]) -> Carried:
    """Return what each value carries; of dimensions of one value nothing.

    Args:
        before: what is compared with.
        after: what is explained.
        dimensions: by which both are told apart.
    """
    if not len(before) or not len(after):
        return Carried()
    named = [
        row
        for dimension in dimensions
        if len(dimension.values) > 1
        for row in _of_dimension(before, after, dimension)
    ]
    failing = failures(before, after)
    # Where nothing fails nothing of it is asked, and the others need not be clearer for it.
    is_failing = failing.before + failing.after > 0
    tests = [row.p for row in named]
    if is_failing:
        tests += [*(row.failed_p for row in named), failing.p]
    q = false_discovery_shares(np.array(tests)).tolist()
    of_failures = q[len(named) :] if is_failing else [1.0] * (len(named) + 1)
    is_enough = min(len(before), len(after)) >= DECISIONS_MIN
    rows = [
        replace(
            row,
            q=share,
            failed_q=failed,
            is_different=is_enough and min(share, failed) <= FALSE_DISCOVERIES_MAX,
        )
        for row, share, failed in zip(named, q[: len(named)], of_failures[:-1], strict=True)
    ]
    return Carried(
        tuple(sorted(rows, key=_dearest_first)),
        failing,
        of_failures[-1],
        is_enough and of_failures[-1] <= FALSE_DISCOVERIES_MAX,
    )


def _of_dimension(before: Side, after: Side, dimension: Dimension) -> list[Carrier]:
    """Return what each value carries, as if it were the only test: q is p, nothing is different."""
    size = len(dimension.values)
    codes = (dimension.before, dimension.after)
    first, second, excess, spread = _excess(before.total_ns, after.total_ns, dimension)
    mean = float(before.total_ns.mean())
    failed = [side.is_error.astype(np.int64) for side in (before, after)]
    _, _, more, wide = _excess(failed[0], failed[1], dimension)
    by_number = failing_chances(before, after, codes, size)
    failed_before, failed_after = (
        np.bincount(code, each, size) for code, each in zip(codes, failed, strict=True)
    )
    usd = beyond_shares_usd(before, after, codes, size)
    failed_usd = beyond_shares_usd(before, after, codes, size, failed=True)
    rows = []
    for place in np.flatnonzero(first.count + second.count).tolist():
        width = Z95 * math.sqrt(spread[place])
        p = _two_sided(float(excess[place]), float(spread[place]))
        failed_p = max(_two_sided(float(more[place]), float(wide[place])), float(by_number[place]))
        rows.append(
            Carrier(
                dimension=dimension.name,
                value=dimension.values[place],
                decisions_before=int(first.count[place]),
                decisions_after=int(second.count[place]),
                mean_before_ns=_mean(first, place, mean),
                mean_after_ns=_mean(second, place, mean),
                excess_ns=float(excess[place]),
                low_ns=float(excess[place] - width),
                high_ns=float(excess[place] + width),
                p=p,
                q=p,
                failed_before=int(failed_before[place]),
                failed_after=int(failed_after[place]),
                failed_p=failed_p,
                failed_q=failed_p,
                is_different=False,
                usd=_known(usd[place]),
                failed_usd=_known(failed_usd[place]),
            )
        )
    return rows


def _excess(before: Ints, after: Ints, dimension: Dimension) -> tuple[_Sums, _Sums, Floats, Floats]:
    """Return the sums of both, and by value the excess of a quantity with its variance."""
    size = len(dimension.values)
    mean = float(before.mean())
    first = _sums(before, mean, dimension.before, size)
    second = _sums(after, mean, dimension.after, size)
    share = first.count / first.decisions
    change = float(second.first.sum()) / second.decisions
    excess = second.first / second.decisions - first.first / first.decisions - share * change
    # Far below a nanosecond, and one failure of the most decisions that are compared.
    excess = np.where(np.abs(excess) < _ROUNDING * max(abs(mean), 1.0), 0.0, excess)
    variance = _variance_after(second, share) + _variance_before(first, second, share, change)
    return first, second, excess, np.maximum(variance, _pooled(before, after, dimension))


def _sums(latency_ns: Ints, mean_ns: float, code: Ints, size: int) -> _Sums:
    beyond: Floats = latency_ns.astype(np.float64) - mean_ns
    return _Sums(
        np.bincount(code, minlength=size).astype(np.float64),
        np.bincount(code, beyond, minlength=size).astype(np.float64),
        np.bincount(code, beyond * beyond, minlength=size).astype(np.float64),
    )


def _mean(sums: _Sums, code: int, mean_ns: float) -> float | None:
    return float(sums.first[code] / sums.count[code] + mean_ns) if sums.count[code] else None


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


def _known(usd: float) -> float | None:
    return None if math.isnan(usd) else float(usd)


def _two_sided(excess: float, variance: float) -> float:
    if not excess:
        return 1.0
    return math.erfc(abs(excess) / math.sqrt(2 * variance)) if variance else 0.0


def _dearest_first(row: Carrier) -> tuple[bool, bool, float, float]:
    """Sort what is different before what is not, what costs before what saves, then by dollars."""
    is_gain = (row.usd or row.excess_ns) < 0
    return (not row.is_different, is_gain, -abs(row.usd or 0.0), -abs(row.excess_ns))
