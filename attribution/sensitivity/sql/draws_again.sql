-- What the draws of experiments are of, minute by minute: a unit is drawn once a minute, and how often it decides after its
-- first decision in it, its delay may change. A decision that names no unit is a draw of its own. What was drawn as it
-- claims counts, ${is_drawn} is is_drawn.sql; beside it what names an arm while its experiment lasts and was not. Of one
-- draw `again_max` further decisions count: what a batch of thousands does would hide what people do.
-- Returns: minute_ns UInt64, experiment, arm String, delay_ms Float64, draws, again UInt64 (further decisions), is_drawn
-- UInt8; by these.
SELECT
    minute_ns,
    toString(experiment) AS experiment,
    toString(arm) AS arm,
    any(delay_ms) AS delay_ms,
    count() AS draws,
    sum(least(decisions - 1, {again_max:UInt64})) AS again,
    is_drawn
FROM
(
    SELECT
        intDiv(ingress_ns, 60000000000) * 60000000000 AS minute_ns, experiment, arm, is_drawn,
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
    WHERE at > 0 AND ingress_ns >= {begin_ns:Array(UInt64)}[at] AND ingress_ns < {end_ns:Array(UInt64)}[at]
    GROUP BY minute_ns, experiment, arm, is_drawn, if(unit = '', cityHash64(1, ingress_ns, decision_id), cityHash64(0, unit))
)
GROUP BY minute_ns, experiment, arm, is_drawn
ORDER BY minute_ns, experiment, arm, is_drawn
