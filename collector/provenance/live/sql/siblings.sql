-- What is said of all copies of the events of some traces.
-- Returns: trace_id, span_id String, received_ns UInt64, verdict, reason String.
SELECT trace_id, span_id, received_ns, toString(verdict) AS verdict, toString(reason) AS reason
FROM provenance_events FINAL
WHERE trace_id IN {trace_ids:Array(String)}
