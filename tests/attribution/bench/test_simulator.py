from __future__ import annotations

import numpy as np
import pytest

from attribution.bench.simulator import ARMS, World, draw_cells, draw_world
from attribution.sensitivity.sums import INJECTED, LATENCY, OUTCOME
from tests.support.attribution.cell_rows import cell_sums, draw_rows

SMALL = World(
    decisions=120, minutes=2, cohorts=2, conversion=0.3, relative_per_ms=4e-3, hidden=0.5, surge=0.5
)


def test_drawn_cells_have_the_distribution_of_drawn_rows() -> None:
    """The speed is honest only if it is the same world: mean and spread of every sum agree."""
    draw = draw_world(SMALL, np.random.default_rng(1))
    times = 2_500
    by_cells, by_rows = [], []
    rng, other = np.random.default_rng(2), np.random.default_rng(3)
    upper = np.triu_indices(4)
    for _ in range(times):
        cells = draw_cells(draw, rng)
        by_cells.append(
            np.column_stack([cells.n, cells.sums, cells.products[:, upper[0], upper[1]]]).ravel()
        )
        cell, values = draw_rows(draw, other)
        n = np.bincount(cell, minlength=4)
        sums, products = np.zeros((4, 4)), np.zeros((4, 4, 4))
        np.add.at(sums, cell, values)
        np.add.at(products, cell, values[:, :, None] * values[:, None, :])
        by_rows.append(np.column_stack([n, sums, products[:, upper[0], upper[1]]]).ravel())
    a, b = np.array(by_cells), np.array(by_rows)
    # First, second and mixed moments of all 60 sums: a z of 4.8 in 2,000 is chance 1 in 300.
    deviation = np.concatenate([a, b]).std(axis=0)
    a, b = (a - a.mean(axis=0)) / deviation, (b - b.mean(axis=0)) / deviation
    one, two = np.triu_indices(a.shape[1])
    mixed_a, mixed_b = a[:, one] * a[:, two], b[:, one] * b[:, two]
    error = np.sqrt((mixed_a.var(axis=0) + mixed_b.var(axis=0)) / times)
    assert (np.abs(mixed_a.mean(axis=0) - mixed_b.mean(axis=0)) < 4.8 * error).all()
    raw_a, raw_b = np.array(by_cells).mean(axis=0), np.array(by_rows).mean(axis=0)
    assert (np.abs(raw_a - raw_b) < 4.8 * deviation * np.sqrt(2 / times)).all()


def test_truth_is_the_slope_of_the_chances_by_hand() -> None:
    """Shifting every latency by a hundredth of a millisecond moves the mean by the truth."""
    draw = draw_world(World(decisions=1e6, hidden=0.4), np.random.default_rng(4))
    chances, step = draw.chances(), 0.01
    slower = chances * np.exp(-draw.theta[draw.cohort] * step)[:, None]
    change = (slower - chances) @ draw.kinds.share @ draw.expected / draw.expected.sum() / step
    assert draw.truth() == pytest.approx(float(change), rel=1e-5)


def test_world_repeats_by_seed_and_its_delay_is_randomised() -> None:
    """A figure that cannot be drawn again is no figure; the arms keep their shares."""
    draw = draw_world(World(decisions=1e6), np.random.default_rng(5))
    cells = draw_cells(draw, np.random.default_rng(6))
    again = draw_cells(draw, np.random.default_rng(6))
    np.testing.assert_array_equal(cells.products, again.products)
    mean_ms = sum(share * delay for share, delay in ARMS)
    assert cells.sums[:, INJECTED].sum() / cells.n.sum() == pytest.approx(mean_ms, rel=0.01)
    cell, values = draw_rows(draw_world(SMALL, np.random.default_rng(7)), np.random.default_rng(8))
    assert set(np.unique(values[:, OUTCOME])) <= {0.0, 1.0}
    assert (values[:, LATENCY] > values[:, INJECTED]).all()
    assert len(cell_sums(cell % 2, cell // 2, values)) == 4
