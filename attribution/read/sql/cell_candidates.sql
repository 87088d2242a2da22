-- Every decision that shares its id or key with one that an outcome names, to match it to one of them.
-- Returns: ingress_ns Int64, decision_id String, outcome_key String, channel String; by ingress_ns, decision_id.
SELECT toInt64(d.ingress_ns) AS ingress_ns, decision_id, outcome_key, toString(argMax(channel, version)) AS channel
FROM
(
    SELECT ingress_ns, decision_id, outcome_key, channel, version FROM decisions
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND decision_id IN (SELECT arrayJoin({decision_ids:Array(String)}))
    UNION ALL
    SELECT ingress_ns, decision_id, outcome_key, channel, version FROM decisions
    WHERE outcome_key IN (SELECT arrayJoin({outcome_keys:Array(String)}))
) AS d
GROUP BY d.ingress_ns, decision_id, outcome_key
ORDER BY ingress_ns, decision_id
