"""Pure: errors of estimates whose pieces of evidence are clusters, such as minutes."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from attribution.path.spans import Ints
from attribution.sensitivity.sums import Floats


def codes(values: Ints) -> Ints:
    """Return the place of each value among the different ones, dense from 0."""
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def student_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of Student's t (Cornish-Fisher; Abramowitz & Stegun 26.7.5).

    Good to four digits from ten degrees of freedom on; to 3 % from two on, and a quarter short with
    one.
    """
    return _student(NormalDist().inv_cdf(probability), freedom)


def sequential_quantile(level: float, clusters: int, clusters_min: int) -> float:
    """Return by how many errors an estimate is off at none of its looks, but for 1 - level.

    However many looks there are from `clusters_min` on: the boundary of a normal mixture (Robbins
    1970; Waudby-Smith et al. 2021), with the tail of Student's t since the error is estimated. It
    is narrowest about where looking begins, and grows as the root of a logarithm.
    """
    grown = clusters / clusters_min
    z = math.sqrt((1 + 1 / grown) * (math.log1p(grown) + 2 * math.log(1 / (1 - level))))
    return _student(z, max(clusters - 1, 1))


def _student(z: float, freedom: int) -> float:
    """Return the quantile of Student's t whose chance is that of a normal quantile."""
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def spread(cluster: Ints, strength: Floats, *, alike: bool = False) -> int:
    """Return over how many clusters of equal weight an instrument is spread.

    The effective number of clusters (Carter, Schnepel & Steigerwald 2017): a minute with next to no
    delayed decision is next to no minute.

    Args:
        alike: what is in a cluster may be as alike as can be, so that its error grows as its
            strength does: of an arm of 1 % the few minutes count in which a customer with four
            decisions in ten was delayed, and hardly the others.
    """
    each = np.bincount(cluster, weights=strength)
    if alike:
        each = each**2
    squares = float(each @ each)
    return round(float(each.sum()) ** 2 / squares) if squares else 0


def left_out(cluster: Ints, scores: Floats, weights: Floats) -> Floats:
    """Return how far each cluster moves the slope: what leaving it out would change.

    The jackknife, since the plain sandwich is too narrow where a few minutes hold much of the
    data (MacKinnon, Nielsen & Webb 2023).
    """
    weight_by_cluster = np.bincount(cluster, weights=weights)
    moved: Floats = np.bincount(cluster, weights=scores) / (
        weight_by_cluster.sum() - weight_by_cluster
    )
    return moved


def clustered(influence: Floats) -> float:
    """Return the error of a slope from what each cluster moves it by."""
    clusters = len(influence)
    return math.sqrt((clusters - 1) / clusters * float(influence @ influence))
