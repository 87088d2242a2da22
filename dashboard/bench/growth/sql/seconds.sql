-- The seconds in which decisions of a range of time began.
-- Returns: second_ns UInt64; ascending.
SELECT DISTINCT intDiv(ingress_ns, 1000000000) * 1000000000 AS second_ns
FROM attributions
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
ORDER BY second_ns
