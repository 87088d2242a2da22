-- Which outcomes were received in a window.
-- Returns: decision_id String, outcome_key String, row_hash UInt64; unordered.
SELECT
    decision_id,
    outcome_key,
    cityHash64(outcome_id, kind, event_ns, received_ns, converted, currency,
        ifNull(toString(revenue), ''), ifNull(toString(margin), '')) AS row_hash
FROM outcomes
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
