"""Decisions row by row, by which the sums of cells are proven."""

from __future__ import annotations

import numpy as np

from attribution.bench.simulator import Draw
from attribution.path.spans import Ints
from attribution.revenue.sums import Floats
from attribution.sensitivity.sums import LATENCY, OUTCOME, VARIABLES, CellSums


def cell_sums(minute: Ints, cell: Ints, values: Floats) -> CellSums:
    """Sum decisions into cells, which come in the order of (minute, cell).

    Args:
        minute: of each decision.
        cell: code of its region and cohort.
        values: decisions x VARIABLES; those that are left away at the end are 0.
    """
    values = np.pad(values, ((0, 0), (0, len(VARIABLES) - values.shape[1])))
    keys, at = np.unique(np.stack([minute, cell]), axis=1, return_inverse=True)
    at, count = at.reshape(-1), keys.shape[1]
    sums = np.zeros((count, len(VARIABLES)))
    products = np.zeros((count, len(VARIABLES), len(VARIABLES)))
    np.add.at(sums, at, values)
    np.add.at(products, at, values[:, :, None] * values[:, None, :])
    return CellSums(keys[0].astype(np.int64), np.bincount(at, minlength=count), sums, products)


def draw_rows(draw: Draw, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Draw every decision: the index of its row, an arm of a cell, and the variables."""
    cell = np.repeat(np.arange(len(draw.minute)), rng.poisson(draw.expected))
    share = draw.share()
    drawn = rng.choice(share.size, size=len(cell), p=share.reshape(-1))
    kind, arm = np.unravel_index(drawn, share.shape)
    values = draw.values()[cell, kind, arm]
    chances = draw.chances(draw.values()[..., LATENCY])
    values[:, OUTCOME] = rng.random(len(cell)) < chances[cell, kind, arm]
    return cell * share.shape[1] + arm, values


def linear_rows(
    seed: int,
    count: int = 6_000,
    minutes: int = 40,
    slope: float = -0.5,
    noise: float = 5.0,
    jitter_bias: float = 0.0,
    injected_ms: float = 40.0,
) -> tuple[Ints, Ints, Floats]:
    """Return minute, place and variables of decisions whose outcome is linear in latency.

    A hidden quality moves network time and outcome, the minute moves back end and outcome.
    """
    rng = np.random.default_rng(seed)
    minute = rng.integers(0, minutes, count)
    place = rng.integers(0, 3, count)
    hidden = rng.random(count)
    injected = injected_ms * rng.integers(0, 2, count)
    jitter = rng.gamma(2.0, 8.0, count)
    backend = jitter + injected + minute % 7
    latency = backend + 20 + 50 * hidden
    y = 500 + slope * latency - 40 * hidden + 3 * (minute % 7) + place + jitter_bias * jitter
    values = np.stack([y + rng.normal(0, noise, count), latency, backend, injected], axis=1)
    return minute, place, values
