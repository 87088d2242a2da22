-- Whether some decisions of one range are worth what they state.
-- Returns: stated UInt8; one row.
SELECT count() > 0 AS stated
FROM revenue_cells
WHERE second_ns >= intDiv({from_ns:UInt64}, 1000000000) * 1000000000 AND second_ns < {to_ns:UInt64}
    AND basis = 'expected'
