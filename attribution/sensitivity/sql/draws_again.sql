-- What the draws of experiments are of, minute by minute: a unit is drawn once a minute, and how often it decides after its
-- first decision in it, its delay may change. A decision that names no unit is a draw of its own. Only what was drawn as
-- it claims counts: ${is_drawn} is is_drawn.sql. Of one draw `again_max` further decisions count: what a batch of
-- thousands does would hide what people do.
-- Returns: minute_ns UInt64, experiment, arm String, delay_ms Float64, draws, again UInt64 (further decisions); by these.
SELECT
    minute_ns,
    toString(experiment) AS experiment,
    toString(arm) AS arm,
    any(delay_ms) AS delay_ms,
    count() AS draws,
    sum(least(decisions - 1, {again_max:UInt64})) AS again
FROM
(
    SELECT
        intDiv(ingress_ns, 60000000000) * 60000000000 AS minute_ns, experiment, arm,
        any(injected_delay_ns) / 1e6 AS delay_ms, count() AS decisions
    FROM
    (
        SELECT
            ingress_ns, decision_id, experiment, arm, unit, injected_delay_ns,
${is_drawn}
        FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND experiment != ''
            AND ({experiment:String} = '' OR experiment = {experiment:String}) AND action NOT IN {left_out:Array(String)}
    )
    WHERE is_drawn
    GROUP BY minute_ns, experiment, arm, if(unit = '', cityHash64(1, ingress_ns, decision_id), cityHash64(0, unit))
)
GROUP BY minute_ns, experiment, arm
ORDER BY minute_ns, experiment, arm
