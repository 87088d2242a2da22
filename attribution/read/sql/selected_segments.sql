-- The split of the decisions that a question is about, or of one in `every`, chosen by their id.
-- Returns: action, region String; is_error UInt8; total_ns Int64 and the sixteen segments; unordered.
SELECT
    toString(action) AS action, toString(region) AS region, is_error, toInt64(a.total_ns) AS total_ns,
    ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
    transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
    decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
    egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns
FROM attributions AS a FINAL
WHERE a.ingress_ns >= {from_ns:UInt64} AND a.ingress_ns < {to_ns:UInt64}
    AND (action = {action:String} OR {action:String} = '' AND action != {calibration:String})
    AND ({region:String} = '' OR region = {region:String})
    AND a.total_ns >= {low_ns:UInt64} AND a.total_ns < {high_ns:UInt64}
    AND cityHash64(decision_id) % {every:UInt64} = 0
