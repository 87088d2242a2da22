-- Of what classes the draws of experiments are: how many have a decision of it, one draw in `one_in`. What was drawn as it
-- claims counts, ${is_drawn} is is_drawn.sql; a decision that names no unit is a draw of its own.
-- Returns: experiment, arm, dimension, name String, draws UInt64; the dimension '' has all draws of the arm; by these.
SELECT
    toString(experiment) AS experiment,
    toString(arm) AS arm,
    class.1 AS dimension,
    class.2 AS name,
    uniqExact(own) AS draws
FROM
(
    SELECT
        experiment, arm, injected_delay_ns, ingress_ns, region, cohort, action, channel, offer_type,
        if(unit = '', cityHash64(1, ingress_ns, decision_id), cityHash64(0, intDiv(ingress_ns, 60000000000), unit)) AS own,
${is_drawn}
    FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND experiment != '' AND own % {one_in:UInt32} = 0
        AND ({experiment:String} = '' OR experiment = {experiment:String}) AND action NOT IN {left_out:Array(String)}
)
ARRAY JOIN
[
    ('', ''), ('region', toString(region)), ('cohort', toString(cohort)), ('action', toString(action)),
    ('channel', toString(channel)), ('offer_type', toString(offer_type))
] AS class
WHERE is_drawn
GROUP BY experiment, arm, dimension, name
ORDER BY experiment, arm, dimension, name
