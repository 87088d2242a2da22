-- Writes whole minutes anew from the attributions; bucket = floor(8 * log2(ns)), 0 for 0 ns.
-- Their revision is one more than the highest that any of them has. A minute of which no decision is left gets a row
-- of none, since only a newer row can take its figures back.
-- Returns: nothing.
INSERT INTO attribution_minutes
    (minute_ns, revision, action, region, stage, class, bucket, decisions, sum_ns)
SELECT
    intDiv(ingress_ns, 60000000000) * 60000000000 AS minute_ns,
    (
        SELECT max(m.revision) + 1
        FROM attribution_minutes AS m
        WHERE m.minute_ns IN {minutes_ns:Array(UInt64)}
    ) AS revision,
    action,
    region,
    tupleElement(part, 1) AS stage,
    tupleElement(part, 2) AS class,
    if(tupleElement(part, 3) = 0, 0, toUInt16(floor(8 * log2(tupleElement(part, 3))))) AS bucket,
    count() AS decisions,
    sum(tupleElement(part, 3)) AS sum_ns
FROM attributions FINAL
ARRAY JOIN [
    ('', '', total_ns),
    ('ingress', 'network', ingress_network_ns), ('ingress', 'compute', ingress_compute_ns),
    ('ingress', 'store', ingress_store_ns), ('ingress', 'untraced', ingress_untraced_ns),
    ('transform', 'network', transform_network_ns), ('transform', 'compute', transform_compute_ns),
    ('transform', 'store', transform_store_ns), ('transform', 'untraced', transform_untraced_ns),
    ('decision', 'network', decision_network_ns), ('decision', 'compute', decision_compute_ns),
    ('decision', 'store', decision_store_ns), ('decision', 'untraced', decision_untraced_ns),
    ('egress', 'network', egress_network_ns), ('egress', 'compute', egress_compute_ns),
    ('egress', 'store', egress_store_ns), ('egress', 'untraced', egress_untraced_ns)
] AS part
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND intDiv(ingress_ns, 60000000000) * 60000000000 IN {minutes_ns:Array(UInt64)}
GROUP BY minute_ns, action, region, stage, class, bucket
UNION ALL
SELECT
    arrayJoin({minutes_ns:Array(UInt64)}) AS minute_ns,
    (
        SELECT max(m.revision) + 1
        FROM attribution_minutes AS m
        WHERE m.minute_ns IN {minutes_ns:Array(UInt64)}
    ) AS revision,
    '' AS action, '' AS region, '' AS stage, '' AS class, 0 AS bucket, 0 AS decisions, 0 AS sum_ns
WHERE minute_ns NOT IN
(
    SELECT intDiv(ingress_ns, 60000000000) * 60000000000
    FROM attributions
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND intDiv(ingress_ns, 60000000000) * 60000000000 IN {minutes_ns:Array(UInt64)}
)
