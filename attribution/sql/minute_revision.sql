-- The highest revision of some minutes.
-- Returns: revision UInt64, 0 where there is none; one row.
SELECT max(revision) AS revision
FROM attribution_minutes
WHERE minute_ns IN {minutes_ns:Array(UInt64)}
