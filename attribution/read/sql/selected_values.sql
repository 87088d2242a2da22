-- What decisions of a range of time were worth, by action and region.
-- Returns: action, region String; valued Int64: decisions whose value is known; value_usd Decimal;
--   bases Array(String); by action and region.
SELECT
    toString(action) AS action, toString(region) AS region,
    toInt64(sum(decisions)) - toInt64(sum(unvalued)) AS valued,
    toDecimal128(sum(value_usd), 6) AS value_usd,
    arraySort(groupUniqArrayIf(toString(basis), decisions > 0)) AS bases
FROM
(
    SELECT action, region, decisions, unvalued, value_usd, basis
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64}
)
GROUP BY action, region
ORDER BY action, region
