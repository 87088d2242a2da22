"""What few sales, and sales of which few are large, say of what is earned in the long run."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.books.compound import DRAWS, GroupSum, dominated, following_usd, interval, likely
from attribution.revenue.sums import Floats

Draw = Callable[[np.random.Generator, int], Floats]


def alike(usd: float) -> Draw:
    """Return sales of one amount."""
    return lambda _, count: np.full(count, usd)


def pareto(alpha: float, mean_usd: float) -> Draw:
    """Return sales of which few are very large."""
    least = mean_usd * (alpha - 1) / alpha
    return lambda rng, count: least * (1 + rng.pareto(alpha, count))


def log_normal(mean_usd: float) -> Draw:
    """Return sales as they often are: a tenth of them 2 times the mean or more."""
    return lambda rng, count: mean_usd * np.exp(rng.normal(-0.5, 1, count))


def sum_of(amounts: Floats, decisions: int = 100) -> GroupSum:
    """Return a group that has these sales."""
    total = float(amounts.sum())
    return GroupSum(
        decisions, decisions, total, total, math.sqrt(float((amounts**2).sum())), len(amounts),
        float(np.abs(amounts).max(initial=0.0)),
    )  # fmt: skip


def poisson_tail(mean: float, count: int) -> float:
    """Return the probability of fewer than so many."""
    return sum(
        math.exp(-mean + index * math.log(mean) - math.lgamma(index + 1)) for index in range(count)
    )


@given(count=st.integers(0, 300), usd=st.floats(0.01, 1e6))
def test_interval_of_equal_sales_is_the_exact_one(count: int, usd: float) -> None:
    """At its low end so many or more come in one of twenty windows, at its high end so few."""
    low, high = interval(sum_of(np.full(count, usd)), usd)
    if count:
        assert 1 - poisson_tail(low / usd, count) == pytest.approx(0.05, abs=1e-3)
    else:
        assert low == 0.0
    assert poisson_tail(high / usd, count + 1) == pytest.approx(0.05, abs=1e-3)


@given(
    total=st.floats(-1e6, 1e6), error=st.floats(0, 1e6), following=st.floats(0, 1e6),
)  # fmt: skip
def test_quantiles_ascend_and_are_about_the_sum(
    total: float, error: float, following: float
) -> None:
    """Whatever was sold and taken back; one more sale never narrows the interval."""
    drawn = likely(total, error, following)
    assert len(drawn) == DRAWS
    assert np.isfinite(drawn).all()
    slack = 1e-6 * (abs(total) + error + following)
    assert (np.diff(drawn) >= -slack).all()
    wider = likely(total, error, 2 * following)
    assert wider[-1] - wider[0] >= (drawn[-1] - drawn[0]) * (1 - 1e-3) - slack


WORLDS: dict[str, tuple[int, float, Draw, float]] = {
    # decisions, share that buys, amounts, mean amount
    "300 decisions, 30 % buy for $20": (300, 0.3, alike(20), 20),
    "240 decisions, 1 % buy for $50": (240, 0.01, alike(50), 50),
    "40 decisions, 0.5 % buy for $100": (40, 0.005, alike(100), 100),
    "300 decisions, 10 % buy, Pareto 1.7": (300, 0.1, pareto(1.7, 20), 20),
    "300 decisions, 10 % buy, Pareto 1.3": (300, 0.1, pareto(1.3, 20), 20),
    "30 decisions, 10 % buy, Pareto 1.3": (30, 0.1, pareto(1.3, 20), 20),
    "240 decisions, 1 % buy, log-normal": (240, 0.01, log_normal(20), 20),
    "300 decisions, 10 % buy, log-normal": (300, 0.1, log_normal(20), 20),
}


@pytest.mark.parametrize("groups", [20, 1])
@pytest.mark.parametrize("world", WORLDS)
def test_interval_holds_what_groups_earn_in_the_long_run(world: str, groups: int) -> None:
    """Of nine groups in ten, by count of 400, those without a sale among them.

    A group alone has to have some sales to tell how unlike they are.
    """
    decisions, share, draw, mean_usd = WORLDS[world]
    truth = decisions * share * mean_usd
    rng = np.random.default_rng(5)
    held = []
    for _ in range(400 // groups):
        drawn = [draw(rng, rng.binomial(decisions, share)) for _ in range(groups)]
        sums = {str(index): sum_of(each, decisions) for index, each in enumerate(drawn)}
        following = following_usd(sums)
        for name, each in sums.items():
            low, high = interval(each, following[name])
            held.append(low <= truth <= high)
    if groups > 1 or decisions * share > 5:
        assert np.mean(held) >= 0.87


def test_one_more_sale_is_of_the_size_of_its_own_group() -> None:
    """Ten of $2 beside ten of $30,000 may have another of $2, and none says the mean of all."""
    sums = {
        "cheap": sum_of(np.full(10, 2.0)),
        "dear": sum_of(np.full(10, 30_000.0)),
        "none": sum_of(np.zeros(0)),
    }
    found = following_usd(sums)
    assert found["cheap"] == pytest.approx(2.0)
    assert found["dear"] == pytest.approx(30_000.0)
    assert found["none"] == pytest.approx(15_001.0)
    # A larger one may come where some are larger than others, and by the sales of the group alone.
    sums["odd"] = sum_of(np.array([10.0] * 90 + [50.0] * 10))
    assert following_usd(sums)["odd"] == pytest.approx(3 * 50.0)
    assert following_usd(sums)["cheap"] == pytest.approx(2.0)


def test_sales_of_another_group_leave_an_interval_where_it_is() -> None:
    """200 sign-ups that earn nothing and one of $50 made one of $841 to $1,181 end at $6,869."""
    alone = {"b": sum_of(np.full(100, 10.0))}
    before = interval(alone["b"], following_usd(alone)["b"])
    for others in ([0.0] * 200 + [50.0], [100.0] * 100 + [-101.0] * 99, [1e7], [-5.0]):
        beside = alone | {"trial": sum_of(np.array(others))}
        assert interval(beside["b"], following_usd(beside)["b"]) == before


def test_a_few_cents_that_are_taken_back_change_little() -> None:
    """20 cents beside a sale of $100 made an interval of $5 to $475 one of -$421 to $620."""

    def of(*amounts: float) -> tuple[float, float]:
        own = sum_of(np.array(amounts))
        return interval(own, following_usd({"a": own})["a"])

    low, high = of(100.0)
    for cents in (0.01, 0.05, 0.2, 2.0, 10.0):
        assert of(100.0, -cents) == pytest.approx((low, high), rel=0.25), cents
    taken = of(-5.0)
    assert taken[0] < -5.0 < 0.0 < taken[1], "the next one may be a sale"


def test_sale_that_holds_much_of_a_group_is_told() -> None:
    """Of groups that have sales enough; the ones that rest on it the most are named."""
    many = {f"g{index}": sum_of(np.array([1.0] * 20 + [6.0 + index])) for index in range(4)}
    assert dominated({"even": sum_of(np.full(10, 1.0)), "one": sum_of(np.full(1, 9.0))}) == []
    (told,) = dominated(
        {"tv": sum_of(np.array([1.0] * 9 + [11.0])), "even": sum_of(np.full(9, 1.0))}
    )
    assert told.startswith("one sale holds more than a fifth of what was earned of tv (55%): what")
    (told,) = dominated(many)
    assert "of g3 (31%), g2 (29%), g1 (26%) and of 1 more groups: what" in told
