-- What was taken out of every sum, of decisions that arrived in (from, to].
-- Returns: one row: decisions UInt64, value_usd Decimal (of those whose value is known).
SELECT count() AS decisions, sum(ifNull(value_usd, 0)) AS value_usd
FROM withdrawals FINAL
WHERE received_ns > {from_ns:UInt64} AND received_ns <= {to_ns:UInt64} AND is_back = 0
