-- What the packets of some traces carried.
-- Returns: flow_hash UInt64, from_ns UInt64, to_ns UInt64, trace_id String, span_id String,
-- decision_id String, method String, confidence Float32, host String; by time.
SELECT
    flow_hash, from_ns, to_ns, trace_id, span_id, decision_id, toString(method), confidence,
    toString(host)
FROM span_flows FINAL
WHERE trace_id IN {trace_ids:Array(String)}
ORDER BY from_ns, flow_hash
