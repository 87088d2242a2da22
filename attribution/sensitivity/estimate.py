"""Pure: what a millisecond of latency does to an outcome, from sums, or why that cannot be said.

Minute x region x cohort cells absorb what moves latency and intent together from outside. Inside a
cell only the delay that Millworth drew is known to be random, so what is shown rests on it alone:
the outcome's change with the delay over the latency's. Errors are clustered by minute, and never
below those of single decisions.

A line through the arms gives the mean effect of the delays injected. What the next millisecond does
differs from it as far as the effect bends; the interval that is shown has both the error of the
line and what the arms leave open of a bend. Where the arms show one, nothing is shown. The jitter
of the back end gives a second opinion, which is observational and used for nothing. Outcomes are in
the caller's unit, latency in ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from attribution.path.spans import Ints
from attribution.sensitivity.arms import (
    Bend,
    LostOutcomes,
    bend_of,
    failing,
    latencies_ms,
    left_open,
    lost_outcomes,
)
from attribution.sensitivity.clusters import clustered, left_out, spread, student_quantile
from attribution.sensitivity.power import at_most, multiplier
from attribution.sensitivity.sums import BACKEND, INJECTED, LATENCY, OUTCOME, CellSums, Floats

_UNIT = np.eye(4)
# Sums of squares leave rounding errors of a smaller share than this where nothing varies.
_ROUNDING = 1e-9
# A clustered error of fewer minutes is not known well enough to weigh a cohort by: it is normal for
# the pooling, and with two to four minutes the intervals of such cohorts held the truth in 85 %.
POOLED_MINUTES_MIN = 10
# A millisecond that was injected and moves the latency by less, or by more, was not just waited.
_REACH_MIN, _REACH_MAX = 0.5, 2.0


class Status(StrEnum):
    """Whether a slope may be shown."""

    IDENTIFIED = "identified"
    NOT_YET = "not yet identified"
    UNCONFIRMED = "not confirmed by a randomised delay"
    NOT_APPLIED = "the delay does not reach the latency"
    NOT_LINEAR = "the arms disagree with a line"
    LOST = "outcomes are lost more often when slow"


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
    estimate: float | None  # change of the outcome by the next ms
    low: float | None
    high: float | None
    n: int
    minutes: int
    mean_outcome: float
    basis: str
    injection: Instrument | None  # the line through the arms; None where no delay varies
    next_ms: Instrument | None  # with what the arms leave open: what is shown, once it may be
    delay_max_ms: float
    # Mean latency without the delay less its standard deviation, and with the longest delay more
    # that: between them the effect was measured. None where there are no arms.
    latencies_ms: tuple[float, float] | None
    bend: Bend | None  # how the effect changes with the delay; None of one arm
    backend: Instrument | None  # second opinion, observational
    gap: float | None  # backend less injection
    gap_se: float | None
    lost: LostOutcomes | None  # None where every outcome is known
    decisions_needed: int | None  # further ones; None where more of the same would not help


@dataclass(frozen=True, slots=True)
class _Fit:
    line: Instrument
    influence: Floats  # of each minute on the estimate, as `left_out` has it
    minutes: int  # that it is spread over, as `spread` counts them
    reach: float  # by how much the latency moves with the instrument

    @property
    def is_exact(self) -> bool:
        """Return whether its error is that of digits: the data leave nothing to learn from."""
        return self.line.se <= _ROUNDING * abs(self.line.estimate)


@dataclass(frozen=True, slots=True)
class _Fits:
    """What each instrument says; None where it says nothing."""

    delayed_minutes: int  # as `spread` counts them
    injection: _Fit | None = None
    backend: _Fit | None = None

    @property
    def gap(self) -> tuple[float, float] | None:
        """Return backend less injection, and its error."""
        if self.backend is None or self.injection is None:
            return None
        return (
            self.backend.line.estimate - self.injection.line.estimate,
            clustered(self.backend.influence - self.injection.influence),
        )


def estimate_slope(rows: CellSums, basis: str, demands: Demands) -> SlopeEstimate:
    """Return the slope of the outcome on latency, or why there is none.

    Args:
        rows: of one population, whole minutes; one row an arm, or the tests of the arms are left
            out and the bend is all that it may be.
        basis: what the outcome is and where it comes from; printed beside the figure.
        demands: what has to hold.
    """
    cells = rows.cells()
    n, minutes = int(cells.n.sum()), len(np.unique(cells.minute))
    mean, fits = _mean_outcome(cells), _fits(cells, demands.level, demands.minutes_min)
    bend, lost = bend_of(rows, demands.level), lost_outcomes(rows)
    next_ms = None
    if fits.injection is not None:
        next_ms = _next_ms(fits.injection, left_open(rows), demands.level)
    against = _against(rows, bend, lost, fits, mean)
    status, reason, needed = _judge(fits, n, minutes, mean, demands, against)
    shown = next_ms if status is Status.IDENTIFIED else None
    gap = fits.gap
    return SlopeEstimate(
        status=status,
        reason=reason,
        estimate=shown.estimate if shown else None,
        low=shown.low if shown else None,
        high=shown.high if shown else None,
        n=n,
        minutes=minutes,
        mean_outcome=mean,
        basis=basis,
        injection=fits.injection.line if fits.injection else None,
        next_ms=next_ms,
        delay_max_ms=_delay_max_ms(rows),
        latencies_ms=latencies_ms(rows),
        bend=bend,
        backend=fits.backend.line if fits.backend else None,
        gap=gap[0] if gap else None,
        gap_se=gap[1] if gap else None,
        lost=lost,
        decisions_needed=needed,
    )


def relative_slope(rows: CellSums, level: float = 0.95) -> Instrument | None:
    """Return the line through the arms as a share of the mean outcome, for pooling.

    Little is demanded of it: pooling is for what is weak by itself. None where no delay varies, or
    over fewer than POOLED_MINUTES_MIN, or nothing was earned. The mean's own error is left out: the
    slope's is some hundred times larger, relative to what each estimates. What the arms leave open
    (`arms.left_open`) is left out too: it is alike in all groups, and no mean of them takes it off.
    """
    cells = rows.cells()
    mean, injection = _mean_outcome(cells), _fits(cells, level, POOLED_MINUTES_MIN).injection
    if injection is None or injection.minutes < POOLED_MINUTES_MIN or injection.is_exact:
        return None
    return relative(injection.line, mean) if mean else None


def relative(found: Instrument, mean: float) -> Instrument:
    """Return a slope as a share of the mean outcome, which is not 0."""
    low, high = sorted((found.low / mean, found.high / mean))
    return Instrument(found.estimate / mean, found.se / abs(mean), low, high, found.first_stage_f)


def naive_slope(rows: CellSums, level: float = 0.95) -> Instrument:
    """Return the slope of plain regression over all decisions: correlation, not cause."""
    cells = rows.cells()
    n = float(cells.n.sum())
    mean = cells.sums.sum(axis=0) / n
    # Deviations from the mean of all, so that each cell's products hold what it adds to the whole.
    own = (
        cells.products
        - cells.sums[:, :, None] * mean
        - mean[:, None] * cells.sums[:, None, :]
        + cells.n[:, None, None] * np.outer(mean, mean)
    )
    return _fit(own, _minute_codes(cells.minute), _UNIT[LATENCY], level, cells.n).line


def _fits(cells: CellSums, level: float, minutes_min: int) -> _Fits:
    """Return what each instrument says; one that does not vary inside cells says nothing.

    Nor does the jitter of a few minutes: with so few clusters no gap to the injection is seen.
    """
    own, minute = cells.within(), _minute_codes(cells.minute)
    total = own.sum(axis=0)
    scale = np.diagonal(cells.products.sum(axis=0))
    varies = np.diagonal(total) > _ROUNDING * np.maximum(scale, 1e-300)
    delayed = spread(minute, own[:, INJECTED, INJECTED]) if varies[INJECTED] else 0
    if not (varies[LATENCY] and varies[OUTCOME]):
        return _Fits(delayed)
    injection = backend = None
    jitter = _UNIT[BACKEND].copy()
    if varies[INJECTED]:
        injection = _with_error(own, minute, _UNIT[INJECTED], level, cells.n)
        # Wherever the delay was charged to, the jitter is what it does not explain.
        jitter[INJECTED] = -total[BACKEND, INJECTED] / total[INJECTED, INJECTED]
    left = float(jitter @ total @ jitter)
    if varies[BACKEND] and left > _ROUNDING * total[BACKEND, BACKEND]:
        backend = _with_error(own, minute, jitter, level, cells.n, minutes_min)
    return _Fits(delayed, injection, backend)


def _with_error(
    own: Floats, minute: Ints, instrument: Floats, level: float, n: Ints, minutes_min: int = 2
) -> _Fit | None:
    """Return the same, None where it has no error, as one minute alone has none."""
    fit = _fit(own, minute, instrument, level, n)
    return fit if fit.minutes >= minutes_min and math.isfinite(fit.line.se) else None


def _fit(own: Floats, minute: Ints, instrument: Floats, level: float, n: Ints) -> _Fit:
    """Return the slope by one instrument, a combination of the variables.

    Args:
        own: products of deviations, cells x 4 x 4.
        minute: code of each cell's minute, dense from 0.
        instrument: weight of each variable.
        level: of the interval.
        n: decisions of each cell.
    """
    moved = np.einsum("cab,a->cb", own, instrument)
    total, strength = moved.sum(axis=0), moved @ instrument
    # Without anything to divide by there is no error: NaN or infinite, which `_with_error` finds.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = float(total[OUTCOME] / total[LATENCY])
        scores = moved @ (_UNIT[OUTCOME] - slope * _UNIT[LATENCY])
        influence = left_out(minute, scores, moved[:, LATENCY])
        se = max(clustered(influence), _plain_error(own, n, instrument, slope))
        first = float(total[LATENCY] / strength.sum())
        residuals = moved @ (_UNIT[LATENCY] - first * instrument)
        first_se = clustered(left_out(minute, residuals, strength))
    minutes = spread(minute, strength)
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
        first,
    )


def _plain_error(own: Floats, n: Ints, instrument: Floats, slope: float) -> float:
    """Return the error of a slope as if each decision were a cluster.

    An error of thirty clusters is itself uncertain to an eighth, and what is shown is chosen by its
    error: of two errors that should be alike the larger one keeps that from choosing the small by
    chance.
    """
    total = own.sum(axis=0)
    residual = _UNIT[OUTCOME] - slope * _UNIT[LATENCY]
    freedom = float(n.sum()) - len(n)
    spread_of = max(float(residual @ total @ residual), 0.0) / freedom if freedom > 0 else 0.0
    strength = float(instrument @ total @ instrument)
    moved = abs(float(instrument @ total @ _UNIT[LATENCY]))
    return math.sqrt(spread_of * strength) / moved if moved else 0.0


def _next_ms(fit: _Fit, open_share: float, level: float) -> Instrument:
    """Return the slope where the line through the arms begins, with what the arms leave open."""
    line = fit.line
    se = math.hypot(line.se, open_share * line.estimate)
    reach = student_quantile(0.5 + level / 2, max(fit.minutes - 1, 1)) * se
    return Instrument(
        line.estimate, se, line.estimate - reach, line.estimate + reach, line.first_stage_f
    )


def _against(
    rows: CellSums, bend: Bend | None, lost: LostOutcomes | None, fits: _Fits, mean: float
) -> tuple[Status, str] | None:
    """Return what in the arms themselves says that no figure may rest on them."""
    if lost is not None and lost.reason:
        return Status.LOST, lost.reason
    if bend is not None and bend.is_seen:
        return Status.NOT_LINEAR, bend.reason
    if fits.injection is None or not mean:
        return None
    injection = fits.injection
    reason = failing(rows, injection.line.estimate * injection.reach / mean)
    return (Status.NOT_LINEAR, reason) if reason else None


def _judge(
    fits: _Fits,
    n: int,
    minutes: int,
    mean: float,
    demands: Demands,
    against: tuple[Status, str] | None,
) -> tuple[Status, str, int | None]:
    """Return status, reason and how many more decisions are needed.

    Precision is judged by the error alone, never by the estimate: to show what is significant would
    show what is exaggerated.
    """
    delayed, injection = fits.delayed_minutes, fits.injection
    if not delayed:
        return Status.UNCONFIRMED, "no delay was injected at random in this window", None
    if delayed < demands.minutes_min:
        more = at_most(n / minutes * (demands.minutes_min - delayed))
        reason = (
            f"injected delays amount to {delayed} full minutes, {demands.minutes_min} are needed; "
            f"about {more:,} more decisions needed"
        )
        return Status.NOT_YET, reason, more
    if mean == 0:
        return Status.NOT_YET, "no decision earned anything in this window", None
    if injection is None or injection.is_exact:
        reason = "latency or the outcome does not vary, or follows the other to the last digit"
        return Status.NOT_YET, reason, None
    if against is not None:
        return (*against, None)
    if injection.line.first_stage_f < demands.first_stage_f_min:
        ratio = demands.first_stage_f_min / max(injection.line.first_stage_f, 1e-9)
        more = at_most(n * (ratio - 1))
        reason = f"the delay hardly moves latency; {more:,} more decisions needed"
        return Status.NOT_YET, reason, more
    if not _REACH_MIN <= injection.reach <= _REACH_MAX:
        reason = (
            f"1 ms of delay moves the latency by {injection.reach:.2f} ms, where "
            f"{_REACH_MIN:g} to {_REACH_MAX:g} is a delay that was waited"
        )
        return Status.NOT_APPLIED, reason, None
    allowed = demands.relative_per_ms * abs(mean) / multiplier(demands.level)
    ratio = (injection.line.se / allowed) ** 2
    if ratio > 1:
        more = at_most(n * (ratio - 1))
        return Status.NOT_YET, f"not yet identified, {more:,} more decisions needed", more
    return Status.IDENTIFIED, "precise enough, by delays drawn at random alone", 0


def _delay_max_ms(rows: CellSums) -> float:
    if rows.has_arms:
        return float(rows.answers.delay_ms.max(initial=0.0))
    # Of whole cells the longest is not known; the mean delay of those that were delayed is less.
    total = float(rows.sums[:, INJECTED].sum())
    return float(rows.products[:, INJECTED, INJECTED].sum()) / total if total else 0.0


def _mean_outcome(cells: CellSums) -> float:
    """Return the mean outcome; 0 where what was earned and what was lost leave rounding errors."""
    n = int(cells.n.sum())
    mean = float(cells.sums[:, OUTCOME].sum() / max(n, 1))
    size = math.sqrt(float(cells.products[:, OUTCOME, OUTCOME].sum()) / max(n, 1))
    return mean if abs(mean) > _ROUNDING * size else 0.0


def _minute_codes(minute: Ints) -> Ints:
    return np.unique(minute, return_inverse=True)[1].reshape(-1).astype(np.int64)
