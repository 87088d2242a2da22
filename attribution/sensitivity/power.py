"""Pure: how many decisions it takes to see an effect."""

from __future__ import annotations

import math
from statistics import NormalDist

POWER = 0.8
# Nobody has as many, and `slope_models` has room for it.
NEEDED_MAX = 10**15


def power_decisions(
    variance_outcome: float, effect: float, variance_instrument: float, level: float = 0.95
) -> float:
    """Return how many decisions see `effect` per ms with a power of 80 %.

    For a conversion rate p and a relative effect theta: variance p (1 - p), effect p theta, hence
    7.85 (1 - p) / (p theta^2 Var z).
    """
    return multiplier(level) ** 2 * variance_outcome / (effect**2 * variance_instrument)


def multiplier(level: float) -> float:
    """Return how many errors an effect has to be away from none, to be seen with POWER."""
    return NormalDist().inv_cdf(0.5 + level / 2) + NormalDist().inv_cdf(POWER)


def at_most(decisions: float) -> int:
    """Return a number of further decisions that a column holds, at least one."""
    return max(math.ceil(min(decisions, NEEDED_MAX)), 1)
