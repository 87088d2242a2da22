-- What is said of sealed decisions that arrived in (from, to], by verdict.
-- Returns: verdict String, events, rows UInt64, last_ns UInt64; most first. `events` are numbers: a hole counts all it has.
SELECT
    toString(verdict) AS verdict,
    sum(count) AS events,
    count() AS rows,
    max(received_ns) AS last_ns
FROM provenance_events FINAL
WHERE received_ns > {from_ns:UInt64} AND received_ns <= {to_ns:UInt64}
GROUP BY verdict
ORDER BY events DESC, verdict
