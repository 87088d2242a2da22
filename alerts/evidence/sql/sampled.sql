-- Some decisions of one action that began in [from_ns, end_ns), and in none of the intervals [without_from_ns,
-- without_end_ns): of a region where is_same is 1, else of all others. With at least so much time in a segment, 1 to 16
-- in the order of segment_times.sql, and where is_failed is 1, of those that failed. Which ones is chance, and the same
-- at each reading.
-- Returns: ingress_ns UInt64, decision_id, trace_id String, segment_ns UInt64; at most `limit` rows.
SELECT
    ingress_ns,
    decision_id,
    trace_id,
    [
        ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
        transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
        decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
        egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns
    ][{segment:UInt8}] AS segment_ns
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {end_ns:UInt64} AND action = {action:String}
    AND (region = {region:String}) = {is_same:UInt8}
    AND segment_ns >= {least_ns:UInt64}
    AND (is_error OR NOT {is_failed:UInt8})
    AND NOT arrayExists(
        (begin_ns, over_ns) -> ingress_ns >= begin_ns AND ingress_ns < over_ns,
        {without_from_ns:Array(UInt64)}, {without_end_ns:Array(UInt64)})
ORDER BY cityHash64(decision_id), decision_id
LIMIT {limit:UInt16}
