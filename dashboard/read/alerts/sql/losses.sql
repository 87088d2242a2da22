-- What lateness cost each class of decisions, between instants.
-- Parameters: bounds_ns, ascending, from from_ns on: what is summed lies between two that follow each other.
-- Returns: action, region String, bound_ns UInt64 (the last bound before), decisions, unvalued UInt64, loss_usd,
--   loss_low_usd, loss_high_usd Decimal(38, 6), slope_sources Array(String); by class and bound; no row where there is no decision.
SELECT
    cells.of_action AS action,
    cells.of_region AS region,
    -- A search by halves: to hold each second to each alert took memory for each pair.
    roundDown(cells.second_ns, {bounds_ns:Array(UInt64)}) AS bound_ns,
    sum(cells.decisions) AS decisions,
    sum(cells.unvalued) AS unvalued,
    sum(cells.loss_usd) AS loss_usd,
    sum(cells.loss_low_usd) AS loss_low_usd,
    sum(cells.loss_high_usd) AS loss_high_usd,
    groupUniqArray(cells.slope_source) AS slope_sources
FROM
(
    SELECT
        second_ns, toString(action) AS of_action, toString(region) AS of_region, decisions, unvalued,
        loss_usd, loss_low_usd, loss_high_usd, toString(slope_source) AS slope_source
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64} AND decisions > 0
) AS cells
GROUP BY action, region, bound_ns
ORDER BY action, region, bound_ns
