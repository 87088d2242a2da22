-- The groups of one version of the slope, by one dimension.
-- Returns: the columns of slope_groups but computed_ns; by name.
SELECT
    version, toString(dimension) AS dimension, name, decisions, own_per_ms, own_se, median_per_ns, low_per_ns,
    high_per_ns, pooled_weight, decisions_needed, basis
FROM slope_groups
WHERE version = {version:UInt32} AND dimension = {dimension:String}
ORDER BY name
