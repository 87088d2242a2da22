-- What some connections carried between two instants, whichever trace it was of. An exchange that
-- began reach_ns before may be left out.
-- Returns: flow_hash UInt64, from_ns UInt64, to_ns UInt64, trace_id String, span_id String,
-- decision_id String, method String, confidence Float32, host String; by time.
SELECT
    flow_hash, from_ns, to_ns, trace_id, span_id, decision_id, toString(method), confidence,
    toString(host)
FROM span_flows FINAL
WHERE flow_hash IN {flow_hashes:Array(UInt64)}
    AND from_ns + {reach_ns:UInt64} >= {from_ns:UInt64}
    AND from_ns <= {to_ns:UInt64} AND to_ns >= {from_ns:UInt64}
ORDER BY from_ns, flow_hash
