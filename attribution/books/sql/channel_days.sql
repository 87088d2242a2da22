-- What the visitors of channels cost, by channel and day, over all sources; amounts in one currency, by dated rates.
-- Returns: channel String, day_ns UInt64; clicks Nullable(UInt64), cost Nullable(Decimal), null where one of the sources
--   does not say or has no rate; unconverted Array(String), the currencies without one; quality_sum Float64, weight Float64,
--   score times clicks of the rows that have both, or of the others one each; by channel, day_ns.
SELECT
    d.channel AS channel, d.day_ns AS day_ns,
    if(countIf(isNull(d.clicks)) > 0, NULL, sum(d.clicks)) AS clicks,
    if(countIf(isNull(d.converted)) > 0, NULL, sum(d.converted)) AS cost,
    arraySort(groupUniqArrayIf(d.currency, isNull(d.converted) AND isNotNull(d.amount))) AS unconverted,
    sumIf(toFloat64(ifNull(d.quality, 0)) * d.weight, isNotNull(d.quality)) AS quality_sum,
    sumIf(d.weight, isNotNull(d.quality)) AS weight
FROM
(
    SELECT
        l.channel AS channel, l.day_ns AS day_ns, l.clicks AS clicks, l.cost AS amount, l.currency AS currency,
        l.quality_score AS quality,
        toFloat64(ifNull(l.clicks, 1)) AS weight,
        multiIf(isNull(l.cost), NULL, l.currency = {currency:String}, toDecimal128(l.cost, 6),
            r.rate > 0 AND l.day_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toDecimal128(round(toDecimal128(l.cost, 6) * r.rate, 6), 6), NULL) AS converted
    FROM
    (
        SELECT toString(channel) AS channel, day_ns, toString(currency) AS currency, clicks, cost, quality_score
        FROM channel_days FINAL
        WHERE day_ns >= {from_ns:UInt64} AND day_ns < {to_ns:UInt64}
    ) AS l
    ASOF LEFT JOIN
    (
        SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
    ) AS r ON l.currency = r.currency AND l.day_ns >= r.day_ns
) AS d
GROUP BY channel, day_ns
ORDER BY channel, day_ns
