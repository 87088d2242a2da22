-- What the decisions that a question is about earned, by action, region and group.
-- Within one nanosecond a decision is known by a hash of its id: a join by the texts takes twice as long.
-- Amounts are those of `outcome`, margin or revenue. ${earned} is earned.sql. A value that a decision states is earned less
-- what it lost, as in `lost_shares`: all of it where it failed, else what the slope of its second takes of what is late.
-- Returns: action, region, name String; then Int64: decisions, first_ns and last_ns: when they
--   began; known: of which it is known what they earned; due: that began before due_ns, told: ... with an outcome,
--   unsold: ... that says that nothing was earned; sold: ... that sold something; converted; amounts: ... whose
--   amount is known; stated: that state a value; Float64: amount_micros; stated_micros, less what was lost; amount_squared, stated_squared, USD^2;
--   amount_largest, stated_largest Float64, USD, whatever their sign; delay_s
--   Int64: how long after their decisions the sales came, in all.
--   By action, region, name.
WITH
measured AS
(
    SELECT
        a.action AS action, a.region AS region,
        multiIf({by:String} = 'channel', a.channel, {by:String} = 'cohort', a.cohort,
            {by:String} = 'offer_type', toString(d.offer_type), {by:String} = 'region', a.region, a.action) AS name,
        e.began_ns > 0 AS is_told,
        is_told OR has({other_channels:Array(String)}, a.channel) = {all_sent:UInt8} AS is_answered,
        a.ingress_ns AS began_ns,
        began_ns < {due_ns:UInt64} AS is_due,
        e.has_earned = 1 AS has_earned,
        has_earned AND e.amounts_missing = 0 AS is_known,
        e.has_sold = 1 AS has_sold,
        greatest(toInt64(e.sold_ns) - toInt64(a.ingress_ns), 0) AS delay_ns,
        e.money AS money,
        d.value_usd AS value_usd,
        -- The first is in force since ever: where it is the only one nothing is looked up.
        if(length({slope_since_ns:Array(UInt64)}) = 1, 1, arrayCount(
            since -> since <= intDiv(a.ingress_ns, 1000000000) * 1000000000, {slope_since_ns:Array(UInt64)})) AS slope,
        transform(a.action, {reference_actions:Array(String)}, {reference_ns:Array(UInt64)},
            {default_reference_ns:UInt64}) AS target_ns,
        toFloat64(greatest(toInt64(a.total_ns) - toInt64(target_ns), 0)) AS late_ns,
        if(a.is_error = 1, 1, 1 - exp(-{slope_median:Array(Float64)}[slope] * late_ns)) AS lost_share,
        -- Losing a decision that costs money is no loss.
        lost_share * greatest(toFloat64(ifNull(value_usd, 0)), 0) AS lost_usd
    FROM
    (
        SELECT ingress_ns, cityHash64(decision_id) AS id, toString(action) AS action, toString(region) AS region,
            toString(channel) AS channel, toString(cohort) AS cohort, total_ns, is_error
        FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND (action = {action:String} OR {action:String} = '' AND action != {calibration:String})
            AND ({region:String} = '' OR region = {region:String})
            AND total_ns >= {low_ns:UInt64} AND total_ns < {high_ns:UInt64}
    ) AS a
    LEFT JOIN
    (
        SELECT ingress_ns, cityHash64(decision_id) AS id, offer_type, value_usd FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    ) AS d ON a.ingress_ns = d.ingress_ns AND a.id = d.id
    LEFT JOIN
    (
${earned}
    ) AS e ON a.ingress_ns = e.began_ns AND a.id = cityHash64(e.id)
)
SELECT
    action, region, name,
    toInt64(count()) AS decisions,
    toInt64(min(began_ns)) AS first_ns,
    toInt64(max(began_ns)) AS last_ns,
    toInt64(countIf(is_answered)) AS known,
    toInt64(countIf(is_due)) AS due,
    toInt64(countIf(is_due AND is_told)) AS told,
    toInt64(countIf(is_due AND is_told AND NOT has_earned)) AS unsold,
    toInt64(countIf(has_sold)) AS sold,
    toInt64(countIf(has_earned)) AS converted,
    toInt64(countIf(is_known)) AS amounts,
    -- Floats: a sum of amounts that are each in bounds need not be one of 64 bits.
    round(sumIf(money, is_known) * 1e6) AS amount_micros,
    toInt64(countIf(isNotNull(value_usd))) AS stated,
    round(toFloat64(sum(ifNull(value_usd, 0))) * 1e6) - round(sum(lost_usd) * 1e6) AS stated_micros,
    sumIf(money * money, is_known) AS amount_squared,
    sum(pow(toFloat64(ifNull(value_usd, 0)) - lost_usd, 2)) AS stated_squared,
    maxIf(abs(money), is_known) AS amount_largest,
    max(abs(toFloat64(ifNull(value_usd, 0)) - lost_usd)) AS stated_largest,
    toInt64(sumIf(intDiv(delay_ns, 1000000000), has_sold)) AS delay_s
FROM measured
GROUP BY action, region, name
ORDER BY action, region, name
-- A month of decisions is joined an eighth at a time: of 6 million in one piece it took .7 GB more.
SETTINGS join_algorithm = 'grace_hash,hash', grace_hash_join_initial_buckets = 8
