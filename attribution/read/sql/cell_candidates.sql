-- Every decision that shares its id or key with one that an outcome names, to match it to one of them.
-- Returns: ingress_ns Int64, decision_id String, outcome_key String; by ingress_ns, decision_id.
SELECT DISTINCT toInt64(d.ingress_ns) AS ingress_ns, decision_id, outcome_key
FROM decisions AS d
WHERE (d.ingress_ns >= {from_ns:UInt64} AND d.ingress_ns < {to_ns:UInt64}
        AND decision_id IN {decision_ids:Array(String)})
    OR outcome_key IN {outcome_keys:Array(String)}
ORDER BY ingress_ns, decision_id
