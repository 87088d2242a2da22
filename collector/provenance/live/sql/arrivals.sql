-- How many spans and log records arrived at each instant in (after, until].
-- Returns: received_ns UInt64, items UInt64; in order.
SELECT received_ns, sum(items) AS items
FROM
(
    SELECT received_ns, count() AS items
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    GROUP BY received_ns
    UNION ALL
    SELECT received_ns, count() AS items
    FROM otel_logs
    WHERE
    (
        EventName = 'provenance.checkpoint'
        OR ((EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome') AND ${is_judged_outcome})
    )
        AND received_ns > {after_ns:UInt64}
        AND received_ns <= {until_ns:UInt64}
    GROUP BY received_ns
)
GROUP BY received_ns
ORDER BY received_ns
