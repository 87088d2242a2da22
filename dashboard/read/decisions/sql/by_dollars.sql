-- One page of decisions in the order of what they are worth, or lost, from a key on.
-- Parameters: those of filtered.sql and priced.sql; sort value or lost; direction, has_after, after_key, after_ns and
--   after_id as of by_column.sql.
-- Returns: the columns of filtered.sql, and key Int64, by which they are sorted: millionths of a dollar, -1 where the
--   value is unknown; then ingress_ns, then decision_id.
SELECT
    ingress_ns, decision_id, action, region, channel, cohort, total_ns, is_error, target_ns, worst, worst_ns,
    if(is_valued, toInt64(round(if({sort:String} = 'lost', loss, greatest(value, 0)) * 1000000)), -1) AS key
FROM
(
${priced}
) AS held
WHERE {has_after:UInt8} = 0
    OR (key * {direction:Int8}, toInt64(ingress_ns) * {direction:Int8}, decision_id)
        > ({after_key:Int64} * {direction:Int8}, {after_ns:Int64} * {direction:Int8}, {after_id:String})
ORDER BY key * {direction:Int8}, toInt64(ingress_ns) * {direction:Int8}, decision_id
LIMIT {rows_max:UInt64}
