-- What was left in the byte budget of a recorder when it was last written down.
-- Returns: one row: left_bytes UInt64; none where it never was.
SELECT left_bytes
FROM packet_budget FINAL
WHERE host = {host:String}
ORDER BY at_ns DESC
LIMIT 1
