-- What the decisions of two ranges of seconds and of some whole hours earned in sum, by hour and class.
-- Returns: hour UInt64 since 1970, action, region String, counts Int64, sums Decimal(38, 6), of them those of the squares
--   of what each second earned, which is counted in thousandths of a dollar and to 3,000,000 (`EarnedInCells`); unordered.
WITH
    toDecimal128(least(truncate(abs(c.margin_usd), 3), toDecimal64(3000000, 6)), 3) AS of_margin,
    toDecimal128(least(truncate(abs(c.revenue_usd), 3), toDecimal64(3000000, 6)), 3) AS of_revenue
SELECT
    toUInt64(intDiv(c.second_ns, 3600000000000)) AS hour,
    toString(action) AS action, toString(region) AS region,
    toInt64(sum(c.decisions)) AS decisions,
    toInt64(sum(c.known)) AS known, toInt64(sum(c.kept_ppb)) AS kept_ppb, toInt64(sum(c.converted)) AS converted,
    toInt64(sum(c.margins)) AS margins, sum(c.margin_usd) AS margin_usd,
    toInt64(sum(c.revenues)) AS revenues, sum(c.revenue_usd) AS revenue_usd,
    sum(of_margin * of_margin) AS margin_squared_usd, sum(of_revenue * of_revenue) AS revenue_squared_usd
FROM revenue_cells AS c FINAL
WHERE (second_ns >= {from_ns:UInt64} AND second_ns < {until_ns:UInt64})
    OR (second_ns >= {again_ns:UInt64} AND second_ns < {to_ns:UInt64})
    OR intDiv(second_ns, 3600000000000) IN {hours:Array(UInt64)}
GROUP BY hour, action, region
