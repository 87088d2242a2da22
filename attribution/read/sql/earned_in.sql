-- What the decisions of two ranges of seconds and of some whole hours earned in sum, by hour and class.
-- Returns: hour UInt64 since 1970, action, region String, counts Int64, sums Decimal(38, 6), sums of squares of what each
--   second earned Decimal(38, 0), as attribution/revenue/sums.py `squares` counts them; unordered.
WITH
    toInt64(abs(toDecimal128(c.margin_usd, 6)) * 100000) AS margin_ones,
    toInt64(abs(toDecimal128(c.revenue_usd, 6)) * 100000) AS revenue_ones,
    if(margin_ones < 2147483648, margin_ones, 0) AS margin_small,
    if(margin_ones < 2147483648, 0, bitShiftRight(margin_ones, 26)) AS margin_large,
    if(revenue_ones < 2147483648, revenue_ones, 0) AS revenue_small,
    if(revenue_ones < 2147483648, 0, bitShiftRight(revenue_ones, 26)) AS revenue_large
SELECT
    toUInt64(intDiv(c.second_ns, 3600000000000)) AS hour,
    toString(action) AS action, toString(region) AS region,
    toInt64(sum(c.decisions)) AS decisions,
    toInt64(sum(c.known)) AS known, toInt64(sum(c.kept_ppb)) AS kept_ppb, toInt64(sum(c.converted)) AS converted,
    toInt64(sum(c.margins)) AS margins, sum(c.margin_usd) AS margin_usd,
    toInt64(sum(c.revenues)) AS revenues, sum(c.revenue_usd) AS revenue_usd,
    sum(toDecimal128(margin_small * margin_small, 0)) AS margin_squares,
    sum(toDecimal128(margin_large * margin_large, 0)) AS margin_large_squares,
    sum(toDecimal128(revenue_small * revenue_small, 0)) AS revenue_squares,
    sum(toDecimal128(revenue_large * revenue_large, 0)) AS revenue_large_squares
FROM revenue_cells AS c FINAL
WHERE (second_ns >= {from_ns:UInt64} AND second_ns < {until_ns:UInt64})
    OR (second_ns >= {again_ns:UInt64} AND second_ns < {to_ns:UInt64})
    OR intDiv(second_ns, 3600000000000) IN {hours:Array(UInt64)}
GROUP BY hour, action, region
