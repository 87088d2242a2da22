-- What lateness cost every class of decisions before an instant, by the shortest window that each second is in.
-- Windows end at `end_ns` and start at `starts_ns`, the latest start first; each holds the rings before it.
-- What is put off is counted in the statement that sums the rest: of the same instant, it is missing of these very sums.
-- Returns: action, region String, ring UInt32 (from 0, the shortest window), decisions, unvalued UInt64, loss_usd,
-- loss_low_usd, loss_high_usd Decimal(38, 6), loss_squared Float64, basis, slope_source String (joined by + where
-- mixed, empty where nothing has a value), newest_ns UInt64 (a decision that is missing too), missing Int64 (decisions
-- that arrived and are in no other sum yet), unknown_usd Decimal(38, 6) (value of late decisions that did not fail,
-- where the slope is unknown); a row a class and ring with decisions, missing or not.
WITH (SELECT waits_ns FROM attribution_waits) AS waits_ns
SELECT
    cell.of_action AS action,
    cell.of_region AS region,
    arrayFirstIndex(start_ns -> cell.second_ns >= start_ns, {starts_ns:Array(UInt64)}) - 1 AS ring,
    sum(cell.decided) AS decisions,
    sum(cell.unvalued) AS unvalued,
    sum(cell.loss_usd) AS loss_usd,
    sum(cell.loss_low_usd) AS loss_low_usd,
    sum(cell.loss_high_usd) AS loss_high_usd,
    sum(cell.loss_squared) AS loss_squared,
    arrayStringConcat(arraySort(groupUniqArrayIf(cell.basis, cell.decided > cell.unvalued)), '+') AS basis,
    arrayStringConcat(arraySort(groupUniqArrayIf(cell.slope_source, cell.decided > cell.unvalued)), '+')
        AS slope_source,
    max(cell.second_ns) AS newest_ns,
    greatest(sum(cell.due), 0) AS missing,
    toDecimal128(sum(cell.unknown_usd), 6) AS unknown_usd
FROM
(
    SELECT
        second_ns, toString(action) AS of_action, toString(region) AS of_region, decisions AS decided, unvalued,
        loss_usd, loss_low_usd, loss_high_usd, loss_squared, toString(basis) AS basis,
        toString(slope_source) AS slope_source, if(second_ns >= waits_ns, -toInt64(decisions), 0) AS due,
        if(slope_source = 'unknown' AND value_usd > 0,
            toFloat64(value_usd) * least(late, decisions - least(failed, decisions)) / decisions, 0.) AS unknown_usd
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {end_ns:UInt64} AND decisions > 0
    UNION ALL
    SELECT
        intDiv(ingress_ns, 1000000000) * 1000000000, toString(action), toString(region), 0, 0,
        toDecimal64(0, 6), toDecimal64(0, 6), toDecimal64(0, 6), 0., '', '', 1, 0.
    FROM decisions FINAL
    WHERE ingress_ns >= greatest({from_ns:UInt64}, waits_ns) AND ingress_ns < {end_ns:UInt64}
) AS cell
GROUP BY action, region, ring
HAVING decisions > 0 OR missing > 0
