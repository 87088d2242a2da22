-- Which outcomes were received in a window, taken out of the sums or put back; and a row without an id where rates were, so
-- that those that are worth something else by them are asked for.
-- Returns: outcome_id, decision_id String, outcome_key String, row_hash UInt64; unordered.
SELECT
    outcome_id,
    decision_id,
    outcome_key,
    cityHash64(outcome_id, kind, event_ns, received_ns, converted, currency,
        ifNull(toString(revenue), ''), ifNull(toString(margin), '')) AS row_hash
FROM outcomes
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
UNION ALL
SELECT
    outcome_id,
    decision_id,
    outcome_key,
    cityHash64(outcome_id, event_ns, received_ns, content_hash, withdrawn_ns, is_back) AS row_hash
FROM withdrawn_outcomes
WHERE withdrawn_ns > {after_ns:UInt64} AND withdrawn_ns <= {until_ns:UInt64}
UNION ALL
SELECT '' AS outcome_id, '' AS decision_id, '' AS outcome_key, toUInt64(count()) AS row_hash
FROM currency_rates
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
HAVING row_hash > 0
