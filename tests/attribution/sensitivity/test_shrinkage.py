from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.sensitivity.shrinkage import COHORTS_MIN, paule_mandel, shrink
from tests.support.examples import examples


def test_spread_of_equal_errors_by_hand() -> None:
    """Squares around the mean of 2 sum to 10; four degrees of freedom at error 1 leave 1.5."""
    estimates = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    assert paule_mandel(estimates, np.ones(5)) == pytest.approx(10 / 4 - 1, rel=1e-12)


def test_cohorts_are_drawn_to_the_mean_by_hand() -> None:
    """Morris's share is (K-3)/(K-1) s^2/(s^2 + tau^2) = 1/2 x 1/2.5."""
    pooled = shrink(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.ones(5))
    share = 0.5 / 2.5
    np.testing.assert_allclose(pooled.weight, share, rtol=1e-12)
    np.testing.assert_allclose(pooled.estimate, [0.4, 1.2, 2.0, 2.8, 3.6], rtol=1e-12)
    assert pooled.mean == pytest.approx(2.0)
    assert pooled.spread == pytest.approx(1.5**0.5)
    # One more cohort: 0.5 for the mean, and 1.5 + sqrt(2/4) x 2.5 for how cohorts differ.
    assert pooled.stranger_se == pytest.approx((0.5 + 1.5 + 0.5**0.5 * 2.5) ** 0.5, rel=1e-12)
    variance = (1 - share) * 1 + share**2 * 0.5 + 2 * share**2 * 4 / 2
    assert pooled.se[0] == pytest.approx(variance**0.5, rel=1e-12)
    assert pooled.high[0] - pooled.low[0] == pytest.approx(2 * 1.959964 * variance**0.5, rel=1e-6)


def test_cohorts_that_differ_less_than_their_errors_have_no_spread() -> None:
    """A negative variance is none; the intervals still tell what the mean is uncertain of."""
    pooled = shrink(np.array([1.0, 1.1, 0.9, 1.0, 1.05, 0.95]), np.ones(6))
    assert pooled.spread == 0.0
    assert (pooled.se > 1 / 6**0.5).all()


def test_few_cohorts_keep_their_own_slopes() -> None:
    """Nothing can be learned about how cohorts differ from a handful."""
    own = np.array([1.0, 5.0, 9.0, 2.0])
    pooled = shrink(own, np.full(4, 2.0))
    assert len(own) < COHORTS_MIN
    np.testing.assert_array_equal(pooled.estimate, own)
    np.testing.assert_array_equal(pooled.se, 2.0)
    assert (pooled.weight == 0).all()


def test_intervals_hold_the_truth_over_cohorts_of_very_different_size() -> None:
    """Coverage is the point: seeded, 400 sets of 20 cohorts, errors from a fifth to five."""
    rng = np.random.default_rng(20_261_125)
    held = []
    for _ in range(400):
        errors = np.exp(rng.uniform(np.log(0.2), np.log(5.0), 20))
        truth = rng.normal(-3.0, 1.0, 20)
        pooled = shrink(rng.normal(truth, errors), errors)
        held.append(np.mean((pooled.low <= truth) & (truth <= pooled.high)))
    assert 0.93 <= np.mean(held) <= 0.97


@given(
    st.lists(
        st.tuples(st.floats(-100, 100), st.floats(0.01, 100)), min_size=COHORTS_MIN, max_size=30
    ),
    st.sampled_from([0.01, 3.0, 1_000.0]),
)
@settings(max_examples=examples(60))
def test_shrinking_moves_no_cohort_past_the_mean_and_knows_no_units(
    cohorts: list[tuple[float, float]], factor: float
) -> None:
    """Each slope stays between its own and the mean; cents or dollars give the same answer."""
    estimates, errors = np.array(cohorts).T
    pooled = shrink(estimates, errors)
    slack = 1e-9 * (1 + np.abs(estimates).max())
    assert (pooled.estimate >= np.minimum(estimates, pooled.mean) - slack).all()
    assert (pooled.estimate <= np.maximum(estimates, pooled.mean) + slack).all()
    assert ((pooled.weight > 0) & (pooled.weight < 1)).all()
    scaled = shrink(estimates * factor, errors * factor)
    np.testing.assert_allclose(
        scaled.estimate, pooled.estimate * factor, rtol=1e-6, atol=slack * factor
    )
    np.testing.assert_allclose(scaled.se, pooled.se * factor, rtol=1e-6)
