"""I/O: `millworth bench attribution`: ClickHouse in, attribution rows out, on one core.

The unit is decisions per second of CPU time of this process, the engine's threads included: on a
shared machine wall time says more about the neighbours. Measured from both ends: from
`otel_traces`, with strings and maps as they were sent, so that assembly by id is in the figure;
and from `path_columns`, where that was done once. The rival, in the same call, is the same
algorithm in plain Python on spans that are in memory already.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from attribution.bench.columns import measure_columns
from attribution.bench.synthetic import otel_rows
from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.path.assemble import assemble
from attribution.path.columns import Table, roots_from_table, spans_from_table
from attribution.path.critical_path import critical_path
from attribution.path.oracle import PlainSpan, plain_path
from attribution.path.rows import attribute, attribution_rows
from attribution.path.spans import KINDS, Roots, Spans
from attribution.read.reader import Reader
from attribution.read.window import ReceivedWindow
from collector.bench.harness import Progress, cpu_s, medians, own_database, own_directory
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_HOUR, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections

# Decisions a run: about as many spans of either size, so that both reach a steady state.
SIZES = {10: 8_000, 100: 1_000}
_BATCH = 2_000
_SEED = 20_260_921
_SKEW_MAX_NS = 10 * NS_PER_S


def run_attribution(runs: int, progress: Progress) -> dict[str, float]:
    """Return medians of `runs` for decisions of 10 and of 100 spans.

    Keys, N in 10 and 100. From `path_columns`: `numba_N` (where it is installed), `numpy_N` (rows
    of `attributions` in memory), `insert_N` (the faster of the two, rows inserted too), `growth_N`
    (time at ten times the data over the time at one). From `otel_traces`: `traces_N` (spans read,
    split, rows inserted), `job_N` (the whole job: path spans, revisions, minutes and cells too).
    From memory: `memory_N` (assembly and critical path), `plain_N` (the rival), `x_plain_N`
    (memory over plain). But for growth and ratio: decisions per second of CPU.
    """
    with own_directory() as scratch:
        return measure(f"chdb://{scratch}/store", runs, progress)


def measure(
    url: str,
    runs: int,
    progress: Progress = lambda _: None,
    sizes: Mapping[int, int] = SIZES,
) -> dict[str, float]:
    """Measure on the store at `url`, in databases that are dropped afterwards.

    Args:
        url: an embedded store or a server.
        runs: medians are of this many.
        progress: is told each run that ends.
        sizes: spans a decision -> decisions a run.
    """
    figures: dict[str, float] = {}
    for spans_each, count in sizes.items():
        done = []
        for run in range(runs):
            with own_database(url, f"bench_{spans_each}_{run}") as store:
                done.append(_one_run(store, spans_each, count, seed=_SEED + run))
            progress(f"{spans_each} spans a decision: run {run + 1} of {runs}")
        figures |= {f"{name}_{spans_each}": value for name, value in medians(done).items()}
    return figures


def _one_run(store: Connections, spans_each: int, count: int, seed: int) -> dict[str, float]:
    client = store.client()
    start_ns = SystemClock().now_ns() - NS_PER_HOUR
    rows = otel_rows(count, spans_each, seed, start_ns)
    # Into a database of the bench's own: in a service only the collector writes these tables.
    client.insert_arrow(table="otel_traces_in", arrow_table=rows)
    trace_ids = pc.unique(rows["TraceId"]).to_pylist()
    end_ns = start_ns + NS_PER_HOUR

    batches = [trace_ids[index : index + _BATCH] for index in range(0, count, _BATCH)]
    began = cpu_s()
    read = [_read_split_write(store, batch, start_ns, end_ns) for batch in batches]
    figures = {"traces": count / (cpu_s() - began)}

    client.command("TRUNCATE TABLE attributions")
    job = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    began = cpu_s()
    report = job.drain(end_ns)
    figures["job"] = count / (cpu_s() - began)
    assert report.attributed == count, "the job missed decisions"
    figures |= measure_columns(store, count, start_ns, count * 10 * NS_PER_MS)

    decisions, spans = read[0]
    roots = roots_from_table(decisions, spans)
    columns, links, _ = spans_from_table(spans, decisions)
    began = cpu_s()
    trees = assemble(columns, roots, links, skew_max_ns=_SKEW_MAX_NS)
    path = critical_path(trees, roots)
    figures["memory"] = len(roots) / (cpu_s() - began)

    plain = _plain_spans(columns, roots)
    began = cpu_s()
    paths = [
        plain_path(plain_spans, root_id, ingress_ns, _SKEW_MAX_NS)
        for plain_spans, root_id, ingress_ns in plain
    ]
    figures["plain"] = len(plain) / (cpu_s() - began)
    assert sum(sum(each.self_ns.values()) for each in paths) == int(path.self_ns.sum())
    figures["x_plain"] = figures["memory"] / figures["plain"]
    return figures


def _read_split_write(
    store: Connections, trace_ids: list[str], from_ns: int, to_ns: int
) -> tuple[Table, Table]:
    """Read these traces, split their decisions, insert rows; return what was read."""
    reader = Reader(store, AttributesConfig())
    spans = reader.spans(trace_ids, from_ns, to_ns)
    decisions = reader.decisions(trace_ids, from_ns, to_ns, ReceivedWindow.empty(to_ns))
    rows = attribution_rows(attribute(decisions, spans, AttributionConfig()))
    rows = rows.append_column("revision", pa.array([1] * len(rows), pa.uint32()))
    store.client().insert_arrow("attributions", rows)
    return decisions, spans


def _plain_spans(spans: Spans, roots: Roots) -> list[tuple[list[PlainSpan], int, int]]:
    """Return the spans of each decision, its root's id and its ingress, for the rival."""
    by_trace: dict[int, list[PlainSpan]] = {}
    for index in range(len(spans)):
        by_trace.setdefault(int(spans.trace[index]), []).append(
            PlainSpan(
                span_id=int(spans.span_id[index]),
                parent_id=int(spans.parent_id[index]),
                start_ns=int(spans.start_ns[index]),
                end_ns=int(spans.end_ns[index]),
                kind=KINDS[spans.kind[index]],
                host=str(spans.host[index] or ""),
                service=str(spans.service[index]),
                blocking=None if spans.blocking[index] < 0 else bool(spans.blocking[index]),
                received_ns=int(spans.received_ns[index]),
                clock_error_ns=None
                if spans.clock_error_ns[index] < 0
                else int(spans.clock_error_ns[index]),
            )
        )
    return [
        (by_trace[int(trace)], int(span_id), int(ingress_ns))
        for trace, span_id, ingress_ns in zip(
            roots.trace, roots.span_id, roots.ingress_ns, strict=True
        )
    ]
