"""I/O: the parts of every table, and whether the bytes of one are those that were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.errors import InputError, first_line
from collector.store.errors import unreadable_part

_PARTS: Final = """
SELECT table, name, rows, bytes_on_disk
FROM system.parts
WHERE active AND database = currentDatabase()
ORDER BY table, name
"""
# What is read is held against the checksum of its block; `CHECK TABLE` looks into no packed part.
_READ: Final = """
SELECT count(), max(ignore(*)) FROM {table:Identifier} WHERE _part = {part:String}
"""
_IS_TABLE: Final = """
SELECT 1 FROM system.parts
WHERE active AND database = currentDatabase() AND table = {table:String}
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One part of a table."""

    table: str
    part: str
    rows: int
    bytes: int  # on the disk


def stored_parts(client: Client) -> list[StoredPart]:
    """Return the parts of every table; of a cluster those of the node that answers."""
    rows = client.query(_PARTS).result_rows
    return [StoredPart(str(t), str(p), int(n), int(size)) for t, p, n, size in rows]


def damage(client: Client, table: str, part: str) -> str:
    """Read all rows of a part; return what is wrong with them, "" for nothing.

    A part that is no longer there, as after a merge, has no rows.

    Raises:
        InputError: there is no such table.
        ClickHouseError: it cannot be read for another reason.
    """
    if not client.query(_IS_TABLE, parameters={"table": table}).result_rows:
        raise InputError(f"{table!r} is no table of the store; take it from the list")
    try:
        client.query(
            _READ,
            parameters={"table": table, "part": part},
            settings={"asterisk_include_materialized_columns": 1},
        )
    except ClickHouseError as error:
        if unreadable_part(error):
            return first_line(error)
        raise
    return ""
