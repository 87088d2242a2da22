-- Where every span of one trace hangs, and whether it failed; a sender's retry counts once, the first received.
-- Returns: one row a span; no rows when the trace is unknown.
SELECT
    SpanId AS span_id,
    ParentSpanId AS parent_span_id,
    TraceState AS trace_state,
    toString(StatusCode) AS status
FROM otel_traces
WHERE TraceId = {trace_id:String}
    AND Timestamp >= (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = {trace_id:String})
    AND Timestamp <= (SELECT max(End) FROM otel_traces_trace_id_ts WHERE TraceId = {trace_id:String})
ORDER BY received_ns
LIMIT 1 BY SpanId
LIMIT {rows_max:UInt64}
