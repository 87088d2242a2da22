from __future__ import annotations

import numpy as np
import pytest

from attribution.sensitivity.clusters import (
    clustered,
    left_out,
    sequential_quantile,
    spread,
    student_quantile,
)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [
        pytest.param(10, 2.2281, id="10"),
        pytest.param(29, 2.0452, id="29"),
        pytest.param(120, 1.9799, id="120"),
    ],
)
def test_student_quantile_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    """Thirty minutes are the fewest that are judged; their interval is 4 % wider than normal."""
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, abs=2e-4)


def test_error_of_two_clusters_by_hand() -> None:
    """Slopes of 1 and 3 of equal weight: without either the mean moves by 1."""
    cluster, weights = np.array([0, 1]), np.array([1.0, 1.0])
    influence = left_out(cluster, np.array([1.0, 3.0]) - 2.0 * weights, weights)
    assert influence.tolist() == [-1.0, 1.0]
    assert clustered(influence) == 1.0  # sqrt(1/2 (1 + 1))


def test_spread_counts_clusters_by_their_weight() -> None:
    """Ten alike are ten; nine next to nothing beside one are one."""
    assert spread(np.arange(10), np.ones(10)) == 10
    assert spread(np.arange(10), np.array([1.0] + [1e-3] * 9)) == 1
    assert spread(np.arange(2), np.zeros(2)) == 0
    # Of weights 2, 1, 1 and what is in one alike: 4, 1, 1, which is 36 / 18.
    assert spread(np.array([0, 0, 1, 2]), np.ones(4), alike=True) == 2
    assert spread(np.arange(10), np.ones(10), alike=True) == 10


def test_sequential_quantile_is_passed_once_in_a_hundred_however_often_it_is_looked_at() -> None:
    """Hourly looks at the mean of minutes over four weeks; by one look it is nine in ten times."""
    dice = np.random.default_rng(3)
    hours = np.arange(1, 28 * 24 + 1)
    # Of sixty minutes each, with an error that is estimated from the minutes so far.
    sums = dice.normal(size=(2_000, len(hours)), scale=60**0.5).cumsum(axis=1)
    squares = dice.chisquare(60, size=sums.shape).cumsum(axis=1)
    ratio = np.abs(sums) / np.sqrt(squares)
    bounds = [sequential_quantile(0.99, 60 * int(hour), 30) for hour in hours]
    assert 0.0 < np.mean((ratio > bounds).any(axis=1)) < 0.01
    assert np.mean((ratio > 1.96).any(axis=1)) > 0.4


def test_sequential_quantile_by_hand() -> None:
    """At the first look sqrt(2 (log 2 + 2 log 100)) errors, and wider by Student's t of 29."""
    assert sequential_quantile(0.99, 10**9, 10**9) == pytest.approx(4.450, abs=1e-3)
    assert sequential_quantile(0.99, 30, 30) == pytest.approx(5.40, abs=0.02)
    assert sequential_quantile(0.99, 10_080, 30) == pytest.approx(3.885, abs=5e-3)
