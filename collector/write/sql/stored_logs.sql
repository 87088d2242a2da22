-- How many log records are stored of requests that came at these instants.
-- Returns: one row: records UInt64.
SELECT count() AS records
FROM otel_logs
WHERE received_ns >= arrayMin({received_ns:Array(UInt64)})
    AND received_ns <= arrayMax({received_ns:Array(UInt64)})
    AND received_ns IN {received_ns:Array(UInt64)}
