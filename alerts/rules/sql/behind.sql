-- When the last spans arrived of each service whose clock is behind: all that came after `after_ns` end by nearly the
-- same before they come, and come again and again. Those of a file differ by as much as it is long, or come at once.
-- Returns: service String, newest_ns UInt64.
SELECT toString(ServiceName) AS service, max(received_ns) AS newest_ns
FROM
(
    SELECT ServiceName, received_ns, toInt64(received_ns) - toUnixTimestamp64Nano(Timestamp) - toInt64(Duration) AS age_ns
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64}
)
WHERE age_ns >= {old_ns:Int64}
GROUP BY service
HAVING quantileTDigest(0.95)(age_ns) - quantileTDigest(0.05)(age_ns) <= {even_ns:Int64}
    AND uniqExact(intDiv(received_ns, {apart_ns:UInt64})) >= {times_min:UInt32}
