"""I/O: minute x region x cohort x action sums of stored decisions, which slopes are estimated from.

Decisions of one experiment have cells of their own: who is in it, and who is not, may differ in
latency and in intent, and only inside it was the delay drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from attribution.core.selection import CALIBRATION_ACTION
from attribution.path.spans import Ints
from attribution.revenue import earned
from attribution.sensitivity.sums import CellSums, cells_from_columns
from collector.store.connect import Connections

_SQL = earned.statement("slope_cells", __file__)


@dataclass(frozen=True, slots=True)
class SlopeCells:
    """Cells of whole minutes, with what they are of."""

    cells: CellSums
    region: tuple[str, ...]
    cohort: tuple[str, ...]
    action: tuple[str, ...]
    experiment: tuple[str, ...]
    part: tuple[str, ...]  # channel or offer type, "" where neither was asked for
    unknown: Ints  # decisions of each cell whose amount is not known; they are in no sum
    earning: Ints  # ... that earned something, of a known amount or not

    def groups(self, by: str) -> dict[str, CellSums]:
        """Return the cells of each region, cohort, action, channel or offer type, by name."""
        names = getattr(self, by) if by in ("region", "cohort", "action") else self.part
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            rows.setdefault(name, []).append(row)
        return {name: self.cells.take(np.array(own)) for name, own in sorted(rows.items())}


def read_slope_cells(
    store: Connections,
    from_ns: int,
    to_ns: int,
    outcome: Literal["converted", "margin", "revenue"],
    currency: str,
    rate_days: int = 7,
    *,
    by: str = "",
    experiment: str = "",
) -> SlopeCells:
    """Return the cells of the decisions that began in [from, to).

    Args:
        store: to read from.
        from_ns: the start of a minute.
        to_ns: the start of a minute, long enough ago that outcomes have arrived.
        outcome: what is summed as the outcome.
        currency: amounts in others are converted by dated rates.
        rate_days: how old a rate may be; without one an amount is unknown.
        by: channel or offer_type, where the cells have to tell those apart.
        experiment: of these decisions alone; by default of all.
    """
    table = store.client().query_arrow(
        _SQL,
        parameters={
            **earned.parameters(from_ns, outcome, currency, rate_days),
            "from_ns": from_ns,
            "to_ns": to_ns,
            "by": by,
            "experiment": experiment,
            # Nobody bought anything in these, however long they took.
            "left_out": [CALIBRATION_ACTION],
        },
    )
    texts = ("region", "cohort", "action", "experiment", "part")
    columns = {name: table[name].to_numpy() for name in table.column_names if name not in texts}
    return SlopeCells(
        cells=cells_from_columns(columns),
        **{name: tuple(table[name].to_pylist()) for name in texts},
        unknown=columns["unknown"].astype("int64"),
        earning=columns["earning"].astype("int64"),
    )
