-- How many spans and log records are here of each minute of arrival in [from, to).
-- Returns: minute UInt64 (of Unix time), items UInt64; in order.
SELECT minute, sum(items) AS items
FROM
(
    SELECT intDiv(received_ns, 60000000000) AS minute, count() AS items
    FROM otel_traces
    WHERE received_ns >= {from_ns:UInt64} AND received_ns < {to_ns:UInt64}
    GROUP BY minute
    UNION ALL
    SELECT intDiv(received_ns, 60000000000) AS minute, count() AS items
    FROM otel_logs
    WHERE received_ns >= {from_ns:UInt64} AND received_ns < {to_ns:UInt64}
    GROUP BY minute
)
GROUP BY minute
ORDER BY minute
