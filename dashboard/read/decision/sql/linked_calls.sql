-- The spans that some spans link to.
-- Returns: span_id String; unordered.
SELECT DISTINCT arrayJoin(`Links.SpanId`) AS span_id
FROM otel_traces
WHERE TraceId IN {trace_ids:Array(String)} AND SpanId IN {span_ids:Array(String)}
    AND Timestamp >= (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId IN {trace_ids:Array(String)})
    AND Timestamp <= (SELECT max(End) FROM otel_traces_trace_id_ts WHERE TraceId IN {trace_ids:Array(String)})
