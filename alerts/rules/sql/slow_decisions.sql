-- How many decisions of every class that began in [from_ns, end_ns) took longer than a target; what is missing as in
-- loss_rings.sql.
-- Returns: action, region String, decisions, slow UInt64, missing Int64 (decisions that arrived and are not attributed
-- yet), newest_ns UInt64; a row a class that decided anything.
WITH (SELECT waits_ns FROM attribution_waits) AS waits_ns
SELECT
    cell.of_action AS action,
    cell.of_region AS region,
    sum(cell.decided) AS decisions,
    sum(cell.is_slow) AS slow,
    greatest(sum(cell.due), 0) AS missing,
    max(cell.ingress_ns) AS newest_ns
FROM
(
    SELECT
        ingress_ns, toString(action) AS of_action, toString(region) AS of_region, 1 AS decided,
        total_ns > {target_ns:UInt64} AS is_slow, if(ingress_ns >= waits_ns, -1, 0) AS due
    FROM attributions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {end_ns:UInt64}
    UNION ALL
    SELECT ingress_ns, toString(action), toString(region), 0, 0, 1
    FROM decisions FINAL
    WHERE ingress_ns >= greatest({from_ns:UInt64}, waits_ns) AND ingress_ns < {end_ns:UInt64}
) AS cell
GROUP BY action, region
HAVING decisions > 0 OR missing > 0
