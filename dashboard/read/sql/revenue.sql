-- What decisions were worth and what lateness cost in one window.
-- Returns: decisions, late, unvalued UInt64; value_usd, loss_usd, loss_low_usd, loss_high_usd Decimal;
--   bases, slope_sources Array(String); first_ns, last_ns UInt64: the first second with a cell and
--   the end of the last; one row, zeros and empty arrays when nothing happened.
SELECT
    sum(cells.decisions) AS decisions,
    sum(cells.late) AS late,
    sum(cells.unvalued) AS unvalued,
    sum(cells.value_usd) AS value_usd,
    sum(cells.loss_usd) AS loss_usd,
    sum(cells.loss_low_usd) AS loss_low_usd,
    sum(cells.loss_high_usd) AS loss_high_usd,
    arraySort(groupUniqArrayIf(toString(cells.basis), cells.decisions > 0)) AS bases,
    arraySort(groupUniqArrayIf(toString(cells.slope_source), cells.decisions > 0)) AS slope_sources,
    minIf(cells.second_ns, cells.decisions > 0) AS first_ns,
    if(first_ns = 0, 0, maxIf(cells.second_ns, cells.decisions > 0) + 1000000000) AS last_ns
FROM
(
    SELECT
        second_ns, decisions, late, unvalued, value_usd, loss_usd, loss_low_usd, loss_high_usd,
        basis, slope_source
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64}
        AND ({action:String} = '' OR action = {action:String})
        AND ({region:String} = '' OR region = {region:String})
) AS cells
