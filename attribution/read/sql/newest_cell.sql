-- The last second that has a cell, and the highest revision from a second on.
-- Returns: second_ns UInt64, revision UInt64, 0 where there is none; one row.
SELECT max(c.second_ns) AS second_ns, max(c.revision) AS revision
FROM revenue_cells AS c
WHERE c.second_ns >= {from_ns:UInt64}
