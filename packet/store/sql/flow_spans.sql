-- Rows of `flows` of the given connections, as one host saw them, that lie within [from_ns, to_ns] in part.
-- Returns: flow_hash UInt64, first_ns UInt64, last_ns UInt64.
SELECT flow_hash, first_ns, last_ns
FROM flows FINAL
WHERE host = {host:String} AND flow_hash IN {flow_hashes:Array(UInt64)}
    AND last_ns >= {from_ns:UInt64} AND first_ns <= {to_ns:UInt64}
