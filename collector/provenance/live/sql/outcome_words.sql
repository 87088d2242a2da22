-- What is said of all copies of some outcomes.
-- Returns: span_id String, received_ns UInt64, verdict, reason String.
SELECT span_id, received_ns, toString(verdict) AS verdict, toString(reason) AS reason
FROM provenance_events FINAL
WHERE trace_id = '' AND span_id IN {names:Array(String)}
