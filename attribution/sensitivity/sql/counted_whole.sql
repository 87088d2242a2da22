-- The amount that so large a share of the sales of a window does not exceed. ${earned} is earned.sql.
-- Returns: one row: amount Float64, 0 where nothing was sold.
SELECT ifNotFinite(quantileExact({share:Float64})(money), 0) AS amount
FROM
(
${earned}
)
WHERE has_sold = 1 AND money > 0 AND amounts_missing = 0
