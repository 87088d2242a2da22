-- Decisions of one window, newest or slowest first.
-- Parameters: low_ns and high_ns bound the latency, half open; by_latency 1 sorts slowest first.
-- Returns: decision_id String, ingress_ns UInt64, action String, region String, total_ns UInt64,
--   worst UInt8 (place of the largest segment, 1 to 16 as in segment_means.sql), worst_ns UInt64,
--   span_count UInt32, is_error UInt8, revision UInt32, packets UInt8 (1 where packets are linked).
SELECT
    decision_id, ingress_ns, toString(action) AS action, toString(region) AS region, total_ns,
    toUInt8(indexOf(segments, arrayMax(segments))) AS worst, arrayMax(segments) AS worst_ns,
    span_count, is_error, revision,
    decision_id IN
    (
        SELECT decision_id
        FROM span_flows
        WHERE from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64} + 60000000000
    ) AS packets
FROM
(
    SELECT
        *,
        [
            ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
            transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
            decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
            egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns
        ] AS segments
    FROM attributions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND total_ns >= {low_ns:UInt64} AND total_ns < {high_ns:UInt64}
        AND ({action:String} = '' OR action = {action:String})
        AND ({region:String} = '' OR region = {region:String})
    ORDER BY if({by_latency:UInt8} = 1, total_ns, ingress_ns) DESC, decision_id
    LIMIT {rows_max:UInt64}
)
ORDER BY if({by_latency:UInt8} = 1, total_ns, ingress_ns) DESC, decision_id
