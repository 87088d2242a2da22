-- Why: spans that may be decisions, a few of many, on their way to decisions or rejected. Those two views take
-- 15 to 29 ms of planning, which an insert without such a span does not pay
-- Sorted: stores nothing
-- Read by: decisions_mv, rejected_decisions_mv
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otel_decision_spans ${on_cluster} (
    Timestamp DateTime64(9),
    TraceId String,
    SpanId String,
    ParentSpanId String,
    SpanName LowCardinality(String),
    SpanKind LowCardinality(String),
    ServiceName LowCardinality(String),
    SpanAttributes Map(LowCardinality(String), String),
    Duration UInt64,
    StatusCode LowCardinality(String),
    received_ns UInt64
) ENGINE = Null
