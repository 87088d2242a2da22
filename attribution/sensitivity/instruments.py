"""Pure: the slope of the outcome on latency by one instrument, with its error, from sums.

What a unit bought on earlier days is held constant: it tells how likely the unit buys today, and
nothing of today's draw, so that the estimate is of the same effect with less error (Deng et al.
2013; Lin 2013). Errors are clustered by minute, and never below those of single decisions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from attribution.path.spans import Ints
from attribution.sensitivity.clusters import clustered, codes, left_out, spread, student_quantile
from attribution.sensitivity.sums import (
    BACKEND,
    BEFORE,
    INJECTED,
    LATENCY,
    OUTCOME,
    VARIABLES,
    CellSums,
    Floats,
)

_UNIT = np.eye(len(VARIABLES))
# Sums of squares leave rounding errors of a smaller share than this where nothing varies.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Instrument:
    """The slope by one instrument: change of the outcome per ms, with its interval."""

    estimate: float
    se: float
    low: float
    high: float
    first_stage_f: float


@dataclass(frozen=True, slots=True)
class Fit:
    """What one instrument says, and how."""

    line: Instrument
    influence: Floats  # of each minute on the estimate, as `left_out` has it
    minutes: int  # that it is spread over, as `spread` counts them
    first_stage: float  # by how many ms the latency moves with each ms of the instrument
    saved: float = 0.0  # share of the variance that is explained by what was before

    @property
    def is_exact(self) -> bool:
        """Return whether its error is that of digits: the data leave nothing to learn from."""
        return self.line.se <= ROUNDING * abs(self.line.estimate)


@dataclass(frozen=True, slots=True)
class Fits:
    """What each instrument says; None where it says nothing."""

    delayed_minutes: int  # as `spread` counts those that may be alike
    delayed_decisions: int  # of the minutes in which the delay varies
    # Of the decisions that the slope is measured on, as the delays weigh them: what the slope is a
    # share of. Of all decisions where no delay varies.
    mean_outcome: float
    injection: Fit | None = None
    backend: Fit | None = None

    @property
    def gap(self) -> tuple[float, float] | None:
        """Return backend less injection, and its error."""
        if self.backend is None or self.injection is None:
            return None
        return (
            self.backend.line.estimate - self.injection.line.estimate,
            clustered(self.backend.influence - self.injection.influence),
        )


def fits_of(cells: CellSums, level: float, minutes_min: int) -> Fits:
    """Return what each instrument says; one that does not vary inside cells says nothing.

    Where a delay varies, all of it is of those cells alone: what the others earn says nothing of
    what a delay does. Jitter of a few minutes says nothing either: with so few clusters no gap to
    the injection is seen.
    """
    products = cells.within()
    strength = products[:, INJECTED, INJECTED]
    is_delayed = strength > ROUNDING * np.maximum(cells.products[:, INJECTED, INJECTED], 1e-300)
    delayed, among = 0, 0
    if is_delayed.any():
        among = int(cells.n[np.isin(cells.minute, cells.minute[is_delayed])].sum())
        cells, products, strength = (
            cells.take(is_delayed),
            products[is_delayed],
            strength[is_delayed],
        )
        delayed = spread(codes(cells.minute), strength, alike=True)
    minute, total = codes(cells.minute), products.sum(axis=0)
    mean = _mean_outcome(cells, strength if among else cells.n.astype(np.float64))
    scale = np.diagonal(cells.products.sum(axis=0))
    varies = np.diagonal(total) > ROUNDING * np.maximum(scale, 1e-300)
    if not (varies[LATENCY] and varies[OUTCOME]):
        return Fits(delayed, among, mean)
    injection = backend = None
    jitter = _UNIT[BACKEND].copy()
    if varies[INJECTED]:
        injection = _with_error(products, minute, _UNIT[INJECTED], level, cells.n, alike=True)
        # Wherever the delay was charged to, the jitter is what it does not explain.
        jitter[INJECTED] = -total[BACKEND, INJECTED] / total[INJECTED, INJECTED]
    left = float(jitter @ total @ jitter)
    if varies[BACKEND] and left > ROUNDING * total[BACKEND, BACKEND]:
        backend = _with_error(products, minute, jitter, level, cells.n, minutes_min)
    return Fits(delayed, among, mean, injection, backend)


def _mean_outcome(cells: CellSums, weight: Floats) -> float:
    """Return the mean outcome of cells of such weights.

    0 where what was earned and what was lost leave rounding errors.
    """
    each, whole = np.maximum(cells.n, 1), float(weight.sum())
    if not whole:
        return 0.0
    mean = float(weight @ (cells.sums[:, OUTCOME] / each)) / whole
    square = float(weight @ (cells.products[:, OUTCOME, OUTCOME] / each)) / whole
    return mean if abs(mean) > ROUNDING * math.sqrt(square) else 0.0


def _with_error(
    products: Floats,
    minute: Ints,
    instrument: Floats,
    level: float,
    n: Ints,
    minutes_min: int = 2,
    *,
    alike: bool = False,
) -> Fit | None:
    """Return a fit, None where it has no error, as one minute alone has none."""
    fit = _fit(products, minute, instrument, level, n, alike=alike)
    return fit if fit.minutes >= minutes_min and math.isfinite(fit.line.se) else None


def _fit(
    products: Floats,
    minute: Ints,
    instrument: Floats,
    level: float,
    n: Ints,
    *,
    alike: bool = False,
) -> Fit:
    """Return the slope by one instrument, a combination of the variables.

    Args:
        products: of deviations, cells x VARIABLES x VARIABLES.
        minute: code of each cell's minute, dense from 0.
        instrument: weight of each variable.
        level: of the interval.
        n: decisions of each cell.
        alike: as `spread` has it.
    """
    instrument = _held_constant(products.sum(axis=0), instrument)
    moved = np.einsum("cab,a->cb", products, instrument)
    total, strength = moved.sum(axis=0), moved @ instrument
    # Without anything to divide by there is no error: NaN or infinite, which `_with_error` finds.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = float(total[OUTCOME] / total[LATENCY])
        residual = _residual(products.sum(axis=0), slope)
        scores = moved @ residual
        influence = left_out(minute, scores, moved[:, LATENCY])
        se = max(clustered(influence), _plain_error(products, n, instrument, residual))
        first_stage = float(total[LATENCY] / strength.sum())
        residuals = moved @ (_UNIT[LATENCY] - first_stage * instrument)
        first_se = clustered(left_out(minute, residuals, strength))
    minutes = spread(minute, strength, alike=alike)
    half_width = student_quantile(0.5 + level / 2, max(minutes - 1, 1)) * se
    # Where latency follows the instrument to the last digit, it is as strong as digits can tell.
    first_se = max(first_se, ROUNDING * abs(first_stage))
    return Fit(
        Instrument(
            slope,
            se,
            slope - half_width,
            slope + half_width,
            (first_stage / first_se) ** 2 if first_se else 0.0,
        ),
        influence,
        minutes,
        first_stage,
        _saved(products.sum(axis=0), slope),
    )


def _held_constant(total: Floats, instrument: Floats) -> Floats:
    """Return an instrument less what it shares with what was before; by chance, where it is drawn.

    Of products of deviations in all.
    """
    before = float(total[BEFORE, BEFORE])
    if not before:
        return instrument
    freed: Floats = instrument - float(instrument @ total[BEFORE]) / before * _UNIT[BEFORE]
    return freed


def _residual(total: Floats, slope: float) -> Floats:
    """Return what is left of the outcome by a slope, and by what was before: a combination."""
    residual: Floats = _UNIT[OUTCOME] - slope * _UNIT[LATENCY]
    return _held_constant(total, residual)


def _saved(total: Floats, slope: float) -> float:
    """Return by which share what was before lessens the variance of what is left."""
    plain = _UNIT[OUTCOME] - slope * _UNIT[LATENCY]
    residual, whole = _residual(total, slope), float(plain @ total @ plain)
    return 1 - float(residual @ total @ residual) / whole if whole > 0 else 0.0


def _plain_error(products: Floats, n: Ints, instrument: Floats, residual: Floats) -> float:
    """Return the error of a slope as if each decision were a cluster, of what is left of each.

    An error of thirty clusters is itself uncertain to an eighth, and what is shown is chosen by its
    error: of two errors that should be alike the larger one keeps that from choosing the small by
    chance.
    """
    total = products.sum(axis=0)
    freedom = float(n.sum()) - len(n)
    spread_of = max(float(residual @ total @ residual), 0.0) / freedom if freedom > 0 else 0.0
    strength = float(instrument @ total @ instrument)
    moved = abs(float(instrument @ total @ _UNIT[LATENCY]))
    return math.sqrt(spread_of * strength) / moved if moved else 0.0


def relative(line: Instrument, mean: float) -> Instrument:
    """Return a slope as a share of the mean outcome, which is not 0."""
    low, high = sorted((line.low / mean, line.high / mean))
    return Instrument(line.estimate / mean, line.se / abs(mean), low, high, line.first_stage_f)


def naive_slope(rows: CellSums, level: float = 0.95) -> Instrument:
    """Return the slope of plain regression over all decisions: correlation, not cause."""
    cells = rows.cells()
    n = float(cells.n.sum())
    mean = cells.sums.sum(axis=0) / n
    # Deviations from the mean of all, so that each cell's products hold what it adds to the whole.
    products = (
        cells.products
        - cells.sums[:, :, None] * mean
        - mean[:, None] * cells.sums[:, None, :]
        + cells.n[:, None, None] * np.outer(mean, mean)
    )
    return _fit(products, codes(cells.minute), _UNIT[LATENCY], level, cells.n).line
