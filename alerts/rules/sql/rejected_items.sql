-- What was acknowledged in [from_ns, end_ns) and could not be used, by reason.
-- Returns: reason_code String, items UInt64; a row a reason with any.
-- An item whose bytes are stored elsewhere, such as the span of a decision that is refused, is one all the same.
SELECT reason_code, sum(greatest(item_count, 1)) AS items
FROM rejected
WHERE received_ns >= {from_ns:UInt64} AND received_ns < {end_ns:UInt64}
GROUP BY reason_code
