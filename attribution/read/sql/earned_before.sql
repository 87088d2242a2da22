-- What the decisions of a range of seconds earned in sum, by class.
-- Returns: action, region String, counts Int64, sums Decimal(38, 6); unordered.
SELECT
    toString(action) AS action, toString(region) AS region,
    toInt64(sum(c.decisions)) AS decisions,
    toInt64(sum(c.known)) AS known, toInt64(sum(c.kept_ppb)) AS kept_ppb, toInt64(sum(c.converted)) AS converted,
    toInt64(sum(c.margins)) AS margins, sum(c.margin_usd) AS margin_usd,
    toInt64(sum(c.revenues)) AS revenues, sum(c.revenue_usd) AS revenue_usd
FROM revenue_cells AS c FINAL
WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64}
GROUP BY action, region
