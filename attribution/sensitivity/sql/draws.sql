-- How many draws the decisions of each arm of an experiment are of: a unit is drawn once a minute
-- (collector/core/assignment.py), however many decisions it makes in it, and those alone are independent of each other. A
-- decision that names no unit was drawn by nobody, and counts by itself.
-- Returns: arm String, draws UInt64; by arm.
SELECT
    toString(arm) AS arm,
    uniqExactIf((intDiv(ingress_ns, 60000000000), cityHash64(unit)), unit != '') + countIf(unit = '') AS draws
FROM decisions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND experiment = {experiment:String}
GROUP BY arm
ORDER BY arm
