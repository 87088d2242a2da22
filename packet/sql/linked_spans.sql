-- Links of the spans of the given traces, with a request and a response among their packets.
-- Returns: trace_id String, span_id String, from_ns UInt64, to_ns UInt64.
SELECT trace_id, span_id, from_ns, to_ns
FROM span_flows FINAL
WHERE trace_id IN {trace_ids:Array(String)} AND wire_ns IS NOT NULL
