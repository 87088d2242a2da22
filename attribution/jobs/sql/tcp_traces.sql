-- Which traces came, or were attributed anew, whose spans say what the kernel knew of their connection.
-- Returns: trace_id String, from_ns Int64, to_ns Int64 (first and last start of such a span); by from_ns.
SELECT
    TraceId AS trace_id,
    toUnixTimestamp64Nano(min(Timestamp)) AS from_ns,
    toUnixTimestamp64Nano(max(Timestamp)) AS to_ns
FROM otel_traces
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    AND has(SpanAttributes.keys, 'network.tcp.min_rtt_ns')
GROUP BY TraceId
UNION DISTINCT
SELECT trace_id, toInt64(ingress_ns) AS from_ns, toInt64(ingress_ns + total_ns) AS to_ns
FROM attributions
-- A day: the reach of a late span, and all that has to be looked through.
WHERE ingress_ns + 86400000000000 >= {computed_after_ns:UInt64} AND revision > 1
    AND computed_ns > {computed_after_ns:UInt64} AND computed_ns <= {computed_until_ns:UInt64}
    AND (ingress_ns, decision_id) IN
    (
        SELECT ingress_ns, decision_id FROM path_evidence
        WHERE method = 'tcp_info' AND ingress_ns + 86400000000000 >= {computed_after_ns:UInt64}
    )
ORDER BY from_ns, trace_id
