-- When the next spans from an instant on were received, as far as so many reach.
-- Returns: spans, first_ns, last_ns UInt64; one row.
SELECT count() AS spans, min(received_ns) AS first_ns, max(received_ns) AS last_ns
FROM
(
    -- As the table is sorted, so that no more is read.
    SELECT received_ns FROM otel_traces
    WHERE received_ns >= {after_ns:UInt64} AND received_ns < {until_ns:UInt64}
    ORDER BY intDiv(received_ns, 1000000000)
    LIMIT {spans_max:UInt64}
)
