-- How many spans are stored of requests that came at these instants.
-- Returns: one row: spans UInt64.
SELECT count() AS spans
FROM otel_traces
WHERE received_ns >= arrayMin({received_ns:Array(UInt64)})
    AND received_ns <= arrayMax({received_ns:Array(UInt64)})
    AND received_ns IN {received_ns:Array(UInt64)}
