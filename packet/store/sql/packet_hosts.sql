-- The hosts that kept packets seen in [from_ns, to_ns).
-- Returns: host String, in order; the recorder without a name is not among them.
SELECT DISTINCT host
FROM packets
WHERE ts_ns >= {from_ns:UInt64} AND ts_ns < {to_ns:UInt64} AND host != ''
ORDER BY host
