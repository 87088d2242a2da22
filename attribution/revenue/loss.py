"""Pure: what decisions were worth, and what their lateness cost.

A decision loses l = v * (1 - exp(-beta * (L - L0)+)); one that failed loses all of v. The value v
is that of its class, action x region, in the window up to its second: what a decision would earn
that neither fails nor is late. It is what was earned over the sum of the shares that were kept, so
that failures and lateness count once. No curve is known far out: there a share is held to be no
less than after 10 s, nor than a hundredth, or what earned something minutes late would be worth any
multiple of it. By contribution margin, else by revenue, else it is the value
that the decision states itself, else unknown, which is never zero. Earned is over the decisions
whose outcome is known (`outcomes.complete`). An amount that is missing counts as the mean of the
others; where fewer than half are known, that mean is no value. Nor is nothing that was earned: what
a class without a sale would lose is unknown, or an alert about it would end for want of sales. The
value of a group is 0 then, over all of its decisions (`group_values`).

Nor is it known well what few sales say (`EarnedInCells.ends`): that error is in the ends of a loss,
beside that of the slope.

Money is whole millionths of a dollar, so sums are exact and no order changes them. A sum that no
column can hold is unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from attribution.core.config import SlopePrior
from attribution.core.money import MICROS_PER_USD
from attribution.path.spans import Bools, Ints
from attribution.revenue.sums import (
    EXPECTED,
    PPB,
    REVENUE,
    UNKNOWN,
    Column,
    Earned,
    EarnedInCells,
    Floats,
    squares,
)
from collector.core.times import NS_PER_MS, NS_PER_S

# Decimal(18, 6) ends at 10^18 millionths; the rest leaves room for the rounding of floats.
SUM_MAX = 9 * 10**17
# Where a value is told from what late decisions earned: experiments delay by seconds at most.
_LATE_MAX_NS = 10 * NS_PER_S
_KEPT_MIN = 0.01


@dataclass(frozen=True, slots=True)
class Slope:
    """Relative loss of value per nanosecond over the reference: median, low and high."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slopes:
    """The same for each of many decisions."""

    median: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Decisions:
    """Attributed decisions, one row each."""

    second_ns: Ints  # start of the second in which each began
    group: Ints  # code of (action, region)
    total_ns: Ints
    reference_ns: Ints
    is_error: Bools
    stated_micros: Ints  # decision.value_usd
    is_stated: Bools
    is_silent: Bools  # no outcome is sent of what earned nothing: without one it did


@dataclass(frozen=True, slots=True)
class Cells:
    """Sums by second and class, sorted by second then class; none rests on a mean value."""

    second_ns: Ints
    group: Ints  # code of (action, region)
    decisions: Ints
    late: Ints
    failed: Ints
    lost_share: Floats  # sum of the share of its value that each decision lost
    lost_share_low: Floats
    lost_share_high: Floats
    lost_share_squared: Floats  # of the median
    stated: Ints  # decisions that state a value
    stated_micros: Ints
    stated_loss_micros: Ints
    stated_loss_low_micros: Ints
    stated_loss_high_micros: Ints
    stated_loss_squared: Floats  # USD^2
    known: Ints
    kept_ppb: Ints
    converted: Ints
    margins: Ints
    margin_micros: Ints
    revenues: Ints
    revenue_micros: Ints

    def __len__(self) -> int:
        return len(self.second_ns)

    def take(self, rows: Ints) -> Cells:
        """Return these cells, in this order."""
        return Cells(*(getattr(self, each.name)[rows] for each in fields(self)))

    def joined_with(self, other: Cells) -> Cells:
        """Return the cells of both, unsorted."""
        return Cells(
            *(
                np.concatenate([getattr(self, each.name), getattr(other, each.name)])
                for each in fields(self)
            )
        )

    @property
    def earned(self) -> EarnedInCells:
        """Return what the decisions of each cell earned."""
        margins, large_margins = squares(self.margin_micros)
        revenues, large_revenues = squares(self.revenue_micros)
        return EarnedInCells(
            **{each.name: getattr(self, each.name) for each in fields(Earned)},
            margin_squares=margins,
            margin_large_squares=large_margins,
            revenue_squares=revenues,
            revenue_large_squares=large_revenues,
        )


@dataclass(frozen=True, slots=True)
class Values:
    """What cells are worth and lost, by the value of their class."""

    basis: Ints  # index into BASES
    unvalued: Ints
    value_micros: Ints
    earned_micros: Ints  # by as many decisions of its class on average, failed and late ones too
    loss_micros: Ints
    loss_low_micros: Ints
    loss_high_micros: Ints
    loss_squared: Floats  # USD^2


def slope_of(prior: SlopePrior) -> Slope:
    """Return the slope of a prior that is stated as a loss per 100 ms."""

    def per_ns(per_100ms: float) -> float:
        return -math.log1p(-per_100ms) / (100 * NS_PER_MS)

    return Slope(
        per_ns(prior.median_per_100ms), per_ns(prior.low_per_100ms), per_ns(prior.high_per_100ms)
    )


def lost_shares(
    total_ns: Ints, reference_ns: Ints, is_error: Bools, slope: Slope | Slopes
) -> tuple[Floats, Floats, Floats]:
    """Return the share of its value that each decision lost, at the median, low and high slope."""
    late_ns = np.maximum(total_ns - reference_ns, 0).astype(np.float64)

    def share(beta: float | Floats) -> Floats:
        lost: Floats = np.where(is_error, 1.0, -np.expm1(-beta * late_ns))
        return lost

    return share(slope.median), share(slope.low), share(slope.high)


def sum_cells(decisions: Decisions, earned: Earned, slope: Slope | Slopes) -> Cells:
    """Sum decisions into cells; the order of the decisions changes nothing.

    Amounts that add up to more than SUM_MAX, whatever their signs, are unknown for their cell.
    """
    d = decisions
    # Floats add up alike to the last bit only in one order.
    order = np.lexsort((d.stated_micros, d.total_ns, d.is_error, d.group, d.second_ns))
    second_ns, group = d.second_ns[order], d.group[order]
    first = np.ones(len(order), bool)
    first[1:] = (second_ns[1:] != second_ns[:-1]) | (group[1:] != group[:-1])
    cell, count = np.cumsum(first) - 1, int(first.sum())

    def exact(values: Column) -> Ints:
        sums = np.zeros(count, np.int64)
        np.add.at(sums, cell, values[order].astype(np.int64))
        return sums

    def summed(values: Floats) -> Floats:
        return np.bincount(cell, weights=values[order], minlength=count).astype(np.float64)

    def amounts(counts: Column, micros: Column) -> tuple[Ints, Ints]:
        """Return how many amounts a cell has, and their sum."""
        sizes = np.abs(micros)
        # A float of so much is a multiple of 128, so it says only which sums stay in 64 bits.
        is_held = (summed(sizes.astype(np.float64)) <= 2 * SUM_MAX) & (exact(sizes) <= SUM_MAX)
        return np.where(is_held, exact(counts), 0), np.where(is_held, exact(micros), 0)

    median, low, high = lost_shares(d.total_ns, d.reference_ns, d.is_error, slope)
    late_ns = np.clip(d.total_ns - d.reference_ns, 0, _LATE_MAX_NS)
    kept = np.where(d.is_error, 0.0, np.maximum(np.exp(-slope.median * late_ns), _KEPT_MIN))
    is_known = d.is_silent | (earned.known > 0)
    own_micros = np.where(d.is_stated, d.stated_micros, 0)
    at_risk = np.maximum(own_micros, 0).astype(np.float64)
    stated, stated_micros = amounts(d.is_stated, own_micros)
    margins, margin_micros = amounts(earned.margins, earned.margin_micros)
    revenues, revenue_micros = amounts(earned.revenues, earned.revenue_micros)

    def stated_loss(share: Floats) -> Ints:
        return _rounded(np.where(stated > 0, summed(share * at_risk), 0.0))

    return Cells(
        second_ns=second_ns[first],
        group=group[first],
        decisions=exact(earned.decisions),
        late=exact(d.total_ns > d.reference_ns),
        failed=exact(d.is_error),
        lost_share=summed(median),
        lost_share_low=summed(low),
        lost_share_high=summed(high),
        lost_share_squared=summed(median**2),
        stated=stated,
        stated_micros=stated_micros,
        stated_loss_micros=stated_loss(median),
        stated_loss_low_micros=stated_loss(low),
        stated_loss_high_micros=stated_loss(high),
        stated_loss_squared=np.where(
            stated > 0, summed((median * at_risk / MICROS_PER_USD) ** 2), 0.0
        ),
        known=exact(is_known),
        kept_ppb=exact(np.where(is_known, np.rint(kept * PPB), 0)),
        converted=exact(earned.converted),
        margins=margins,
        margin_micros=margin_micros,
        revenues=revenues,
        revenue_micros=revenue_micros,
    )


def replace_seconds(stored: Cells, fresh: Cells, seconds_ns: Ints) -> Cells:
    """Put the fresh cells of these seconds in the place of the stored ones, and sort.

    A stored cell of such a second that has no decision any more becomes a row of zeros: nothing is
    ever deleted, so only a newer row can take its figures back.
    """
    is_touched = np.isin(stored.second_ns, seconds_ns)
    blank = Cells(*(np.zeros_like(getattr(stored, each.name)) for each in fields(Cells)))
    blank = replace(blank, second_ns=stored.second_ns, group=stored.group)
    cells = fresh.joined_with(stored.take(np.flatnonzero(~is_touched)))
    cells = cells.joined_with(blank.take(np.flatnonzero(is_touched)))
    order = np.lexsort((np.arange(len(cells)), cells.group, cells.second_ns))
    second_ns, group = cells.second_ns[order], cells.group[order]
    first = np.ones(len(order), bool)
    first[1:] = (second_ns[1:] != second_ns[:-1]) | (group[1:] != group[:-1])
    return cells.take(order[first])


def value_cells(cells: Cells, window: EarnedInCells) -> Values:
    """Value each cell by what its class earned in its window, else by what decisions state."""
    basis, mean = window.a_sound_one()
    low, high = window.ends(basis)
    basis, mean = np.where(np.isnan(low), UNKNOWN, basis), np.where(np.isnan(low), 0.0, mean)
    basis = np.where((basis == UNKNOWN) & (cells.stated > 0), EXPECTED, basis)
    earned = window.a_decision()[1] * cells.decisions
    is_held = (np.abs(mean * cells.decisions) <= SUM_MAX) & (np.abs(earned) <= SUM_MAX)
    basis, mean = np.where(is_held, basis, UNKNOWN), np.where(is_held, mean, 0.0)
    # Losing a decision that surely costs money is no loss; its value stays as it is.
    at_risk = np.maximum(mean, 0.0)
    by_class, stated = basis <= REVENUE, basis == EXPECTED

    def loss(share: Floats, stated_micros: Ints) -> Ints:
        return np.where(stated, stated_micros, _rounded(np.where(by_class, at_risk * share, 0.0)))

    def end(share: Floats, of_value: Floats) -> Floats:
        """Return an end of the lost share times the value: both are uncertain, and independent."""
        with np.errstate(divide="ignore", invalid="ignore"):
            by_slope, by_sales = np.log(share / cells.lost_share), np.log(of_value)
            factor = np.exp(np.copysign(np.hypot(by_slope, by_sales), by_sales + by_slope))
        return np.where((cells.lost_share > 0) & by_class, cells.lost_share * factor, share)

    return Values(
        basis=basis,
        unvalued=np.select(
            [by_class, stated], [0, cells.decisions - cells.stated], cells.decisions
        ),
        value_micros=np.where(stated, cells.stated_micros, _rounded(mean * cells.decisions)),
        earned_micros=np.select(
            [by_class, stated],
            [
                _rounded(np.where(is_held, earned, 0.0)),
                cells.stated_micros - cells.stated_loss_micros,
            ],
            0,
        ),
        loss_micros=loss(cells.lost_share, cells.stated_loss_micros),
        loss_low_micros=loss(end(cells.lost_share_low, low), cells.stated_loss_low_micros),
        loss_high_micros=loss(end(cells.lost_share_high, high), cells.stated_loss_high_micros),
        loss_squared=np.select(
            [by_class, stated],
            [(at_risk / MICROS_PER_USD) ** 2 * cells.lost_share_squared, cells.stated_loss_squared],
            0.0,
        ),
    )


def _rounded(values: Floats) -> Ints:
    return np.rint(values).astype(np.int64)
