from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attribution.bench.simulator import ARMS, World, draw_cells, draw_world
from attribution.sensitivity.sums import INJECTED, LATENCY, OUTCOME, VARIABLES
from tests.support.attribution.long_way.cell_rows import cell_sums, draw_rows

SMALL = World(
    decisions=120, minutes=2, cohorts=2, conversion=0.3, relative_per_ms=4e-3, hidden=0.5,
    surge=0.5, cart=0.5, arms=((0.5, 0.0), (0.5, 80.0)), deadline_ms=150.0, regulars=0.5,
)  # fmt: skip


def test_drawn_cells_have_the_distribution_of_drawn_rows() -> None:
    """The speed is honest only if it is the same world: mean and spread of every sum agree."""
    draw = draw_world(SMALL, np.random.default_rng(1))
    times = 2_500
    by_cells, by_rows = [], []
    rng, other = np.random.default_rng(2), np.random.default_rng(3)
    upper = np.triu_indices(len(VARIABLES))
    for _ in range(times):
        cells = draw_cells(draw, rng)
        by_cells.append(
            np.column_stack([cells.n, cells.sums, cells.products[:, upper[0], upper[1]]]).ravel()
        )
        cell, values = draw_rows(draw, other)
        n = np.bincount(cell, minlength=8)
        sums = np.zeros((8, len(VARIABLES)))
        products = np.zeros((8, len(VARIABLES), len(VARIABLES)))
        np.add.at(sums, cell, values)
        np.add.at(products, cell, values[:, :, None] * values[:, None, :])
        by_rows.append(np.column_stack([n, sums, products[:, upper[0], upper[1]]]).ravel())
    a, b = np.array(by_cells), np.array(by_rows)
    # First, second and mixed moments of all 160 sums: a z of 5.1 in 7,000 is chance 1 in 400.
    deviation = np.concatenate([a, b]).std(axis=0)
    varies = deviation > 0  # the control is delayed by nothing, however often it is drawn
    a, b, deviation = a[:, varies], b[:, varies], deviation[varies]
    a, b = (a - a.mean(axis=0)) / deviation, (b - b.mean(axis=0)) / deviation
    one, two = np.triu_indices(a.shape[1])
    mixed_a, mixed_b = a[:, one] * a[:, two], b[:, one] * b[:, two]
    error = np.sqrt((mixed_a.var(axis=0) + mixed_b.var(axis=0)) / times)
    assert (np.abs(mixed_a.mean(axis=0) - mixed_b.mean(axis=0)) < 5.1 * error).all()
    raw_a, raw_b = (np.array(each)[:, varies].mean(axis=0) for each in (by_cells, by_rows))
    assert (np.abs(raw_a - raw_b) < 5.1 * deviation * np.sqrt(2 / times)).all()


def test_truth_is_the_slope_of_the_chances_by_hand() -> None:
    """Shifting every latency by a hundredth of a millisecond moves the mean by so large a share."""
    draw = draw_world(World(decisions=1e6, hidden=0.4), np.random.default_rng(4))
    latency, step = draw.values()[..., LATENCY], 0.01
    change = (draw.chances(latency + step) - draw.chances(latency)) / step
    moved, sold = (
        float(np.einsum("cka,ka->c", each, draw.share()) @ draw.expected)
        for each in (change, draw.chances(latency))
    )
    assert draw.truth() == pytest.approx(moved / sold, rel=1e-5)
    # Every arm of a cell has the same kinds: the delay is drawn, whoever decides.
    np.testing.assert_allclose(draw.share() / draw.share().sum(axis=0), draw.kinds.share[:, None]
                               * np.ones(3), rtol=1e-12)  # fmt: skip


def test_switches_of_a_world_do_what_they_say() -> None:
    """Each is what a row of the zoo is for."""
    rng = np.random.default_rng(9)
    base = World(decisions=4e6, minutes=40)
    lost = draw_cells(draw_world(replace(base, missing=0.1, missing_per_100ms=0.1), rng), rng)
    slow, fast = (lost.answers.delay_ms == each for each in (80.0, 0.0))
    shares = [lost.answers.answered[each].sum() / lost.answers.enrolled[each].sum()
              for each in (slow, fast)]  # fmt: skip
    assert shares[0] - shares[1] == pytest.approx(-0.08, abs=0.01)
    failing = draw_cells(draw_world(replace(base, deadline_ms=150.0), rng), rng)
    assert failing.answers.failed.sum() > 0
    throttled = draw_cells(draw_world(replace(base, hidden=0.5, is_drawn=False), rng), rng)
    assert set(throttled.answers.delay_ms) == {0.0}
    paid = draw_cells(draw_world(replace(base, tail=3.0), rng), rng)
    assert paid.sums[:, OUTCOME].sum() / paid.n.sum() == pytest.approx(20 * 0.03, rel=0.1)
    calm, wandering = (
        draw_world(replace(base, memory=each, minutes=4_000), rng).load_ms[:4_000]
        for each in (0.0, 0.95)
    )
    assert np.corrcoef(calm[1:], calm[:-1])[0, 1] < 0.1
    assert np.corrcoef(wandering[1:], wandering[:-1])[0, 1] > 0.8


def test_world_repeats_by_seed_and_its_delay_is_randomised() -> None:
    """A figure that cannot be drawn again is no figure; the arms keep their shares."""
    draw = draw_world(World(decisions=1e6), np.random.default_rng(5))
    cells = draw_cells(draw, np.random.default_rng(6))
    again = draw_cells(draw, np.random.default_rng(6))
    np.testing.assert_array_equal(cells.products, again.products)
    mean_ms = sum(share * delay for share, delay in ARMS)
    assert cells.sums[:, INJECTED].sum() / cells.n.sum() == pytest.approx(mean_ms, rel=0.01)
    row, values = draw_rows(draw_world(SMALL, np.random.default_rng(7)), np.random.default_rng(8))
    assert set(np.unique(values[:, OUTCOME])) <= {0.0, 1.0}
    assert (values[:, LATENCY] > values[:, INJECTED]).all()
    assert len(cell_sums(row % 4, row // 4, values)) == 8
