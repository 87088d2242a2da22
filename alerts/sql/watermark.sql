-- The newest second of which anything is known.
-- Returns: newest_ns UInt64, 0 where there is no decision yet; always one row.
SELECT max(second_ns) AS newest_ns
FROM revenue_cells
