-- Mean time of each segment over the latest decisions of one window.
-- Parameters: met_only 1 takes only decisions within the reference latency of their action, which is
--   reference_ns where its action stands in reference_actions, else default_reference_ns.
-- Returns: decisions UInt64, total_ns Float64, segments_ns Array(Float64) of sixteen: ingress, transform,
--   decision, egress, each as network, compute, store, untraced; one row, NaN when decisions is 0.
SELECT
    count() AS decisions,
    avg(total_ns) AS total_ns,
    [
        avg(ingress_network_ns), avg(ingress_compute_ns), avg(ingress_store_ns), avg(ingress_untraced_ns),
        avg(transform_network_ns), avg(transform_compute_ns), avg(transform_store_ns), avg(transform_untraced_ns),
        avg(decision_network_ns), avg(decision_compute_ns), avg(decision_store_ns), avg(decision_untraced_ns),
        avg(egress_network_ns), avg(egress_compute_ns), avg(egress_store_ns), avg(egress_untraced_ns)
    ] AS segments_ns
FROM
(
    SELECT *
    FROM attributions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND ({action:String} = '' OR action = {action:String})
        AND ({region:String} = '' OR region = {region:String})
        AND ({met_only:UInt8} = 0 OR total_ns <= transform(
            action, {reference_actions:Array(String)}, {reference_ns:Array(UInt64)},
            {default_reference_ns:UInt64}))
    ORDER BY ingress_ns DESC
    LIMIT {decisions_max:UInt64}
)
