-- What one latency budget is about: the time in some segments of the decisions of a range of time.
-- Parameters: mask, 16 of 0 and 1, the segments in the order below; is_whole 1 takes the latency.
-- Returns: decisions UInt64; p50_ns, p95_ns Int64, 0 without decisions; over_p50, over_p95 UInt64:
--   decisions over what is promised; minutes, minutes_over_p50, minutes_over_p95 Array(UInt64): by
--   minute that has any, all of them and those over what is promised; one row.
SELECT
    count() AS decisions,
    if(decisions = 0, 0, toInt64(quantileExact(0.5)(taken_ns))) AS p50_ns,
    if(decisions = 0, 0, toInt64(quantileExact(0.95)(taken_ns))) AS p95_ns,
    countIf(taken_ns > {target_p50_ns:UInt64}) AS over_p50,
    countIf(taken_ns > {target_p95_ns:UInt64}) AS over_p95,
    sumMap(
        [intDiv(ingress_ns, 60000000000)],
        [toUInt64(1)],
        [toUInt64(taken_ns > {target_p50_ns:UInt64})],
        [toUInt64(taken_ns > {target_p95_ns:UInt64})]
    ) AS by_minute,
    by_minute.2 AS minutes,
    by_minute.3 AS minutes_over_p50,
    by_minute.4 AS minutes_over_p95
FROM
(
    SELECT ingress_ns, if({is_whole:UInt8} = 1, total_ns, arraySum(arrayMap((m, ns) -> m * ns, {mask:Array(UInt8)}, [
        ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
        transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
        decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
        egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns
    ]))) AS taken_ns
    FROM attributions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND ({action:String} = '' OR action = {action:String})
        AND ({region:String} = '' OR region = {region:String})
        AND ({channel:String} = '' OR channel = {channel:String})
        AND action NOT IN {left_out:Array(String)}
)
