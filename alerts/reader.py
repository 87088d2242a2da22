"""I/O: what alerting reads from the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from collector.core.sql import sql
from collector.store.connect import Connections


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the dollars of decisions have come; Unix ns, None where nothing is there."""

    newest_ns: int | None  # newest second with a decision
    attributed_ns: int | None  # everything that was received before it is attributed


class AlertReader:
    """Reads through the calling thread's limited, read-only connection."""

    def __init__(self, store: Connections) -> None:
        self._store = store

    def rows(self, name: str, of: str, **parameters: str | int) -> list[Any]:
        """Return the rows of the statement `sql/NAME.sql` beside the module whose file is `of`."""
        return list(self._store.reader().query(sql(name, of), parameters=parameters).result_rows)

    def watermark(self) -> Watermark:
        """Return how far the dollars of decisions have come."""
        newest_ns, attributed_ns = self.rows("watermark", __file__)[0]
        return Watermark(int(newest_ns) or None, int(attributed_ns) or None)
