-- Which spans of some traces were quarantined, and why.
-- Returns: span_id, reason_code String; unordered.
SELECT DISTINCT splitByChar(':', item_id)[2] AS span_id, toString(reason_code) AS reason_code
FROM rejected
WHERE received_ns >= {from_ns:UInt64} AND received_ns < {to_ns:UInt64}
    AND splitByChar(':', item_id)[1] IN {trace_ids:Array(String)}
LIMIT 1000
