"""I/O: parts of tables that the engine could not read at its start, and left out.

Where a file of a part is missing or cut short, as by a failing disk or a copy that is not whole,
the engine puts the part aside and goes on with what is left. No answer of the table says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.counters import Counters
from collector.core.log import get_logger
from collector.store.connect import Connections

_LOG = get_logger("collector")

_BROKEN: Final = """
SELECT table, count(), max(path)
FROM system.detached_parts
WHERE database = currentDatabase() AND startsWith(reason, 'broken')
GROUP BY table
ORDER BY table
"""


@dataclass(frozen=True, slots=True)
class BrokenParts:
    """Parts of one table that are put aside."""

    table: str
    parts: int
    path: str  # of one of them, where the engine is


def broken_parts(client: Client) -> list[BrokenParts]:
    """Return the parts that are put aside, by table; of a cluster those of one node."""
    rows = client.query(_BROKEN).result_rows
    return [BrokenParts(str(table), int(parts), str(path)) for table, parts, path in rows]


class BrokenPartsJob:
    """Looks which parts are put aside; says in the log which are new.

    Args:
        store: whose tables are looked at; of a cluster those of the node that answers.
        counters: gets how many there are.
    """

    def __init__(self, store: Connections, counters: Counters) -> None:
        self._store = store
        self._counters = counters
        self.found: list[BrokenParts] = []  # by table

    def run_once(self, _: int = 0) -> int:
        """Look; return how many parts there are."""
        found = broken_parts(self._store.client())
        for each in found:
            if each not in self.found:
                _LOG.error("part_broken", table=each.table, parts=each.parts, path=each.path)
        self.found = found
        parts = sum(each.parts for each in found)
        self._counters.store_parts_broken.set(parts)
        return parts
