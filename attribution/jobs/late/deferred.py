"""I/O: what attribution deferred, so that what came after it is attributed first.

Kept in the store: whoever runs when there is time does it, oldest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.intervals import merge
from collector.core.sql import sql
from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import (
    DEFERRED_CURSOR,
    DEFERRED_UNTIL_CURSOR,
    read_deferred,
    write_cursors,
)

_ARRIVALS: Final = sql("arrivals", __file__)


def read_arrivals(client: Client, after_ns: int, until_ns: int) -> list[tuple[int, int]]:
    """Return when each time of arrival in (after, until] began, and how many spans came in it.

    In quarters of a second, Unix ns, the newest first.
    """
    rows = client.query(_ARRIVALS, parameters={"after_ns": after_ns, "until_ns": until_ns})
    return [(int(from_ns), int(spans)) for from_ns, spans in rows.result_rows]


class DeferredArrivals:
    """Stretches of arrival, (after, until], that wait to be attributed."""

    def __init__(self, store: Connections) -> None:
        self._store = store
        # Whoever asks from another thread reads it as it was.
        self._waiting: tuple[tuple[int, int], ...] = ()
        # What came by then is being summed: an outcome that comes now may be in no sum.
        self.summed_ns = 0
        self.until_ns = 0  # up to where something was deferred last by this process

    def begin(self, cursors: Mapping[str, int]) -> None:
        """Take up what an earlier process deferred.

        Args:
            cursors: of every job, by name.
        """
        self._waiting = tuple(read_deferred(self._store.client(), cursors))

    def next_after(self, received_ns: int) -> tuple[int, int] | None:
        """Return what came first of what waits and was received after an instant."""
        for after_ns, until_ns in self._waiting:
            if until_ns > received_ns:
                return max(after_ns, received_ns), until_ns
        return None

    def deferred_seconds(self, after_ns: int, until_ns: int) -> set[int]:
        """Return the seconds that are left to whoever does what came in (after, until].

        Those that lie whole in what waits and is not being summed, of its last hour; older ones are
        left to nobody.
        """
        seconds = set[int]()
        for begin_ns, end_ns in self._waiting:
            from_ns = max(begin_ns, end_ns - NS_PER_HOUR, after_ns - NS_PER_S, self.summed_ns)
            first_ns = -(-from_ns // NS_PER_S) * NS_PER_S
            last_ns = min(end_ns, until_ns + NS_PER_S) - NS_PER_S
            seconds.update(range(first_ns, last_ns + 1, NS_PER_S))
        return seconds

    def without_deferred(self, seconds: set[int]) -> set[int]:
        """Return the seconds that are not left to whoever does what waits."""
        if not self._waiting or not seconds:
            return seconds
        return seconds - self.deferred_seconds(min(seconds), max(seconds) + NS_PER_S)

    @property
    def waiting_ns(self) -> int:
        """Return how much of arrival waits, ns."""
        return sum(until_ns - after_ns for after_ns, until_ns in self._waiting)

    def add(self, after_ns: int, until_ns: int, now_ns: int) -> None:
        """Defer what was received in (after, until], which is later than all that waits."""
        client = self._store.client()
        client.insert(
            "attribution_put_off",
            [[after_ns, until_ns, now_ns]],
            column_names=["after_ns", "until_ns", "put_off_ns"],
            column_type_names=["UInt64", "UInt64", "UInt64"],
        )
        cursors = {DEFERRED_UNTIL_CURSOR: until_ns}
        if not self._waiting:
            cursors[DEFERRED_CURSOR] = after_ns
        write_cursors(client, cursors)
        self._waiting = tuple(merge([*self._waiting, (after_ns, until_ns)]))
        self.until_ns = until_ns

    def finish(self, until_ns: int) -> None:
        """Note that what was received by then waits no more."""
        waiting = [
            (max(after_ns, until_ns), end_ns)
            for after_ns, end_ns in self._waiting
            if end_ns > until_ns
        ]
        done_ns = waiting[0][0] if waiting else until_ns
        write_cursors(self._store.client(), {DEFERRED_CURSOR: done_ns})
        self._waiting = tuple(waiting)
