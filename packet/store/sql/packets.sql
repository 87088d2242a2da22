-- Kept packets seen in [from_ns, to_ns] by one host, of the given connections where these are not empty.
-- Returns: the columns of `packets` but why each was kept and where; by time.
SELECT
    ts_ns, flow_hash, src_address, src_port, dst_address, dst_port, protocol, ttl,
    tcp_flags, tcp_seq, tcp_ack, tcp_window, payload_bytes, wire_bytes
FROM packets FINAL
WHERE ts_ns >= {from_ns:UInt64} AND ts_ns <= {to_ns:UInt64} AND host = {host:String}
    AND (empty({flow_hashes:Array(UInt64)}) OR flow_hash IN {flow_hashes:Array(UInt64)})
ORDER BY ts_ns
