-- The trees of the decisions that a question is about, or of one in `every`, chosen by their id.
-- Returns: the columns of path_columns that a replay needs; by ingress_ns, decision_id.
SELECT
    ingress_ns, toString(action) AS action, toString(region) AS region, toString(channel) AS channel,
    toString(cohort) AS cohort, is_error,
    base_ns, transform_ns, decision_ns, egress_ns, end_ns,
    parent, offset_ns, duration_ns, traits, long_ns
FROM path_columns FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND ({action:String} = '' OR action = {action:String})
    AND ({region:String} = '' OR region = {region:String})
    AND end_ns - ingress_ns >= {low_ns:UInt64} AND end_ns - ingress_ns < {high_ns:UInt64}
    AND cityHash64(decision_id) % {every:UInt64} = 0
ORDER BY ingress_ns, decision_id
