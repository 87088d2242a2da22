-- The trees of the decisions of a range of time, as they were assembled.
-- Returns: the columns of path_columns; by ingress_ns, decision_id.
SELECT
    ingress_ns, decision_id, revision, trace_id, action, region, channel, cohort, is_error, flags,
    base_ns, transform_ns, decision_ns, egress_ns, end_ns,
    parent, offset_ns, duration_ns, traits, long_ns
FROM path_columns FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
ORDER BY ingress_ns, decision_id
