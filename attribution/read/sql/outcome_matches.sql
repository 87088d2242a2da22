-- In which seconds the decisions began that some outcomes were last counted to.
-- Returns: outcome_id String, second_ns, revision UInt64; unordered.
SELECT outcome_id, second_ns, revision
FROM outcome_matches FINAL
WHERE outcome_id IN {outcome_ids:Array(String)}
