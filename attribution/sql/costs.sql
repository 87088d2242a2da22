-- What the bills of a range of time say, by service category, each line by the part of its period that lies in
-- the range.
-- Returns: service_category String; effective, billed Float64 in the currency asked for; saved Nullable(Float64),
--   list less contracted; lines, unconverted UInt64: lines in a currency without a rate, in no sum; by effective.
SELECT
    c.service_category AS service_category,
    sum(c.share * c.effective * c.factor) AS effective,
    sum(c.share * c.billed * c.factor) AS billed,
    sum(c.share * (c.listed - c.contracted) * c.factor) AS saved,
    count() AS lines,
    countIf(c.factor = 0) AS unconverted
FROM
(
    SELECT
        l.service_category AS service_category,
        toFloat64(l.effective) AS effective, toFloat64(l.billed) AS billed,
        toFloat64(l.listed) AS listed, toFloat64(l.contracted) AS contracted,
        (least(l.to_ns, {to_ns:UInt64}) - greatest(l.from_ns, {from_ns:UInt64})) / (l.to_ns - l.from_ns) AS share,
        multiIf(l.currency = {currency:String}, 1.,
            r.rate > 0 AND l.from_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toFloat64(r.rate), 0.) AS factor
    FROM
    (
        SELECT from_ns, to_ns, toString(currency) AS currency, effective, billed, listed, contracted,
            toString(service_category) AS service_category
        FROM costs FINAL
        WHERE from_ns < {to_ns:UInt64} AND to_ns > {from_ns:UInt64}
    ) AS l
    ASOF LEFT JOIN
    (
        SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
    ) AS r ON l.currency = r.currency AND l.from_ns >= r.day_ns
) AS c
GROUP BY service_category
ORDER BY effective DESC, service_category
