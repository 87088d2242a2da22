-- What the decisions of one page are worth, and lost.
-- Parameters: those of filtered.sql and priced.sql, over the range of the page; ids of the page.
-- Returns: ingress_ns UInt64, decision_id String, is_valued, is_stated UInt8, value, loss, loss_low, loss_high Float64.
SELECT ingress_ns, decision_id, is_valued, is_stated, value, loss, loss_low, loss_high
FROM
(
${priced}
) AS held
WHERE decision_id IN {ids:Array(String)}
