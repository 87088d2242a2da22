-- Whether no decision of the store was declared: all are roots that were taken for one.
-- Returns: one row: UInt8.
SELECT count() = 0 FROM (SELECT 1 FROM decisions WHERE NOT startsWith(action, 'auto ') LIMIT 1)
