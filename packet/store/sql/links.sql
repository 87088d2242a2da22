-- Links whose exchange begins in [from_ns, to_ns), but those that were joined by sequence numbers.
-- Returns: trace_id String, span_id String, decision_id String, flow_hash UInt64, from_ns UInt64,
-- to_ns UInt64, packets UInt32, wire_ns Nullable(UInt64), method String, confidence Float32,
-- host String; by time.
SELECT
    trace_id, span_id, decision_id, flow_hash, from_ns, to_ns, packets, wire_ns, toString(method),
    confidence, toString(host)
FROM span_flows FINAL
WHERE from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64} AND method != 'seq'
ORDER BY from_ns, trace_id, span_id
