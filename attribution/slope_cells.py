"""I/O: minute x region x cohort sums of stored decisions, which the slope is estimated from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
    unknown: Ints  # decisions of each cell whose amount is not known; they are in no sum


def read_slope_cells(
    store: Connections,
    from_ns: int,
    to_ns: int,
    outcome: Literal["converted", "margin", "revenue"],
    currency: str,
    rate_days: int = 7,
) -> SlopeCells:
    """Return the cells of the decisions that began in [from, to).

    Args:
        store: to read from.
        from_ns: the start of a minute.
        to_ns: the start of a minute, long enough ago that outcomes have arrived.
        outcome: what is summed as the outcome.
        currency: amounts in others are converted by dated rates.
        rate_days: how old a rate may be; without one an amount is unknown.
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
        },
    )
    texts = ("region", "cohort")
    columns = {name: table[name].to_numpy() for name in table.column_names if name not in texts}
    return SlopeCells(
        cells=cells_from_columns(columns),
        region=tuple(table["region"].to_pylist()),
        cohort=tuple(table["cohort"].to_pylist()),
        unknown=columns["unknown"].astype("int64"),
    )
