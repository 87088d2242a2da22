-- Signed checkpoints of sealed decisions, in order of arrival.
-- Returns: received_ns UInt64, attributes Map(String, String); a page of about `limit` rows, whole
--   instants of arrival only; no rows where none came after.
SELECT received_ns, LogAttributes AS attributes
FROM otel_logs
WHERE EventName = 'provenance.checkpoint'
    AND received_ns > {after_ns:UInt64}
ORDER BY received_ns
LIMIT {limit:UInt32} WITH TIES
