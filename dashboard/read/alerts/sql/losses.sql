-- What lateness cost classes of decisions, each over a time of its own.
-- Parameters: actions, regions, froms_ns, tos_ns: arrays of one length, half open times; an empty action or region
--   is all of them. from_ns and to_ns hold all of the times.
-- Returns: place UInt32 (in the arrays, from 1), decisions, unvalued UInt64, loss_usd, loss_low_usd, loss_high_usd
--   Decimal(38, 6), first_ns, last_ns UInt64 (the first second with a decision, and the end of the last); no row for
--   a place without decisions.
SELECT
    place,
    sum(cells.decisions) AS decisions,
    sum(cells.unvalued) AS unvalued,
    sum(cells.loss_usd) AS loss_usd,
    sum(cells.loss_low_usd) AS loss_low_usd,
    sum(cells.loss_high_usd) AS loss_high_usd,
    min(cells.second_ns) AS first_ns,
    max(cells.second_ns) + 1000000000 AS last_ns
FROM
(
    SELECT
        second_ns, toString(action) AS of_action, toString(region) AS of_region, decisions, unvalued,
        loss_usd, loss_low_usd, loss_high_usd
    FROM revenue_cells FINAL
    WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64} AND decisions > 0
) AS cells
ARRAY JOIN arrayFilter(
    at -> {froms_ns:Array(UInt64)}[at] <= cells.second_ns AND cells.second_ns < {tos_ns:Array(UInt64)}[at]
        AND {actions:Array(String)}[at] IN ('', cells.of_action)
        AND {regions:Array(String)}[at] IN ('', cells.of_region),
    arrayEnumerate({froms_ns:Array(UInt64)})) AS place
GROUP BY place
ORDER BY place
