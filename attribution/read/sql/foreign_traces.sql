-- Traces of which a span that is no root names one of some decisions by its id, or of those that came in a window. The
-- span came in another window, and began around these decisions.
-- Returns: trace_id, decision_id String; unordered.
WITH asked AS
(
    SELECT decision_id FROM decisions
    WHERE received_ns > {came_after_ns:UInt64} AND received_ns <= {came_until_ns:UInt64}
    UNION ALL
    SELECT arrayJoin({decision_ids:Array(String)}) AS decision_id
)
SELECT DISTINCT trace_id, decision_id
FROM otel_span_skeletons
WHERE is_tied = 1 AND received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    AND start_ns >= {from_ns:Int64} AND start_ns <= {to_ns:Int64}
    AND decision_id IN (SELECT decision_id FROM asked)
    AND (trace_id, span_id) NOT IN
    (
        SELECT trace_id, reinterpretAsUInt64(reverse(unhex(root_span_id)))
        FROM decisions
        WHERE received_ns > {after_ns:UInt64} AND decision_id IN (SELECT decision_id FROM asked)
    )
