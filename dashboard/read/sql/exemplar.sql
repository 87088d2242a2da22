-- The decision that shows best what an alert is about: failed or late, with packets where there are any, and
-- with the most time in the blamed segment.
-- Parameters: segment 1 to 16 in the order of segment_means.sql, 0 for the whole decision.
-- Returns: decision_id String; no rows when the window has no decision.
SELECT decision_id
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND ({action:String} = '' OR action = {action:String})
    AND ({region:String} = '' OR region = {region:String})
ORDER BY
    -- Where many fail and no segment stands out, failing is what it is about.
    is_error AND {segment:UInt8} = 0 AND (
        SELECT avg(is_error) >= 0.2 FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND ({action:String} = '' OR action = {action:String})
            AND ({region:String} = '' OR region = {region:String})
    ) DESC,
    total_ns > {reference_ns:UInt64} AND decision_id IN
    (
        SELECT decision_id
        FROM span_flows
        WHERE from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64} + 60000000000
    ) DESC,
    [
        ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
        transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
        decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
        egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns, total_ns
    ][if({segment:UInt8} = 0, 17, {segment:UInt8})] DESC,
    decision_id
LIMIT 1
