"""Pure: what each decision earned, of the outcomes that are its own.

A sale or correction adds its amounts, a refund takes its own off whatever their sign. A refund that
stands alone has replaced its sale under one id: the decision earned nothing. An outcome that is
neither of them earned nothing, which is known. A late sale is not counted; a late refund comes off
late sales first, then off the rest. A refund that names revenue and no margin takes off as much of
the margin sold as it does of the revenue sold: who pays back knows what, and not what it cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from attribution.path.spans import Bools, Ints
from attribution.revenue.loss import SUM_MAX
from attribution.revenue.sums import Earned, Floats


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome, matched to a decision. None is unknown."""

    decision: int  # index of the decision
    kind: str  # sale, refund or correction
    is_sale: bool  # or a correction of one: it says so, or names an amount; never of a refund
    margin_micros: int | None
    revenue_micros: int | None
    is_late: bool = False  # a sale or refund after the horizon of its decision's channel


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The same, one row each."""

    decision: Ints
    is_refund: Bools
    is_sale: Bools
    is_late: Bools
    margin_micros: Ints
    is_margin_known: Bools
    revenue_micros: Ints
    is_revenue_known: Bools

    @classmethod
    def from_rows(cls, outcomes: Sequence[Outcome]) -> Self:
        """Return some outcomes as columns."""

        def amounts(name: str) -> tuple[Ints, Bools]:
            micros = [getattr(each, name) for each in outcomes]
            is_known = np.array([each is not None for each in micros], bool)
            return np.array([each or 0 for each in micros], np.int64), is_known

        return cls(
            np.array([each.decision for each in outcomes], np.int64),
            np.array([each.kind == "refund" for each in outcomes], bool),
            np.array([each.is_sale for each in outcomes], bool),
            np.array([each.is_late for each in outcomes], bool),
            *amounts("margin_micros"),
            *amounts("revenue_micros"),
        )


def earned_by_decision(outcomes: Outcomes, decisions: int) -> Earned:
    """Sum the outcomes of each decision; `known` are those that have one, and `kept_ppb` is open.

    One amount that is missing makes the decision's margin (or revenue) unknown, and so does a sum
    beyond SUM_MAX.
    """
    o = _with_margins_of_refunds(outcomes, decisions)
    is_earning = o.is_sale | o.is_refund
    in_time, late = is_earning & ~o.is_late, is_earning & o.is_late

    def has(rows: Bools) -> Bools:
        has_any: Bools = np.bincount(o.decision[rows], minlength=decisions) > 0
        return has_any

    converted, sold = has(in_time), has(o.is_sale & ~o.is_late)

    def earned(micros: Ints, is_known: Bools) -> tuple[Ints, Ints]:
        """Return of which decisions an amount is known, and its sum."""
        signed = np.where(o.is_refund, -np.abs(micros), micros)
        sums, rough_sums = _sums(o.decision, signed, in_time & is_known, decisions)
        late_sums, late_rough = _sums(o.decision, signed, late & is_known, decisions)
        is_less = np.where(_is_held(late_rough), late_sums, late_rough) < 0
        total = np.where(sold, sums + np.where(is_less, late_sums, 0), 0)
        is_held = ~sold | _is_held(rough_sums + np.where(is_less, late_rough, 0.0))
        is_missing = sold & has(is_earning & ~is_known & (in_time | o.is_refund))
        is_whole = converted & ~is_missing & is_held & (np.abs(total) <= SUM_MAX)
        return is_whole.astype(np.int64), np.where(is_whole, total, 0)

    every = np.ones(decisions, np.int64)
    known_count = has(np.ones(len(o.decision), bool)).astype(np.int64)
    return Earned(
        every,
        known_count,
        np.zeros_like(every),
        converted.astype(np.int64),
        *earned(o.margin_micros, o.is_margin_known),
        *earned(o.revenue_micros, o.is_revenue_known),
    )


def _with_margins_of_refunds(outcomes: Outcomes, decisions: int) -> Outcomes:
    """Return outcomes with the margins that their refunds take off, where every sale names both.

    Of what was sold at a loss a refund takes no share: what it cost may be lost all the same.
    """
    o = outcomes
    lacking = o.is_refund & ~o.is_margin_known & o.is_revenue_known
    if not lacking.any():
        return o
    is_whole = o.is_sale & o.is_margin_known & o.is_revenue_known
    margins, rough_margins = _sums(o.decision, o.margin_micros, is_whole, decisions)
    revenues, rough_revenues = _sums(o.decision, o.revenue_micros, is_whole, decisions)
    is_open = np.bincount(o.decision[o.is_sale & ~is_whole], minlength=decisions) > 0
    has_share = ~is_open & _is_held(rough_margins) & _is_held(rough_revenues)
    has_share &= (margins >= 0) & (revenues > 0)
    micros, is_known = o.margin_micros.copy(), o.is_margin_known.copy()
    for row in np.flatnonzero(lacking & has_share[o.decision]).tolist():
        of = o.decision[row]
        back, sold = int(margins[of]) * abs(int(o.revenue_micros[row])), int(revenues[of])
        share = (2 * back + sold) // (2 * sold)
        if share <= SUM_MAX:
            micros[row], is_known[row] = share, True
    return replace(o, margin_micros=micros, is_margin_known=is_known)


def _sums(decision: Ints, values: Ints, rows: Bools, count: int) -> tuple[Ints, Floats]:
    """Return sums modulo 2^64, and as floats, which say whether those are the sums."""
    exact = np.zeros(count, np.int64)
    np.add.at(exact, decision[rows], values[rows])
    rough = np.bincount(decision[rows], weights=values[rows], minlength=count)
    return exact, rough.astype(np.float64)  # of no rows it counts instead


def _is_held(rough: Floats) -> Bools:
    # A float of so much is a multiple of 128: what it says is far from where 64 bits end.
    is_held: Bools = np.abs(rough) <= 2 * SUM_MAX
    return is_held
