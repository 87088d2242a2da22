-- What decisions were worth in one window, what they earned, and what lateness cost.
-- A class, action x region, earned what its decisions of the window did; an amount that is missing is the mean of the
-- others, as in what `vram rank` says. Where fewer than half of the window are known it is what its cells say, each by the window
-- before it; of a class that never had amounts it is what decisions state, less what was lost.
-- Returns: decisions, late, unvalued UInt64; value_usd, loss_usd, loss_low_usd, loss_high_usd, earned_usd Decimal;
--   unknown_amounts UInt64: decisions that earned something, by margin or revenue as most are known; bases Array(String);
--   first_ns, last_ns UInt64: the first second with a cell and the end of the last; one row, zeros when nothing happened.
SELECT
    sum(n) AS decisions,
    sum(of_late) AS late,
    sum(of_unvalued) AS unvalued,
    sum(value) AS value_usd,
    sum(loss) AS loss_usd,
    sum(loss_low) AS loss_low_usd,
    sum(loss_high) AS loss_high_usd,
    toDecimal128(round(sum(earned), 6), 6) AS earned_usd,
    sum(of_unknown_amount) AS unknown_amounts,
    arraySort(arrayDistinct(arrayFlatten(groupArray(own_bases)))) AS bases,
    if(decisions = 0, 0, minIf(from_s, n > 0)) AS first_ns,
    if(decisions = 0, 0, max(to_s) + 1000000000) AS last_ns
FROM
(
    SELECT
        sum(cells.decisions) AS n,
        sum(cells.late) AS of_late,
        sum(cells.unvalued) AS of_unvalued,
        sum(cells.value_usd) AS value,
        sum(cells.loss_usd) AS loss,
        sum(cells.loss_low_usd) AS loss_low,
        sum(cells.loss_high_usd) AS loss_high,
        groupUniqArrayIf(toString(cells.basis), cells.decisions > 0) AS own_bases,
        n * sum(cells.converted) / sum(cells.known) AS sold,
        sum(cells.known) = 0 OR sum(cells.margins) + sum(cells.revenues) = 0 AND NOT hasAny(own_bases, ['margin', 'revenue'])
            AS is_stated,
        2 * sum(cells.margins) >= sum(cells.converted) AS is_by_margin,
        multiIf(
            is_stated, toFloat64(sum(cells.stated_usd) - sum(cells.stated_loss_usd)),
            sum(cells.converted) = 0, 0.,
            is_by_margin, toFloat64(sum(cells.margin_usd)) / sum(cells.margins) * sold,
            2 * sum(cells.revenues) >= sum(cells.converted), toFloat64(sum(cells.revenue_usd)) / sum(cells.revenues) * sold,
            toFloat64(sum(cells.earned_usd))) AS earned,
        if(is_stated, 0, sum(cells.converted) - if(is_by_margin, sum(cells.margins), greatest(sum(cells.margins), sum(cells.revenues))))
            AS of_unknown_amount,
        minIf(cells.second_ns, cells.decisions > 0) AS from_s,
        maxIf(cells.second_ns, cells.decisions > 0) AS to_s
    FROM
    (
        SELECT
            second_ns, action, region, decisions, late, unvalued, value_usd, earned_usd, loss_usd, loss_low_usd, loss_high_usd,
            basis, known, converted, margins, margin_usd, revenues, revenue_usd, stated_usd,
            stated_loss_usd
        FROM revenue_cells FINAL
        WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64}
            AND ({action:String} = '' OR action = {action:String})
            AND ({region:String} = '' OR region = {region:String})
    ) AS cells
    GROUP BY cells.action, cells.region
) AS classes
