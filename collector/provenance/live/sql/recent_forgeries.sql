-- The latest events that are not as they were sealed, whose genuine copies may be still to come.
-- Returns: trace_id, span_id String.
SELECT trace_id, span_id
FROM provenance_events FINAL
WHERE verdict IN ('tampered', 'unsigned') AND trace_id != ''
ORDER BY received_ns DESC
LIMIT {limit:UInt32}
