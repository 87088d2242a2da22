"""I/O: what reached a store long after it arrived, where nobody says how far the store is.

Collectors elsewhere may insert what they received minutes or hours ago, as after an outage of the
store. How many rows each minute of arrival holds says where to look again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.sql import sql
from collector.core.times import NS_PER_MINUTE

# A collector holds what the store does not take for as long as its log has room.
LATE_NS: Final = 24 * 60 * NS_PER_MINUTE
_EVERY_NS: Final = 5 * NS_PER_MINUTE
_MINUTES: Final = sql("arrival_minutes", __file__)


class LateArrivals:
    """Says which minutes hold more than when they were read last."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}  # rows by minute
        self._looked_ns = 0

    def ranges(self, client: Client, until_ns: int, now_ns: int) -> Iterator[tuple[int, int]]:
        """Yield (after, until] of minutes with news, which end by an instant.

        A range counts as read when the next one is asked for. A minute that was never read is one
        with news, so that after a restart a day is looked at.
        """
        if abs(now_ns - self._looked_ns) < _EVERY_NS:
            return
        end = until_ns // NS_PER_MINUTE
        parameters = {"from_ns": max(until_ns - LATE_NS, 0), "to_ns": end * NS_PER_MINUTE}
        # A minute that is cut by the begin was whole when it was read.
        parameters["from_ns"] += -parameters["from_ns"] % NS_PER_MINUTE
        rows = client.query(_MINUTES, parameters=parameters).result_rows
        counts = {int(minute): int(items) for minute, items in rows}
        counts_before = self._counts = {minute: self._counts.get(minute, 0) for minute in counts}
        for first, last in _runs(
            [minute for minute in counts if counts[minute] > counts_before[minute]]
        ):
            yield first * NS_PER_MINUTE - 1, (last + 1) * NS_PER_MINUTE - 1
            counts_before.update((m, counts[m]) for m in range(first, last + 1))
        self._counts = counts
        self._looked_ns = now_ns


def _runs(minutes: list[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each run of minutes without a gap."""
    first = 0
    for place, minute in enumerate(minutes):
        if place + 1 == len(minutes) or minutes[place + 1] != minute + 1:
            yield minutes[first], minute
            first = place + 1
