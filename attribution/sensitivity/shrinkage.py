"""Pure: slopes of many cohorts, each drawn to their mean as far as its own data are weak.

Empirical Bayes, normal-normal: the variance between cohorts by Paule and Mandel (1982), intervals
by Morris (1983), which are wider for what the mean and that variance are themselves uncertain of.
Coverage is over cohorts as they come, not of each single one: a cohort far from the others is drawn
to them too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Morris's interval has no finite variance below.
COHORTS_MIN = 5
# A bracket of doubles is exhausted before.
_STEPS_MAX = 200


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Slopes after pooling, in the order given."""

    mean: float
    mean_se: float
    spread: float  # standard deviation between cohorts
    stranger_se: float  # of the mean as the slope of one more cohort, of which nothing is known
    weight: Floats  # of the common mean in each; 0 where nothing was pooled
    estimate: Floats
    se: Floats
    low: Floats
    high: Floats


def paule_mandel(estimates: Floats, errors: Floats) -> float:
    """Return the variance between cohorts: where their spread is what the errors lead to expect."""
    expected = len(estimates) - 1

    def excess(variance: float) -> float:
        weights = 1 / (errors**2 + variance)
        mean = float(weights @ estimates / weights.sum())
        return float(weights @ (estimates - mean) ** 2) - expected

    if expected < 1 or excess(0.0) <= 0:
        return 0.0
    low, high = 0.0, float(np.var(estimates)) + float(errors.max()) ** 2
    while excess(high) > 0:
        high *= 2
    for _ in range(_STEPS_MAX):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2


def shrink(estimates: Floats, errors: Floats, level: float = 0.95) -> Shrunk:
    """Pool the slopes of cohorts.

    Args:
        estimates: on a scale on which cohorts are alike, such as relative to the mean outcome.
        errors: standard error of each, all positive.
        level: of the intervals.

    Below COHORTS_MIN cohorts nothing is pooled: each keeps its own slope and error.
    """
    cohorts = len(estimates)
    assert bool((errors > 0).all()), "a cohort without an error cannot be pooled"
    variance = paule_mandel(estimates, errors)
    weights = 1 / (errors**2 + variance)
    mean = float(weights @ estimates / weights.sum())
    mean_variance = float(1 / weights.sum())
    if cohorts < COHORTS_MIN:
        share, centre, se = np.zeros(cohorts), estimates.copy(), errors.copy()
    else:
        correction = (cohorts - 3) / (cohorts - 1)
        share = correction * errors**2 * weights
        centre = (1 - share) * estimates + share * mean
        # Weights differ, so each cohort leaves its own uncertainty about the spread.
        doubt = 2 * share**2 * (estimates - mean) ** 2 / (cohorts - 3)
        se = np.sqrt((1 - share) * errors**2 + share**2 * mean_variance + doubt)
    # The variance between cohorts is taken one of its own errors higher: how far a stranger may be
    # off nothing else shows. Where errors are equal, s^2 + tau^2 is `cohorts` x mean_variance.
    doubted = variance + cohorts * mean_variance * math.sqrt(2 / max(cohorts - 1, 1))
    half_width = NormalDist().inv_cdf(0.5 + level / 2) * se
    return Shrunk(
        mean=mean,
        mean_se=math.sqrt(mean_variance),
        spread=math.sqrt(variance),
        stranger_se=math.sqrt(mean_variance + doubted),
        weight=share,
        estimate=centre,
        se=se,
        low=centre - half_width,
        high=centre + half_width,
    )
