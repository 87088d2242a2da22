-- The trees of the decisions that a question is about, or of one in `every`, chosen by their id.
-- Returns: the columns of path_columns that a replay needs, and offer_type, "" where `by` is not that; by
--   ingress_ns, decision_id. Of all groups where `names` is empty, else of these, by `by`.
SELECT
    p.ingress_ns AS ingress_ns, toString(p.action) AS action, toString(p.region) AS region,
    toString(p.channel) AS channel, toString(p.cohort) AS cohort, toString(d.offer_type) AS offer_type, p.is_error,
    base_ns, transform_ns, decision_ns, egress_ns, end_ns,
    parent, offset_ns, duration_ns, traits, long_ns
FROM
(
    SELECT * FROM path_columns FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND (action = {action:String} OR {action:String} = '' AND action != {calibration:String})
        AND ({region:String} = '' OR region = {region:String})
        AND end_ns - ingress_ns >= {low_ns:UInt64} AND end_ns - ingress_ns < {high_ns:UInt64}
        AND cityHash64(decision_id) % {every:UInt64} = 0
        AND (empty({names:Array(String)}) OR {by:String} = 'offer_type'
            OR has({names:Array(String)}, multiIf({by:String} = 'channel', toString(channel),
                {by:String} = 'cohort', toString(cohort), {by:String} = 'region', toString(region), toString(action))))
) AS p
LEFT JOIN
(
    SELECT ingress_ns, decision_id, offer_type FROM decisions FINAL
    WHERE {by:String} = 'offer_type' AND ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND cityHash64(decision_id) % {every:UInt64} = 0
) AS d ON p.ingress_ns = d.ingress_ns AND p.decision_id = d.decision_id
WHERE empty({names:Array(String)}) OR {by:String} != 'offer_type' OR has({names:Array(String)}, d.offer_type)
ORDER BY p.ingress_ns, p.decision_id
