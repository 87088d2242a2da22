-- The decisions of some traces, of those that came in a window, or of some ids whose root was received by an instant.
-- Returns: the columns below; by ingress_ns, decision_id. Times as Int64, 0 for a stamp that is missing.
-- A filter of ids says nothing of thousands of them, so the index of root_from_ns to root_to_ns, between which their roots
-- began, is what keeps it from reading all of a day.
SELECT
    toInt64(d.ingress_ns) AS ingress_ns,
    decision_id,
    trace_id,
    root_span_id,
    reinterpretAsUInt64(reverse(unhex(root_span_id))) AS span_id,
    toInt64(start_ns) AS start_ns,
    toInt64(end_ns) AS end_ns,
    toInt64(transform_ns) AS transform_ns,
    toInt64(decision_ns) AS decision_ns,
    toInt64(egress_ns) AS egress_ns,
    toString(action) AS action,
    toString(region) AS region,
    toString(channel) AS channel,
    toString(cohort) AS cohort,
    is_error,
    toInt64(d.received_ns) AS received_ns
FROM decisions AS d FINAL
WHERE (decision_id IN (SELECT arrayJoin({decision_ids:Array(String)})) OR trace_id IN
    (
        SELECT trace_id FROM otel_span_skeletons
        WHERE received_ns > {came_after_ns:UInt64} AND received_ns <= {came_until_ns:UInt64}
        UNION ALL
        SELECT arrayJoin({trace_ids:Array(String)}) AS trace_id
    ))
    AND d.ingress_ns >= {from_ns:UInt64}
    AND d.ingress_ns <= {to_ns:UInt64}
    AND d.start_ns >= {root_from_ns:UInt64}
    AND d.start_ns <= {root_to_ns:UInt64}
    AND (empty({minutes:Array(Int64)}) OR intDiv(d.start_ns, 60000000000) IN {minutes:Array(Int64)})
    AND d.received_ns <= {until_ns:UInt64}
ORDER BY ingress_ns, decision_id
