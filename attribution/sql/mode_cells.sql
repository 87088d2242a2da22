-- Latency and earnings of decisions by hour, action, region, channel and mode. An outcome finds its decision as in
-- slope_cells.sql; what is younger than outcomes take to arrive counts for latency alone.
-- Returns: hour_ns UInt64, action, region, channel, mode String, n, failed UInt64, sum_ms, sum_ms2 Float64; earned,
--   unknown UInt64: decisions old enough whose amount is known, or not; sum_usd, sum_usd2 Float64, of the known ones:
--   margin, revenue, or 1 for a sale, by `outcome`. By hour_ns, action, region, channel, mode.
WITH
told AS
(
    SELECT
        o.decision_id AS id, o.outcome_key AS key, o.event_ns AS told_ns, o.kind = 'refund' AS is_refund,
        multiIf(o.currency = {currency:String}, 1.,
            r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toFloat64(r.rate), NULL) AS factor,
        toFloat64(o.margin) * factor AS own_margin,
        toFloat64(o.revenue) * factor AS own_revenue,
        o.converted = 1 OR o.kind = 'refund' OR isNotNull(own_margin) OR isNotNull(own_revenue) AS is_earning,
        if({outcome:String} = 'margin', own_margin, own_revenue) AS stated,
        if(is_refund, -abs(stated), stated) AS amount
    FROM
    (
        SELECT decision_id, outcome_key, event_ns, toString(kind) AS kind, converted,
            toString(currency) AS currency, margin, revenue
        FROM outcomes FINAL
        WHERE received_ns >= {received_from_ns:UInt64}
    ) AS o
    ASOF LEFT JOIN
    (
        SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
    ) AS r ON o.currency = r.currency AND o.event_ns >= r.day_ns
),
candidates AS
(
    SELECT d.ingress_ns AS began_ns, d.decision_id AS id, d.outcome_key AS key
    FROM decisions AS d FINAL
    WHERE d.ingress_ns >= {from_ns:UInt64}
        AND (d.decision_id IN (SELECT id FROM told WHERE id != '')
            OR d.outcome_key IN (SELECT key FROM told WHERE id = '' AND key != ''))
),
matched AS
(
    SELECT c.began_ns AS began_ns, c.id AS id, is_refund, is_earning, amount
    FROM told AS t
    INNER JOIN (SELECT min(began_ns) AS began_ns, id FROM candidates GROUP BY id) AS c ON t.id = c.id
    WHERE t.id != ''
    UNION ALL
    SELECT c.began_ns AS began_ns, c.id AS id, is_refund, is_earning, amount
    FROM (SELECT * FROM told WHERE id = '' AND key != '') AS t
    ASOF INNER JOIN candidates AS c ON t.key = c.key AND t.told_ns >= c.began_ns
),
earnings AS
(
    SELECT
        began_ns, id,
        max(is_earning AND NOT is_refund) AS has_sold,
        if(max(NOT is_refund) = 1, sumIf(ifNull(amount, 0), is_earning), 0) AS money,
        countIf(is_earning AND isNull(amount)) AS amounts_missing
    FROM matched
    GROUP BY began_ns, id
),
measured AS
(
    SELECT
        intDiv(a.ingress_ns, 3600000000000) * 3600000000000 AS hour_ns,
        toString(a.action) AS action, toString(a.region) AS region, toString(a.channel) AS channel,
        toString(d.mode) AS mode,
        a.is_error AS is_error,
        a.total_ns / 1e6 AS ms,
        a.ingress_ns < {known_until_ns:UInt64} AS is_old,
        is_old AND {outcome:String} != 'converted' AND e.amounts_missing > 0 AS is_unknown,
        if({outcome:String} = 'converted', toFloat64(e.has_sold), e.money) AS usd
    FROM
    (
        SELECT ingress_ns, decision_id, action, region, channel, is_error, total_ns FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND action != {left_out:String}
    ) AS a
    INNER JOIN
    (
        SELECT ingress_ns, decision_id, mode FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    ) AS d ON a.ingress_ns = d.ingress_ns AND a.decision_id = d.decision_id
    LEFT JOIN earnings AS e ON a.ingress_ns = e.began_ns AND a.decision_id = e.id
)
SELECT
    hour_ns, action, region, channel, mode,
    count() AS n,
    countIf(is_error = 1) AS failed,
    sum(ms) AS sum_ms,
    sum(ms * ms) AS sum_ms2,
    countIf(is_old AND NOT is_unknown) AS earned,
    countIf(is_unknown) AS unknown,
    sumIf(usd, is_old AND NOT is_unknown) AS sum_usd,
    sumIf(usd * usd, is_old AND NOT is_unknown) AS sum_usd2
FROM measured
GROUP BY hour_ns, action, region, channel, mode
ORDER BY hour_ns, action, region, channel, mode
