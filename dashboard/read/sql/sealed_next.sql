-- When the next span arrived.
-- Returns: one row: next_ns UInt64, 0 where none came after.
SELECT min(received_ns) AS next_ns FROM otel_traces WHERE received_ns > {after_ns:UInt64}
