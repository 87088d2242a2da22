-- The attributed decisions of one range that a filter holds, of some instants of it alone where they are given; part of
-- the statements beside it. Up to summed_ns all are taken to be in the cells of revenue.
-- Returns: ingress_ns, class UInt64 (a hash of action and region: a join by the texts takes three times as long),
--   decision_id, action, region, channel, cohort String, total_ns UInt64, is_error UInt8,
--   target_ns UInt64 (of its action), worst UInt8 (place of the largest segment, 1 to 16), worst_ns UInt64.
    SELECT
        ingress_ns, class, decision_id, of_action AS action, of_region AS region, channel, cohort, total_ns, is_error,
        target_ns, worst, worst_ns
    FROM
    (
        SELECT
            ingress_ns, cityHash64(action) * 3 + cityHash64(region) AS class, decision_id,
            toString(action) AS of_action, toString(region) AS of_region,
            toString(channel) AS channel, toString(cohort) AS cohort, total_ns, is_error,
            transform(of_action, {reference_actions:Array(String)}, {reference_ns:Array(UInt64)},
                {default_reference_ns:UInt64}) AS target_ns,
            [
                ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
                transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
                decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
                egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns
            ] AS segments,
            arrayMax(segments) AS worst_ns,
            toUInt8(indexOf(segments, worst_ns)) AS worst
        FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND (empty({instants_ns:Array(UInt64)}) OR ingress_ns IN {instants_ns:Array(UInt64)})
            -- What is attributed and in no cell yet has no dollars: until it has, it is not there.
            AND (ingress_ns < {summed_ns:UInt64} OR (intDiv(ingress_ns, 1000000000) * 1000000000, class) IN
            (
                SELECT second_ns, cityHash64(action) * 3 + cityHash64(region) FROM revenue_cells
                WHERE second_ns >= intDiv({summed_ns:UInt64}, 1000000000) * 1000000000 AND second_ns < {to_ns:UInt64}
            ))
            AND total_ns >= {low_ns:UInt64} AND total_ns < {high_ns:UInt64}
            AND ({action:String} = '' OR action = {action:String})
            AND ({region:String} = '' OR region = {region:String})
            AND ({channel:String} = '' OR channel = {channel:String})
            AND ({cohort:String} = '' OR cohort = {cohort:String})
    ) AS a
    WHERE ({late:UInt8} = 0 OR total_ns > target_ns)
        AND ({failed:UInt8} = 0 OR is_error)
        AND (empty({places:Array(UInt8)}) OR has({places:Array(UInt8)}, worst))
        AND ({service:String} = '' OR (ingress_ns, decision_id) IN
        (
            SELECT ingress_ns, decision_id FROM decisions
            WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
                AND service_name = {service:String}
        ))
