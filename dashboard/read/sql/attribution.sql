-- How one decision's latency was split.
-- Returns: revision UInt32, total_ns UInt64, segments_ns Array(UInt64) of sixteen in the order of
--   segment_means.sql, span_count UInt32, flags Array(String), is_error UInt8, computed_ns UInt64;
--   no rows while it is not attributed.
SELECT
    revision,
    total_ns,
    [
        ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
        transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
        decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
        egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns
    ] AS segments_ns,
    span_count,
    arrayMap(flag -> toString(flag), flags) AS flags,
    is_error,
    computed_ns
FROM attributions FINAL
WHERE decision_id = {decision_id:String} AND ingress_ns = {ingress_ns:UInt64}
ORDER BY revision DESC
LIMIT 1
