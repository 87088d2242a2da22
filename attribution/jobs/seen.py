"""Pure: rows that a window of time has again, and the one before it had."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from attribution.path.columns import Table
from attribution.path.spans import Ids


@dataclass(slots=True)
class Seen:
    """Hashes of the rows of the last window: what a window that overlaps it need not do again."""

    hashes: Ids = field(default_factory=lambda: np.empty(0, np.uint64))

    def news(self, table: Table) -> Table:
        """Return the rows not seen before, and remember all of this window's."""
        hashes = np.asarray(table["row_hash"].to_numpy(), np.uint64)
        is_new = np.isin(hashes, self.hashes, invert=True)
        self.hashes = hashes
        return table.filter(pa.array(is_new))

    def forget(self, table: Table) -> None:
        """Take rows for new when they are met again."""
        self.hashes = np.setdiff1d(self.hashes, np.asarray(table["row_hash"].to_numpy(), np.uint64))
