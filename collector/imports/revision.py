"""I/O: the revision of rows that an import brings: a later file replaces an earlier one."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client

_NEWEST: Final = "SELECT max(received_ns) FROM {table:Identifier}"


def next_revision_ns(client: Client, table: str, now_ns: int) -> int:
    """Return a revision above every one in a table: the time, where no clock was ahead of it.

    Args:
        client: reads.
        table: of ours, whose newest `received_ns` of a key counts.
        now_ns: the time, Unix ns.
    """
    ((newest_ns,),) = client.query(_NEWEST, parameters={"table": table}).result_rows
    return max(now_ns, int(newest_ns) + 1)
