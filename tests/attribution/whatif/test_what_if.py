from __future__ import annotations

import math

import numpy as np
import pytest

from attribution.core.segments import SEGMENTS, segments_of
from attribution.revenue.loss import Slope
from attribution.whatif.replay import Change
from attribution.whatif.what_if import Dollars, Worth, what_if
from collector.core.errors import InputError
from tests.support.attribution.kernel import packed
from tests.support.attribution.replay import MS, odd_trees, trees_of
from tests.support.attribution.spans_builder import R, S

# One per cent of the value in 100 ms.
SLOPE = Slope(*(-math.log1p(-each) / (100 * MS) for each in (0.01, 0.005, 0.02)))


def worth(count: int, usd: float = 10.0) -> Worth:
    """Return decisions of one class that earned this on average."""
    return Worth(np.full(count, usd * 1e6), np.zeros(count, np.int64), np.zeros(count, np.bool_))


def two_branches() -> list[S]:
    """Return a decision of 100 ms that waits for two calls of 60 ms side by side."""
    return [
        S(1, start=0, end=100 * MS, kind="Server"),
        S(2, 1, 10 * MS, 70 * MS, kind="Client"),
        S(3, 1, 10 * MS, 70 * MS, kind="Client", is_store=True),
    ]


def test_shares_of_branches_that_run_side_by_side_sum_to_the_whole() -> None:
    """Either alone saves nothing, both save 30 ms: one at a time would say nothing is to gain."""
    trees = trees_of(two_branches(), R(end=100 * MS))
    halved = Change(segments_of("store") | segments_of("network"), 0.5)
    got = what_if(trees, [halved], worth(1), SLOPE)
    assert got.before_ns.tolist() == [100 * MS]
    assert got.after_ns.tolist() == [70 * MS]
    assert [(each.name, each.saved_ns) for each in got.shares] == [
        ("network", 15 * MS),
        ("store", 15 * MS),
    ]
    assert sum(each.saved_micros for each in got.shares) == got.dollars.median
    assert got.is_exact


def test_dollars_are_the_change_of_what_is_earned() -> None:
    """30 ms less, of a decision that earned ten dollars at the latency that it had."""
    trees = trees_of(two_branches(), R(end=100 * MS))
    got = what_if(trees, [Change(segments_of("all"), 0.7)], worth(1), SLOPE)
    assert got.after_ns.tolist() == [70 * MS]
    median, low, high = (
        round(10e6 * math.expm1(beta * 30 * MS)) for beta in (SLOPE.median, SLOPE.low, SLOPE.high)
    )
    assert got.dollars == Dollars(median, low, high, unvalued=0)


def test_unknown_value_and_failed_decisions_are_in_no_dollar_figure() -> None:
    """Unknown is not zero: it is counted. A failed decision earned nothing at any speed, and what
    its class earned on average, ten dollars each, was earned by the other one.
    """
    trees = packed(
        [S(1, start=0, end=100 * MS, trace=each) for each in range(3)],
        [R(end=100 * MS, trace=each, code=each) for each in range(3)],
    )[1].trees
    known = Worth(
        np.array([math.nan, 10e6, 10e6]), np.array([0, 1, 1]), np.array([False, True, False])
    )
    got = what_if(trees, [Change(segments_of("compute"), 0.5)], known, SLOPE)
    assert got.dollars.unvalued == 1
    assert got.dollars.median == round(20e6 * math.expm1(SLOPE.median * 50 * MS))


def test_what_slower_decisions_of_a_class_earn_less_is_in_their_share() -> None:
    """100 and 200 ms, ten dollars each on average: the slower one has the smaller part of it."""
    trees = packed(
        [S(1, start=0, end=(1 + each) * 100 * MS, trace=each) for each in range(2)],
        [R(end=(1 + each) * 100 * MS, trace=each, code=each) for each in range(2)],
    )[1].trees
    got = what_if(trees, [Change(segments_of("compute"), 0.5)], worth(2), SLOPE)
    kept = [math.exp(-SLOPE.median * each * MS) for each in (100, 200, 50, 100)]
    earned_more = 20e6 * (sum(kept[2:]) / sum(kept[:2]) - 1)
    assert got.dollars.median == pytest.approx(earned_more, abs=1)


@pytest.mark.parametrize("by", ["class", "stage", "segment"])
def test_shares_sum_to_the_whole_on_odd_trees(by: str) -> None:
    """In time and in money, however the parts are cut, and where orders are drawn."""
    trees = odd_trees(5, 40)
    got = what_if(trees, [Change(segments_of("all"), 0.4)], worth(40), SLOPE, by)
    assert sum(each.saved_ns for each in got.shares) == (got.before_ns - got.after_ns).sum()
    assert sum(each.saved_micros for each in got.shares) == got.dollars.median
    assert got.is_exact == (by != "segment")


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("store", {("ingress", "store"), ("transform", "store"), ("decision", "store"),
                   ("egress", "store")}),
        ("Egress", {("egress", name) for name in ("network", "compute", "store", "untraced")}),
        ("decision/store", {("decision", "store")}),
        ("all", set(SEGMENTS)),
    ],
)  # fmt: skip
def test_segments_are_named_as_pages_name_them(text: str, segments: set[tuple[str, str]]) -> None:
    """A class, a stage, both, or all."""
    assert {SEGMENTS[each] for each in segments_of(text)} == segments


def test_a_name_of_no_segment_says_which_there_are() -> None:
    """The remedy is in the line."""
    with pytest.raises(InputError, match="'databse' names no segment; give a class \\(network,"):
        segments_of("databse")
