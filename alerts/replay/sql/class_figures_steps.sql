-- What every class of decisions did by second in [from_ns, to_ns): the columns of alerts/rules/sql/class_figures.sql.
-- Returns: action, region String, step, decisions, late, failed, unvalued, loss in millionths of USD, newest_ns Int64;
--   a row a class and second with decisions, in that order.
SELECT
    toString(cell.action) AS action,
    toString(cell.region) AS region,
    toInt64(cell.second_ns) AS step,
    toInt64(cell.decisions) AS decisions,
    toInt64(cell.late) AS late,
    toInt64(cell.failed) AS failed,
    toInt64(cell.unvalued) AS unvalued,
    toInt64(cell.loss_usd * 1000000) AS loss,
    toInt64(cell.second_ns) AS newest_ns
FROM revenue_cells AS cell FINAL
WHERE cell.second_ns >= {from_ns:UInt64} AND cell.second_ns < {to_ns:UInt64} AND cell.decisions > 0
ORDER BY action, region, step
