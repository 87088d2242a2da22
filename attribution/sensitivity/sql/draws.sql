-- How many draws the decisions of each arm are of: a unit is drawn once a minute (collector/core/assignment.py), however many
-- decisions it makes in it, and those alone are independent of each other. A decision that names no unit was drawn by
-- nobody, and counts by itself. `drawn_alone` leaves out what was not drawn as it claims: ${is_drawn} is is_drawn.sql.
-- Returns: experiment, arm String, draws UInt64; by these.
SELECT
    toString(experiment) AS experiment,
    toString(arm) AS arm,
    uniqExactIf((intDiv(ingress_ns, 60000000000), cityHash64(unit)), unit != '') + countIf(unit = '') AS draws
FROM
(
    SELECT
            ingress_ns, experiment, arm, unit,
${is_drawn}
    FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND experiment != ''
        AND ({experiment:String} = '' OR experiment = {experiment:String})
)
WHERE {drawn_alone:UInt8} = 0 OR is_drawn
GROUP BY experiment, arm
ORDER BY experiment, arm
