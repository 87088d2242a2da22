"""Pure: sums of decisions by cell, which are all that slopes are estimated from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from attribution.path.spans import Bools, Ints

Floats = npt.NDArray[np.float64]

VARIABLES = ("outcome", "latency", "backend", "injected")
OUTCOME, LATENCY, BACKEND, INJECTED = range(4)


@dataclass(frozen=True, slots=True)
class Answers:
    """Of how many decisions the outcome is known, a row an arm of a cell.

    Empty where a row is a whole cell and every outcome is known.
    """

    cell: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # rows of a cell share it
    delay_ms: Floats = field(default_factory=lambda: np.zeros(0))  # of the arm
    enrolled: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    enrolled_ms: Floats = field(default_factory=lambda: np.zeros(0))  # their latency, summed
    answered: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # with a known outcome
    answered_ms: Floats = field(default_factory=lambda: np.zeros(0))
    failed: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def take(self, rows: Ints | Bools) -> Answers:
        """Return these rows, in this order."""
        if not len(self.cell):
            return self
        return Answers(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(frozen=True, slots=True)
class CellSums:
    """Sums of the four VARIABLES over the decisions of each row whose outcome is known.

    A cell is what is compared with nothing but itself. A row is one arm of a cell where `answers`
    says so, and else a whole cell.
    """

    minute: Ints  # any code; cells of one minute are one cluster
    n: Ints
    sums: Floats  # rows x 4
    products: Floats  # rows x 4 x 4, symmetric
    answers: Answers = field(default_factory=Answers)

    def __len__(self) -> int:
        return len(self.n)

    @property
    def has_arms(self) -> bool:
        """Return whether each row is one arm of a cell."""
        return bool(len(self.answers.cell))

    def take(self, rows: Ints | Bools) -> CellSums:
        """Return these rows, in this order."""
        return CellSums(
            self.minute[rows],
            self.n[rows],
            self.sums[rows],
            self.products[rows],
            self.answers.take(rows),
        )

    def cells(self) -> CellSums:
        """Return one row a cell."""
        if not self.has_arms:
            return self
        _, first, cell = np.unique(self.answers.cell, return_index=True, return_inverse=True)
        cell = cell.reshape(-1)
        n = np.bincount(cell, weights=self.n).astype(np.int64)
        sums, products = np.zeros((len(first), 4)), np.zeros((len(first), 4, 4))
        np.add.at(sums, cell, self.sums)
        np.add.at(products, cell, self.products)
        return CellSums(self.minute[first], n, sums, products)

    def within(self) -> Floats:
        """Return the products of deviations from the row's mean, rows x 4 x 4."""
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
        Answers(
            columns["cell"].astype(np.int64),
            columns["delay_ms"].astype(np.float64),
            columns["enrolled"].astype(np.int64),
            columns["enrolled_ms"].astype(np.float64),
            columns["answered"].astype(np.int64),
            columns["answered_ms"].astype(np.float64),
            columns["failed"].astype(np.int64),
        ),
    )
