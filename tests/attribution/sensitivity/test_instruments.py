from __future__ import annotations

import math

import numpy as np
import pytest

from attribution.path.spans import Ints
from attribution.sensitivity.estimate import Demands, estimate_slope
from attribution.sensitivity.sums import BEFORE, INJECTED, LATENCY, OUTCOME, Floats
from tests.support.attribution.long_way.cell_rows import cell_sums, linear_rows

DEMANDS = Demands(relative_per_ms=1e-3)


def with_regulars(seed: int, loyalty: float) -> tuple[Ints, Ints, Floats]:
    """Return rows of which half are of units that bought before, and earn so much more."""
    minute, place, values = linear_rows(seed, noise=5.0)
    before = np.random.default_rng(seed + 1).integers(0, 2, len(values)) * math.log1p(3.0)
    values[:, OUTCOME] += loyalty * before
    return minute, place, np.column_stack([values, before])


def test_what_units_bought_before_takes_noise_off_and_nothing_else() -> None:
    """Two stage least squares with the covariate, written out over the rows."""
    minute, place, values = with_regulars(12, loyalty=60.0)
    adjusted = estimate_slope(cell_sums(minute, place, values), "test", DEMANDS)
    plain = estimate_slope(cell_sums(minute, place, values[:, :BEFORE]), "test", DEMANDS)
    own = np.unique(np.stack([minute, place]), axis=1, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(own)
    y, x, z, w = (
        values[:, at] - (np.bincount(own, weights=values[:, at]) / counts)[own]
        for at in (OUTCOME, LATENCY, INJECTED, BEFORE)
    )
    z = z - w * (z @ w) / (w @ w)
    assert adjusted.injection is not None
    assert plain.injection is not None
    assert adjusted.injection.estimate == pytest.approx(float(z @ y) / float(z @ x))
    assert adjusted.injection.se < 0.4 * plain.injection.se
    assert adjusted.injection.low < -0.5 < adjusted.injection.high
    assert plain.saved == 0.0
    assert adjusted.saved == pytest.approx(0.9, abs=0.06)
    assert "bought before takes off" in adjusted.reason


def test_what_says_nothing_changes_next_to_nothing() -> None:
    """A covariate by chance alone costs no precision."""
    minute, place, values = with_regulars(13, loyalty=0.0)
    adjusted = estimate_slope(cell_sums(minute, place, values), "test", DEMANDS).injection
    plain = estimate_slope(cell_sums(minute, place, values[:, :BEFORE]), "test", DEMANDS).injection
    assert adjusted is not None
    assert plain is not None
    assert adjusted.se == pytest.approx(plain.se, rel=0.02)
    assert abs(adjusted.estimate - plain.estimate) < 0.2 * plain.se
