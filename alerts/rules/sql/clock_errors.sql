-- How far two hosts' clocks are apart at least, in the newest minute of each pair in [from_ns, end_ns).
-- Returns: pair String (host_a~host_b), apart_ns UInt64; a row a pair.
SELECT
    concat(host_a, '~', host_b) AS pair,
    argMax(greatest(0, toInt64(abs(offset_ns)) - toInt64(bound_ns)), window_ns) AS apart_ns
FROM clock_offsets FINAL
WHERE window_ns >= {from_ns:UInt64} AND window_ns < {end_ns:UInt64}
GROUP BY pair
