-- What every class of decisions did in one window [from_ns, end_ns), as sums.
-- Returns: action, region String, decisions, late, failed, unvalued UInt64, loss_usd Decimal(38, 6), newest_ns UInt64;
-- a row a class that decided anything.
SELECT
    action,
    region,
    sum(cell.decisions) AS decisions,
    sum(cell.late) AS late,
    sum(cell.failed) AS failed,
    sum(cell.unvalued) AS unvalued,
    sum(cell.loss_usd) AS loss_usd,
    max(cell.second_ns) AS newest_ns
FROM revenue_cells AS cell FINAL
WHERE cell.second_ns >= {from_ns:UInt64} AND cell.second_ns < {end_ns:UInt64}
GROUP BY action, region
HAVING decisions > 0
