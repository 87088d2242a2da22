-- Whether no decision of the store was declared: all are roots that were taken for one, or those by which attribution
-- is calibrated.
-- Returns: one row: UInt8.
SELECT count() = 0 FROM (SELECT 1 FROM decisions WHERE ${is_declared} LIMIT 1)
