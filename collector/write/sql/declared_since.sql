-- Whether a decision that arrived at or after an instant was declared, and when the newest arrived; the index of arrivals
-- bounds what is read.
-- Returns: one row: is_declared UInt8, newest_ns UInt64 (0 where none arrived).
SELECT
    countIf(NOT startsWith(action, 'auto ') AND action != 'calibration') > 0 AS is_declared,
    max(received_ns) AS newest_ns
FROM decisions
WHERE received_ns >= {after_ns:UInt64}
