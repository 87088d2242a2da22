-- How many spans began in [from_ns, to_ns).
-- Returns: one row: spans UInt64.
SELECT count() AS spans
FROM otel_traces
WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64}) AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
