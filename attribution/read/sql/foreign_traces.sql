-- Traces of which a span that is no root names one of these decisions by its id.
-- Returns: trace_id String; unordered.
SELECT DISTINCT trace_id
FROM otel_span_skeletons
PREWHERE is_tied = 1 AND received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    AND decision_id IN {decision_ids:Array(String)}
WHERE (trace_id, span_id) NOT IN
(
    SELECT trace_id, reinterpretAsUInt64(reverse(unhex(root_span_id)))
    FROM decisions
    WHERE received_ns > {after_ns:UInt64}
)
