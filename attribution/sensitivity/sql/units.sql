-- Whether a decision of a range of time names the unit that it was made for.
-- Returns: found UInt8; one row, or none.
SELECT 1 AS found FROM decisions
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND unit != ''
LIMIT 1
