"""I/O: minute x region x cohort x action sums of stored decisions, which slopes are estimated from.

Decisions of one experiment have cells of their own: who is in it, and who is not, may differ in
latency and in intent, and only inside it was the delay drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from attribution.recovery import CALIBRATION_ACTION
from attribution.slope import CellSums, cells_from_columns
from attribution.spans import Ints
from collector.clock import NS_PER_S
from collector.store.connect import Connections

_SQL = (Path(__file__).parent / "sql" / "slope_cells.sql").read_text()

# As in the job: a decision begins within a day of another of its id, and an outcome is told after
# its decision began, whatever the clocks say.
_DAY_NS = 86_400 * NS_PER_S
_HOUR_NS = 3_600 * NS_PER_S


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
            "from_ns": from_ns,
            "to_ns": to_ns,
            "candidates_from_ns": max(from_ns - _DAY_NS, 0),
            "received_from_ns": max(from_ns - _HOUR_NS, 0),
            "outcome": outcome,
            "currency": currency,
            "rate_days": rate_days,
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
    )
