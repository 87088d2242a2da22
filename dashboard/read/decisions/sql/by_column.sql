-- One page of decisions in the order of their time, latency or largest segment, from a key on.
-- Parameters: those of filtered.sql; sort time, latency or segment; direction -1 for the largest first; has_after 1
--   with after_key, after_ns and after_id, the last of the page before.
-- Returns: the columns of filtered.sql, and key Int64, by which they are sorted; then ingress_ns, then decision_id.
SELECT
    ingress_ns, decision_id, action, region, channel, cohort, total_ns, is_error, target_ns, worst, worst_ns,
    toInt64(multiIf({sort:String} = 'latency', total_ns, {sort:String} = 'segment', worst_ns, ingress_ns)) AS key
FROM
(
${filtered}
) AS held
WHERE {has_after:UInt8} = 0
    OR (key * {direction:Int8}, toInt64(ingress_ns) * {direction:Int8}, decision_id)
        > ({after_key:Int64} * {direction:Int8}, {after_ns:Int64} * {direction:Int8}, {after_id:String})
ORDER BY key * {direction:Int8}, toInt64(ingress_ns) * {direction:Int8}, decision_id
LIMIT {rows_max:UInt64}
