from __future__ import annotations

from importlib.util import find_spec

import pyarrow as pa
import pytest

from attribution.bench.synthetic import otel_rows
from attribution.compact import kernel
from attribution.compact.rows import Kernel, best_kernel, recomputed_rows
from attribution.jobs.report import AttributionReport
from attribution.path.rows import RESULT_COLUMNS
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, computed_afresh, everything, job
from tests.support.attribution.recompute import HOUR_NS, RANGE
from tests.support.attribution.stored import (
    BASE_NS,
    MS,
    Stored,
    attributions,
    decision,
    put_outcome,
    put_spans,
    trace_id,
)


def put_an_odd_hour(store: Connections) -> None:
    """Store skewed, orphaned, overlapping and asynchronous spans, and decisions at the edges."""
    rows = otel_rows(60, 12, seed=11, start_ns=BASE_NS)
    store.client().insert_arrow(table="otel_traces_in", arrow_table=rows)
    put_spans(store, decision("long", 100, 6_000) + decision("short", 100))
    put_spans(store, [Stored("late", "root", 4_500, 1_000, trace="long")])
    put_spans(store, decision("told", 40_000, decision__id="order-7"))
    put_spans(store, [Stored("far", "", 40_020, 30, trace="else",
                             attributes={"decision.id": "order-7"})])  # fmt: skip
    put_outcome(store, "o1", decision_id=trace_id("short"), margin="4")


def forget(store: Connections, *tables: str) -> None:
    """Empty these tables."""
    for table in tables:
        store.client().command("TRUNCATE TABLE {table:Identifier}", parameters={"table": table})


def test_hour_attributed_again_equals_a_fresh_computation(store: Connections) -> None:
    """Rows, minutes and cells, row for row, though no span is read again."""
    put_an_odd_hour(store)
    job(store).drain(at(60))
    put_spans(store, [Stored("more", "root", 40_060, 20, trace="told", received_s=61)])
    job(store).drain(at(62))

    forget(store, "attributions", "attribution_minutes", "revenue_cells")
    report = job(store).recompute(*RANGE, at(70))
    assert (report.attributed, report.revised) == (62, 1)  # one had a late span
    again = everything(store)
    assert again == computed_afresh(store, 80)
    assert len(again["attributions"]) == 63


def test_attributing_again_changes_nothing_that_holds(store: Connections) -> None:
    """A second replay of an hour leaves the same rows, revisions too."""
    put_an_odd_hour(store)
    running = job(store)
    cursor_ns = running.drain(at(60)).cursor_ns
    before, revisions = everything(store), attributions(store)
    report = running.recompute(*RANGE, at(70))
    assert report == AttributionReport(
        unchanged=63, spans=report.spans, minutes_rewritten=1, cursor_ns=cursor_ns
    )
    assert everything(store) == before
    assert attributions(store) == revisions


def test_row_that_no_longer_holds_gets_a_revision(store: Connections) -> None:
    """Only in the range asked for, and only the decision that differs."""
    put_spans(store, decision("a") + decision("b", 400) + decision("c", 7_300_000))
    running = job(store)
    running.drain(at(10))
    wanted = everything(store)
    store.client().command(
        "INSERT INTO attributions SELECT * REPLACE"
        " (total_ns + 5 AS total_ns, egress_store_ns + 5 AS egress_store_ns)"
        " FROM attributions FINAL WHERE decision_id != {kept:String}",
        parameters={"kept": trace_id("b")},
    )
    report = running.recompute(BASE_NS, BASE_NS + HOUR_NS, at(20))
    assert (report.attributed, report.revised, report.unchanged) == (0, 1, 1)
    a, b, c = attributions(store)
    assert (a["revision"], b["revision"], c["revision"]) == (2, 1, 1)
    assert (a["total_ns"], c["total_ns"]) == (100 * MS, 100 * MS + 5)
    running.recompute(BASE_NS, BASE_NS + 3 * HOUR_NS, at(30))
    assert everything(store) == wanted


@pytest.mark.parametrize("segments", [kernel.segments, best_kernel()], ids=["numpy", "best"])
def test_rows_of_either_kernel_are_those_of_the_job(store: Connections, segments: Kernel) -> None:
    """Through the store and back: every column of the result."""
    put_an_odd_hour(store)
    job(store).drain(at(60))
    reader = Reader(store, AttributesConfig())
    again = pa.concat_tables(
        recomputed_rows(chunk, segments) for chunk in reader.path_columns(*RANGE)
    ).to_pylist()
    names = ["ingress_ns", "decision_id", *RESULT_COLUMNS]
    stored = reader.attributions_between(*RANGE).sort_by(
        [("ingress_ns", "ascending"), ("decision_id", "ascending")]
    )
    assert [{name: row[name] for name in names} for row in again] == [
        {name: row[name] for name in names} for row in stored.to_pylist()
    ]


def test_numba_is_taken_where_it_is_installed() -> None:
    """NumPy alone is enough to run; the extra `accel` makes it faster, and no setting is needed."""
    assert (best_kernel() is kernel.segments) == (find_spec("numba") is None)
