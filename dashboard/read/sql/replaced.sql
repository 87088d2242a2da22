-- Which attributes of a span rules on personal data have changed.
-- Returns: replaced String, names with commas between; no rows where none was, or the span is gone.
SELECT SpanAttributes['identifiers.replaced'] AS replaced
FROM otel_traces
WHERE TraceId = {trace_id:String}
    AND SpanId = {root_span_id:String}
    AND replaced != ''
    AND Timestamp >= (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = {trace_id:String})
    AND Timestamp <= (SELECT max(End) FROM otel_traces_trace_id_ts WHERE TraceId = {trace_id:String})
LIMIT 1
