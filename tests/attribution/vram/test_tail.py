from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.revenue.loss import Slope
from attribution.vram.tail import STEPS, CostPoint, Latencies, acceptable_tail
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS
from tests.support.examples import examples

TARGET_NS = 100 * NS_PER_MS
BETA = 0.002 / NS_PER_MS  # 18 % of the value per 100 ms
SLOPE = Slope(BETA, BETA / 2, 2 * BETA)
SCALE_MS = 60.0
EARNED = 1e7


def exponential(n: int = 100_000, high_ms: float = 1e6) -> Latencies:
    """Return decisions that take 100 ms and an exponential time more: the tail never ends."""
    shares = (np.arange(n) + 0.5) / n
    total_ms = 100 - SCALE_MS * np.log1p(-shares)
    return Latencies(
        np.round(total_ms * NS_PER_MS).astype(np.int64),
        EARNED,
        EARNED,
        EARNED,
        0,
        round(high_ms * NS_PER_MS),
    )


def crossing(usd_per_nine: float) -> float:
    """Return the percentile by the formula: marginal gain and marginal cost of the share p.

    A decision at share p takes 100 - 60 ln(1 - p) ms and keeps (1 - p)^b of its value, b = 60 beta.
    The mean of that is 1 / (1 + b). So the gain is E (1 + b) (1 - (1 - p)^b) for a share of one,
    and a share costs C / (ln 10 (1 - p)). Both are equal where, with q = 1 - p,
    q - q^(1 + b) = C / (ln 10 E (1 + b)); of the two such q the smaller is the maximum.
    """
    b = SCALE_MS * BETA * NS_PER_MS
    right = usd_per_nine / (math.log(10) * EARNED * (1 + b))
    low, high = 0.0, math.pow(1 + b, -1 / b)  # where the left side is largest
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle - math.pow(middle, 1 + b) < right else (low, middle)
    return 100 * (1 - high)


@pytest.mark.parametrize("usd_per_nine", [30_000, 100_000, 300_000, 1_000_000])
def test_marginal_dollar_is_the_marginal_cost_on_a_known_curve(usd_per_nine: float) -> None:
    """The solver agrees with the formula to a step of its grid."""
    points = [CostPoint(50, 0), CostPoint(99.9, usd_per_nine * (3 - math.log10(2)))]
    found = acceptable_tail(exponential(), SLOPE, TARGET_NS, points)
    step = (3 - math.log10(2)) / STEPS
    nines = -math.log10(1 - found.percentile / 100)
    assert abs(nines + math.log10(1 - crossing(usd_per_nine) / 100)) <= step
    assert found.at == "crossing"
    assert found.step.marginal_gain_usd >= found.step.marginal_cost_usd
    assert found.next_step is not None
    assert found.next_step.marginal_gain_usd < found.next_step.marginal_cost_usd
    assert found.low_percentile <= found.percentile <= found.high_percentile
    assert found.clipped == 0


def test_gain_by_hand() -> None:
    """Four decisions of 100, 100, 200 and 300 ms; half the value is lost in 100 ms.

    They keep 1, 1, 1/2 and 1/4: 2.75 in all, for 2,750 USD. Held at p75 the third keeps 1.
    """
    beta = math.log(2) / (100 * NS_PER_MS)
    ms = np.repeat(np.array([100, 100, 200, 300]), 250)
    of = Latencies(ms * NS_PER_MS, 2_750, 2_750, 2_750, 0, 10**12)
    points = [CostPoint(50, 0), CostPoint(75, 100)]
    found = acceptable_tail(of, Slope(beta, beta, beta), TARGET_NS, points)
    assert (found.at, f"{found.percentile:.4f}", found.within) == ("last", "75.0000", 0.5)
    assert f"{found.step.gain_usd_per_year:.2f}" == "500.00"
    assert f"{found.net_usd_per_year:.2f}" == "400.00"
    assert [f"{each.cost_usd_per_year:.2f}" for each in found.steps] == ["0.00", "100.00"]


def test_nothing_pays_that_costs_too_much_or_gains_nothing() -> None:
    """Then no more is held than what is held for nothing."""
    points = [CostPoint(90, 0), CostPoint(99, 1e12)]
    found = acceptable_tail(exponential(), SLOPE, TARGET_NS, points)
    assert (found.at, f"{found.percentile:.1f}") == ("first", "90.0")
    none = Slope(0.0, 0.0, 0.0)
    assert acceptable_tail(exponential(), none, TARGET_NS, points).at == "first"


def test_what_is_slower_than_was_measured_brings_what_was_measured() -> None:
    """An outage of an hour is not worth what a line through 180 ms would make of it."""
    points = [CostPoint(50, 0), CostPoint(99.9, 1e6)]
    measured = acceptable_tail(exponential(high_ms=180), SLOPE, TARGET_NS, points)
    believed = acceptable_tail(exponential(), SLOPE, TARGET_NS, points)
    assert measured.clipped == pytest.approx(math.exp(-80 / SCALE_MS), abs=1e-3)
    assert measured.percentile < believed.percentile
    long = Latencies(np.full(1_000, 10**13, np.int64), 1.0, 1.0, 1.0, 0, 180 * NS_PER_MS)
    assert math.isfinite(acceptable_tail(long, SLOPE, TARGET_NS, points).net_usd_per_year)


@pytest.mark.parametrize(
    ("points", "target_ms", "n", "wrong"),
    [
        ([], 100, 1_000, "two percentiles or more say what the tail costs; add one"),
        ([(99, 1)], 100, 1_000, "two percentiles or more"),
        ([(99, 1), (99, 2)], 100, 1_000, "percentile 99 is there twice; keep one"),
        ([(90, 5), (99, 2)], 100, 1_000, "percentile 99 costs less than 90; costs are in all"),
        ([(90, 1), (99, 2)], 1_000_000, 1_000, "the slope was measured from 0 to 1000000 ms"),
        ([(90, 1), (99, 2)], 100, 100, "100 decisions: percentile 90 needs 101; widen --window"),
        ([(90, 1), (99, 2)], 100, 0, "0 decisions: percentile 90 needs 101; widen --window"),
    ],
)
def test_what_says_nothing_is_refused(
    points: list[tuple[float, float]], target_ms: float, n: int, wrong: str
) -> None:
    """With the number and the remedy."""
    with pytest.raises(InputError, match=wrong):
        acceptable_tail(
            exponential(n),
            SLOPE,
            round(target_ms * NS_PER_MS),
            [CostPoint(*each) for each in points],
        )


def test_percentile_that_too_few_decisions_know_is_not_looked_at() -> None:
    """Of 1,000 decisions ten are beyond p99: what holding p99.99 brings nobody knows."""
    points = [CostPoint(50, 0), CostPoint(99.99, 1)]
    found = acceptable_tail(exponential(1_000), SLOPE, TARGET_NS, points)
    assert (found.limit_percentile, found.at) == (99.0, "last")
    assert found.percentile == pytest.approx(99.0)


@settings(max_examples=examples(100))
@given(
    st.lists(st.integers(0, 10**10), min_size=40, max_size=200),
    st.floats(0, 1e-7),
    st.floats(0, 1e9),
    st.floats(0, 1e9),
)
def test_holding_more_never_brings_less(
    total_ns: list[int], beta: float, earned: float, cost: float
) -> None:
    """And what is chosen is worth as much as any other percentile that was looked at."""
    of = Latencies(np.array(total_ns), earned, 0.8 * earned, 1.2 * earned, 0, 10**11)
    points = [CostPoint(10, 0), CostPoint(60, cost)]
    found = acceptable_tail(of, Slope(beta, beta / 2, beta * 2), TARGET_NS, points)
    gains = [each.gain_usd_per_year for each in found.steps]
    assert gains == sorted(gains)
    assert all(
        found.net_usd_per_year >= each.gain_usd_per_year - each.cost_usd_per_year - 1e-3
        for each in found.steps
    )
    assert found.low_percentile <= found.percentile <= found.high_percentile
