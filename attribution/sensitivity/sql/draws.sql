-- How many draws the decisions of each arm of an experiment are of: a unit is drawn once a minute
-- (collector/core/assignment.py), however many decisions it makes in it, and those alone are independent of each other. A
-- decision that names no unit was drawn by nobody, and counts by itself. Of them are `undrawn` those that name an arm of
-- the experiment while it lasts in which their unit was not drawn, or another delay than that of the arm: ${is_drawn} is is_drawn.sql.
-- Returns: arm String, draws, undrawn UInt64; by arm.
SELECT
    toString(arm) AS arm,
    uniqExactIf(own, unit != '') + countIf(unit = '') AS draws,
    uniqExactIf(own, unit != '' AND is_undrawn) + countIf(unit = '' AND is_undrawn) AS undrawn
FROM
(
    SELECT
        arm, unit,
        (intDiv(ingress_ns, 60000000000), cityHash64(unit)) AS own,
        at > 0 AND NOT is_drawn AND ingress_ns >= {begin_ns:Array(UInt64)}[at] AND ingress_ns < {end_ns:Array(UInt64)}[at]
            AS is_undrawn,
${is_drawn}
    FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND experiment = {experiment:String}
)
GROUP BY arm
ORDER BY arm
