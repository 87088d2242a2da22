-- Mean time of each segment over the decisions of one window that met the reference latency of their action, which is
--   reference_ns where its action stands in reference_actions, else default_reference_ns.
-- Parameters: of each one_in slots of slot_ns in a row one is read, by hash, so that each instant of the window is as
--   likely to be read as any other; one_in 1 reads all.
-- Returns: decisions UInt64, read UInt64 (on target or not), total_ns Float64, segments_ns Array(Float64) of sixteen:
--   ingress, transform, decision, egress, each as network, compute, store, untraced; one row, NaN when decisions is 0.
SELECT
    countIf(is_met) AS decisions,
    count() AS read,
    avgIf(a.total_ns, is_met) AS total_ns,
    avgForEachIf([
        ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
        transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
        decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
        egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns
    ], is_met) AS segments_ns
FROM
(
    SELECT
        *,
        total_ns <= transform(
            action, {reference_actions:Array(String)}, {reference_ns:Array(UInt64)},
            {default_reference_ns:UInt64}) AS is_met
    FROM attributions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND intDiv(ingress_ns, {slot_ns:UInt64}) IN
        (
            SELECT slots * {one_in:UInt64} + cityHash64(slots) % {one_in:UInt64}
            FROM
            (
                SELECT arrayJoin(range(
                    intDiv({from_ns:UInt64}, {slot_ns:UInt64} * {one_in:UInt64}),
                    intDiv({to_ns:UInt64}, {slot_ns:UInt64} * {one_in:UInt64}) + 1)) AS slots
            )
        )
        AND ({action:String} = '' OR action = {action:String})
        AND ({region:String} = '' OR region = {region:String})
) AS a
