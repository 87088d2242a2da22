-- How many decisions one side of a comparison has.
-- Parameters: those of compared_held.sql.
-- Returns: decisions UInt64; one row.
SELECT count() AS decisions
FROM
(
${held}
) AS held
