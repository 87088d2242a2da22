-- What decisions of a range of time were worth, by action and region.
-- Returns: action, region String; valued Int64: decisions whose value is known; value_usd Decimal, had none
--   failed or been late; by action and region.
SELECT
    toString(action) AS action, toString(region) AS region,
    toInt64(sum(c.decisions)) - toInt64(sum(c.unvalued)) AS valued,
    toDecimal128(sum(c.value_usd), 6) AS value_usd
FROM
(
    SELECT action, region, decisions, unvalued, value_usd
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64}
) AS c
GROUP BY action, region
ORDER BY action, region
