-- Whether a decision is stored.
-- Returns: one row: is_there UInt8.
SELECT count() > 0 AS is_there FROM (SELECT 1 FROM decisions LIMIT 1)
