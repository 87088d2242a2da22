-- How many decisions of a filter took how long, in columns of time, how many were late, and what they lost.
-- Parameters: those of filtered.sql and priced.sql; step_ns of a column; calibration, the action that is no customer's.
-- Returns: column_ns UInt64, bucket UInt16 (floor(8 * log2(ns))), decisions, late, unvalued UInt64, loss Float64;
--   by column, bucket.
SELECT
    intDiv(ingress_ns, {step_ns:UInt64}) * {step_ns:UInt64} AS column_ns,
    if(total_ns = 0, 0, toUInt16(floor(8 * log2(total_ns)))) AS bucket,
    count() AS decisions,
    countIf(total_ns > target_ns) AS late,
    countIf(NOT is_valued) AS unvalued,
    sum(loss) AS loss
FROM
(
${priced}
) AS held
WHERE {action:String} != '' OR action != {calibration:String}
GROUP BY column_ns, bucket
ORDER BY column_ns, bucket
