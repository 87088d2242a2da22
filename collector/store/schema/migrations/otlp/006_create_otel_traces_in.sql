-- Why: spans as they are stored, on their way to otel_traces, its trace index and the decisions: where rows go in that the
-- compiled module did not make. A writer that has the module inserts into each of the four itself, so that no view is
-- planned for otel_traces (docs/adr/011-spans-as-blocks.md)
-- Sorted: stores nothing
-- Read by: otel_traces_mv, otel_traces_trace_id_ts_mv, otel_span_skeletons_mv, otel_decision_spans_mv
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otel_traces_in ${on_cluster} (
    Timestamp DateTime64(9),
    TraceId String,
    SpanId String,
    ParentSpanId String,
    TraceState String,
    SpanName LowCardinality(String),
    SpanKind LowCardinality(String),
    ServiceName LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ScopeName String,
    ScopeVersion String,
    SpanAttributes Map(LowCardinality(String), String),
    Duration UInt64,
    StatusCode LowCardinality(String),
    StatusMessage String,
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ),
    received_ns UInt64,
    ScopeAttributes Map(LowCardinality(String), String)
) ENGINE = Null
