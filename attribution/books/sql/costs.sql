-- What the bills of some times say, by one column, each line by the part of its period that lies in those times.
-- Each share is rounded to a billionth, a line at a time, so that sums by one column are those by another.
-- Returns: name String, of the column asked for; effective, billed Int128, billionths of the currency asked for; saved
--   Nullable(Int128), list less contracted; lines, unconverted UInt64: lines in a currency without a rate, in no
--   sum; first_ns, last_ns UInt64: begin of the first and the last of those, 0 without any; by effective.
SELECT
    c.name AS name,
    sum(toInt128(round(c.share * c.effective * c.factor * 1e9))) AS effective,
    sum(toInt128(round(c.share * c.billed * c.factor * 1e9))) AS billed,
    sum(toInt128(round(c.share * (c.listed - c.contracted) * c.factor * 1e9))) AS saved,
    count() AS lines,
    countIf(c.factor = 0) AS unconverted,
    minIf(c.began_ns, c.factor = 0) AS first_ns,
    maxIf(c.began_ns, c.factor = 0) AS last_ns
FROM
(
    SELECT
        l.name AS name,
        l.from_ns AS began_ns,
        toFloat64(l.effective) AS effective, toFloat64(l.billed) AS billed,
        toFloat64(l.listed) AS listed, toFloat64(l.contracted) AS contracted,
        l.inside_ns / (l.to_ns - l.from_ns) AS share,
        multiIf(l.currency = {currency:String}, 1.,
            r.rate > 0 AND l.from_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toFloat64(r.rate), 0.) AS factor
    FROM
    (
        SELECT from_ns, to_ns, toString(currency) AS currency, effective, billed, listed, contracted,
            multiIf(
                {by:String} = 'service', toString(service_name),
                {by:String} = 'provider', toString(provider),
                {by:String} = 'host', toString(host),
                {by:String} = 'region', toString(region),
                {by:String} = 'resource', resource,
                {by:String} = 'currency', currency,
                toString(service_category)) AS name,
            arraySum((begin, end) -> greatest(
                toInt64(least(to_ns, end)) - toInt64(greatest(from_ns, begin)), 0),
                {begins_ns:Array(UInt64)}, {ends_ns:Array(UInt64)}) AS inside_ns
        FROM costs FINAL
        WHERE from_ns < {to_ns:UInt64} AND to_ns > {from_ns:UInt64} AND inside_ns > 0
    ) AS l
    ASOF LEFT JOIN
    (
        SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
    ) AS r ON l.currency = r.currency AND l.from_ns >= r.day_ns
) AS c
GROUP BY name
ORDER BY effective DESC, name
