"""Pure: sums of decisions by cell, which are all that slopes are estimated from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attribution.path.spans import Bools, Ints

Floats = npt.NDArray[np.float64]

VARIABLES = ("outcome", "latency", "backend", "injected")
OUTCOME, LATENCY, BACKEND, INJECTED = range(4)


@dataclass(frozen=True, slots=True)
class CellSums:
    """Sums of the four VARIABLES over the decisions of each cell."""

    minute: Ints  # any code; cells of one minute are one cluster
    n: Ints
    sums: Floats  # cells x 4
    products: Floats  # cells x 4 x 4, symmetric

    def __len__(self) -> int:
        return len(self.n)

    def take(self, rows: Ints | Bools) -> CellSums:
        """Return these cells, in this order."""
        return CellSums(self.minute[rows], self.n[rows], self.sums[rows], self.products[rows])

    def within(self) -> Floats:
        """Return the products of deviations from the cell's mean, cells x 4 x 4."""
        each = np.maximum(self.n, 1).astype(np.float64)[:, None, None]
        centred: Floats = self.products - self.sums[:, :, None] * self.sums[:, None, :] / each
        return centred


def cells_from_columns(columns: Mapping[str, npt.NDArray[np.generic]]) -> CellSums:
    """Return the answer of `sql/slope_cells.sql` as sums."""
    sums = np.stack([columns[f"sum_{name}"] for name in VARIABLES], axis=1)
    products = np.empty((len(sums), 4, 4))
    for row, first in enumerate(VARIABLES):
        for column, second in enumerate(VARIABLES[row:], row):
            total = columns[f"sum_{first}_{second}"]
            products[:, row, column] = products[:, column, row] = total
    return CellSums(
        columns["minute_ns"].astype(np.int64),
        columns["n"].astype(np.int64),
        sums.astype(np.float64),
        products,
    )
