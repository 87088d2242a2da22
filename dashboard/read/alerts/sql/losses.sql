-- What lateness cost each class of decisions, between instants.
-- Parameters: bounds_ns, ascending, from from_ns on: what is summed lies between two that follow each other;
--   due_from_ns: since when what is missing is counted, as in alerts/rules/sql/loss_rings.sql.
-- Returns: action, region String, bound_ns UInt64 (the last bound before), decisions, unvalued UInt64, loss_usd,
--   loss_low_usd, loss_high_usd Decimal(38, 6), slope_sources Array(String), missing Int64 (decisions that arrived and
--   are in no sum yet); by class and bound; no row where there is no decision.
WITH (SELECT waits_ns FROM attribution_waits) AS waits_ns
SELECT
    cells.of_action AS action,
    cells.of_region AS region,
    -- A search by halves: to hold each second to each alert took memory for each pair.
    roundDown(cells.second_ns, {bounds_ns:Array(UInt64)}) AS bound_ns,
    sum(cells.decided) AS decisions,
    sum(cells.unvalued) AS unvalued,
    sum(cells.loss_usd) AS loss_usd,
    sum(cells.loss_low_usd) AS loss_low_usd,
    sum(cells.loss_high_usd) AS loss_high_usd,
    groupUniqArrayIf(cells.slope_source, cells.decided > 0) AS slope_sources,
    greatest(sum(cells.due), 0) AS missing
FROM
(
    SELECT
        second_ns, toString(action) AS of_action, toString(region) AS of_region, decisions AS decided, unvalued,
        loss_usd, loss_low_usd, loss_high_usd, toString(slope_source) AS slope_source,
        if(second_ns >= greatest({due_from_ns:UInt64}, waits_ns), -toInt64(decisions), 0) AS due
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64} AND decisions > 0
    UNION ALL
    SELECT
        intDiv(ingress_ns, 1000000000) * 1000000000, toString(action), toString(region), 0, 0,
        toDecimal64(0, 6), toDecimal64(0, 6), toDecimal64(0, 6), '', 1
    FROM decisions FINAL
    WHERE ingress_ns >= greatest({due_from_ns:UInt64}, waits_ns) AND ingress_ns < {to_ns:UInt64}
) AS cells
GROUP BY action, region, bound_ns
HAVING decisions > 0 OR missing > 0
ORDER BY action, region, bound_ns
