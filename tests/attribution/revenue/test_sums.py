"""How sure the value of a class is by what its cells earned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.revenue.sums import MARGIN, REVENUE, UNKNOWN, EarnedInCells, squares


def window(cells_usd: list[float]) -> EarnedInCells:
    """Return a window of one class whose cells earned so much, in margin; one decision each."""
    micros = np.rint(np.array(cells_usd) * 1e6).astype(np.int64)
    small, large = (np.array([each.sum(dtype=np.float64)]) for each in squares(micros))
    n, none = np.array([len(micros)]), np.zeros(1, np.int64)
    return EarnedInCells(
        decisions=n, known=n, kept_ppb=n * 10**9, converted=n, margins=n,
        margin_micros=np.array([micros.sum()]), revenues=none, revenue_micros=none,
        margin_squares=small, margin_large_squares=large,
        revenue_squares=none, revenue_large_squares=none,
    )  # fmt: skip


def ends(cells_usd: list[float], basis: int = MARGIN) -> tuple[float, float]:
    """Return the ends of its value."""
    low, high = window(cells_usd).ends(np.array([basis]))
    return float(low[0]), float(high[0])


@pytest.mark.parametrize(
    ("n", "low", "high"),
    # Garwood's exact 90 % interval of n events over n.
    [(1, 0.0513, 4.744), (3, 0.2726, 2.585), (10, 0.5425, 1.696), (100, 0.8414, 1.1806)],
)
def test_ends_of_equal_sales_are_those_of_garwood(n: int, low: float, high: float) -> None:
    """To a hundredth of the value."""
    assert ends([7.0] * n) == pytest.approx((low, high), abs=0.02)


@pytest.mark.parametrize("amount", [0.0001, 1.0, 21_474.0, 50_000.0, 3e7, 8e11])
def test_size_of_the_amounts_changes_nothing(amount: float) -> None:
    """Impressions are thousandths of a dollar, and orders in rupiah tens of millions."""
    assert ends([amount]) == pytest.approx((0.0395, 4.728), rel=0.06)


def test_what_was_sold_and_taken_back_leaves_a_low_end() -> None:
    """A low end of nothing muted each alert of the class for a day."""
    low, high = ends([50.0] * 3_000 + [200_000.0, -199_960.0])
    assert low == pytest.approx(0.0395, abs=0.001)
    assert 4.0 < high < 6.0


def test_many_sales_are_sure_and_one_large_among_them_is_not() -> None:
    """One of $50,000 among 60 of $50 is about one sale."""
    low, high = ends([50.0] * 10_000)
    assert (low, high) == pytest.approx((1.0, 1.0), abs=0.02)
    low, high = ends([50.0] * 60 + [50_000.0])
    assert low < 0.1
    assert high > 4.0


def test_what_is_stated_or_unknown_has_no_error_of_sales() -> None:
    """Nor has what earned less than a hundred-thousandth of a dollar in each second."""
    assert ends([7.0] * 3, UNKNOWN) == (1.0, 1.0)
    assert ends([7.0] * 3, REVENUE) == (1.0, 1.0)
    assert ends([0.000005] * 3) == (1.0, 1.0)


def test_sum_that_is_not_above_zero_by_chance_alone_has_no_ends() -> None:
    """One that is for sure has them: each order costs money."""
    assert np.isnan(ends([50.0] * 599 + [-50_000.0])).all()
    assert np.isnan(ends([5.0, -5.0])).all()
    assert not np.isnan(ends([-2.0] * 50)).any()


def test_interval_holds_the_truth_of_few_and_unequal_sales() -> None:
    """5 and 30 sales a window, log-normal and Pareto: more than eight in ten, and not none."""
    rng = np.random.default_rng(7)
    for name, truth in (("log-normal", np.exp(0.5)), ("Pareto", 1.5)):
        for mean_sales in (5.0, 30.0):
            held = count = 0
            for _ in range(400):
                n = int(rng.poisson(mean_sales))
                drawn = rng.lognormal(0.0, 1.0, n) if name == "log-normal" else 1 + rng.pareto(3, n)
                if n:
                    low, high = ends(drawn.tolist())
                    held += low * drawn.sum() <= mean_sales * truth <= high * drawn.sum()
                    count += 1
            assert held / count > 0.8


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=30))
def test_ends_are_about_the_value(micros: list[int]) -> None:
    """The low one is from 0 to 1 and the high one above, whatever the signs and sizes."""
    low, high = ends([each / 1e6 for each in micros])
    assert np.isnan(low) == np.isnan(high)
    assert np.isnan(low) or 0 <= low <= 1 <= high < np.inf
