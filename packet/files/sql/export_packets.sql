-- Kept packets of some connections between two instants, and those kept for one alert or trigger.
-- Returns: the columns of `packets` but why each was kept, and host; by time, at most rows_max.
SELECT
    ts_ns, flow_hash, src_address, src_port, dst_address, dst_port, protocol, ttl,
    tcp_flags, tcp_seq, tcp_ack, tcp_window, payload_bytes, wire_bytes, toString(host) AS host,
    trigger_id = {name:String} OR startsWith(trigger_id, concat({name:String}, '/')) AS is_named
FROM packets FINAL
WHERE is_named OR (
    flow_hash IN {flow_hashes:Array(UInt64)}
    AND ts_ns >= {from_ns:UInt64} AND ts_ns <= {to_ns:UInt64}
)
ORDER BY ts_ns
LIMIT {rows_max:UInt32}
