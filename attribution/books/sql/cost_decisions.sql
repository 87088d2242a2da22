-- How many decisions began in some times, by region.
-- The product's own probes decide nothing, and are left out.
-- Returns: region String; decisions, inside UInt64, of them in those times; by region.
SELECT
    toString(region) AS region,
    count() AS decisions,
    countIf(arrayExists((begin, end) -> ingress_ns >= begin AND ingress_ns < end,
        {begins_ns:Array(UInt64)}, {ends_ns:Array(UInt64)})) AS inside
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND action != {left_out:String}
GROUP BY region
ORDER BY region
