-- How many spans were received in a window, by quarters of a second.
-- Returns: from_ns UInt64 (when the quarter began), spans UInt64; the newest first, without those in which none came.
SELECT intDiv(received_ns, 250000000) * 250000000 AS from_ns, count() AS spans
FROM otel_span_skeletons
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
GROUP BY from_ns
ORDER BY from_ns DESC
