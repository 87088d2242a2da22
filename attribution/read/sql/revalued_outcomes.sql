-- Which outcomes are worth something else by a rate that was received in a window.
-- Returns: outcome_id, decision_id String, outcome_key String, row_hash UInt64; unordered.
SELECT
    o.outcome_id AS outcome_id,
    o.decision_id AS decision_id,
    o.outcome_key AS outcome_key,
    cityHash64(o.outcome_id, o.event_ns, r.currency, r.day_ns, toString(r.rate), r.received_ns) AS row_hash
FROM
(
    SELECT outcome_id, decision_id, outcome_key, toString(currency) AS currency, event_ns
    FROM outcomes FINAL
    WHERE currency IN
    (
        SELECT currency FROM currency_rates
        WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    )
) AS o
INNER JOIN
(
    SELECT toString(currency) AS currency, day_ns, rate, received_ns
    FROM currency_rates
    WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
) AS r ON o.currency = r.currency
WHERE o.event_ns >= r.day_ns AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000
