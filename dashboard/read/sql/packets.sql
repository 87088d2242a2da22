-- The kept packets of some connections between two instants.
-- Returns: the columns below; by time.
SELECT
    ts_ns, flow_hash, src_address, src_port, dst_address, dst_port,
    tcp_flags, tcp_seq, tcp_ack, tcp_window, payload_bytes, wire_bytes,
    toString(kept_for) AS kept_for
FROM packets FINAL
WHERE flow_hash IN {flow_hashes:Array(UInt64)}
    AND ts_ns >= {from_ns:UInt64} AND ts_ns <= {to_ns:UInt64}
ORDER BY ts_ns, src_port
LIMIT {rows_max:UInt64}
