-- In which seconds the decisions began that some outcomes are counted to.
-- Returns: second_ns UInt64; ascending.
SELECT DISTINCT intDiv(ingress_ns, 1000000000) * 1000000000 AS second_ns
FROM
(
    SELECT ingress_ns, argMax(is_gone, revision) AS was_lost
    FROM outcome_matches
    WHERE outcome_id IN (SELECT arrayJoin({outcome_ids:Array(String)}))
    GROUP BY ingress_ns, decision_id, outcome_id
)
WHERE was_lost = 0
ORDER BY second_ns
