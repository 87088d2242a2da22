from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.revenue.loss import SUM_MAX
from attribution.revenue.outcomes import Outcome, Outcomes, earned_by_decision
from tests.support.examples import examples

HALF = Fraction(1, 2)
DECISIONS = 4
MOST = 10**18 - 1  # of a Decimal(18, 6), in millionths
# Small ones, where signs and lateness count, and such as add up beyond 64 bits and back.
AMOUNTS = st.one_of(
    st.none(), st.integers(-50, 50), st.sampled_from([MOST, -MOST, SUM_MAX, -SUM_MAX, 5 * 10**17])
)


def sale(
    margin: int | None = None,
    revenue: int | None = None,
    *,
    kind: str = "sale",
    is_sale: bool = True,
    is_late: bool = False,
) -> Outcome:
    """Return one outcome of the first decision; amounts are millionths."""
    return Outcome(0, kind, is_sale and kind != "refund", margin, revenue, is_late)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        pytest.param([sale(4, 20)], (1, 1, 0, 1, 1, 4, 1, 20), id="a sale"),
        pytest.param([sale(4, 20), sale(-4, -20, kind="refund")], (1, 1, 0, 1, 1, 0, 1, 0),
                     id="a refund with its sign"),
        pytest.param([sale(4, 20), sale(1, 5, kind="refund")], (1, 1, 0, 1, 1, 3, 1, 15),
                     id="a refund without its sign"),
        pytest.param([sale(4, 20, kind="refund")], (1, 1, 0, 1, 1, 0, 1, 0),
                     id="a refund that replaced its sale"),
        pytest.param([sale(4, 20), sale(-1, 2, kind="correction")], (1, 1, 0, 1, 1, 3, 1, 22),
                     id="a correction adds"),
        pytest.param([sale(None, 20)], (1, 1, 0, 1, 0, 0, 1, 20), id="margin unknown"),
        pytest.param([sale(4, 20), sale(None, 5)], (1, 1, 0, 1, 0, 0, 1, 25), id="half unknown"),
        pytest.param([sale(is_sale=False)], (1, 1, 0, 0, 0, 0, 0, 0), id="not converted"),
        pytest.param([sale()], (1, 1, 0, 1, 0, 0, 0, 0), id="converted, amounts unknown"),
        pytest.param([sale(0, 0, is_sale=False)], (1, 1, 0, 0, 0, 0, 0, 0), id="nothing, of 0.00"),
        pytest.param([sale(0, 0, is_sale=False), sale(4, 20, kind="refund")],
                     (1, 1, 0, 1, 1, 0, 1, 0), id="a refund beside nothing sold"),
        pytest.param([sale(4, 20), sale(1, 5, kind="refund", is_late=True)],
                     (1, 1, 0, 1, 1, 3, 1, 15), id="a late refund"),
        pytest.param([sale(4, 20), sale(9, 9, is_late=True),
                      sale(5, 10, kind="refund", is_late=True)],
                     (1, 1, 0, 1, 1, 4, 1, 19), id="a late refund comes off late sales first"),
        pytest.param([sale(4, 20), sale(None, 20, kind="refund")], (1, 1, 0, 1, 1, 0, 1, 0),
                     id="a refund of all revenue, and no margin"),
        pytest.param([sale(40, 200), sale(20, 100), sale(None, -75, kind="refund")],
                     (1, 1, 0, 1, 1, 45, 1, 225), id="a refund of a quarter"),
        pytest.param([sale(4, 20), sale(9, 45, is_late=True),
                      sale(None, 55, kind="refund", is_late=True)],
                     (1, 1, 0, 1, 1, 2, 1, 10), id="a late one, of late sales first"),
        pytest.param([sale(4, 20), sale(None, 5), sale(None, 20, kind="refund")],
                     (1, 1, 0, 1, 0, 0, 1, 5), id="a refund of a sale without a margin"),
        pytest.param([sale(-4, 20), sale(None, 20, kind="refund")], (1, 1, 0, 1, 0, 0, 1, 0),
                     id="a refund of what was sold at a loss"),
        pytest.param([sale(None, None, kind="refund")], (1, 1, 0, 1, 1, 0, 1, 0),
                     id="a refund of no amount that replaced its sale"),
        pytest.param([], (1, 0, 0, 0, 0, 0, 0, 0), id="no outcome"),
        pytest.param([sale(4, 10**18 - 1)] * 10, (1, 1, 0, 1, 1, 40, 0, 0), id="beyond 64 bits"),
        pytest.param([sale(4, SUM_MAX), sale(4, 1)], (1, 1, 0, 1, 1, 8, 0, 0), id="beyond"),
        pytest.param([sale(4, SUM_MAX)], (1, 1, 0, 1, 1, 4, 1, SUM_MAX), id="as much as may be"),
    ],
)  # fmt: skip
def test_what_a_decision_earned(outcomes: list[Outcome], expected: tuple[int, ...]) -> None:
    """Decisions, with an outcome, kept (open), converted, margins and sum, revenues and sum."""
    assert earned_by_decision(Outcomes.from_rows(outcomes), 1).matrix().tolist() == [list(expected)]


@given(
    st.lists(
        st.builds(
            lambda decision, kind, is_sale, margin, revenue, is_late: Outcome(
                decision,
                kind,
                is_sale and kind != "refund",
                margin,
                revenue,
                is_late and kind != "correction",
            ),
            st.integers(0, DECISIONS - 1),
            st.sampled_from(["sale", "refund", "correction"]),
            st.booleans(),
            AMOUNTS,
            AMOUNTS,
            st.booleans(),
        ),
        max_size=40,
    )
)
@settings(max_examples=examples(200), deadline=None)
def test_columns_say_what_a_plain_sum_says(outcomes: list[Outcome]) -> None:
    """One outcome after the other, in whole numbers without a bound."""
    earned = earned_by_decision(Outcomes.from_rows(outcomes), DECISIONS).matrix().tolist()
    for index in range(DECISIONS):
        own = [each for each in outcomes if each.decision == index]
        assert earned[index] == plainly(own)


def plainly(outcomes: list[Outcome]) -> list[int]:
    """Return what one decision earned, by the words of the module."""
    earning = [each for each in outcomes if each.is_sale or each.kind == "refund"]
    sold = [each for each in earning if each.is_sale]
    margins, revenues = (
        sum(getattr(each, name) or 0 for each in sold)
        for name in ("margin_micros", "revenue_micros")
    )
    if (
        not any(None in (each.margin_micros, each.revenue_micros) for each in sold)
        and margins >= 0
        and revenues > 0
        and max(margins, revenues) <= 2 * SUM_MAX
    ):
        earning = [
            replace(each, margin_micros=share)
            if each.kind == "refund"
            and each.margin_micros is None
            and each.revenue_micros is not None
            and (share := floor(Fraction(margins * abs(each.revenue_micros), revenues) + HALF))
            <= SUM_MAX
            else each
            for each in earning
        ]
    in_time = [each for each in earning if not each.is_late]
    row = [1, int(bool(outcomes)), 0, int(bool(in_time))]
    for name in ("margin_micros", "revenue_micros"):
        needed = [each for each in earning if not each.is_late or each.kind == "refund"]
        total = sum(taken(each, name) for each in in_time)
        total += min(sum(taken(each, name) for each in earning if each.is_late), 0)
        has_sold = any(each.is_sale for each in in_time)
        total = total if has_sold else 0
        is_known = all(getattr(each, name) is not None for each in needed) or not has_sold
        is_known &= bool(in_time)
        row += [1, total] if is_known and abs(total) <= SUM_MAX else [0, 0]
    return row


def taken(outcome: Outcome, name: str) -> int:
    """Return an amount with the sign that it counts with, 0 where it is missing."""
    amount = getattr(outcome, name) or 0
    return -abs(amount) if outcome.kind == "refund" else int(amount)
