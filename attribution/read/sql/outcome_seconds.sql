-- The seconds in which the decisions began that some outcomes name, of those since an instant.
-- Returns: second_ns UInt64, decision_id String; unordered.
SELECT DISTINCT
    intDiv(d.ingress_ns, 1000000000) * 1000000000 AS second_ns,
    d.decision_id AS decision_id
FROM decisions AS d
WHERE d.ingress_ns >= {from_ns:UInt64}
    AND (d.decision_id IN (SELECT arrayJoin({decision_ids:Array(String)}))
        OR outcome_key IN (SELECT arrayJoin({outcome_keys:Array(String)})))
