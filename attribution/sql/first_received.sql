-- When the first span was received, for a job that never ran.
-- Returns: received_ns UInt64, 0 where there is none; one row.
SELECT min(received_ns) AS received_ns FROM otel_traces
