from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.path.spans import Ints
from attribution.whatif.losses import (
    Side,
    beyond_shares_usd,
    beyond_usd,
    chance,
    failing_chances,
    failures,
)


def side(losses: list[float], failed: int = 0) -> Side:
    """Return decisions that lost so much, the first of which failed."""
    return Side(
        np.full(len(losses), 50_000_000, np.int64),
        np.arange(len(losses)) < failed,
        np.array(losses, np.float64),
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
    unsold = side([3.0, math.nan, 0.0])
    told = beyond_shares_usd(others, unsold, (places[0], np.array([0, 1, 1])), 2)
    assert told[0] == pytest.approx(3.0 - 1.0)
    assert math.isnan(told[1])


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
    likely = [math.comb(of, at) * share**at * (1 - share) ** (of - at) for at in range(of + 1)]
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
    after = Side(np.ones(100, np.int64), np.arange(100) >= 98, np.zeros(100))
    both = failing_chances(side([0.0] * 1000), after, places, 2)
    assert both[1] < 0.01
    one = Side(after.total_ns, np.isin(np.arange(100), (0, 99)), after.loss_usd)
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
