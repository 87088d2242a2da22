-- When the recorder of this host first kept account.
-- Returns: at_ns UInt64; no rows where it never did.
SELECT at_ns
FROM packet_budget
WHERE host = {host:String}
ORDER BY at_ns
LIMIT 1
