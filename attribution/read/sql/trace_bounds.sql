-- When each of some traces, and of those that came in a window, happened, so that its spans are read from few granules.
-- Returns: trace_id String, from_ns Int64, to_ns Int64 (first and last start of a span); by from_ns.
SELECT
    TraceId AS trace_id,
    toUnixTimestamp64Nano(min(Start)) AS from_ns,
    toUnixTimestamp64Nano(max(End)) AS to_ns
FROM otel_traces_trace_id_ts
WHERE TraceId IN
    (
        SELECT trace_id FROM otel_span_skeletons
        WHERE received_ns > {came_after_ns:UInt64} AND received_ns <= {came_until_ns:UInt64}
        UNION ALL
        SELECT arrayJoin({trace_ids:Array(String)}) AS trace_id
    )
GROUP BY TraceId
ORDER BY from_ns, trace_id
