"""Pure: rows that a window of time has again, and the one before it had."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Table
from attribution.path.spans import Ids


@dataclass(slots=True)
class Seen:
    """Hashes of the rows of the last window: what a window that overlaps it need not do again."""

    hashes: Ids = field(default_factory=lambda: np.empty(0, np.uint64))

    def news(self, table: Table) -> Table:
        """Return the rows not seen before, and remember all of this window's."""
        # By a table of hashes: to sort both, as NumPy does, takes ten times as long.
        is_known = pc.is_in(table["row_hash"], value_set=pa.array(self.hashes))
        self.hashes = np.asarray(table["row_hash"].to_numpy(), np.uint64)
        return table.filter(pc.invert(is_known))

    def forget(self, table: Table) -> None:
        """Take rows for new when they are met again."""
        self.hashes = np.setdiff1d(self.hashes, np.asarray(table["row_hash"].to_numpy(), np.uint64))
