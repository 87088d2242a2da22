-- The hours at the ends of a range of time that have spans or log records on either side of it, received before an instant.
-- Returns: hour_ns UInt64, at most two.
SELECT DISTINCT hour_ns
FROM observed_hours
WHERE hour_ns + 3600000000000 > {from_ns:UInt64} AND hour_ns < {to_ns:UInt64}
    AND (hour_ns < {from_ns:UInt64} OR hour_ns + 3600000000000 > {to_ns:UInt64})
    AND slot_ns < {cursor_ns:UInt64}
    AND (rows_first_ns < {from_ns:UInt64} OR rows_last_ns >= {to_ns:UInt64})
