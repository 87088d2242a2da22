from __future__ import annotations

import numpy as np
import pytest

from attribution.sensitivity.clusters import clustered, left_out, spread, student_quantile


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
