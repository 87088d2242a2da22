-- Traces of which a span links to one of some traces, or of those that came in a window. The span came in another window,
-- or in some minutes.
-- Returns: trace_id, target String: the trace that is linked to; unordered.
SELECT DISTINCT trace_id, target
FROM
(
    SELECT trace_id, arrayJoin(link_traces) AS target
    FROM otel_span_skeletons
    WHERE is_tied = 1 AND (received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
        OR intDiv(received_ns, 1000000000) IN (SELECT arrayJoin(range(m * 60, m * 60 + 60)) FROM (SELECT arrayJoin({minutes:Array(UInt64)}) AS m)))
)
WHERE target IN
    (
        SELECT trace_id FROM otel_span_skeletons
        WHERE received_ns > {came_after_ns:UInt64} AND received_ns <= {came_until_ns:UInt64}
        UNION ALL
        SELECT arrayJoin({trace_ids:Array(String)}) AS trace_id
    )
