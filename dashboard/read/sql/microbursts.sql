-- Bursts on the wire that overlap a time; none where packet.link_mbit is not set.
-- Returns: the columns below; by start_ns.
SELECT
    start_ns, end_ns, toString(host) AS host, packets, wire_bytes, peak_ratio, queue_bytes, queue_ns, flows,
    top_share
FROM microbursts FINAL
-- A burst is milliseconds long; a minute is far more, and all that has to be looked through.
WHERE start_ns + 60000000000 >= {from_ns:UInt64} AND start_ns <= {to_ns:UInt64} AND end_ns >= {from_ns:UInt64}
ORDER BY start_ns, host
LIMIT {rows_max:UInt64}
