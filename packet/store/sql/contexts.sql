-- Contexts of kept packets seen in [from_ns, to_ns] by one host, of the given connections where these
-- are not empty.
-- Returns: ts_ns UInt64, flow_hash UInt64, client_port UInt16, server_port UInt16, trace_id String,
-- span_id String, method String; by time.
SELECT ts_ns, flow_hash, client_port, server_port, trace_id, span_id, toString(method)
FROM wire_contexts FINAL
WHERE ts_ns >= {from_ns:UInt64} AND ts_ns <= {to_ns:UInt64} AND host = {host:String}
    AND (empty({flow_hashes:Array(UInt64)}) OR flow_hash IN {flow_hashes:Array(UInt64)})
ORDER BY ts_ns, flow_hash, trace_id, span_id
