-- Sealed events that arrived in [from_ns, end_ns) and are not what was sealed, by producer.
-- Returns: producer String, events UInt64; a row a producer with any.
SELECT producer, sum(count) AS events
FROM provenance_events FINAL
WHERE received_ns >= {from_ns:UInt64} AND received_ns < {end_ns:UInt64} AND verdict NOT IN ('ok', 'unsigned', 'retried')
GROUP BY producer
HAVING events > 0
