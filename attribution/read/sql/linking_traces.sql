-- Traces of which a span links to one of some traces, or of those that came in a window. The span came in another window,
-- and began around the decisions of these traces.
-- Returns: trace_id, target String: the trace that is linked to; unordered.
SELECT DISTINCT trace_id, target
FROM
(
    SELECT trace_id, arrayJoin(link_traces) AS target
    FROM otel_span_skeletons
    WHERE is_tied = 1 AND received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
        AND start_ns >= {from_ns:Int64} AND start_ns <= {to_ns:Int64}
)
WHERE target IN
    (
        SELECT trace_id FROM otel_span_skeletons
        WHERE received_ns > {came_after_ns:UInt64} AND received_ns <= {came_until_ns:UInt64}
        UNION ALL
        SELECT arrayJoin({trace_ids:Array(String)}) AS trace_id
    )
