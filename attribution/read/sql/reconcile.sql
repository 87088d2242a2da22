-- Revenue of outcomes by the day on which it happened, by whether its decision is known, and the ledger's total.
-- ${counted} is counted_outcomes.sql.
-- Returns: day_ns UInt64; matched, unmatched, ambiguous Decimal, refunds taken off; matched_outcomes,
--   unmatched_outcomes, ambiguous_outcomes, unknown_outcomes UInt64 (of no known amount: in no sum); ledger
--   Nullable(Decimal), null where no ledger has the day or one of its amounts has no rate; unconverted UInt64,
--   of how many that is so; node_revenue Map(UInt32, Decimal), node_outcomes Map(UInt32, UInt64): of the matched, by the
--   first rule that their decision matches, 0 for none; by day.
WITH
${counted},
days AS
(
    SELECT
        day_ns,
        sumIf(ifNull(amount, 0), decisions = 1) AS matched,
        sumIf(ifNull(amount, 0), decisions = 0) AS unmatched,
        sumIf(ifNull(amount, 0), decisions > 1) AS ambiguous,
        countIf(decisions = 1) AS matched_outcomes,
        countIf(decisions = 0) AS unmatched_outcomes,
        countIf(decisions > 1) AS ambiguous_outcomes,
        countIf(isNull(amount) AND NOT is_nothing) AS unknown_outcomes,
        sumMapIf(map(toUInt32(node), ifNull(amount, 0)), decisions = 1) AS node_revenue,
        sumMapIf(map(toUInt32(node), toUInt64(1)), decisions = 1) AS node_outcomes
    FROM counted
    GROUP BY day_ns
),
stated AS
(
    SELECT
        l.day_ns AS day_ns,
        multiIf(l.currency = {currency:String}, toDecimal128(l.amount, 6),
            r.rate > 0 AND l.day_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toDecimal128(round(toDecimal128(l.amount, 6) * r.rate, 6), 6), NULL) AS converted
    FROM
    (
        SELECT source, day_ns, toString(currency) AS currency, amount
        FROM ledger_days FINAL
        WHERE day_ns >= {from_ns:UInt64} AND day_ns < {to_ns:UInt64}
    ) AS l
    ASOF LEFT JOIN rates AS r ON l.currency = r.currency AND l.day_ns >= r.day_ns
),
books AS
(
    SELECT day_ns, countIf(isNull(converted)) AS unconverted, if(unconverted > 0, NULL, sum(converted)) AS ledger
    FROM stated
    GROUP BY day_ns
)
SELECT
    if(d.day_ns > 0, d.day_ns, b.day_ns) AS day_ns,
    d.matched AS matched, d.unmatched AS unmatched, d.ambiguous AS ambiguous,
    d.matched_outcomes AS matched_outcomes, d.unmatched_outcomes AS unmatched_outcomes,
    d.ambiguous_outcomes AS ambiguous_outcomes, d.unknown_outcomes AS unknown_outcomes,
    if(b.day_ns > 0, b.ledger, NULL) AS ledger, b.unconverted AS unconverted,
    d.node_revenue AS node_revenue, d.node_outcomes AS node_outcomes
FROM days AS d
FULL OUTER JOIN books AS b ON d.day_ns = b.day_ns
ORDER BY day_ns
-- A month of outcomes is joined an eighth at a time: of 3 million in one piece it took .5 GB more.
SETTINGS join_algorithm = 'grace_hash,hash', grace_hash_join_initial_buckets = 8
