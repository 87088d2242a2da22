-- Why: of the spans that are stored, those that the views of decisions are asked about
CREATE MATERIALIZED VIEW otel_decision_spans_mv ${on_cluster} TO otel_decision_spans AS
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, SpanAttributes, Duration, StatusCode, received_ns
FROM otel_traces_in
WHERE ${attr:decision.action:SpanAttributes} != '' OR ${matches} OR (${is_root} AND ${none_declared})
