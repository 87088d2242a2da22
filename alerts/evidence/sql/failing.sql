-- What decisions of one class that failed make of its loss, of those that began in [from_ns, end_ns): a failed one loses its
-- whole value, what is left is of late ones. And how many were late, there and in [usual_from_ns, usual_end_ns) but
-- the intervals [without_from_ns, without_end_ns).
-- Returns: one row: decisions, failed, late UInt64, loss_usd, failed_usd Float64, usual_late Float64 (share of decisions).
WITH cells AS
(
    SELECT
        second_ns, decisions, late, failed, lost_share, toFloat64(loss_usd) AS loss_usd, basis = 'expected' AS is_stated,
        second_ns < {usual_end_ns:UInt64} AND NOT arrayExists(
            (begin_ns, over_ns) -> second_ns >= begin_ns AND second_ns < over_ns,
            {without_from_ns:Array(UInt64)}, {without_end_ns:Array(UInt64)}) AS is_usual
    FROM revenue_cells FINAL
    WHERE second_ns >= {usual_from_ns:UInt64} AND second_ns < {end_ns:UInt64}
        AND action = {action:String} AND region = {region:String}
)
SELECT
    sumIf(cells.decisions, second_ns >= {from_ns:UInt64}) AS decisions,
    sumIf(cells.failed, second_ns >= {from_ns:UInt64}) AS failed,
    sumIf(cells.late, second_ns >= {from_ns:UInt64}) AS late,
    sumIf(cells.loss_usd, second_ns >= {from_ns:UInt64}) AS loss_usd,
    sumIf(cells.loss_usd * cells.failed / lost_share, second_ns >= {from_ns:UInt64} AND NOT is_stated AND lost_share > 0)
        -- Of decisions that state their value each loses its own.
        + (
            SELECT sum(greatest(toFloat64(ifNull(value_usd, 0)), 0)) FROM decisions FINAL
            WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {end_ns:UInt64}
                AND action = {action:String} AND region = {region:String} AND is_error = 1
                AND intDiv(ingress_ns, 1000000000) * 1000000000 IN
                    (SELECT second_ns FROM cells WHERE is_stated AND second_ns >= {from_ns:UInt64})
        ) AS failed_usd,
    sumIf(cells.late, is_usual) / greatest(sumIf(cells.decisions, is_usual), 1) AS usual_late
FROM cells
