"""Pure: what the delays of an experiment have cost, by its arms as they were drawn.

Inside a cell the arms differ in nothing but their delay. So what the delayed would have earned is
what the control earned, decision for decision, and the loss is what they earned less: whatever the
shape of the effect, however many of the ms were waited, in whichever arm it lies. A line through
the arms, which says what the next ms costs, would spread a loss at 100 ms over those that were
delayed by 10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from attribution.core.money import rounded
from attribution.path.spans import Ints
from attribution.sensitivity.arms import TEST_LEVEL
from attribution.sensitivity.clusters import (
    clustered,
    codes,
    left_out,
    sequential_quantile,
    spread,
    student_quantile,
)
from attribution.sensitivity.estimate import SlopeEstimate, Status
from attribution.sensitivity.sums import BEFORE, OUTCOME, VARIABLES, CellSums, Floats

_LEVEL = 0.95
# What sold is not known, or is of another population in each arm.
_UNTOLD = (Status.DECIDED_AGAIN, Status.LOST, Status.UNSURE, Status.UNEQUAL)


@dataclass(frozen=True, slots=True)
class Loss:
    """What the delays cost, by the randomised arms alone, with a 95 % interval."""

    usd: Decimal
    low_usd: Decimal
    high_usd: Decimal
    # The low end at every look, but for one such experiment in a hundred; None before 30 minutes.
    proven_usd: Decimal | None
    outcome: str  # margin or revenue
    decisions: int  # whose outcomes are known


class _Contrast(NamedTuple):
    """What the delayed earned less than the control."""

    usd: float
    se: float
    minutes: int  # over which the delays are spread


def loss_of(estimate: SlopeEstimate, rows: CellSums, outcome: str, minutes_min: int) -> Loss | None:
    """Return what the delays cost the decisions that they delayed.

    None where it is not money, or the arms do not tell what they earned.

    Args:
        estimate: of these rows.
        rows: one an arm of a cell. Amounts count whole: the few that hold much of the money make
            the interval as wide as they are few. A proof is of amounts up to the limit alone, as if
            delays kept no large sale away.
        outcome: that is summed in them.
        minutes_min: with delays, before anything is proven.
    """
    if outcome == "converted" or estimate.status in _UNTOLD or not rows.has_arms:
        return None
    before, variance = _held_constant(rows)
    counted = _contrast(rows, rows.sums[:, OUTCOME] - before, variance)
    earned = _contrast(rows, rows.sums[:, OUTCOME] + rows.answers.beyond - before, variance)
    if counted is None or earned is None:
        return None
    half_width = student_quantile(0.5 + _LEVEL / 2, max(earned.minutes - 1, 1)) * earned.se
    proven = None
    if counted.minutes >= minutes_min:
        often = sequential_quantile(TEST_LEVEL, counted.minutes, minutes_min)
        proven = _usd(counted.usd - often * counted.se)
    return Loss(
        _usd(earned.usd),
        _usd(earned.usd - half_width),
        _usd(earned.usd + half_width),
        proven,
        outcome,
        estimate.n,
    )


def _contrast(rows: CellSums, earned: Floats, variance: float) -> _Contrast | None:
    """Return the loss of the delayed; None where no cell has both, or it has no error.

    Delayed decisions of cells without a control lost as much as the others in the mean.

    Args:
        rows: one an arm of a cell.
        earned: by each row.
        variance: of what one decision earns, inside a row: minutes that are alike by chance leave
            that error.
    """
    cell, n = codes(rows.answers.cell), rows.n.astype(np.float64)
    is_delayed = rows.answers.delay_ms > 0
    # control, delayed: decisions, and what they earned
    n0, n1 = (np.bincount(cell, weights=n * each) for each in (~is_delayed, is_delayed))
    y0, y1 = (np.bincount(cell, weights=earned * each) for each in (~is_delayed, is_delayed))
    both = (n0 > 0) & (n1 > 0)
    if not both.any():
        return None
    n0, y0, y1 = n0[both], y0[both], y1[both]
    compared: Floats = n1[both].astype(np.float64)
    of_cell: Ints = rows.minute[np.unique(cell, return_index=True)[1]]
    minute = codes(of_cell[both])
    lost = compared * y0 / n0 - y1
    each = float(lost.sum() / compared.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        se = clustered(left_out(minute, lost - each * compared, compared))
    plain = math.sqrt(variance * float((compared**2 / n0 + compared).sum())) / compared.sum()
    if not math.isfinite(se):
        return None
    minutes = spread(minute, compared, alike=True)
    delayed = float(n1.sum())
    return _Contrast(each * delayed, max(se, float(plain)) * delayed, minutes)


def _held_constant(rows: CellSums) -> tuple[Floats, float]:
    """Return what each row earned by what its units bought before, and the variance of the rest.

    Of one decision, inside an arm of a cell.
    """
    total = rows.cells().within().sum(axis=0)
    before = float(total[BEFORE, BEFORE])
    share = float(total[OUTCOME, BEFORE]) / before if before > 0 else 0.0
    rest = np.zeros(len(VARIABLES))
    rest[OUTCOME], rest[BEFORE] = 1.0, -share
    freedom = int(rows.n.sum()) - int((rows.n > 0).sum())
    squares = max(float(rest @ rows.within().sum(axis=0) @ rest), 0.0)
    return share * rows.sums[:, BEFORE], squares / freedom if freedom > 0 else 0.0


def _usd(value: float) -> Decimal:
    return rounded(Decimal(value))
