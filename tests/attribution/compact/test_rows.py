"""A decision as one row, and its spans as the view tells them."""

from __future__ import annotations

from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.stored import MS, Stored, decision, put_spans, span_id, trace_id

SPANS = 3_000
# A copy of an array of the decision for each of its spans would take twice this.
MEMORY = {"max_memory_usage": 64 << 20}


def test_large_long_decision_reads_back_span_by_span(store: Connections) -> None:
    """Longer than 32 bits of nanoseconds, with a span of another trace; on any engine's memory."""
    put_spans(store, decision("a", 0, 9_000, decision__id="order-7"))
    put_spans(store, [Stored(f"s{at}", "get", 10.0005 + at / 1_000, 1) for at in range(SPANS)])
    far = Stored("far", "", 5_000, 30, trace="b", attributes={"decision.id": "order-7"})
    put_spans(store, [far])
    job(store).drain(at(30))

    found = store.client().query(
        "SELECT span_id, parent_span_id, trace_id, start_ns, duration_ns FROM path_spans"
        " WHERE decision_id = 'order-7'",
        settings={**MEMORY, "enable_lazy_columns_replication": 0},
    )
    by_id = {row[0]: row[1:] for row in found.result_rows}
    assert len(by_id) == len(found.result_rows) == SPANS + 4
    assert by_id[span_id("root")] == ("", trace_id("a"), at(0), 9_000 * MS)
    assert by_id[span_id("s7")] == (span_id("get"), trace_id("a"), at(0.0100075), MS)
    assert by_id[span_id("far")] == (span_id("root"), trace_id("b"), at(5), 30 * MS)
