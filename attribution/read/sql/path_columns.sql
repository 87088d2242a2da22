-- The trees of the decisions of a range of time, as they were assembled; not of those that were taken out of the sums.
-- Returns: the columns of path_columns, but trace_id is named other_trace_id and empty where it is the decision id:
-- of a decision of ten spans each a ninth of what has to be copied out of the engine; by ingress_ns, decision_id.
SELECT
    ingress_ns, decision_id, revision, if(trace_id = decision_id, '', trace_id) AS other_trace_id, action, region, channel, cohort, is_error, flags,
    base_ns, transform_ns, decision_ns, egress_ns, end_ns,
    parent, offset_ns, duration_ns, traits, long_ns
FROM path_columns FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND (ingress_ns, decision_id) NOT IN
    (
        SELECT w.ingress_ns, w.decision_id
        FROM withdrawals AS w FINAL
        WHERE w.ingress_ns >= {from_ns:UInt64} AND w.ingress_ns < {to_ns:UInt64} AND w.is_back = 0
            AND (w.ingress_ns, w.decision_id) NOT IN
            (
                SELECT d.ingress_ns, d.decision_id
                FROM decisions AS d
                WHERE d.ingress_ns >= {from_ns:UInt64} AND d.ingress_ns < {to_ns:UInt64}
            )
    )
ORDER BY ingress_ns, decision_id
