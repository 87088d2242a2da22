-- Latency and earnings of decisions by hour, action, region, channel and mode; what is younger than outcomes take
-- to arrive counts for latency alone. Within one nanosecond a decision is known by a hash of its id: a join by the texts
-- takes twice as long. ${earned} is earned.sql.
-- Returns: hour_ns UInt64, action, region, channel, mode String, n, failed UInt64, sum_ms, sum_ms2 Float64; earned,
--   unknown, earning UInt64: decisions old enough whose outcome and its amount are known, or not the amount, and those that earned; sum_usd, sum_usd2 Float64, of the known ones:
--   margin, revenue, or 1 for a sale, by `outcome`. By hour_ns, action, region, channel, mode.
WITH
measured AS
(
    SELECT
        intDiv(a.ingress_ns, 3600000000000) * 3600000000000 AS hour_ns,
        toString(a.action) AS action, toString(a.region) AS region, toString(a.channel) AS channel,
        toString(d.mode) AS mode,
        a.is_error AS is_error,
        a.total_ns / 1e6 AS ms,
        a.ingress_ns < {known_until_ns:UInt64} AS is_old,
        is_old AND e.has_earned = 1 AS is_earning,
        is_old AND (e.began_ns > 0 OR has({other_channels:Array(String)}, toString(a.channel)) = {all_sent:UInt8})
            AS is_answered,
        is_old AND {outcome:String} != 'converted' AND e.amounts_missing > 0 AS is_unknown,
        if({outcome:String} = 'converted', toFloat64(e.has_sold), e.money) AS usd
    FROM
    (
        SELECT ingress_ns, cityHash64(decision_id) AS id, action, region, channel, is_error, total_ns
        FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND action != {left_out:String}
    ) AS a
    INNER JOIN
    (
        SELECT ingress_ns, cityHash64(decision_id) AS id, mode FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    ) AS d ON a.ingress_ns = d.ingress_ns AND a.id = d.id
    LEFT JOIN
    (
${earned}
    ) AS e ON a.ingress_ns = e.began_ns AND a.id = cityHash64(e.id)
)
SELECT
    hour_ns, action, region, channel, mode,
    count() AS n,
    countIf(is_error = 1) AS failed,
    sum(ms) AS sum_ms,
    sum(ms * ms) AS sum_ms2,
    countIf(is_answered AND NOT is_unknown) AS earned,
    countIf(is_unknown) AS unknown,
    countIf(is_earning) AS earning,
    sumIf(usd, is_answered AND NOT is_unknown) AS sum_usd,
    sumIf(usd * usd, is_answered AND NOT is_unknown) AS sum_usd2
FROM measured
GROUP BY hour_ns, action, region, channel, mode
ORDER BY hour_ns, action, region, channel, mode
-- A month of decisions is joined an eighth at a time: of 6 million in one piece it took .7 GB more.
SETTINGS join_algorithm = 'grace_hash,hash', grace_hash_join_initial_buckets = 8
