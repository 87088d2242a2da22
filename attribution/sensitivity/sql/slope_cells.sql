-- Sums of outcome, latency, backend time and injected delay by minute, region, cohort, action, experiment and arm, and by
-- channel or offer type where `by` names one. A decision that failed is in them with what it earned. A delay counts as
-- drawn at random where everything says so that Millworth can recompute: ${is_drawn} is is_drawn.sql. A decision that
-- claims an experiment or a delay without that is in `not_randomised` alone. Where every outcome is sent
-- (outcomes.complete), one that has none is not known, and in `enrolled` alone; else it earned nothing. One whose amount
-- is not known is in `unknown`. An amount counts as `limit` at most, and what is above it is in `beyond`, its size in `beyond_size`. `before` is the logarithm of one and the
-- sales of the same unit that happened on earlier days of the window: the draw is another each minute, so that they say nothing
-- of it. None happened before its own decision began, whatever time the sender wrote. ${earned} is earned.sql.
-- Returns: minute_ns UInt64, region, cohort, action, experiment, arm, part String, cell, n, unknown, earning,
-- not_randomised, enrolled, answered, failed UInt64, delay_ms, enrolled_ms, answered_ms, beyond, beyond_size Float64, then Float64 sums of each variable and of each
-- product of two; outcome is 0 or 1, or money where it is not 'converted'; times are ms. By these.
-- Within one nanosecond a decision is known by a hash of its id: a join by the texts takes twice as long.
-- No sum is named as a column it sums: the engine would put it in its place.
WITH
earnings AS
(
${earned}
),
measured AS
(
    SELECT
        intDiv(a.ingress_ns, 60000000000) * 60000000000 AS minute_ns,
        toString(a.region) AS region,
        toString(a.cohort) AS cohort,
        toString(a.action) AS action,
        d.is_claimed AS is_claimed,
        d.is_drawn AS is_drawn,
        is_claimed AND NOT is_drawn AS is_out,
        if(is_drawn, toString(d.experiment), '') AS experiment,
        if(is_drawn, toString(d.arm), '') AS arm,
        multiIf({by:String} = 'channel', toString(d.channel), {by:String} = 'offer_type', toString(d.offer_type), '')
            AS part,
        a.is_error = 1 AS is_failed,
        e.has_earned = 1 AS is_earning,
        NOT is_out AND (e.began_ns > 0 OR has({other_channels:Array(String)}, toString(d.channel)) = {all_sent:UInt8})
            AS is_answered,
        {outcome:String} != 'converted' AND e.amounts_missing > 0 AS is_unknown,
        is_answered AND NOT is_unknown AS is_used,
        if({outcome:String} = 'converted', toFloat64(e.has_sold),
            greatest(-{limit:Float64}, least({limit:Float64}, e.money))) AS y,
        if({outcome:String} = 'converted', 0., e.money - y) AS above,
        log1p(arrayCount(day -> day < intDiv(a.ingress_ns, 86400000000000), h.days)) AS w,
        a.total_ns / 1e6 AS l,
        (a.ingress_compute_ns + a.ingress_store_ns + a.transform_compute_ns + a.transform_store_ns
            + a.decision_compute_ns + a.decision_store_ns + a.egress_compute_ns + a.egress_store_ns) / 1e6 AS b,
        d.injected_delay_ns / 1e6 AS z
    FROM
    (
        SELECT *, cityHash64(decision_id) AS id FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    ) AS a
    INNER JOIN
    (
        SELECT
            ingress_ns, cityHash64(decision_id) AS id, injected_delay_ns, experiment, arm, channel, offer_type, unit,
            experiment != '' OR injected_delay_ns > 0 AS is_claimed,
${is_drawn}
        FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND ({experiment:String} = '' OR experiment = {experiment:String})
    ) AS d ON a.ingress_ns = d.ingress_ns AND a.id = d.id
    LEFT JOIN earnings AS e ON a.ingress_ns = e.began_ns AND a.id = cityHash64(e.id)
    LEFT JOIN
    (
        SELECT u.unit AS unit, groupArray(intDiv(greatest(s.sold_ns, u.ingress_ns), 86400000000000)) AS days
        FROM decisions AS u FINAL
        INNER JOIN earnings AS s ON u.ingress_ns = s.began_ns AND u.decision_id = s.id
        WHERE u.ingress_ns >= {from_ns:UInt64} AND u.ingress_ns < {to_ns:UInt64} AND s.has_sold = 1 AND u.unit != ''
        GROUP BY u.unit
    ) AS h ON d.unit = h.unit
    WHERE a.action NOT IN {left_out:Array(String)}
)
SELECT
    minute_ns,
    region,
    cohort,
    action,
    experiment,
    arm,
    part,
    cityHash64(minute_ns, region, cohort, action, experiment, part) AS cell,
    countIf(is_used) AS n,
    countIf(is_answered AND is_unknown) AS unknown,
    countIf(is_answered AND is_earning) AS earning,
    countIf(is_out) AS not_randomised,
    countIf(NOT is_out) AS enrolled,
    countIf(is_answered) AS answered,
    countIf(is_failed AND NOT is_out) AS failed,
    if(experiment = '', 0., any(z)) AS delay_ms,
    sumIf(l, NOT is_out) AS enrolled_ms,
    sumIf(l, is_answered) AS answered_ms,
    sumIf(above, is_used) AS beyond,
    sumIf(abs(above), is_used) AS beyond_size,
    sumIf(y, is_used) AS sum_outcome,
    sumIf(l, is_used) AS sum_latency,
    sumIf(b, is_used) AS sum_backend,
    sumIf(z, is_used) AS sum_injected,
    sumIf(w, is_used) AS sum_before,
    sumIf(y * y, is_used) AS sum_outcome_outcome,
    sumIf(y * l, is_used) AS sum_outcome_latency,
    sumIf(y * b, is_used) AS sum_outcome_backend,
    sumIf(y * z, is_used) AS sum_outcome_injected,
    sumIf(l * l, is_used) AS sum_latency_latency,
    sumIf(l * b, is_used) AS sum_latency_backend,
    sumIf(l * z, is_used) AS sum_latency_injected,
    sumIf(b * b, is_used) AS sum_backend_backend,
    sumIf(b * z, is_used) AS sum_backend_injected,
    sumIf(z * z, is_used) AS sum_injected_injected,
    sumIf(y * w, is_used) AS sum_outcome_before,
    sumIf(l * w, is_used) AS sum_latency_before,
    sumIf(b * w, is_used) AS sum_backend_before,
    sumIf(z * w, is_used) AS sum_injected_before,
    sumIf(w * w, is_used) AS sum_before_before
FROM measured
GROUP BY minute_ns, region, cohort, action, experiment, arm, part
ORDER BY minute_ns, region, cohort, action, experiment, arm, part
-- Four weeks of decisions are joined an eighth at a time: in one piece they take 0.4 GB more of 10 M spans.
SETTINGS join_algorithm = 'grace_hash,hash', grace_hash_join_initial_buckets = 8
