-- When the next span arrived. The table is sorted by the second of it.
-- Returns: one row: next_ns UInt64, 0 where none came after.
SELECT min(received_ns) AS next_ns
FROM otel_traces
WHERE received_ns > {after_ns:UInt64} AND intDiv(received_ns, 1000000000) >= intDiv({after_ns:UInt64}, 1000000000)
