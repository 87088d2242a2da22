-- The decisions of one side of a comparison; part of the statements beside it.
-- Returns: the columns of attributions; `rest` 1 leaves out those in the time and the latency of the other side.
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
        AND (action = {action:String} OR {action:String} = '' AND action != {calibration:String})
        AND ({region:String} = '' OR region = {region:String})
        AND ({channel:String} = '' OR channel = {channel:String})
        AND ({cohort:String} = '' OR cohort = {cohort:String})
        AND total_ns >= {low_ns:UInt64} AND total_ns < {high_ns:UInt64}
        AND NOT ({rest:UInt8} = 1
            AND ingress_ns >= {not_from_ns:UInt64} AND ingress_ns < {not_to_ns:UInt64}
            AND total_ns >= {not_low_ns:UInt64} AND total_ns < {not_high_ns:UInt64})
        AND (empty({places:Array(UInt8)}) OR has({places:Array(UInt8)}, indexOf(segments, arrayMax(segments))))
        AND ({service:String} = '' OR (ingress_ns, decision_id) IN
        (
            SELECT ingress_ns, decision_id FROM decisions
            WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
                AND service_name = {service:String}
        ))
