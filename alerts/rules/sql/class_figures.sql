-- What every class of decisions did in one window [from_ns, end_ns), as sums; what is missing as in loss_rings.sql.
-- Returns: action, region String, decisions, late, failed, unvalued UInt64, loss_usd Decimal(38, 6), missing Int64
-- (decisions that arrived and are in no other sum yet), newest_ns UInt64; a row a class that decided anything.
WITH (SELECT waits_ns FROM attribution_waits) AS waits_ns
SELECT
    cell.of_action AS action,
    cell.of_region AS region,
    sum(cell.decided) AS decisions,
    sum(cell.late) AS late,
    sum(cell.failed) AS failed,
    sum(cell.unvalued) AS unvalued,
    sum(cell.loss_usd) AS loss_usd,
    greatest(sum(cell.due), 0) AS missing,
    max(cell.second_ns) AS newest_ns
FROM
(
    SELECT
        second_ns, toString(action) AS of_action, toString(region) AS of_region, decisions AS decided, late, failed,
        unvalued, loss_usd, if(second_ns >= waits_ns, -toInt64(decisions), 0) AS due
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {end_ns:UInt64} AND decisions > 0
    UNION ALL
    SELECT
        intDiv(ingress_ns, 1000000000) * 1000000000, toString(action), toString(region), 0, 0, 0, 0,
        toDecimal64(0, 6), 1
    FROM decisions FINAL
    WHERE ingress_ns >= greatest({from_ns:UInt64}, waits_ns) AND ingress_ns < {end_ns:UInt64}
) AS cell
GROUP BY action, region
HAVING decisions > 0 OR missing > 0
