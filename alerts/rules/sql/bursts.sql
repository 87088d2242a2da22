-- Microbursts that began in [from_ns, end_ns), by host.
-- Returns: host String, bursts UInt64; a row a host with any.
SELECT host, count() AS bursts
FROM microbursts FINAL
WHERE start_ns >= {from_ns:UInt64} AND start_ns < {end_ns:UInt64}
GROUP BY host
