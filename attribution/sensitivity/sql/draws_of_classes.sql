-- Of what classes the draws of experiments are: of each dimension, what the first decision of a draw is of. What was drawn as
-- it claims counts, ${is_drawn} is is_drawn.sql; a decision that names no unit is a draw of its own.
-- Returns: experiment, arm, dimension, name String, draws UInt64; by these.
SELECT
    toString(experiment) AS experiment,
    toString(arm) AS arm,
    class.1 AS dimension,
    class.2 AS name,
    count() AS draws
FROM
(
    SELECT experiment, arm, argMin((region, cohort, action, channel, offer_type), (ingress_ns, decision_id)) AS first
    FROM
    (
        SELECT
            ingress_ns, decision_id, experiment, arm, unit, injected_delay_ns, region, cohort, action, channel, offer_type,
${is_drawn}
        FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND experiment != ''
            AND ({experiment:String} = '' OR experiment = {experiment:String}) AND action NOT IN {left_out:Array(String)}
    )
    WHERE is_drawn
    GROUP BY intDiv(ingress_ns, 60000000000), experiment, arm,
        if(unit = '', cityHash64(1, ingress_ns, decision_id), cityHash64(0, unit))
)
ARRAY JOIN
[
    ('region', toString(first.1)), ('cohort', toString(first.2)), ('action', toString(first.3)),
    ('channel', toString(first.4)), ('offer_type', toString(first.5))
] AS class
GROUP BY experiment, arm, dimension, name
ORDER BY experiment, arm, dimension, name
