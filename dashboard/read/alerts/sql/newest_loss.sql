-- The newest second before an instant of which losses are written, looked for in the minutes before it.
-- Returns: one row: newest_ns UInt64, 0 where there is none.
SELECT max(second_ns) AS newest_ns
FROM revenue_cells FINAL
WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64} AND decisions > 0
