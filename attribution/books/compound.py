"""Pure: what a compound Poisson sum may be in the long run, of however few amounts.

Sales come by chance, and so do their amounts. Of n equal ones the exact interval of Garwood (1936)
is that of the gamma distribution, of n at its low end and of n + 1 at its high end: one sale is
sure of 0.05 of it, and none in a window may have been three. Of unequal ones Fay and Feuer (1997)
take the gamma distribution of the mean and variance of their sum, and at the high end of that sum
with one more amount. This one is as large as the largest: where amounts differ much, three times
it, since the largest of a heavy tail is yet to come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np

from attribution.revenue.loss import Floats

DRAWS = 51
_GRID = 801
# The largest is more than so many times the mean: then one of this many times it may come.
_UNLIKE = 2.0
_LARGER = 3.0
# Of so many sales one that holds more than this share says that amounts have a heavy tail.
_FEW = 10
_MUCH = 0.2
_NAMED = 3
# A sum of amounts of one sign is its error at least, but for rounding.
_CANCELLED = 0.999
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
    def ratio(self) -> float:
        """Return how many times the mean the largest amount is: 1 where all are alike."""
        return self.largest_usd / self.mean_usd if self.mean_usd else 1.0


def following_usd(sums: Mapping[str, GroupSum]) -> dict[str, float]:
    """Return by group what one sale more may be, where it is a large one.

    Amounts of another group are of another size, and of the same shape: as many times the mean as
    the largest of any group is. That of a group without a sale is the mean of all.
    """
    amounts = sum(each.amounts for each in sums.values())
    earned = sum(max(each.earned_usd, 0.0) for each in sums.values())
    of_all = earned / amounts if amounts else 0.0
    ratio = max((each.ratio for each in sums.values()), default=1.0)

    def next_one(each: GroupSum) -> float:
        if not each.amounts:
            return of_all
        larger = _LARGER if each.ratio > _UNLIKE else 1.0
        return max(larger * each.largest_usd, ratio * each.mean_usd)

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
        if each.amounts >= _FEW and each.largest_usd > _MUCH * max(each.earned_usd, 0.0) > 0
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
    if total < 0:
        found: Floats = -likely(-total, error, following)[::-1]
        return found
    squared = error**2
    if total < _CANCELLED * error:
        # What is sold and what is taken back about cancel: the sum may be of either sign.
        spread = math.sqrt(squared + following**2)
        return np.asarray(total + spread * normal_quantiles(DRAWS))
    low = _gamma(total, squared, quantiles)
    high = _gamma(total + following, squared + following**2, quantiles)
    return np.where(quantiles < 0.5, low, high)


def interval(of: GroupSum, following_usd: float) -> tuple[float, float]:
    """Return the 90 % interval of what decisions earn, USD as `of.usd`."""
    return interval_of(likely(of.usd, of.error_usd, following_usd))


def interval_of(drawn: Floats) -> tuple[float, float]:
    """Return the 90 % interval of a figure of which these are even quantiles, in any order."""
    low, high = np.quantile(drawn, [0.05, 0.95], method="hazen")
    return float(low), float(high)


@cache
def normal_quantiles(count: int) -> Floats:
    """Return quantiles of the standard normal distribution, at even shares."""
    return np.array([NormalDist().inv_cdf((at + 0.5) / count) for at in range(count)])


def _gamma(mean: float, variance: float, quantiles: Floats) -> Floats:
    """Return quantiles of the gamma distribution of a mean and a variance, its shape 1 or more."""
    if math.sqrt(variance) <= _SURE * mean:
        return np.full(len(quantiles), mean)
    shape = max(mean**2 / variance, 1.0)
    # The root of a gamma variable has a spread of a half, whatever its shape.
    root = math.sqrt(shape)
    at = np.linspace(max(root - 4.0, 0.0), root + 4.0, _GRID)
    with np.errstate(divide="ignore"):
        log = (2 * shape - 1) * np.log(at) - at**2
    density = np.exp(log - log.max())
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    found: Floats = np.interp(quantiles * below[-1], below, at) ** 2 * (variance / mean)
    return found
