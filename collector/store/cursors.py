"""I/O: how far each job has come, kept in the store so that a restart resumes there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.intervals import merge
from collector.core.times import NS_PER_S

# A run that found nothing leaves its cursor where it is in the store for so long: each write is an
# insert with its fsync and its merges, and a restart that reads so much again finds nothing either.
UNWRITTEN_NS_MAX: Final = 30 * NS_PER_S
# Whose cursor says up to when what was received is attributed.
ATTRIBUTION_CURSOR: Final = "attribution"
# Up to where late data are attributed, and up to where some are known that may not be.
LATE_CURSOR: Final = "attribution_late"
LATE_UNTIL_CURSOR: Final = "attribution_late_until"
# Likewise of what was deferred: before the first nothing waits, and nothing after the second.
DEFERRED_CURSOR: Final = "attribution_put_off"
DEFERRED_UNTIL_CURSOR: Final = "attribution_put_off_until"
# ... of outcomes that were deferred.
OUTCOMES_CURSOR: Final = "attribution_outcomes"
OUTCOMES_UNTIL_CURSOR: Final = "attribution_outcomes_until"
# Up to where two jobs know of what was stored late, by when that was: no job is behind by these.
DELAYED_CURSOR: Final = "attribution_delayed"
OBSERVED_DELAYED_CURSOR: Final = "attribution.observed_delayed"
# When the rules were judged last, where that is a process of its own.
ALERTS_CURSOR: Final = "alerts"
# Of each collector that is a process of its own, with its name behind it.
COLLECT: Final = "collect."
# Of each recorder, with its `packet.host` behind a dot: up to when its packets were looked at, and
# when one that is a process of its own ended.
SAMPLE_CURSOR: Final = "packet.sample"
RECORDER_ENDED: Final = "packet.ended"


class JobCursor:
    """How far the one job of a name has come; the store is asked once, and told what matters."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._at_ns: int | None = None
        self._written_ns = 0

    def read(self, client: Client) -> int:
        """Return the `received_ns` up to which the job has read, 0 where it never ran."""
        if self._at_ns is None:
            self._at_ns = self._written_ns = read_cursor(client, self._job)
        return self._at_ns

    def write(self, client: Client, at_ns: int, *, has_news: bool = True) -> None:
        """Move to an instant; without news the store is told now and then.

        A run may read what was received before the cursor again, so that nothing is lost by a
        restart from an older one.
        """
        if has_news or not 0 <= at_ns - self._written_ns < UNWRITTEN_NS_MAX:
            write_cursor(client, self._job, at_ns)
            self._written_ns = at_ns
        self._at_ns = at_ns


def read_cursor(client: Client, job: str) -> int:
    """Return the `received_ns` up to which `job` has read, 0 where it never ran."""
    rows = client.query(
        "SELECT max(cursor_ns) FROM job_cursors WHERE job = {job:String}", parameters={"job": job}
    ).result_rows
    return int(rows[0][0])


def attributed_ns(cursors: Mapping[str, int]) -> int:
    """Return up to when all that was received is attributed, late data too; 0 where none ever was.

    What is deferred is not in it before `read_deferred` is empty.

    Args:
        cursors: of every job, by name.
    """
    at_ns, late_ns = cursors.get(ATTRIBUTION_CURSOR, 0), cursors.get(LATE_CURSOR, 0)
    return min(at_ns, late_ns) if cursors.get(LATE_UNTIL_CURSOR, 0) > late_ns else at_ns


def whole_ns(cursors: Mapping[str, int]) -> int:
    """Return up to when all is attributed, what was deferred too."""
    at_ns, done_ns = attributed_ns(cursors), cursors.get(DEFERRED_CURSOR, 0)
    return min(at_ns, done_ns) if cursors.get(DEFERRED_UNTIL_CURSOR, 0) > done_ns else at_ns


def read_deferred(client: Client, cursors: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return what was deferred so that what came later went first, and is not attributed yet.

    Args:
        client: of the store, which is not asked where nothing waits.
        cursors: of every job, by name.

    Returns:
        Stretches of arrival, (after, until] in Unix ns, ascending; none overlaps another.
    """
    done_ns = cursors.get(DEFERRED_CURSOR, 0)
    if cursors.get(DEFERRED_UNTIL_CURSOR, 0) <= done_ns:
        return []
    rows = client.query(
        "SELECT after_ns, until_ns FROM attribution_put_off WHERE until_ns > {done_ns:UInt64}",
        parameters={"done_ns": done_ns},
    ).result_rows
    return merge((max(int(after_ns), done_ns), int(until_ns)) for after_ns, until_ns in rows)


def read_cursors(client: Client) -> dict[str, int]:
    """Return how far every job has read, by name."""
    rows = client.query("SELECT job, max(cursor_ns) FROM job_cursors GROUP BY job").result_rows
    return {str(job): int(cursor_ns) for job, cursor_ns in rows}


def furthest_cursor(client: Client) -> int:
    """Return the instant up to which some job has read, 0 where none ever ran."""
    # What processes say of themselves is by clocks of their own.
    rows = client.query(
        "SELECT greatest((SELECT max(cursor_ns) FROM job_cursors"
        " WHERE job != {alerts:String}"
        " AND NOT arrayExists(own -> startsWith(job, own), {own:Array(String)})),"
        " (SELECT max(cursor_ns) FROM provenance_chains))",
        parameters={"alerts": ALERTS_CURSOR, "own": [COLLECT, SAMPLE_CURSOR, RECORDER_ENDED]},
    ).result_rows
    return int(rows[0][0])


def write_cursor(client: Client, job: str, cursor_ns: int) -> None:
    """Record that `job` has read everything received before `cursor_ns`."""
    write_cursors(client, {job: cursor_ns})


def write_cursors(client: Client, cursors: Mapping[str, int]) -> None:
    """Record the same of several jobs at once."""
    rows = [[job, cursor_ns] for job, cursor_ns in cursors.items()]
    # With the types beside them: else the library asks for them before each insert.
    client.insert(
        "job_cursors",
        rows,
        column_names=["job", "cursor_ns"],
        column_type_names=["String", "UInt64"],
    )


def next_received_ns(client: Client, after_ns: int) -> int:
    """Return when the first span after an instant was received, 0 where none was.

    With it a job passes over time in which nothing came, however long, in one look.
    """
    rows = client.query(
        "SELECT min(received_ns) FROM otel_traces WHERE received_ns > {after_ns:UInt64}",
        parameters={"after_ns": after_ns},
    ).result_rows
    return int(rows[0][0])
