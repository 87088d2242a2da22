from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.path.spans import Bools, Ints
from attribution.whatif.losses import (
    Side,
    beyond_shares_usd,
    beyond_usd,
    chance,
    compared,
    failing_chances,
    failures,
)


def side(losses: list[float], failed: int = 0, is_out: Bools | None = None) -> Side:
    """Return decisions that lost so much, the first of which failed; some are not compared."""
    return Side(
        np.full(len(losses), 50_000_000, np.int64),
        np.arange(len(losses)) < failed,
        np.array(losses, np.float64),
        np.ones(len(losses), np.bool_) if is_out is None else ~is_out,
    )


def codes(*counts: int) -> Ints:
    """Return so many decisions of each value."""
    found: Ints = np.repeat(np.arange(len(counts)), counts)
    return found


def test_what_a_population_lost_is_the_sum_of_what_is_known() -> None:
    """By failures is what failed decisions lost, and an unknown value is no zero."""
    some = side([2.0, math.nan, 0.25, 0.25], failed=2)
    assert (some.failed, some.lost_usd(), some.lost_usd(failed=True)) == (2, 2.5, 2.0)
    assert side([math.nan]).lost_usd() is None
    # That the others lost nothing does not say what it lost.
    assert side([math.nan, 0.0]).lost_usd() is None
    assert side([0.0, 0.0]).lost_usd() == 0
    late = side([math.nan, 1.0], failed=1)
    assert (late.lost_usd(), late.lost_usd(failed=True)) == (1.0, None)


def test_a_value_that_nobody_knows_and_lost_nothing_is_among_the_others() -> None:
    """Searches never sell: checkout, all of a box, was all of the others of known value too."""
    others, box = side([0.0] * 9), side([3.0, 0.0, 0.0], failed=1)
    places = codes(3, 6), codes(3, 0)
    assert beyond_shares_usd(others, box, places, 2).tolist() == pytest.approx([2.0, -2.0])
    valued = [of == 0 for of in places]
    assert all(each.all() for each in compared([others.loss_usd, box.loss_usd], valued, places))


@pytest.mark.parametrize("is_late_before", [False, True])
def test_a_class_of_unknown_value_that_gets_late_makes_no_money(*, is_late_before: bool) -> None:
    """The known region lost ten in both: 5 were invented, or 10 gained by being on time again."""
    places = codes(10, 10)
    on_time, late = [1.0] * 10 + [0.0] * 10, [1.0] * 10 + [math.nan] * 10
    losses = [np.array(each) for each in (on_time, late)]
    is_valued = places == 0
    is_in = compared(losses, [is_valued, is_valued], [places, places])
    assert [each.tolist() for each in is_in] == [is_valued.tolist()] * 2
    before, after = (side(each, is_out=~is_valued) for each in (on_time, late))
    if is_late_before:
        before, after = after, before
    assert beyond_usd(before, after) == 0
    eu, us = beyond_shares_usd(before, after, (places, places), 2).tolist()
    assert eu == 0
    assert math.isnan(us)


def test_lateness_of_unknown_cost_is_unknown_and_failures_are_not() -> None:
    """Of known value, late and not failed: what failed cost is told alone."""
    others, some = side([1.0, 0.0], failed=1), side([2.0, 3.0, math.nan], failed=2)
    assert beyond_usd(others, some) is None
    assert beyond_usd(others, some, failed=True) == pytest.approx(5.0 - 1.5)


def test_beyond_the_others_is_less_what_as_many_of_them_lose() -> None:
    """Four of the others lose a dollar, so that two lose half of it."""
    others, some = side([1.0, 0.0, 0.0, 0.0], failed=1), side([2.0, 0.5], failed=1)
    assert beyond_usd(others, some) == pytest.approx(2.0)
    assert beyond_usd(others, some, failed=True) == pytest.approx(1.5)
    assert beyond_usd(side([math.nan]), some) is None
    assert beyond_usd(others, side([math.nan, 0.0])) is None


@pytest.mark.parametrize(("count", "of", "share"), [(3, 10, 0.2), (0, 7, 0.5), (9, 9, 0.9)])
def test_the_chance_of_a_count_is_exact(count: int, of: int, share: float) -> None:
    """Twice the smaller end of the binomial distribution."""
    likely = [
        math.comb(of, index) * share**index * (1 - share) ** (of - index) for index in range(of + 1)
    ]
    exact = min(1.0, 2 * min(sum(likely[: count + 1]), sum(likely[count:])))
    assert chance(count, of, share) == pytest.approx(exact)


def test_the_chance_of_many_is_told_without_overflow() -> None:
    """As many as a comparison takes: half of them is what is expected, all of them is not."""
    assert chance(100_000, 200_000, 0.5) == pytest.approx(1.0, abs=0.01)
    assert chance(200_000, 200_000, 0.5) == 0.0
    assert (chance(0, 5, 0.0), chance(1, 5, 0.0), chance(0, 0, 0.5)) == (1.0, 0.0, 1.0)


def test_failures_have_an_interval_and_a_chance() -> None:
    """A tenth against none is clear in hundreds, and not in ten."""
    many = failures(side([0.0] * 1000), side([0.0] * 700, failed=70))
    assert (many.before, many.after) == (0, 70)
    assert 0.07 < many.low < 0.1 < many.high < 0.13
    assert many.p < 1e-9
    few = failures(side([0.0] * 10), side([0.0] * 10, failed=1))
    assert few.low < 0 < few.high
    assert few.p == 1.0


def test_one_failure_of_a_rare_value_proves_nothing() -> None:
    """Each fiftieth decision is of it: of two failures one is, which one time in 25 is chance."""
    places = codes(980, 20), codes(98, 2)
    after = Side(np.ones(100, np.int64), np.arange(100) >= 98, np.zeros(100), np.ones(100, bool))
    both = failing_chances(side([0.0] * 1000), after, places, 2)
    assert both[1] < 0.01
    one = replace(after, is_error=np.isin(np.arange(100), (0, 99)))
    assert failing_chances(side([0.0] * 1000), one, places, 2)[1] > 0.05


@given(
    before=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 100)), min_size=1, max_size=30),
    after=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 100)), min_size=1, max_size=30),
)
def test_shares_of_what_is_lost_sum_to_nothing(
    before: list[tuple[int, float]], after: list[tuple[int, float]]
) -> None:
    """Nothing is carried twice, by failures or at all."""
    sides = [side([loss for _, loss in rows], failed=len(rows) // 2) for rows in (before, after)]
    of_value = [np.array([code for code, _ in rows], np.int64) for rows in (before, after)]
    for failed in (False, True):
        found = beyond_shares_usd(sides[0], sides[1], (of_value[0], of_value[1]), 3, failed=failed)
        assert float(found.sum()) == pytest.approx(0, abs=1e-6)
