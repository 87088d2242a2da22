-- Time of the sixteen segments over the decisions of one action that began in [from_ns, end_ns), and in none of the
-- intervals [without_from_ns, without_end_ns).
-- Returns: region String, decisions UInt64, mean_ns, variance_ns2 Array(Float64): ingress, transform, decision,
-- egress, and in each network, compute, store, untraced; failed_share Float64; a row a region.
SELECT
    region,
    count() AS decisions,
    avgForEach(segments) AS mean_ns,
    varPopStableForEach(segments) AS variance_ns2,
    avg(is_error) AS failed_share
FROM
(
    SELECT
        region,
        is_error,
        [
            ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
            transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
            decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
            egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns
        ] AS segments
    FROM attributions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {end_ns:UInt64} AND action = {action:String}
        AND NOT arrayExists(
            (begin_ns, over_ns) -> ingress_ns >= begin_ns AND ingress_ns < over_ns,
            {without_from_ns:Array(UInt64)}, {without_end_ns:Array(UInt64)})
)
GROUP BY region
