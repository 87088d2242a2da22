-- Which spans were received in a window, to find the traces that changed.
-- Returns: trace_id String, row_hash UInt64 (of the row, to tell what was seen before); unordered.
SELECT TraceId AS trace_id, cityHash64(TraceId, SpanId, received_ns, Timestamp, Duration) AS row_hash
FROM otel_traces
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
