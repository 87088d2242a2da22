"""Pure: rows that a window of time has again, and the one before it had."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Table
from attribution.path.spans import Ids


@dataclass(frozen=True, slots=True)
class SeenRows:
    """Hashes of the rows of the last window: what a window that overlaps it need not do again."""

    hashes: Ids = field(default_factory=lambda: np.empty(0, np.uint64))

    def new_rows(self, table: Table) -> tuple[Table, SeenRows]:
        """Return the rows that were not seen before, and all rows of this window as seen."""
        # By a table of hashes: to sort both, as NumPy does, takes ten times as long.
        is_seen = pc.is_in(table["row_hash"], value_set=pa.array(self.hashes))
        return table.filter(pc.invert(is_seen)), SeenRows(_hashes(table))

    def without(self, table: Table) -> SeenRows:
        """Return what was seen without these rows, which are new when they are met again."""
        return SeenRows(np.setdiff1d(self.hashes, _hashes(table)))


def _hashes(table: Table) -> Ids:
    return np.asarray(table["row_hash"].to_numpy(), np.uint64)
