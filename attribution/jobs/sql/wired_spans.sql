-- Spans whose packets, or whose decision's attribution, came after an instant; those of the second sort have packets or not.
-- Returns: trace_id, span_id String; unordered.
-- Two questions, each by its own index: asked as one, every span with packets would be looked through.
SELECT trace_id, span_id
FROM wire_times
WHERE linked_ns > {after_ns:UInt64} AND linked_ns <= {until_ns:UInt64}
UNION DISTINCT
SELECT trace_id, span_id
FROM path_spans
WHERE (ingress_ns, decision_id) IN
(
    SELECT ingress_ns, decision_id
    FROM attributions
    -- A day: the reach of a late span, and all that has to be looked through.
    WHERE ingress_ns + 86400000000000 >= {after_ns:UInt64} AND revision > 1
        AND computed_ns > {after_ns:UInt64} AND computed_ns <= {until_ns:UInt64}
)
