-- What lateness cost every class of decisions before an instant, by the shortest window that each second is in.
-- Windows end at `end_ns` and start at `starts_ns`, the latest start first; each holds the rings before it.
-- Returns: action, region String, ring UInt32 (from 0, the shortest window), decisions, unvalued UInt64, loss_usd,
-- loss_low_usd, loss_high_usd Decimal(38, 6), loss_squared Float64, basis, slope_source String (joined by + where
-- mixed, empty where nothing has a value), newest_ns UInt64; a row a class and ring with decisions.
SELECT
    action,
    region,
    arrayFirstIndex(start_ns -> cell.second_ns >= start_ns, {starts_ns:Array(UInt64)}) - 1 AS ring,
    sum(cell.decisions) AS decisions,
    sum(cell.unvalued) AS unvalued,
    sum(cell.loss_usd) AS loss_usd,
    sum(cell.loss_low_usd) AS loss_low_usd,
    sum(cell.loss_high_usd) AS loss_high_usd,
    sum(cell.loss_squared) AS loss_squared,
    arrayStringConcat(arraySort(groupUniqArrayIf(cell.basis, cell.decisions > cell.unvalued)), '+') AS basis,
    arrayStringConcat(arraySort(groupUniqArrayIf(cell.slope_source, cell.decisions > cell.unvalued)), '+')
        AS slope_source,
    max(cell.second_ns) AS newest_ns
FROM revenue_cells AS cell FINAL
WHERE cell.second_ns >= {from_ns:UInt64} AND cell.second_ns < {end_ns:UInt64}
GROUP BY action, region, ring
HAVING decisions > 0
