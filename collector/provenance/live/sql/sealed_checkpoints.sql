-- Checkpoints of sealed decisions that arrived in (after, until].
-- Returns: attributes Map(String, String), in order of arrival.
SELECT LogAttributes AS attributes
FROM otel_logs
WHERE EventName = 'provenance.checkpoint'
    AND received_ns > {after_ns:UInt64}
    AND received_ns <= {until_ns:UInt64}
ORDER BY received_ns
