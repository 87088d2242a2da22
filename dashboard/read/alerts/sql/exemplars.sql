-- The decisions that show best what an alert is about: failed or late, with packets where there are any, and with the most
-- time in the blamed segment.
-- Parameters: segment 1 to 16 in the order of segment_means.sql, 0 for the whole decision; is_of_failures 1: of those that failed first;
--   is_of_time 1: of those alone that took longer than the reference.
-- Returns: decision_id String, ingress_ns, total_ns UInt64, is_error UInt8, segment_ns UInt64, packets UInt8 (1 where packets are linked);
--   the best first; no rows where no decision of the time failed or was late.
SELECT
    decision_id,
    ingress_ns,
    total_ns,
    is_error,
    [
        ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
        transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
        decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
        egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns, total_ns
    ][if({segment:UInt8} = 0, 17, {segment:UInt8})] AS segment_ns,
    decision_id IN
    (
        SELECT decision_id
        FROM span_flows
        WHERE from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64} + 60000000000
    ) AS packets
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND ({action:String} = '' OR action = {action:String})
    AND ({region:String} = '' OR region = {region:String})
    AND ((is_error AND {is_of_time:UInt8} = 0) OR total_ns > transform(toString(action), {reference_actions:Array(String)},
        {reference_ns:Array(UInt64)}, {default_reference_ns:UInt64}))
ORDER BY
    is_error AND {is_of_failures:UInt8} DESC,
    -- Where many fail and no segment stands out, failing is what it is about.
    is_error AND {segment:UInt8} = 0 AND {is_of_time:UInt8} = 0 AND (
        SELECT avg(is_error) >= 0.2 FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND ({action:String} = '' OR action = {action:String})
            AND ({region:String} = '' OR region = {region:String})
    ) DESC,
    packets DESC,
    segment_ns DESC,
    decision_id
LIMIT {rows_max:UInt64}
