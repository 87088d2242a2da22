from __future__ import annotations

import numpy as np
import pytest

from attribution.revenue import Slope
from attribution.simulator import World, draw_cells, draw_world
from attribution.slope import CellSums, Demands
from attribution.slope_groups import group_slopes

ALL = Slope(1.4e-9, 1.0e-9, 1.8e-9)
DEMANDS = Demands(5e-5)


def drawn(world: World, seed: int) -> tuple[dict[str, CellSums], np.ndarray]:
    """Return cells by cohort, and the true relative effect of each."""
    rng = np.random.default_rng(seed)
    draw = draw_world(world, rng)
    cells = draw_cells(draw, rng)
    groups = {f"c{at:02}": cells.take(draw.cohort == at) for at in range(world.cohorts)}
    return groups, draw.theta


def test_many_groups_are_drawn_to_their_mean_as_far_as_they_are_weak() -> None:
    """Closer to the truth than their own slopes, and inside the interval as often as it says."""
    held, own_error, used_error = [], [], []
    for seed in range(20):
        world = World(decisions=3e6, minutes=60, cohorts=20, zipf=1.0, hidden=0.5,
                      relative_per_ms=1.4e-3, spread_per_ms=5e-4)  # fmt: skip
        groups, truth = drawn(world, seed)
        found = group_slopes(groups, "cohort", ALL, DEMANDS, 7)
        assert [each.name for each in found] == sorted(groups)
        for each, theta in zip(found, truth, strict=True):
            held.append(each.low_per_ns * 1e6 <= theta <= each.high_per_ns * 1e6)
            assert each.own_per_ms is not None
            own_error.append((-each.own_per_ms - theta) ** 2)
            used_error.append((each.median_per_ns * 1e6 - theta) ** 2)
        # The largest cohort says most by itself.
        assert found[0].pooled_weight <= found[-1].pooled_weight + 1e-9
        assert all(each.version == 7 and "empirical Bayes" in each.basis for each in found)
    assert np.mean(used_error) < 0.5 * np.mean(own_error)
    # 5 % to 95 %: four errors of 400 are 6 %.
    assert np.mean(held) == pytest.approx(0.90, abs=0.06)


def test_few_groups_have_their_own_slope_once_it_is_identified() -> None:
    """And before that the slope of all, with what is missing; never a weak one of their own."""
    sure, _ = drawn(World(decisions=1.6e9, hidden=0.5), 3)
    weak, _ = drawn(World(decisions=1e6, hidden=0.5), 4)
    groups = {"sure": sure["c00"], "weak": weak["c00"], "empty": weak["c00"].take(np.arange(0))}
    told = {each.name: each for each in group_slopes(groups, "channel", ALL, DEMANDS, 1)}
    assert set(told) == {"sure", "weak"}
    own = told["sure"]
    assert (own.pooled_weight, own.decisions_needed) == (0.0, 0)
    assert own.low_per_ns * 1e6 < World(1).relative_per_ms < own.high_per_ns * 1e6
    other = told["weak"]
    assert (other.slope, other.pooled_weight) == (ALL, 1.0)
    assert other.decisions_needed is not None
    assert other.decisions_needed > 1e6
    assert "more decisions needed" in other.basis
