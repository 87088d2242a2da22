"""Decisions row by row, by which the sums of cells are proven."""

from __future__ import annotations

import numpy as np

from attribution.bench.simulator import Draw
from attribution.path.spans import Ints
from attribution.revenue.loss import Floats
from attribution.sensitivity.sums import LATENCY, OUTCOME, CellSums


def cell_sums(minute: Ints, cell: Ints, values: Floats) -> CellSums:
    """Sum decisions into cells, which come in the order of (minute, cell).

    Args:
        minute: of each decision.
        cell: code of its region and cohort.
        values: decisions x 4, the VARIABLES.
    """
    keys, at = np.unique(np.stack([minute, cell]), axis=1, return_inverse=True)
    at, count = at.reshape(-1), keys.shape[1]
    sums = np.zeros((count, 4))
    products = np.zeros((count, 4, 4))
    np.add.at(sums, at, values)
    np.add.at(products, at, values[:, :, None] * values[:, None, :])
    return CellSums(keys[0].astype(np.int64), np.bincount(at, minlength=count), sums, products)


def draw_rows(draw: Draw, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Draw every decision: the index of its row, an arm of a cell, and the four variables."""
    cell = np.repeat(np.arange(len(draw.minute)), rng.poisson(draw.expected))
    share = draw.share()
    drawn = rng.choice(share.size, size=len(cell), p=share.reshape(-1))
    kind, arm = np.unravel_index(drawn, share.shape)
    values = draw.values()[cell, kind, arm]
    chances = draw.chances(draw.values()[..., LATENCY])
    values[:, OUTCOME] = rng.random(len(cell)) < chances[cell, kind, arm]
    return cell * share.shape[1] + arm, values
