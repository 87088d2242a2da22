-- The time that the spans received in (after_ns, until_ns] cover.
-- Returns: one row: from_ns UInt64, to_ns UInt64; both 0 where no span was received.
SELECT
    toUInt64(min(toUnixTimestamp64Nano(Timestamp))) AS from_ns,
    toUInt64(max(toUnixTimestamp64Nano(Timestamp) + Duration)) AS to_ns
FROM otel_traces
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
