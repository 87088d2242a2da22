-- The decisions that carry some keys, whenever they were: what is taken back by a key is of one that has a sale.
-- Returns: decision_id String; unordered.
SELECT DISTINCT decision_id FROM decisions WHERE outcome_key IN (SELECT arrayJoin({outcome_keys:Array(String)}))
