-- How far clocks of two hosts are apart: the newest minute of a range, by the source that bounds its error best.
-- Returns: the columns below, one row a pair of hosts; the gravest first. None where one host alone is seen.
SELECT
    host_a,
    host_b,
    toString(source) AS source,
    at_ns,
    offset_ns,
    bound_ns,
    drift_ppm,
    toString(state) AS state,
    says_unsynchronised,
    segments,
    excluded
FROM clock_offsets FINAL
WHERE window_ns + 60000000000 > {from_ns:UInt64} AND window_ns < {to_ns:UInt64}
ORDER BY window_ns DESC, bound_ns
LIMIT 1 BY host_a, host_b
