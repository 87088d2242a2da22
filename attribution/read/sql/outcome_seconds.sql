-- The seconds in which the decisions began that some outcomes name.
-- Returns: second_ns UInt64; ascending.
SELECT DISTINCT intDiv(ingress_ns, 1000000000) * 1000000000 AS second_ns
FROM decisions
WHERE decision_id IN {decision_ids:Array(String)} OR outcome_key IN {outcome_keys:Array(String)}
ORDER BY second_ns
