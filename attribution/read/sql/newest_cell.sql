-- The last second that has a cell, and the highest revision in a range of seconds.
-- Returns: second_ns UInt64, revision UInt64, 0 where there is none; one row.
SELECT
    (SELECT max(second_ns) FROM revenue_cells) AS second_ns,
    max(c.revision) AS revision
FROM revenue_cells AS c
WHERE c.second_ns >= {from_ns:UInt64} AND c.second_ns < {to_ns:UInt64}
