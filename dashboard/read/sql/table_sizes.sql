-- How much of the store each table takes.
-- Returns: table String, rows, bytes_on_disk, parts UInt64; largest first.
SELECT
    table,
    sum(parts.rows) AS rows,
    sum(parts.bytes_on_disk) AS bytes_on_disk,
    count() AS parts
FROM system.parts AS parts
WHERE active AND database = currentDatabase()
GROUP BY table
ORDER BY bytes_on_disk DESC, table
