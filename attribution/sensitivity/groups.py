"""Pure: the slope of each cohort, region, channel, offer type or action, as far as it can be told.

With five groups or more, each is drawn to their mean as far as its own data are weak (`shrink`).
With fewer, a group has its own slope once that is identified, and until then the slope of all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attribution.core.slo import Z90
from attribution.revenue.loss import Slope
from attribution.sensitivity.arms import left_open
from attribution.sensitivity.estimate import Demands, Status, estimate_slope, relative_slope
from attribution.sensitivity.instruments import Instrument
from attribution.sensitivity.shrinkage import COHORTS_MIN, shrink
from attribution.sensitivity.sums import CellSums
from collector.core.times import NS_PER_MS

DIMENSIONS = ("channel", "region", "cohort", "offer_type", "action")


@dataclass(frozen=True, slots=True)
class GroupSlope:
    """One group of one version of the slope, as in the table `slope_groups`."""

    version: int
    dimension: str
    name: str
    decisions: int
    own_per_ms: float | None
    own_se: float | None
    median_per_ns: float
    low_per_ns: float
    high_per_ns: float
    pooled_weight: float
    decisions_needed: int | None
    basis: str

    @property
    def slope(self) -> Slope:
        """Return what the dollars of the group are computed with."""
        return Slope(self.median_per_ns, self.low_per_ns, self.high_per_ns)


def group_slopes(
    groups: Mapping[str, CellSums],
    dimension: str,
    all_of_them: Slope,
    demands: Demands,
    version: int,
) -> list[GroupSlope]:
    """Return the slope of every group that has a decision, in the order given.

    Args:
        groups: cells of the decisions that the version rests on, by the name of their group.
        dimension: one of DIMENSIONS.
        all_of_them: the slope of all groups together, which is identified.
        demands: what has to hold before a group has a slope of its own, where there are few.
        version: of the slope.
    """
    rows = {name: slopes for name, slopes in groups.items() if slopes.n.sum()}
    slopes = {name: relative_slope(each) for name, each in rows.items()}
    weak = (
        _pooled(slopes) if sum(each is not None for each in slopes.values()) >= COHORTS_MIN else {}
    )
    return [
        _drawn(version, dimension, name, each, slopes[name], weak[name])
        if name in weak
        else _few(version, dimension, name, each, slopes[name], all_of_them, demands)
        for name, each in rows.items()
    ]


def _pooled(slopes: dict[str, Instrument | None]) -> dict[str, tuple[float, float, float]]:
    """Return estimate, error and weight of the mean for each, relative per ms."""
    estimated = {name: each for name, each in slopes.items() if each is not None}
    shrunk = shrink(
        np.array([each.estimate for each in estimated.values()]),
        np.array([each.se for each in estimated.values()]),
    )
    # Who cannot say anything is one more group as they come.
    drawn: dict[str, tuple[float, float, float]] = dict.fromkeys(
        slopes, (shrunk.mean, shrunk.stranger_se, 1.0)
    )
    columns: Sequence[Sequence[float]] = (
        shrunk.estimate.tolist(), shrunk.se.tolist(), shrunk.weight.tolist(),
    )  # fmt: skip
    for name, estimate, error, weight in zip(estimated, *columns, strict=True):
        drawn[name] = (estimate, error, weight)
    return drawn


def _drawn(
    version: int,
    dimension: str,
    name: str,
    cells: CellSums,
    slope: Instrument | None,
    pooled: tuple[float, float, float],
) -> GroupSlope:
    estimate, error, weight = pooled
    used = _own(estimate, error, cells)
    return GroupSlope(
        version=version,
        dimension=dimension,
        name=name,
        decisions=int(cells.n.sum()),
        own_per_ms=None if slope is None else slope.estimate,
        own_se=None if slope is None else slope.se,
        median_per_ns=used.median,
        low_per_ns=used.low,
        high_per_ns=used.high,
        pooled_weight=weight,
        decisions_needed=None,
        basis=f"empirical Bayes, {weight:.0%} of it the mean of the groups",
    )


def _own(estimate: float, error: float, cells: CellSums) -> Slope:
    """Return what an estimate, relative per ms, says: where a wait seems to earn, it costs none."""
    median = -estimate / NS_PER_MS
    half_width = Z90 * math.hypot(error, left_open(cells) * estimate) / NS_PER_MS
    return Slope(max(median, 0.0), max(median - half_width, 0.0), max(median + half_width, 0.0))


def _few(
    version: int,
    dimension: str,
    name: str,
    cells: CellSums,
    slope: Instrument | None,
    all_of_them: Slope,
    demands: Demands,
) -> GroupSlope:
    estimate = estimate_slope(cells, "", demands)
    used, weight = all_of_them, 1.0
    basis = f"the slope of all; its own: {estimate.reason}"
    if estimate.status is Status.IDENTIFIED and slope is not None:
        used, weight = _own(slope.estimate, slope.se, cells), 0.0
        basis = f"its own {estimate.n:,} decisions"
    return GroupSlope(
        version=version,
        dimension=dimension,
        name=name,
        decisions=int(cells.n.sum()),
        own_per_ms=None if slope is None else slope.estimate,
        own_se=None if slope is None else slope.se,
        median_per_ns=float(used.median),
        low_per_ns=float(used.low),
        high_per_ns=float(used.high),
        pooled_weight=weight,
        decisions_needed=estimate.decisions_needed,
        basis=basis,
    )
