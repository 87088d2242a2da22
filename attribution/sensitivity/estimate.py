"""Pure: what a millisecond of latency does to an outcome, from sums, or why that cannot be said.

Minute x region x cohort cells absorb what moves latency and intent together from outside. Inside a
cell two instruments move latency: the randomised delay, and the jitter of the back end. Each gives
a slope of its own; where they disagree nothing is shown. What is shown is 2SLS on both: where both
hold it is the efficient one, hence uncorrelated with their gap, so that the test costs no coverage
(Hausman 1978). Errors are clustered by minute. Outcomes are in the caller's unit, latency in ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from attribution.path.spans import Ints
from attribution.sensitivity.sums import BACKEND, INJECTED, LATENCY, OUTCOME, CellSums, Floats

_UNIT = np.eye(4)
_POWER = 0.8
# Sums of squares leave rounding errors of a smaller share than this where nothing varies.
_ROUNDING = 1e-9
# A clustered error of fewer minutes is not known well enough to weigh a cohort by: it is normal for
# the pooling, and with two to four minutes the intervals of such cohorts held the truth in 85 %.
POOLED_MINUTES_MIN = 10
# Nobody has as many, and `slope_models` has room for it.
_NEEDED_MAX = 10**15


class Status(StrEnum):
    """Whether a slope may be shown."""

    IDENTIFIED = "identified"
    NOT_YET = "not yet identified"
    UNCONFIRMED = "not confirmed by a randomised delay"
    DISAGREE = "the instruments disagree"


@dataclass(frozen=True, slots=True)
class Demands:
    """What has to hold before a slope is shown."""

    relative_per_ms: float  # smallest relative effect that must be seen, with a power of 80 %
    level: float = 0.95
    # Fewer clusters, and the clustered error itself is too uncertain (Cameron & Miller 2015). A
    # minute without an injected delay says nothing of what a delay does, and is none.
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
    backend: Instrument | None  # None where it does not vary inside cells of enough minutes
    injection: Instrument | None
    gap: float | None  # backend less injection
    gap_se: float | None
    decisions_needed: int | None  # further ones; None where more of the same would not help


@dataclass(frozen=True, slots=True)
class _Fit:
    shown: Instrument
    influence: Floats  # of each minute on the estimate, as `_left_out` has it
    minutes: int  # that it is spread over, as `_spread` counts them

    @property
    def is_exact(self) -> bool:
        """Return whether its error is that of digits: the data leave nothing to be told from."""
        return self.shown.se <= _ROUNDING * abs(self.shown.estimate)


@dataclass(frozen=True, slots=True)
class _Fits:
    """What each instrument says; None where it says nothing."""

    delayed_minutes: int  # as `_spread` counts them
    injection: _Fit | None = None
    backend: _Fit | None = None
    both: _Fit | None = None

    @property
    def shown(self) -> _Fit | None:
        """Return what is shown once it may be: an injected delay has to be seen by itself."""
        return self.both or self.injection

    @property
    def gap(self) -> tuple[float, float, int] | None:
        """Return backend less injection, its error, and how many minutes that rests on."""
        if self.backend is None or self.injection is None:
            return None
        return (
            self.backend.shown.estimate - self.injection.shown.estimate,
            _clustered(self.backend.influence - self.injection.influence),
            min(self.backend.minutes, self.injection.minutes),
        )


def estimate_slope(cells: CellSums, basis: str, demands: Demands) -> SlopeEstimate:
    """Return the slope of the outcome on latency, or why there is none.

    Args:
        cells: of one population, whole minutes.
        basis: what the outcome is and where it comes from; printed beside the figure.
        demands: what has to hold.
    """
    n, minutes = int(cells.n.sum()), len(np.unique(cells.minute))
    mean, fits = _mean_outcome(cells), _fits(cells, demands.level, demands.minutes_min)
    backend, injection, shown, gap = fits.backend, fits.injection, fits.shown, fits.gap
    status, reason, needed = _judge(fits, n, minutes, mean, demands)
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
        gap=gap[0] if gap else None,
        gap_se=gap[1] if gap else None,
        decisions_needed=needed,
    )


def relative_slope(cells: CellSums, level: float = 0.95) -> Instrument | None:
    """Return the slope by both instruments as a share of the mean outcome, for pooling.

    Little is demanded of it: pooling is for what is weak by itself. None where an instrument is
    missing, or spread over fewer than POOLED_MINUTES_MIN, or nothing was earned. The mean's own
    error is left out: the slope's is some hundred times larger, relative to what each estimates.
    """
    mean, both = _mean_outcome(cells), _fits(cells, level, POOLED_MINUTES_MIN).both
    if both is None or both.minutes < POOLED_MINUTES_MIN or both.is_exact or not mean:
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

    Good to four digits from ten degrees of freedom on, which `minutes_min` is above; to 3 % from
    two on, and a quarter short with one.
    """
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def _fits(cells: CellSums, level: float, minutes_min: int) -> _Fits:
    """Return what each instrument says; one that does not vary inside cells says nothing.

    Nor does the jitter of a few minutes: with so few clusters no gap to the injection is seen, and
    what both say together would be what those minutes do.
    """
    own, minute = cells.within(), _minute_codes(cells.minute)
    total = own.sum(axis=0)
    scale = np.diagonal(cells.products.sum(axis=0))
    varies = np.diagonal(total) > _ROUNDING * np.maximum(scale, 1e-300)
    delayed = _spread(minute, own[:, INJECTED, INJECTED]) if varies[INJECTED] else 0
    if not (varies[LATENCY] and varies[OUTCOME]):
        return _Fits(delayed)
    injection = backend = both = None
    jitter = _UNIT[BACKEND].copy()
    if varies[INJECTED]:
        injection = _told(own, minute, _UNIT[INJECTED], level)
        # Wherever the delay was charged to, the jitter is what it does not explain.
        jitter[INJECTED] = -total[BACKEND, INJECTED] / total[INJECTED, INJECTED]
    left = float(jitter @ total @ jitter)
    if varies[BACKEND] and left > _ROUNDING * total[BACKEND, BACKEND]:
        backend = _told(own, minute, jitter, level, minutes_min)
    if injection and backend:
        pair = np.stack([jitter, _UNIT[INJECTED]])
        first_stage = np.linalg.solve(pair @ total @ pair.T, pair @ total @ _UNIT[LATENCY])
        both = _told(own, minute, first_stage @ pair, level)
    return _Fits(delayed, injection, backend, both)


def _told(
    own: Floats, minute: Ints, instrument: Floats, level: float, minutes_min: int = 2
) -> _Fit | None:
    """Return the same, None where it has no error, as one minute alone has none."""
    fit = _fit(own, minute, instrument, level)
    return fit if fit.minutes >= minutes_min and math.isfinite(fit.shown.se) else None


def _fit(own: Floats, minute: Ints, instrument: Floats, level: float) -> _Fit:
    """Return the slope by one instrument, a combination of the variables.

    Args:
        own: products of deviations, cells x 4 x 4.
        minute: code of each cell's minute, dense from 0.
        instrument: weight of each variable.
    """
    moved = np.einsum("cab,a->cb", own, instrument)
    total, strength = moved.sum(axis=0), moved @ instrument
    # Without anything to divide by there is no error: NaN or infinite, which `_told` finds.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = float(total[OUTCOME] / total[LATENCY])
        scores = moved @ (_UNIT[OUTCOME] - slope * _UNIT[LATENCY])
        influence = _left_out(minute, scores, moved[:, LATENCY])
        se = _clustered(influence)
        first = float(total[LATENCY] / strength.sum())
        residuals = moved @ (_UNIT[LATENCY] - first * instrument)
        first_se = _clustered(_left_out(minute, residuals, strength))
    minutes = _spread(minute, strength)
    reach = student_quantile(0.5 + level / 2, max(minutes - 1, 1)) * se
    # Where latency follows the instrument to the last digit, it is as strong as digits can tell.
    first_se = max(first_se, _ROUNDING * abs(first))
    return _Fit(
        Instrument(
            slope,
            se,
            slope - reach,
            slope + reach,
            (first / first_se) ** 2 if first_se else 0.0,
        ),
        influence,
        minutes,
    )


def _judge(
    fits: _Fits, n: int, minutes: int, mean: float, demands: Demands
) -> tuple[Status, str, int | None]:
    """Return status, reason and how many more decisions are needed.

    Precision is judged by the error alone, never by the estimate: to show what is significant would
    show what is exaggerated.
    """
    delayed, injection, shown, gap = fits.delayed_minutes, fits.injection, fits.shown, fits.gap
    if not delayed:
        return Status.UNCONFIRMED, "no delay was injected at random in this window", None
    if delayed < demands.minutes_min:
        more = _at_most(n / minutes * (demands.minutes_min - delayed))
        reason = (
            f"injected delays amount to {delayed} full minutes, {demands.minutes_min} are needed; "
            f"about {more:,} more decisions needed"
        )
        return Status.NOT_YET, reason, more
    if mean == 0:
        return Status.NOT_YET, "no decision earned anything in this window", None
    if injection is None or shown is None or shown.is_exact:
        reason = "latency or the outcome does not vary, or follows the other to the last digit"
        return Status.NOT_YET, reason, None
    if gap is not None:
        reach = student_quantile(0.5 + demands.level / 2, gap[2] - 1) * gap[1]
        if abs(gap[0]) > reach:
            reason = f"backend less injection is {gap[0]:.3g} per ms, chance reaches {reach:.3g}"
            return Status.DISAGREE, reason, None
    if injection.shown.first_stage_f < demands.first_stage_f_min:
        ratio = demands.first_stage_f_min / max(injection.shown.first_stage_f, 1e-9)
        more = _at_most(n * (ratio - 1))
        reason = f"the delay hardly moves latency; {more:,} more decisions needed"
        return Status.NOT_YET, reason, more
    allowed = demands.relative_per_ms * abs(mean) / _multiplier(demands.level)
    ratio = (shown.shown.se / allowed) ** 2
    if gap is not None:
        ratio = max(ratio, (gap[1] / (demands.gap_se_ratio_max * allowed)) ** 2)
    if ratio > 1:
        more = _at_most(n * (ratio - 1))
        return Status.NOT_YET, f"not yet identified, {more:,} more decisions needed", more
    return Status.IDENTIFIED, "precise enough, and the instruments agree", 0


def _at_most(decisions: float) -> int:
    return max(math.ceil(min(decisions, _NEEDED_MAX)), 1)


def _mean_outcome(cells: CellSums) -> float:
    """Return the mean outcome; 0 where what was earned and what was lost leave rounding errors."""
    n = int(cells.n.sum())
    mean = float(cells.sums[:, OUTCOME].sum() / max(n, 1))
    size = math.sqrt(float(cells.products[:, OUTCOME, OUTCOME].sum()) / max(n, 1))
    return mean if abs(mean) > _ROUNDING * size else 0.0


def _multiplier(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2) + NormalDist().inv_cdf(_POWER)


def _spread(minute: Ints, strength: Floats) -> int:
    """Return over how many minutes of equal weight an instrument is spread.

    The effective number of clusters (Carter, Schnepel & Steigerwald 2017): a minute with next to no
    delayed decision is next to no minute.
    """
    each = np.bincount(minute, weights=strength)
    squares = float(each @ each)
    return round(float(each.sum()) ** 2 / squares) if squares else 0


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
