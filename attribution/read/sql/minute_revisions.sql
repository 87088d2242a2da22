-- Under which revision minutes are stored.
-- Returns: minute_ns UInt64, revision UInt64; unordered.
SELECT minute_ns, max(m.revision) AS revision
FROM attribution_minutes AS m
WHERE minute_ns IN {minutes_ns:Array(UInt64)}
GROUP BY minute_ns
