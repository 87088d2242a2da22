-- What was taken out of every sum, of what arrived in (from, to].
-- Returns: one row: decisions UInt64, value_usd Decimal (of those whose value is known), outcomes UInt64.
SELECT
    count() AS decisions,
    sum(ifNull(value_usd, 0)) AS value_usd,
    (
        SELECT count()
        FROM withdrawn_outcomes AS w FINAL
        WHERE w.received_ns > {from_ns:UInt64} AND w.received_ns <= {to_ns:UInt64} AND is_back = 0
    ) AS outcomes
FROM withdrawals FINAL
WHERE received_ns > {from_ns:UInt64} AND received_ns <= {to_ns:UInt64} AND is_back = 0
