"""Pure: what a compound Poisson sum may be in the long run, of however few amounts.

Sales come by chance, and so do their amounts. Of n equal ones the exact interval of Garwood (1936)
is that of the gamma distribution, of n at its low end and of n + 1 at its high end: one sale is
sure of 0.05 of it, and none in a window may have been three. Of unequal ones Fay and Feuer (1997)
take the gamma distribution of the mean and variance of their sum, and at the high end of that sum
with one more amount. This one is as large as the largest: where amounts differ, up to three times
it, since the largest of a heavy tail is yet to come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np

from attribution.revenue.sums import Floats

DRAWS = 51
_GRID = 801
# One more amount may be so many times the largest, where amounts are as unlike as of a heavy tail.
_LARGER = 3.0
# Of a few sales nothing tells how unlike they are: at most so many times their mean.
_RATIO_MAX = 10.0
# Of so many sales one that holds more than this share says that amounts have a heavy tail.
_FEW = 10
_MUCH = 0.2
_NAMED = 3
# A sum of amounts of one sign is its error at least: one that is far less is a difference.
_CANCELLED = 0.5
_SURE = 1e-9


@dataclass(frozen=True, slots=True)
class GroupSum:
    """What decisions of several actions and regions are worth together."""

    decisions: int
    known: int
    earned_usd: float  # by the known ones
    usd: float  # by all, each at the value of its own
    error_usd: float  # standard, of that
    amounts: int  # of which what was earned is the sum
    largest_usd: float  # of them

    @property
    def mean_usd(self) -> float:
        """Return what one amount is on average, 0 where there is none."""
        return max(self.earned_usd / self.amounts, 0.0) if self.amounts else 0.0

    @property
    def larger(self) -> float:
        """Return how many times the largest amount one more may be: 1 where all are alike.

        By the largest over the mean that counts an amount as often as its size: what is small
        beside the others, or nothing, is no reason that a larger one may come.
        """
        share = self.error_usd / abs(self.usd) if self.usd else 0.0
        squared = share**2 * abs(self.earned_usd)
        ratio = self.largest_usd / squared if squared else 1.0
        return min(max(2 * ratio - 1, 1.0), _LARGER)


def following_usd(sums: Mapping[str, GroupSum]) -> dict[str, float]:
    """Return by group what one sale more may be, where it is a large one.

    By the sales of the group itself, where it has some. Of a few it may be as many times their mean
    as the largest of all groups is, and that of a group without a sale is the mean of all.
    """
    selling = [each for each in sums.values() if each.amounts and each.earned_usd > 0]
    amounts = sum(each.amounts for each in selling)
    of_all = sum(each.earned_usd for each in selling) / amounts if amounts else 0.0
    largest = max((each.largest_usd for each in selling), default=0.0)
    ratio = min(largest / of_all, _RATIO_MAX) if of_all else 1.0

    def next_one(group: GroupSum) -> float:
        if not group.amounts:
            return of_all
        tail_usd = group.larger * group.largest_usd
        return tail_usd if group.amounts >= _FEW else max(tail_usd, ratio * group.mean_usd)

    return {
        name: next_one(each) * each.decisions / max(each.known, 1) for name, each in sums.items()
    }


def dominated(sums: Mapping[str, GroupSum]) -> list[str]:
    """Return in words of which groups one sale holds much of what they earned, none if of none.

    Where they have some sales: of few each holds much, and the interval says it.
    """
    shares = {
        name: each.largest_usd / each.earned_usd
        for name, each in sums.items()
        if each.amounts >= _FEW and each.earned_usd >= each.largest_usd > _MUCH * each.earned_usd
    }
    if not shares:
        return []
    first = sorted(shares, key=lambda name: (-shares[name], name))
    named = ", ".join(f"{name or '(none)'} ({shares[name]:.0%})" for name in first[:_NAMED])
    more = f" and of {len(first) - _NAMED:,} more groups" if len(first) > _NAMED else ""
    return [
        f"one sale holds more than a fifth of what was earned of {named}{more}: what they are "
        f"worth rests on such sales; their intervals have room for one that is {_LARGER:g} times "
        "as large, and none for a larger one"
    ]


@lru_cache(maxsize=256)
def likely(total: float, error: float, following: float) -> Floats:
    """Return DRAWS even quantiles of what a sum may be in the long run, ascending.

    Args:
        total: what was counted, below 0 where more was taken back than sold.
        error: its standard error, the root of the sum of squared amounts.
        following: the amount that one more would have, 0 where no more can come.
    """
    quantiles = (np.arange(DRAWS) + 0.5) / DRAWS
    squared = error**2
    if total < _CANCELLED * error or total < 0:
        # What is sold and what is taken back are of one size: the sum may be of either sign.
        spread = math.sqrt(squared + following**2)
        return np.asarray(total + spread * normal_quantiles(DRAWS))
    low = _gamma(total, squared, quantiles)
    high = _gamma(total + following, squared + following**2, quantiles)
    return np.where(quantiles < 0.5, low, high)


def interval(group: GroupSum, following_usd: float) -> tuple[float, float]:
    """Return the 90 % interval of what decisions earn, USD as `of.usd`."""
    return interval_of(likely(group.usd, group.error_usd, following_usd))


def interval_of(drawn: Floats) -> tuple[float, float]:
    """Return the 90 % interval of a figure of which these are even quantiles, in any order."""
    low, high = np.quantile(drawn, [0.05, 0.95], method="hazen")
    return float(low), float(high)


@cache
def normal_quantiles(count: int) -> Floats:
    """Return quantiles of the standard normal distribution, at even shares."""
    return np.array([NormalDist().inv_cdf((index + 0.5) / count) for index in range(count)])


def _gamma(mean: float, variance: float, quantiles: Floats) -> Floats:
    """Return quantiles of the gamma distribution of a mean and a variance, its shape 1 or more."""
    if math.sqrt(variance) <= _SURE * mean:
        return np.full(len(quantiles), mean)
    # Of amounts of one sign it is 1 or more; a little was taken back where it is less.
    shape = max(mean**2 / variance, 1.0)
    # The root of a gamma variable has a spread of a half, whatever its shape.
    root = math.sqrt(shape)
    roots = np.linspace(max(root - 4.0, 0.0), root + 4.0, _GRID)
    with np.errstate(divide="ignore"):
        log = (2 * shape - 1) * np.log(roots) - roots**2
    density = np.exp(log - log.max())
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    draws: Floats = np.interp(quantiles * below[-1], below, roots) ** 2 * (mean / shape)
    return draws
