from __future__ import annotations

import pytest

from attribution.sensitivity.power import NEEDED_MAX, at_most, power_decisions


def test_power_is_that_of_the_published_formula() -> None:
    """3 % conversion, 0.7 % per 100 ms, half of all delayed by 100 ms: 21 million decisions."""
    p, theta, variance = 0.03, 7e-5, 2_500.0
    needed = power_decisions(p * (1 - p), p * theta, variance)
    assert needed == pytest.approx(7.849 * (1 - p) / (p * theta**2 * variance), rel=1e-4)
    assert needed == pytest.approx(21e6, rel=0.02)


def test_number_that_no_column_holds_is_the_largest() -> None:
    """And where a little is missing it is one decision, never none."""
    assert (at_most(1e300), at_most(0.2), at_most(7.1)) == (NEEDED_MAX, 1, 8)
