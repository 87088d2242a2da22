-- What the decisions of one page were expected to earn, and lost.
-- Parameters: those of filtered.sql and priced.sql, over the range of the page; ids of the page.
-- Returns: ingress_ns UInt64, decision_id String, is_valued UInt8, value, loss, loss_low, loss_high Float64.
SELECT ingress_ns, decision_id, is_valued, value, loss, loss_low, loss_high
FROM
(
${priced}
) AS held
WHERE decision_id IN {ids:Array(String)}
