-- What was acknowledged in [from_ns, end_ns) and could not be used, by reason.
-- Returns: reason_code String, items UInt64; a row a reason with any.
SELECT reason_code, sum(item_count) AS items
FROM rejected
WHERE received_ns >= {from_ns:UInt64} AND received_ns < {end_ns:UInt64}
GROUP BY reason_code
HAVING items > 0
