-- Sums of outcome, latency, backend time and injected delay by minute, region, cohort, action and experiment,
-- and by channel or offer type where `by` names one, of the decisions that did not fail. Inside a cell the
-- injected delay is drawn at random: decisions in an experiment and others may differ in anything. An outcome finds its decision by id (the earliest that has it), else by key (the last
-- that has it and began before). A decision without an outcome earned nothing; one whose amount is not known
-- is in `unknown` alone.
-- Returns: minute_ns UInt64, region, cohort, action, experiment, part String, n UInt64, unknown UInt64, then Float64 sums of each
-- variable and of each product of two; outcome is 0 or 1, or money where it is not 'converted'; times are ms.
-- By these. No sum is named as a column it sums: the engine would put it in its place.
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
    -- One id may come twice, and the earlier of the two is meant.
    WHERE d.ingress_ns >= {candidates_from_ns:UInt64}
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
earned AS
(
    SELECT
        began_ns, id,
        max(is_earning AND NOT is_refund) AS has_sold,
        -- A refund that stands alone has replaced its sale: nothing was earned.
        if(max(NOT is_refund) = 1, sumIf(ifNull(amount, 0), is_earning), 0) AS money,
        countIf(is_earning AND isNull(amount)) AS amounts_missing
    FROM matched
    GROUP BY began_ns, id
),
measured AS
(
    SELECT
        intDiv(a.ingress_ns, 60000000000) * 60000000000 AS minute_ns,
        toString(a.region) AS region,
        toString(a.cohort) AS cohort,
        toString(a.action) AS action,
        toString(d.experiment) AS experiment,
        multiIf({by:String} = 'channel', toString(d.channel), {by:String} = 'offer_type', toString(d.offer_type), '')
            AS part,
        {outcome:String} != 'converted' AND e.amounts_missing > 0 AS is_unknown,
        if({outcome:String} = 'converted', toFloat64(e.has_sold), e.money) AS y,
        a.total_ns / 1e6 AS l,
        (a.ingress_compute_ns + a.ingress_store_ns + a.transform_compute_ns + a.transform_store_ns
            + a.decision_compute_ns + a.decision_store_ns + a.egress_compute_ns + a.egress_store_ns) / 1e6 AS b,
        d.injected_delay_ns / 1e6 AS z
    FROM (SELECT * FROM attributions FINAL WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}) AS a
    INNER JOIN
    (
        SELECT ingress_ns, decision_id, injected_delay_ns, experiment, channel, offer_type FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND ({experiment:String} = '' OR experiment = {experiment:String})
    ) AS d ON a.ingress_ns = d.ingress_ns AND a.decision_id = d.decision_id
    LEFT JOIN earned AS e ON a.ingress_ns = e.began_ns AND a.decision_id = e.id
    WHERE a.is_error = 0 AND a.action NOT IN {left_out:Array(String)}
)
SELECT
    minute_ns,
    region,
    cohort,
    action,
    experiment,
    part,
    countIf(NOT is_unknown) AS n,
    countIf(is_unknown) AS unknown,
    sumIf(y, NOT is_unknown) AS sum_outcome,
    sumIf(l, NOT is_unknown) AS sum_latency,
    sumIf(b, NOT is_unknown) AS sum_backend,
    sumIf(z, NOT is_unknown) AS sum_injected,
    sumIf(y * y, NOT is_unknown) AS sum_outcome_outcome,
    sumIf(y * l, NOT is_unknown) AS sum_outcome_latency,
    sumIf(y * b, NOT is_unknown) AS sum_outcome_backend,
    sumIf(y * z, NOT is_unknown) AS sum_outcome_injected,
    sumIf(l * l, NOT is_unknown) AS sum_latency_latency,
    sumIf(l * b, NOT is_unknown) AS sum_latency_backend,
    sumIf(l * z, NOT is_unknown) AS sum_latency_injected,
    sumIf(b * b, NOT is_unknown) AS sum_backend_backend,
    sumIf(b * z, NOT is_unknown) AS sum_backend_injected,
    sumIf(z * z, NOT is_unknown) AS sum_injected_injected
FROM measured
GROUP BY minute_ns, region, cohort, action, experiment, part
ORDER BY minute_ns, region, cohort, action, experiment, part
