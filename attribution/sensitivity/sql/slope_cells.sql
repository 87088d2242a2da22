-- Sums of outcome, latency, backend time and injected delay by minute, region, cohort, action and experiment,
-- and by channel or offer type where `by` names one, of the decisions that did not fail. Inside a cell the
-- injected delay is drawn at random: decisions in an experiment and others may differ in anything. A decision
-- without an outcome earned nothing; one whose amount is not known is in `unknown` alone. ${earned} is earned.sql.
-- Returns: minute_ns UInt64, region, cohort, action, experiment, part String, n UInt64, unknown, earning UInt64, then Float64 sums of each
-- variable and of each product of two; outcome is 0 or 1, or money where it is not 'converted'; times are ms.
-- By these. No sum is named as a column it sums: the engine would put it in its place.
WITH
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
        e.has_earned = 1 AS is_earning,
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
    LEFT JOIN
    (
${earned}
    ) AS e ON a.ingress_ns = e.began_ns AND a.decision_id = e.id
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
    countIf(is_earning) AS earning,
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
