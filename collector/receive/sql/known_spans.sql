-- Which spans of some traces are stored, for those who bring them again.
-- Returns: trace_id String, span_id String, start_ns Int64, length_ns; a row of each once, unordered.
SELECT DISTINCT TraceId AS trace_id, SpanId AS span_id, toUnixTimestamp64Nano(Timestamp) AS start_ns, Duration AS length_ns
FROM otel_traces
WHERE TraceId IN {trace_ids:Array(String)}
    AND Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
    AND Timestamp <= fromUnixTimestamp64Nano({to_ns:Int64})
