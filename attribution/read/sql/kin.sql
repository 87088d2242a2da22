-- The decisions that carry some keys, whenever they were: what is taken back by a key is of one that has a sale.
-- Returns: decision_id String, first_ns UInt64 (when the first of that id began); unordered.
SELECT decision_id, min(ingress_ns) AS first_ns
FROM decisions
WHERE outcome_key IN (SELECT arrayJoin({outcome_keys:Array(String)}))
GROUP BY decision_id
