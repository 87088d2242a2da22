-- When the first span or decision was received after an instant, for a job that never ran or whose
-- step was empty.
-- Returns: next_ns UInt64, 0 where there is none; one row.
SELECT minIf(first_ns, first_ns != 0) AS next_ns
FROM (
    SELECT min(received_ns) AS first_ns FROM otel_traces WHERE received_ns > {after_ns:UInt64}
    UNION ALL
    SELECT min(received_ns) AS first_ns FROM decisions WHERE received_ns > {after_ns:UInt64}
)
