-- The periods of the lines that bill use, clipped to a range of time: where there is none, no bill has come yet.
-- Returns: from_ns, to_ns UInt64; by from_ns.
SELECT DISTINCT
    greatest(costs.from_ns, {from_ns:UInt64}) AS from_ns,
    least(costs.to_ns, {to_ns:UInt64}) AS to_ns
FROM costs FINAL
WHERE costs.from_ns < {to_ns:UInt64} AND costs.to_ns > {from_ns:UInt64}
    AND charge_category IN ('', 'Usage')
ORDER BY from_ns, to_ns
