-- Traces that came in a window, or whose decisions did or were taken out of the sums, and that began before an instant.
-- Returns: trace_id String, from_ns Int64, to_ns Int64 (first and last start of a span); by from_ns.
SELECT
    TraceId AS trace_id,
    toUnixTimestamp64Nano(min(Start)) AS from_ns,
    toUnixTimestamp64Nano(max(End)) AS to_ns
FROM otel_traces_trace_id_ts
WHERE TraceId IN
    (
        SELECT trace_id FROM otel_span_skeletons
        WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
        UNION ALL
        SELECT trace_id FROM decisions
        WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
        UNION ALL
        SELECT trace_id FROM withdrawals
        WHERE withdrawn_ns > {after_ns:UInt64} AND withdrawn_ns <= {until_ns:UInt64}
    )
GROUP BY TraceId
HAVING from_ns < {before_ns:Int64}
ORDER BY from_ns, trace_id
