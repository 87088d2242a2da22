"""Pure: what a millisecond of latency does to an outcome, from sums, or why that cannot be said.

Minute x region x cohort cells absorb what moves latency and intent together from outside. Inside a
cell two instruments move latency: the randomised delay, and the jitter of the back end. Each gives
a slope of its own; where they disagree nothing is shown. What is shown is 2SLS on both: where both
hold it is the efficient one, hence uncorrelated with their gap, so that the test costs no coverage
(Hausman 1978). Errors are clustered by minute. Outcomes are in the caller's unit, latency in ms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from attribution.spans import Bools, Ints

Floats = npt.NDArray[np.float64]

VARIABLES = ("outcome", "latency", "backend", "injected")
OUTCOME, LATENCY, BACKEND, INJECTED = range(4)
_UNIT = np.eye(4)
_POWER = 0.8


class Status(StrEnum):
    """Whether a slope may be shown."""

    IDENTIFIED = "identified"
    NOT_YET = "not yet identified"
    UNCONFIRMED = "not confirmed by a randomised delay"
    DISAGREE = "the instruments disagree"


@dataclass(frozen=True, slots=True)
class CellSums:
    """Sums of the four VARIABLES over the decisions of each cell."""

    minute: Ints  # any code; cells of one minute are one cluster
    n: Ints
    sums: Floats  # cells x 4
    products: Floats  # cells x 4 x 4, symmetric

    def __len__(self) -> int:
        return len(self.n)

    def take(self, rows: Ints | Bools) -> CellSums:
        """Return these cells, in this order."""
        return CellSums(self.minute[rows], self.n[rows], self.sums[rows], self.products[rows])

    def within(self) -> Floats:
        """Return the products of deviations from the cell's mean, cells x 4 x 4."""
        each = np.maximum(self.n, 1).astype(np.float64)[:, None, None]
        centred: Floats = self.products - self.sums[:, :, None] * self.sums[:, None, :] / each
        return centred


@dataclass(frozen=True, slots=True)
class Demands:
    """What has to hold before a slope is shown."""

    relative_per_ms: float  # smallest relative effect that must be seen, with a power of 80 %
    level: float = 0.95
    # Fewer clusters, and the clustered error itself is too uncertain (Cameron & Miller 2015).
    minutes_min: int = 30
    # Above it the t-ratio of an instrument is not distorted (Lee et al., AER 2022).
    first_stage_f_min: float = 104.7
    # A randomised delay that could not see a gap this large, in errors allowed, confirms nothing.
    gap_se_ratio_max: float = 4.0


@dataclass(frozen=True, slots=True)
class Instrument:
    """The slope by one instrument: change of the outcome per ms, with its interval."""

    estimate: float
    se: float
    low: float
    high: float
    first_stage_f: float


@dataclass(frozen=True, slots=True)
class SlopeEstimate:
    """One answer about one slope. `estimate` and its interval are None unless identified."""

    status: Status
    reason: str
    estimate: float | None  # change of the outcome per ms
    low: float | None
    high: float | None
    n: int
    minutes: int
    mean_outcome: float
    basis: str
    backend: Instrument | None  # None where it does not vary inside a cell
    injection: Instrument | None
    gap: float | None  # backend less injection
    gap_se: float | None
    decisions_needed: int | None  # further ones; None where more of the same would not help


@dataclass(frozen=True, slots=True)
class _Fit:
    shown: Instrument
    influence: Floats  # of each minute on the estimate, as `_left_out` has it


def cell_sums(minute: Ints, cell: Ints, values: Floats) -> CellSums:
    """Sum decisions into cells, which come in the order of (minute, cell).

    Args:
        minute: of each decision.
        cell: code of its region and cohort.
        values: decisions x 4, the VARIABLES.
    """
    keys, at = np.unique(np.stack([minute, cell]), axis=1, return_inverse=True)
    at, count = at.reshape(-1), keys.shape[1]
    sums = np.zeros((count, 4))
    products = np.zeros((count, 4, 4))
    np.add.at(sums, at, values)
    np.add.at(products, at, values[:, :, None] * values[:, None, :])
    return CellSums(keys[0].astype(np.int64), np.bincount(at, minlength=count), sums, products)


def cells_from_columns(columns: Mapping[str, npt.NDArray[np.generic]]) -> CellSums:
    """Return the answer of `sql/slope_cells.sql` as sums."""
    sums = np.stack([columns[f"sum_{name}"] for name in VARIABLES], axis=1)
    products = np.empty((len(sums), 4, 4))
    for row, first in enumerate(VARIABLES):
        for column, second in enumerate(VARIABLES[row:], row):
            total = columns[f"sum_{first}_{second}"]
            products[:, row, column] = products[:, column, row] = total
    return CellSums(
        columns["minute_ns"].astype(np.int64),
        columns["n"].astype(np.int64),
        sums.astype(np.float64),
        products,
    )


def estimate_slope(cells: CellSums, basis: str, demands: Demands) -> SlopeEstimate:
    """Return the slope of the outcome on latency, or why there is none.

    Args:
        cells: of one population, whole minutes.
        basis: what the outcome is and where it comes from; printed beside the figure.
        demands: what has to hold.
    """
    n, minutes = int(cells.n.sum()), len(np.unique(cells.minute))
    mean = float(cells.sums[:, OUTCOME].sum() / n) if n else 0.0
    fits = _fits(cells, demands.level) if minutes > 1 else {}
    backend, injection, both = (fits.get(name) for name in ("backend", "injection", "both"))
    gap = gap_se = None
    if backend and injection:
        gap = backend.shown.estimate - injection.shown.estimate
        gap_se = _clustered(backend.influence - injection.influence)
    # An injected delay has to be seen by itself; jitter alone is never shown.
    shown = both or injection
    status, reason, needed = _judge(shown, injection, (gap, gap_se), n, minutes, mean, demands)
    is_shown = status is Status.IDENTIFIED and shown is not None
    return SlopeEstimate(
        status=status,
        reason=reason,
        estimate=shown.shown.estimate if shown and is_shown else None,
        low=shown.shown.low if shown and is_shown else None,
        high=shown.shown.high if shown and is_shown else None,
        n=n,
        minutes=minutes,
        mean_outcome=mean,
        basis=basis,
        backend=backend.shown if backend else None,
        injection=injection.shown if injection else None,
        gap=gap,
        gap_se=gap_se,
        decisions_needed=needed,
    )


def relative_slope(cells: CellSums, level: float = 0.95) -> Instrument | None:
    """Return the slope by both instruments as a share of the mean outcome, for pooling.

    No demand is made of it: pooling is for what is weak by itself. None where an instrument is
    missing or nothing was earned. The mean's own error is left out: the slope's is some hundred
    times larger, relative to what each estimates.
    """
    mean = float(cells.sums[:, OUTCOME].sum() / max(int(cells.n.sum()), 1))
    both = _fits(cells, level).get("both") if mean and len(np.unique(cells.minute)) > 1 else None
    if both is None or both.shown.se == 0:
        return None
    low, high = sorted((both.shown.low / mean, both.shown.high / mean))
    return Instrument(
        both.shown.estimate / mean, both.shown.se / abs(mean), low, high, both.shown.first_stage_f
    )


def naive_slope(cells: CellSums, level: float = 0.95) -> Instrument:
    """Return the slope of plain regression over all decisions: correlation, not cause."""
    n = float(cells.n.sum())
    mean = cells.sums.sum(axis=0) / n
    # Deviations from the mean of all, so that each cell's products hold what it adds to the whole.
    own = (
        cells.products
        - cells.sums[:, :, None] * mean
        - mean[:, None] * cells.sums[:, None, :]
        + cells.n[:, None, None] * np.outer(mean, mean)
    )
    return _fit(own, _minute_codes(cells.minute), _UNIT[LATENCY], level).shown


def power_decisions(
    variance_outcome: float, effect: float, variance_instrument: float, level: float = 0.95
) -> float:
    """Return how many decisions see `effect` per ms with a power of 80 %.

    For a conversion rate p and a relative effect theta: variance p (1 - p), effect p theta, hence
    7.85 (1 - p) / (p theta^2 Var z).
    """
    return _multiplier(level) ** 2 * variance_outcome / (effect**2 * variance_instrument)


def student_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of Student's t (Cornish-Fisher; Abramowitz & Stegun 26.7.5).

    Good to four digits from ten degrees of freedom on, which `minutes_min` is above.
    """
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def _fits(cells: CellSums, level: float) -> dict[str, _Fit]:
    """Return what each instrument says; one that does not vary inside cells is left out."""
    own, minute = cells.within(), _minute_codes(cells.minute)
    total = own.sum(axis=0)
    scale = np.diagonal(cells.products.sum(axis=0))
    # Sums of squares leave rounding errors where nothing varies.
    varies = np.diagonal(total) > 1e-9 * np.maximum(scale, 1e-300)
    if not varies[LATENCY]:
        return {}
    fits = {}
    jitter = _UNIT[BACKEND].copy()
    if varies[INJECTED]:
        fits["injection"] = _fit(own, minute, _UNIT[INJECTED], level)
        # Wherever the delay was charged to, the jitter is what it does not explain.
        jitter[INJECTED] = -total[BACKEND, INJECTED] / total[INJECTED, INJECTED]
    left = float(jitter @ total @ jitter)
    if varies[BACKEND] and left > 1e-9 * total[BACKEND, BACKEND]:
        fits["backend"] = _fit(own, minute, jitter, level)
    if len(fits) == 2:
        pair = np.stack([jitter, _UNIT[INJECTED]])
        first_stage = np.linalg.solve(pair @ total @ pair.T, pair @ total @ _UNIT[LATENCY])
        fits["both"] = _fit(own, minute, first_stage @ pair, level)
    return fits


def _fit(own: Floats, minute: Ints, instrument: Floats, level: float) -> _Fit:
    """Return the slope by one instrument, a combination of the variables.

    Args:
        own: products of deviations, cells x 4 x 4.
        minute: code of each cell's minute, dense from 0.
        instrument: weight of each variable.
    """
    moved = np.einsum("cab,a->cb", own, instrument)
    total = moved.sum(axis=0)
    slope = float(total[OUTCOME] / total[LATENCY])
    scores = moved @ (_UNIT[OUTCOME] - slope * _UNIT[LATENCY])
    influence = _left_out(minute, scores, moved[:, LATENCY])
    se = _clustered(influence)

    strength = moved @ instrument
    first = float(total[LATENCY] / strength.sum())
    residuals = moved @ (_UNIT[LATENCY] - first * instrument)
    first_se = _clustered(_left_out(minute, residuals, strength))
    reach = student_quantile(0.5 + level / 2, len(influence) - 1) * se
    return _Fit(
        Instrument(
            slope,
            se,
            slope - reach,
            slope + reach,
            (first / first_se) ** 2 if first_se else math.inf,
        ),
        influence,
    )


def _judge(
    shown: _Fit | None,
    injection: _Fit | None,
    gap: tuple[float | None, float | None],
    n: int,
    minutes: int,
    mean: float,
    demands: Demands,
) -> tuple[Status, str, int | None]:
    """Return status, reason and how many more decisions are needed.

    Precision is judged by the error alone, never by the estimate: to show what is significant would
    show what is exaggerated.
    """
    if shown is None or injection is None:
        return Status.UNCONFIRMED, "no delay was injected at random in this window", None
    difference, difference_se = gap
    if minutes < demands.minutes_min:
        more = _scaled(n, demands.minutes_min / minutes)
        reason = f"{minutes} minutes of data, {demands.minutes_min} are needed"
        return Status.NOT_YET, f"{reason}; about {more:,} more decisions needed", more
    if difference is not None and difference_se is not None:
        reach = student_quantile(0.5 + demands.level / 2, minutes - 1) * difference_se
        if abs(difference) > reach:
            reason = (
                f"backend less injection is {difference:.3g} per ms, chance reaches {reach:.3g}"
            )
            return Status.DISAGREE, reason, None
    if mean == 0:
        return Status.NOT_YET, "no decision earned anything in this window", None
    if injection.shown.first_stage_f < demands.first_stage_f_min:
        ratio = demands.first_stage_f_min / max(injection.shown.first_stage_f, 1e-9)
        more = _scaled(n, ratio)
        return (
            Status.NOT_YET,
            f"the delay hardly moves latency; {more:,} more decisions needed",
            more,
        )
    allowed = demands.relative_per_ms * abs(mean) / _multiplier(demands.level)
    ratio = (shown.shown.se / allowed) ** 2
    if difference_se is not None:
        ratio = max(ratio, (difference_se / (demands.gap_se_ratio_max * allowed)) ** 2)
    if ratio > 1:
        more = _scaled(n, ratio)
        return Status.NOT_YET, f"not yet identified, {more:,} more decisions needed", more
    return Status.IDENTIFIED, "precise enough, and the instruments agree", 0


def _scaled(n: int, ratio: float) -> int:
    return max(math.ceil(n * (ratio - 1)), 1)


def _multiplier(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2) + NormalDist().inv_cdf(_POWER)


def _left_out(minute: Ints, scores: Floats, weights: Floats) -> Floats:
    """Return how far each minute moves the slope: what leaving it out would change.

    The jackknife, since the plain sandwich is too narrow where a few minutes hold much of the
    data (MacKinnon, Nielsen & Webb 2023).
    """
    own = np.bincount(minute, weights=weights)
    moved: Floats = np.bincount(minute, weights=scores) / (own.sum() - own)
    return moved


def _clustered(influence: Floats) -> float:
    clusters = len(influence)
    return math.sqrt((clusters - 1) / clusters * float(influence @ influence))


def _minute_codes(minute: Ints) -> Ints:
    return np.unique(minute, return_inverse=True)[1].reshape(-1).astype(np.int64)
