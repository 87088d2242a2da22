-- How many decisions a filter holds, and what they are worth and lost.
-- Parameters: those of filtered.sql and priced.sql.
-- Returns: decisions, unvalued, late UInt64; value, loss, loss_low, loss_high Float64; one row.
SELECT
    count() AS decisions,
    countIf(NOT is_valued) AS unvalued,
    countIf(total_ns > target_ns) AS late,
    sum(value) AS value,
    sum(loss) AS loss,
    sum(loss_low) AS loss_low,
    sum(loss_high) AS loss_high
FROM
(
${priced}
) AS held
