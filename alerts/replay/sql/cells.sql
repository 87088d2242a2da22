-- What every class lost by second in [from_ns, to_ns), money in millionths of USD.
-- Returns: second_ns, action, region, decisions, unvalued, loss, loss_low, loss_high, loss_squared Float64, basis,
-- slope_source, unknown (value of late decisions that did not fail, where the slope is unknown, as in
-- alerts/rules/sql/loss_rings.sql); a row a second and class with decisions, in that order.
SELECT
    toInt64(cell.second_ns) AS second_ns,
    toString(cell.action) AS action,
    toString(cell.region) AS region,
    toInt64(cell.decisions) AS decisions,
    toInt64(cell.unvalued) AS unvalued,
    toInt64(cell.loss_usd * 1000000) AS loss,
    toInt64(cell.loss_low_usd * 1000000) AS loss_low,
    toInt64(cell.loss_high_usd * 1000000) AS loss_high,
    cell.loss_squared AS loss_squared,
    toString(cell.basis) AS basis,
    toString(cell.slope_source) AS slope_source,
    if(cell.slope_source = 'unknown' AND cell.value_usd > 0,
        toInt64(toFloat64(cell.value_usd) * least(cell.late, cell.decisions - least(cell.failed, cell.decisions))
            / cell.decisions * 1000000), 0) AS unknown
FROM revenue_cells AS cell FINAL
WHERE cell.second_ns >= {from_ns:UInt64} AND cell.second_ns < {to_ns:UInt64} AND cell.decisions > 0
ORDER BY action, region, second_ns
