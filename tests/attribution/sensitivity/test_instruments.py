from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.core.config import SlopePrior
from attribution.path.spans import Ints
from attribution.sensitivity.estimate import (
    Demands,
    SlopeEstimate,
    Status,
    estimate_slope,
    relative_slope,
)
from attribution.sensitivity.sums import BEFORE, INJECTED, LATENCY, OUTCOME, CellSums, Floats
from attribution.sensitivity.versions import model_of, own_slope
from tests.support.attribution.long_way.cell_rows import cell_sums, linear_rows
from tests.support.examples import examples

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


def shop(
    seed: int, *, other_sells_for: float, is_aimed: bool = True, other_minute: int = 0
) -> tuple[Ints, Ints, Floats]:
    """Return the decisions of two regions that lose alike: 25 % of their sales by 80 ms.

    Args:
        seed: of the draws.
        other_sells_for: USD of a sale of the other region, where the first sells for 1.
        is_aimed: whether the experiment leaves the other region out.
        other_minute: added to the minutes of the other region.
    """
    rng = np.random.default_rng(seed)
    n = 60_000
    minute, other = rng.integers(0, 120, n), rng.random(n) < 0.7
    arm = (rng.random(n) < 0.3) & ~(other & is_aimed)
    latency = rng.normal(90, 10, n)
    sold = rng.random(n) < 0.4 * np.where(arm, 0.75, 1.0)
    values = np.zeros((n, BEFORE + 1))
    values[:, OUTCOME] = sold * np.where(other, other_sells_for, 1.0)
    values[:, 1], values[:, 2] = latency + 80.0 * arm, latency
    values[:, INJECTED] = 80.0 * arm
    return minute + other_minute * other, other.astype(np.int64), values


def told(cells: CellSums) -> tuple[float, float, float]:
    """Return the share lost per 100 ms with the ends of its 90 % interval, as it is used."""
    estimate = estimate_slope(cells, "test", Demands(2e-3))
    assert estimate.status is Status.IDENTIFIED, estimate.reason
    found = own_slope(estimate)
    low, median, high = (-math.expm1(-each * 1e8) for each in (found.low, found.median, found.high))
    return low, median, high


@pytest.mark.parametrize("other_sells_for", [1 / 3, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("other_minute", [0, 1_000])
def test_what_others_earn_does_not_change_what_the_measured_lose(
    other_sells_for: float, other_minute: int
) -> None:
    """A region that is never delayed, or the weeks before it began, would divide the slope."""
    low, median, high = told(
        cell_sums(*shop(1, other_sells_for=other_sells_for, other_minute=other_minute))
    )
    # The line through 80 ms that loses a quarter, over what the decisions of both arms earn.
    line = -math.expm1(-0.25 / 80 * 100 / (1 - 0.3 * 0.25))
    assert median == pytest.approx(line, rel=0.12)
    assert low < line < high


def test_an_experiment_with_everybody_is_a_share_of_everybody() -> None:
    """Where all are in it the delays weigh all of them, and their plain mean is divided by."""
    cells = cell_sums(*shop(2, other_sells_for=3.0, is_aimed=False))
    found = estimate_slope(cells, "test", DEMANDS)
    plain = float(cells.sums[:, OUTCOME].sum() / cells.n.sum())
    assert found.mean_outcome == pytest.approx(plain, rel=0.005)


def test_the_mean_weighs_cells_as_their_delays_do() -> None:
    """Arms of a tenth in one region and of a half in the other measure the other above all."""
    rng = np.random.default_rng(3)
    n = 60_000
    minute, place = rng.integers(0, 60, n), rng.integers(0, 2, n)
    delay = 80.0 * (rng.random(n) < np.where(place == 1, 0.5, 0.1))
    y = np.where(place == 1, 1.0, 10.0)
    latency = rng.normal(90, 10, n) + delay
    cells = cell_sums(minute, place, np.stack([y, latency, latency, delay], axis=1))
    weight = np.array([0.1 * 0.9, 0.25])
    expected = float(weight @ [10.0, 1.0] / weight.sum())
    assert estimate_slope(cells, "test", DEMANDS).mean_outcome == pytest.approx(expected, rel=0.02)


@given(
    seed=st.integers(0, 9_999),
    sells_for=st.sampled_from([0.0, 0.01, 7.0, 1e6]),
    late=st.booleans(),
    bought=st.booleans(),
)
@settings(max_examples=examples(25), deadline=None)
def test_a_class_that_was_never_delayed_moves_nothing(
    seed: int, sells_for: float, late: bool, bought: bool
) -> None:
    """Neither slope nor interval, whatever it earns, whenever, and whatever its units bought."""
    minute, place, values = linear_rows(seed)
    values = np.pad(values, ((0, 0), (0, 1)))
    rng = np.random.default_rng(seed)
    others = values.copy()
    others[:, OUTCOME] = sells_for * rng.random(len(others))
    others[:, 1:3] -= others[:, [INJECTED]]
    others[:, INJECTED] = 0.0
    others[:, BEFORE] = rng.integers(0, 5, len(others)) * bought
    alone = cell_sums(minute, place, values)
    joined = cell_sums(
        np.concatenate([minute, minute + 1_000 * late]),
        np.concatenate([place, place + 10]),
        np.concatenate([values, others]),
    )
    one, both = (estimate_slope(each, "test", DEMANDS) for each in (alone, joined))
    assert both.status is one.status
    assert figures(both) == pytest.approx(figures(one), rel=1e-9)
    shares = [relative_slope(each) for each in (alone, joined)]
    assert shares[0] is not None
    assert shares[1] is not None
    assert (shares[1].low, shares[1].high) == pytest.approx((shares[0].low, shares[0].high), 1e-9)


def figures(found: SlopeEstimate) -> list[float]:
    """Return what is shown and used of a slope."""
    used = model_of(found, SlopePrior(), "margin", (0, 1))
    assert found.next_ms is not None
    assert found.at_any_look is not None
    return [
        found.mean_outcome, found.next_ms.estimate, found.next_ms.low, found.next_ms.high,
        found.at_any_look.low, found.at_any_look.high,
        used.median_per_ns, used.low_per_ns, used.high_per_ns,
    ]  # fmt: skip
