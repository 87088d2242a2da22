"""I/O: a window in parts, so that a month of many decisions is summed in bounded memory."""

from __future__ import annotations

from attribution.core.selection import AT_ONCE, Extent, in_parts
from collector.core.sql import sql
from collector.store.connect import Connections


def parts_of(
    store: Connections, from_ns: int, to_ns: int, at_once: int = AT_ONCE
) -> list[tuple[int, int]]:
    """Return [from, to) in parts of about so many attributed decisions; of few it is one."""
    window = {"from_ns": from_ns, "to_ns": to_ns}
    (row,) = store.client().query(sql("extent", __file__), parameters=window).result_rows
    return in_parts((from_ns, to_ns), Extent(*(int(each) for each in row)), at_once)
