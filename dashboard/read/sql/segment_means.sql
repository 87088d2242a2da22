-- Time of each segment over all decisions of one window: of its whole minutes from the rollup, at its ends of the
-- decisions themselves.
-- Parameters: whole_from_ns and whole_to_ns are the begins of minutes, or both to_ns where no minute is whole in it.
-- Returns: stage String, class String, decisions UInt64, sum_ns UInt64; both empty on the row of the whole
--   decision; unordered. A part that no decision has may be missing.
SELECT stage, class, sum(parts.decisions) AS decisions, sum(parts.sum_ns) AS sum_ns
FROM
(
    SELECT
        toString(m.stage) AS stage, toString(m.class) AS class,
        sum(m.decisions) AS decisions, sum(m.sum_ns) AS sum_ns
    FROM attribution_minutes AS m FINAL
    WHERE m.minute_ns >= {whole_from_ns:UInt64} AND m.minute_ns < {whole_to_ns:UInt64}
        AND ({action:String} = '' OR m.action = {action:String})
        AND ({region:String} = '' OR m.region = {region:String})
        AND (m.minute_ns, m.revision) IN
        (
            SELECT minute_ns, max(revision)
            FROM attribution_minutes
            WHERE minute_ns >= {whole_from_ns:UInt64} AND minute_ns < {whole_to_ns:UInt64}
            GROUP BY minute_ns
        )
    GROUP BY m.stage, m.class
    UNION ALL
    SELECT
        tupleElement(part, 1) AS stage, tupleElement(part, 2) AS class,
        ends.decisions AS decisions, tupleElement(part, 3) AS sum_ns
    FROM
    (
        SELECT
            count() AS decisions,
            [
                ('', '', sum(total_ns)),
                ('ingress', 'network', sum(ingress_network_ns)), ('ingress', 'compute', sum(ingress_compute_ns)),
                ('ingress', 'store', sum(ingress_store_ns)), ('ingress', 'untraced', sum(ingress_untraced_ns)),
                ('transform', 'network', sum(transform_network_ns)), ('transform', 'compute', sum(transform_compute_ns)),
                ('transform', 'store', sum(transform_store_ns)), ('transform', 'untraced', sum(transform_untraced_ns)),
                ('decision', 'network', sum(decision_network_ns)), ('decision', 'compute', sum(decision_compute_ns)),
                ('decision', 'store', sum(decision_store_ns)), ('decision', 'untraced', sum(decision_untraced_ns)),
                ('egress', 'network', sum(egress_network_ns)), ('egress', 'compute', sum(egress_compute_ns)),
                ('egress', 'store', sum(egress_store_ns)), ('egress', 'untraced', sum(egress_untraced_ns))
            ] AS of_parts
        FROM attributions FINAL
        WHERE (ingress_ns >= {from_ns:UInt64} AND ingress_ns < {whole_from_ns:UInt64}
                OR ingress_ns >= {whole_to_ns:UInt64} AND ingress_ns < {to_ns:UInt64})
            AND ({action:String} = '' OR action = {action:String})
            AND ({region:String} = '' OR region = {region:String})
    ) AS ends
    ARRAY JOIN of_parts AS part
) AS parts
GROUP BY stage, class
