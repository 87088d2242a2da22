-- How many decisions of every class took longer than a target, by the second in which they began: the columns of
-- alerts/rules/sql/slow_decisions.sql.
-- Returns: action, region String, step, decisions, slow, newest_ns Int64; a row a class and second with decisions, in
--   that order.
SELECT
    toString(action) AS action,
    toString(region) AS region,
    toInt64(intDiv(ingress_ns, 1000000000) * 1000000000) AS step,
    toInt64(count()) AS decisions,
    toInt64(countIf(total_ns > {target_ns:UInt64})) AS slow,
    toInt64(max(ingress_ns)) AS newest_ns
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
GROUP BY action, region, step
ORDER BY action, region, step
