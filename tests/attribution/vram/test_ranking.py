from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.compact import kernel
from attribution.core.segments import SEGMENTS
from attribution.revenue.loss import Slope
from attribution.vram.ranking import (
    FLOOR_QUANTILE,
    Band,
    Group,
    curve,
    erv,
    segment_weights,
    slopes,
    worth,
)
from attribution.whatif.replay import Change, Replay
from collector.core.times import S_PER_YEAR
from tests.support.attribution.kernel import packed
from tests.support.attribution.replay import MS, odd_trees
from tests.support.attribution.spans_builder import R, S
from tests.support.examples import examples

PER_100MS = 1 / (100 * MS)
# One per cent in 100 ms, known to a factor of two.
SLOPE = Slope(0.01 * PER_100MS, 0.005 * PER_100MS, 0.02 * PER_100MS)


def group(latencies_ms: list[float], *, errors: int = 0, slope: Slope = SLOPE) -> Group:
    """Return ten decisions a second that earn five dollars each, at these latencies."""
    total_ns = np.array([round(each * MS) for each in latencies_ms], np.int64)
    return Group("web", 10, 10.0, 5.0, slope, total_ns, np.arange(len(total_ns)) < errors)


def test_revenue_velocity_is_what_is_earned_and_shifts_are_relative_to_it() -> None:
    """Fifty dollars a second, however late they are and whoever failed; 100 ms more take 1 %."""
    for now in (group([80]), group([180]), group([180, 80], errors=1), group([])):
        assert erv(now, 0, SLOPE.median) == pytest.approx(50.0)
        assert erv(now, 0, 0.0) == 50.0
    for now in (group([80]), group([180, 80]), group([180, 80], errors=1)):
        assert erv(now, 100 * MS, SLOPE.median) == pytest.approx(50 * math.exp(0.01))
        assert erv(now, -100 * MS, SLOPE.median) == pytest.approx(50 * math.exp(-0.01))
    # Of those that did not fail nothing is left to gain, whatever is saved.
    assert erv(group([80, 90], errors=2), 100 * MS, SLOPE.median) == 50.0


def test_group_that_costs_money_costs_it_at_any_latency() -> None:
    """It is in the sum of what all earn, and to lose its decisions is no loss."""
    costs = replace(group([80, 180]), value_usd=-8.0, error_usd_per_s=40.0)
    found = worth(costs, a_year=True)
    assert found.erv_usd_per_s.median == pytest.approx(-80.0)
    assert found.erv_usd_per_s.low < -80 < found.erv_usd_per_s.high < 0
    none = Band(0.0, 0.0, 0.0)
    assert found.marginal_usd_per_ms_hour == found.gain_10ms_usd_per_hour == none
    assert {point.change_usd_per_hour for point in curve(costs, [-50, 50], a_year=False)} == {none}
    saved = np.array([0, 100 * MS])
    assert erv(costs, saved, SLOPE.median) == pytest.approx(-80.0)


def test_what_single_decisions_save_counts_by_what_they_earn() -> None:
    """The slower of two earns exp(-0.01) of the other, and 100 ms bring it there."""
    saved = np.array([0, 100 * MS])
    share = math.exp(-0.01)
    gained = erv(group([80, 180]), saved, SLOPE.median) / 50
    assert gained == pytest.approx(2 / (1 + share))


def test_marginal_millisecond_is_the_derivative_and_ten_are_its_integral() -> None:
    """50 x 0.0001 a millisecond: 18 dollars an hour, 157,788 a year."""
    got = worth(group([80]), a_year=True)
    assert got.marginal_usd_per_ms_hour.median == pytest.approx(18.0)
    assert got.marginal_usd_per_ms_year is not None
    assert got.gain_10ms_usd_per_year is not None
    assert got.marginal_usd_per_ms_year.median == pytest.approx(50 * 0.0001 * S_PER_YEAR)
    ten = 50 * math.expm1(0.001) * S_PER_YEAR
    assert got.gain_10ms_usd_per_year.median == pytest.approx(ten)
    # The interval of the slope, a factor of two either way.
    assert got.marginal_usd_per_ms_year.low == pytest.approx(ten / 20, rel=0.01)
    assert got.marginal_usd_per_ms_year.high == pytest.approx(ten / 5, rel=0.01)
    # What is earned now does not depend on the slope.
    assert got.erv_usd_per_s == Band(50.0, 50.0, 50.0)


def test_year_is_stated_only_where_it_may_be() -> None:
    """On too few days there are hours alone, with the same figures."""
    long, short = worth(group([80]), a_year=True), worth(group([80]), a_year=False)
    assert (short.marginal_usd_per_ms_year, short.gain_10ms_usd_per_year) == (None, None)
    assert short.marginal_usd_per_ms_hour == long.marginal_usd_per_ms_hour
    (point,) = curve(group([80]), [10], a_year=False)
    assert point.change_usd_per_year is None
    assert point.change_usd_per_hour.median < 0


def test_slopes_have_the_quantiles_of_their_interval() -> None:
    """5, 50 and 95 per cent."""
    drawn = slopes(SLOPE, 10_001)
    assert np.quantile(drawn, [0.05, 0.5, 0.95]) == pytest.approx(
        [SLOPE.low, SLOPE.median, SLOPE.high], rel=1e-3
    )


def test_curve_falls_with_latency_and_holds_its_median() -> None:
    """Every point inside its own band."""
    points = curve(group([60, 90, 140]), [-50, 0, 50, 200], a_year=True)
    told = worth(group([60, 90, 140]), a_year=True)
    medians = [each.erv_usd_per_s.median for each in points]
    assert medians == sorted(medians, reverse=True)
    for each in points:
        assert each.erv_usd_per_s.low <= each.erv_usd_per_s.median <= each.erv_usd_per_s.high
    assert points[1].erv_usd_per_s == told.erv_usd_per_s
    assert points[1].change_usd_per_hour == Band(0.0, 0.0, 0.0)
    ten = curve(group([60, 90, 140]), [-10], a_year=True)[0]
    assert ten.change_usd_per_year == told.gain_10ms_usd_per_year
    assert ten.change_usd_per_hour == told.gain_10ms_usd_per_hour


def test_weights_are_shares_of_what_the_floors_would_bring() -> None:
    """Store takes 10 or 50 ms and network always 20: all of the gain is the store's."""
    spans, roots = [], []
    for trace in range(10):
        store_ms = 10 if trace < 2 else 50
        end = (30 + store_ms + 20) * MS
        spans += [
            S(1, start=0, end=end, kind="Server", trace=trace),
            S(2, 1, 10 * MS, (10 + store_ms) * MS, kind="Client", is_store=True, trace=trace),
            S(3, 1, end - 20 * MS, end, kind="Client", trace=trace),
        ]
        roots.append(R(end=end, trace=trace, code=trace))
    trees = packed(spans, roots)[1].trees
    all_ = group([(root.end - root.start) / MS for root in roots])
    weights = segment_weights(trees, [all_], [np.arange(10)], a_year=True)
    by_name = {each.segment: each for each in weights}
    assert weights[0].segment == "decision/store"
    assert weights[0].weight == pytest.approx(1.0)
    assert weights[0].floor_ms == 10.0
    assert by_name["decision/network"].weight == 0.0
    assert by_name["decision/network"].time_share == pytest.approx(200 / 920)
    before = erv(all_, 0, SLOPE.median)
    saved = np.array([0] * 2 + [40 * MS] * 8)
    gain = (erv(all_, saved, SLOPE.median) - before) * S_PER_YEAR
    assert weights[0].gain_usd_per_year == pytest.approx(gain, rel=1e-6)


@settings(max_examples=examples(10))
@given(seed=st.integers(0, 200))
def test_weights_sum_to_one_or_nothing_is_to_gain(seed: int) -> None:
    """On odd trees: no segment weighs less than nothing, and the shares are of the whole."""
    trees = odd_trees(seed, 12)
    total_ns = trees.bounds_ns[-1] - trees.bounds_ns[0]
    steep = Slope(1e-3, 5e-4, 2e-3)
    all_ = Group("x", 12, 1.0, 1.0, steep, total_ns, np.zeros(12, np.bool_))
    weights = segment_weights(trees, [all_], [np.arange(12)], a_year=False)
    assert len(weights) <= len(SEGMENTS)
    assert sum(each.weight for each in weights) == pytest.approx(1.0) or not any(
        each.gain_usd_per_hour for each in weights
    )
    assert 0 < FLOOR_QUANTILE < 1


@settings(max_examples=examples(20))
@given(seed=st.integers(0, 200), count=st.integers(1, 6))
def test_weights_are_of_what_each_group_would_gain(seed: int, count: int) -> None:
    """Summed over thousands of groups at once; what failed gains nothing, whoever is beside it."""
    trees, rng = odd_trees(seed, 12), np.random.default_rng(seed)
    total_ns = trees.bounds_ns[-1] - trees.bounds_ns[0]
    of = np.array_split(rng.permutation(12), count)
    groups = [
        Group(str(index), 12, 1.0, float(rng.integers(1, 9)), Slope(*(rng.random(3) * 1e-3)),
              total_ns[rows], rng.random(len(rows)) < 0.3)
        for index, rows in enumerate(of)
    ]  # fmt: skip
    own_ns = kernel.split(trees).segment_ns
    floors = [
        Change(frozenset([index]), floor_ns=int(np.quantile(own_ns[index], FLOOR_QUANTILE)))
        for index in range(len(SEGMENTS))
        if own_ns[index].any()
    ]
    replay = Replay(trees)
    saved_ns = replay.latencies([]) - replay.latencies(floors)
    gain = sum(
        erv(group, saved_ns[rows], group.slope.median) - erv(group, 0, 0.0)
        for group, rows in zip(groups, of, strict=True)
    )
    weights = segment_weights(trees, groups, of, a_year=False)
    found = sum(each.gain_usd_per_hour for each in weights)
    assert found == pytest.approx(gain * 3_600, rel=1e-6, abs=1e-5)


def test_few_sales_widen_the_interval_and_leave_the_figure() -> None:
    """One sale is sure of 0.05 of it, and may have been 4.7; 400 are known to 8 %."""
    surest = worth(group([180]), a_year=False)
    per_ms = surest.marginal_usd_per_ms_hour
    for count, low, high in ((1, 0.0513, 4.744), (400, 0.919, 1.087)):
        few = replace(
            group([180]), error_usd_per_s=50 / math.sqrt(count), following_usd_per_s=50 / count
        )
        got = worth(few, a_year=False)
        assert got.erv_usd_per_s.median == 50.0
        assert got.erv_usd_per_s.low == pytest.approx(50 * low, rel=5e-3)
        assert got.erv_usd_per_s.high == pytest.approx(50 * high, rel=5e-3)
        assert got.marginal_usd_per_ms_hour.median == per_ms.median
        # Both are unknown, the slope and what is earned: the figure is less sure than either.
        assert got.marginal_usd_per_ms_hour.low < per_ms.median * min(low, 0.5)
        assert got.marginal_usd_per_ms_hour.high > per_ms.median * max(high, 2)


def test_group_without_a_sale_may_earn_something() -> None:
    """Three sales are the most that a window without one leaves likely."""
    none = replace(group([180]), value_usd=0.0, following_usd_per_s=2.0)
    got = worth(none, a_year=False)
    assert (got.erv_usd_per_s.median, got.erv_usd_per_s.low) == (0.0, 0.0)
    assert got.erv_usd_per_s.high == pytest.approx(6.0, rel=5e-3)
    per_ms = got.marginal_usd_per_ms_hour
    assert (per_ms.median, per_ms.low) == (0.0, 0.0)
    assert per_ms.high > 0
    point = curve(none, [-50], a_year=False)[0]
    assert point.erv_usd_per_s.low == 0.0
    assert point.erv_usd_per_s.high > got.erv_usd_per_s.high
