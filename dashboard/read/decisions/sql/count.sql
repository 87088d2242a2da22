-- How many decisions a filter holds.
-- Parameters: those of filtered.sql.
-- Returns: decisions UInt64; one row.
SELECT count() AS decisions
FROM
(
${filtered}
) AS held
