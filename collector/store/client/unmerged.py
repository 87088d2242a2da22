"""I/O: which tables of an embedded store merge nothing, and merges given back to them.

`collector.store.client.keep_parts` says why.
"""

from __future__ import annotations

import threading
from typing import Final

from clickhouse_connect.driver.client import Client

# Of tables of the engine: no two parts are as small together.
NO_MERGES: Final[dict[str, int]] = {
    "max_bytes_to_merge_at_max_space_in_pool": 1,
    "max_bytes_to_merge_at_min_space_in_pool": 1,
}
# Of a table whose TTL is changed, which is kept from merging for longer.
CHANGING_MARK: Final = "materialize_ttl_recalculate_only"

_TABLES: Final = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')
    AND (position(engine_full, {setting:String}) > 0) = {is_kept:Bool}
    AND position(engine_full, {mark:String}) = 0
"""
_RELEASE: Final = ", ".join(NO_MERGES)
# There is one engine a process, and it is opened once.
_LOCK: Final = threading.Lock()
_released: set[str] = set()


def release_parts(client: Client) -> None:
    """Give merges back to tables that were kept from them; of a database once a process."""
    with _LOCK:
        if client.database in _released:
            return
        for table in merge_tables(client, is_kept=True):
            client.command(f"ALTER TABLE {table} RESET SETTING {_RELEASE}")
        _released.add(str(client.database))


def merge_tables(client: Client, *, is_kept: bool) -> list[str]:
    """Return the tables that are kept from merging or not, without those whose TTL is changed."""
    parameters = {"setting": next(iter(NO_MERGES)), "is_kept": is_kept, "mark": CHANGING_MARK}
    return [str(row[0]) for row in client.query(_TABLES, parameters=parameters).result_rows]
