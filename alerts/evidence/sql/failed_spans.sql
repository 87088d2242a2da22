-- The spans of some traces that failed, of traces whose decisions began in [from_ns, end_ns).
-- Returns: trace_id String, span_id, parent_id UInt64 (0 for none), end_ns UInt64; a sender's retry counts once.
SELECT
    TraceId AS trace_id,
    reinterpretAsUInt64(reverse(unhex(SpanId))) AS span,
    reinterpretAsUInt64(reverse(unhex(ParentSpanId))) AS above,
    toUInt64(toUnixTimestamp64Nano(Timestamp)) + Duration AS end_ns
FROM otel_traces
WHERE TraceId IN {trace_ids:Array(String)}
    AND Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}) - 60000000000)
    AND Timestamp < fromUnixTimestamp64Nano(toInt64({end_ns:UInt64}) + 600000000000)
    AND StatusCode = 'Error'
ORDER BY received_ns
LIMIT 1 BY TraceId, SpanId
LIMIT {limit:UInt32}
