-- What decisions of a range of time were worth, by action and region.
-- Returns: action, region String; valued Int64: decisions whose value is known; value_usd Decimal, had none
--   failed or been late; earned_usd Decimal, as they were; bases Array(String); by action and region.
SELECT
    toString(action) AS action, toString(region) AS region,
    toInt64(sum(c.decisions)) - toInt64(sum(c.unvalued)) AS valued,
    toDecimal128(sum(c.value_usd), 6) AS value_usd,
    toDecimal128(sum(c.earned_usd), 6) AS earned_usd,
    arraySort(groupUniqArrayIf(toString(c.basis), c.decisions > 0)) AS bases
FROM
(
    SELECT action, region, decisions, unvalued, value_usd, earned_usd, basis
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64}
) AS c
GROUP BY action, region
ORDER BY action, region
