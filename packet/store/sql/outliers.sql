-- Decisions received in (after_ns, until_ns] that took longer than `ratio` times what 99.9 % of their
-- action took since base_ns; of an action that decided often enough for that figure.
-- Returns: trace_id String, action String, ingress_ns UInt64, end_ns UInt64, usual_ns UInt64; the slowest
-- first, at most rows_max.
SELECT slow.trace_id, slow.action, slow.ingress_ns, slow.end_ns, usual.usual_ns
FROM
(
    SELECT trace_id, action, ingress_ns, end_ns
    FROM decisions FINAL
    WHERE ingress_ns >= {base_ns:UInt64}
        AND received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
) AS slow
INNER JOIN
(
    SELECT action, toUInt64(quantile(0.999)(end_ns - ingress_ns)) AS usual_ns
    FROM decisions FINAL
    WHERE ingress_ns >= {base_ns:UInt64} AND received_ns <= {after_ns:UInt64}
    GROUP BY action
    HAVING count() >= {decisions_min:UInt32}
) AS usual ON usual.action = slow.action
WHERE slow.end_ns - slow.ingress_ns > {ratio:Float64} * usual.usual_ns
ORDER BY slow.end_ns - slow.ingress_ns DESC, slow.trace_id
LIMIT {rows_max:UInt32}
