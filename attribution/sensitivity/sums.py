"""Pure: sums of decisions by cell, which are all that slopes are estimated from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

from attribution.path.spans import Bools, Ints

Floats = npt.NDArray[np.float64]

# Sales whose amount counts whole; of each of the others so much as of the largest of these. A few
# sales that hold much of the money make a mean that nobody knows well.
COUNTED_WHOLE = 0.995

# Further decisions of one draw that are counted: what a batch of thousands does, no delay does.
AGAIN_MAX = 19

# Of a decision: what it earned, its latency, the part of the back end, the delay that was drawn,
# and how often its unit bought on earlier days.
VARIABLES = ("outcome", "latency", "backend", "injected", "before")
OUTCOME, LATENCY, BACKEND, INJECTED, BEFORE = range(len(VARIABLES))


@dataclass(frozen=True, slots=True)
class Answers:
    """Of how many decisions the outcome is known, and its amount, a row an arm of a cell.

    Empty where a row is a whole cell and every outcome is known.
    """

    cell: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # rows of a cell share it
    delay_ms: Floats = field(default_factory=lambda: np.zeros(0))  # of the arm
    enrolled: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    enrolled_ms: Floats = field(default_factory=lambda: np.zeros(0))  # their latency, summed
    answered: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # with a known outcome
    answered_ms: Floats = field(default_factory=lambda: np.zeros(0))
    failed: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    earning: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # that earned something
    unknown: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # ... of no known amount
    beyond: Floats = field(default_factory=lambda: np.zeros(0))  # what amounts are above the limit

    def take(self, rows: Ints | Bools) -> Answers:
        """Return these rows, in this order."""
        if not len(self.cell):
            return self
        return Answers(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Draws:
    """What units did in the minutes in which they were drawn, a row a minute and arm."""

    minute: Ints
    cell: Ints  # minute and experiment, inside which arms are compared
    delay_ms: Floats  # of the arm
    draws: Ints
    again: Ints  # decisions after the first, of a draw AGAIN_MAX at most


@dataclass(frozen=True, slots=True)
class CellSums:
    """Sums of the VARIABLES over the decisions of each row whose outcome is known.

    A cell is what is compared with nothing but itself. A row is one arm of a cell where `answers`
    says so, and else a whole cell.
    """

    minute: Ints  # any code; cells of one minute are one cluster
    n: Ints
    sums: Floats  # rows x VARIABLES
    products: Floats  # rows x VARIABLES x VARIABLES, symmetric
    answers: Answers = field(default_factory=Answers)
    # What is in no sum, since amounts above a limit count as the limit, over all that was earned:
    # sales and what was taken back both add to it, so that it may be more than all.
    cut_off: float = 0.0
    whole: float = 1.0  # all that was earned over what is in the sums
    draws: Draws | None = None  # of the experiments that delay some of the decisions
    # Cells of experiments are all of their decisions of a minute, whose classes differ in latency.
    is_coarse: bool = False
    unsure: int = 0  # sales of a delayed decision or of one that is not: nobody knows which

    def __len__(self) -> int:
        return len(self.n)

    @property
    def has_arms(self) -> bool:
        """Return whether each row is one arm of a cell."""
        return bool(len(self.answers.cell))

    def take(self, rows: Ints | Bools) -> CellSums:
        """Return these rows, in this order."""
        return replace(
            self,
            minute=self.minute[rows],
            n=self.n[rows],
            sums=self.sums[rows],
            products=self.products[rows],
            answers=self.answers.take(rows),
        )

    def cells(self) -> CellSums:
        """Return one row a cell."""
        if not self.has_arms:
            return self
        _, first, cell = np.unique(self.answers.cell, return_index=True, return_inverse=True)
        cell = cell.reshape(-1)
        n = np.bincount(cell, weights=self.n).astype(np.int64)
        sums = np.zeros((len(first), *self.sums.shape[1:]))
        products = np.zeros((len(first), *self.products.shape[1:]))
        np.add.at(sums, cell, self.sums)
        np.add.at(products, cell, self.products)
        return replace(
            self, minute=self.minute[first], n=n, sums=sums, products=products, answers=Answers()
        )

    def within(self) -> Floats:
        """Return the products of deviations from the row's mean, of the form of `products`."""
        each = np.maximum(self.n, 1).astype(np.float64)[:, None, None]
        centred: Floats = self.products - self.sums[:, :, None] * self.sums[:, None, :] / each
        return centred


def cells_from_columns(
    columns: Mapping[str, npt.NDArray[np.generic]], is_measured: Bools | None = None
) -> CellSums:
    """Return the answer of `sql/slope_cells.sql` as sums.

    Args:
        columns: of the answer.
        is_measured: rows of decisions among which delays are drawn: of their amounts it is told how
            much is beyond the limit. By default, and where none is, of all.
    """
    if is_measured is None or not is_measured.any():
        is_measured = np.ones(len(columns["n"]), bool)
    counted, beyond, beyond_size = (
        float(columns[name][is_measured].sum()) for name in ("sum_outcome", "beyond", "beyond_size")
    )
    earned = counted + beyond
    sums = np.stack([columns[f"sum_{name}"] for name in VARIABLES], axis=1)
    products = np.empty((len(sums), len(VARIABLES), len(VARIABLES)))
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
            columns["earning"].astype(np.int64),
            columns["unknown"].astype(np.int64),
            columns["beyond"].astype(np.float64),
        ),
        beyond_size / earned if earned > 0 else 0.0,
        earned / counted if earned > 0 and counted > 0 else 1.0,
    )
