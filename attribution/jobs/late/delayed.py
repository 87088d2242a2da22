"""I/O: what was stored so long after it came that a job, which reads by arrival, had read past it.

Where the collector is in the process of the job, the job waits for what is not stored. A collector
elsewhere may have been without the store, or without power, for hours: nobody waits for it, and it
says what it stored late.
"""

from __future__ import annotations

from typing import NamedTuple

from collector.core.intervals import merge
from collector.core.sql import sql
from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections
from collector.store.cursors import JobCursor

# Clocks of collectors may be so far apart: what was reported within it is asked for again.
_APART_NS = 10 * NS_PER_MINUTE
_SQL = sql("delayed_inserts", __file__)


class _Delayed(NamedTuple):
    """An insert that was delayed, as a collector reports it."""

    stored_ns: int
    signal: str
    first_ns: int  # of reception, of what was in it
    last_ns: int


class DelayedInserts:
    """The delayed inserts that one job has not met yet.

    Args:
        store: where collectors report them.
        job: its name, under which the store keeps how far it has come.
    """

    def __init__(self, store: Connections, job: str) -> None:
        self._store = store
        self._cursor = JobCursor(job)
        self._reported: set[_Delayed] = set()
        self._newest_ns = 0

    def read_new(self, cursor_ns: int) -> list[tuple[int, int]]:
        """Return the stretches of arrival, (after, until], in which something came to be there.

        Each once, and only of what a job has read that has come to the cursor.
        """
        client = self._store.client()
        after_ns = max(self._cursor.read(client), self._newest_ns) - _APART_NS
        rows = client.query(_SQL, parameters={"after_ns": max(after_ns, 0)}).result_rows
        reported = {_Delayed(int(row[0]), str(row[1]), int(row[2]), int(row[3])) for row in rows}
        new, self._reported = reported - self._reported, reported
        self._newest_ns = max([self._newest_ns, *(each.stored_ns for each in reported)])
        return merge(
            (each.first_ns - 1, min(each.last_ns, cursor_ns))
            for each in new
            if each.first_ns <= cursor_ns
        )

    def forget(self) -> None:
        """Return from `read_new` again what the job is not through with."""
        self._reported, self._newest_ns = set(), 0

    def finish(self, cursor_ns: int) -> None:
        """Note that the job is through with all of `read_new`, and how far it has come."""
        # So long after the last nothing of before it can come, and a restart need not ask for it.
        until_ns = self._newest_ns + (_APART_NS if cursor_ns > self._newest_ns + _APART_NS else 0)
        if self._newest_ns and until_ns > self._cursor.read(client := self._store.client()):
            self._cursor.write(client, until_ns)
