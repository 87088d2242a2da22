-- The decisions of one experiment by minute, arm and class, and the share of their value that their delay loses
-- at a slope of `beta` per ns.
-- Returns: minute_ns UInt64; arm, action, region String; decisions, delayed, stated Int64 (stated: delayed ones
--   that state a value); delay_ms, lost_share, stated_lost_usd Float64, sums; by these.
SELECT
    intDiv(d.ingress_ns, 60000000000) * 60000000000 AS minute_ns,
    toString(d.arm) AS arm, toString(d.action) AS action, toString(d.region) AS region,
    toInt64(count()) AS decisions,
    toInt64(countIf(d.injected_delay_ns > 0)) AS delayed,
    toInt64(countIf(d.injected_delay_ns > 0 AND isNotNull(d.value_usd))) AS stated,
    sum(d.injected_delay_ns / 1e6) AS delay_ms,
    sum(1 - exp(-{beta:Float64} * d.injected_delay_ns)) AS lost_share,
    sum(ifNull(greatest(toFloat64(d.value_usd), 0.), 0.) * (1 - exp(-{beta:Float64} * d.injected_delay_ns)))
        AS stated_lost_usd
FROM decisions AS d FINAL
WHERE d.ingress_ns >= {from_ns:UInt64} AND d.ingress_ns < {to_ns:UInt64} AND d.experiment = {name:String}
GROUP BY minute_ns, arm, action, region
ORDER BY minute_ns, arm, action, region
