from __future__ import annotations

from typing import Final

from attribution.jobs.evidence import CURSOR, TCP_CURSOR, EvidenceJob
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import write_cursor
from tests.conftest import NOW_NS
from tests.support.attribution.rows_read import rows_read

DAYS: Final = 12
A_DAY: Final = 20_000
_WIRE: Final = (
    "INSERT INTO wire_times (trace_id, span_id, decision_id, start_ns, end_ns, linked_ns)"
    " SELECT concat('t', toString(n)), 's', concat('d', toString(n)), at_ns, at_ns + 1, at_ns + 2"
    " FROM (SELECT number + {first:UInt64} AS n, {day_ns:UInt64} - number * {step_ns:UInt64} AS"
    " at_ns FROM numbers({rows:UInt64}))"
)


def test_a_run_reads_what_came_however_many_days_are_kept(store: Connections) -> None:
    """It runs every five seconds, and read every span whose packets were ever seen."""
    for day in range(DAYS):
        store.client().command(
            _WIRE,
            parameters={
                "first": day * A_DAY,
                "day_ns": NOW_NS - NS_PER_HOUR - day * NS_PER_DAY,
                "step_ns": NS_PER_MS,
                "rows": A_DAY,
            },
        )
    for job in (CURSOR, TCP_CURSOR):
        write_cursor(store.client(), job, NOW_NS - NS_PER_S)
    report, read = rows_read(store, lambda: EvidenceJob(store).run_once(NOW_NS))
    assert report.spans == 0
    assert read <= A_DAY


def test_where_nothing_is_received_it_looks_now_and_then(store: Connections) -> None:
    """What others received is found half a minute later; what this process received, at once."""
    job, newest_ns = EvidenceJob(store), NOW_NS - 61 * NS_PER_S
    job.run_once(NOW_NS, newest_ns)

    def rows_at(after_s: int, came_ns: int) -> int:
        return rows_read(store, lambda: job.run_once(NOW_NS + after_s * NS_PER_S, came_ns))[1]

    write_cursor(store.client(), CURSOR, NOW_NS)  # a row that each look reads
    assert rows_at(29, newest_ns) == 0
    assert rows_at(30, newest_ns) > 0
    assert rows_at(31, newest_ns) == 0
    assert rows_at(32, NOW_NS + 30 * NS_PER_S) > 0
