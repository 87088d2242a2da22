-- When the first log record of a range of arrival was received.
-- Returns: logs, first_ns UInt64; one row.
SELECT count() AS logs, min(received_ns) AS first_ns
FROM otel_logs
WHERE received_ns >= {after_ns:UInt64} AND received_ns < {until_ns:UInt64}
