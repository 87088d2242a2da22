-- Partitions of this database that are not merged to their end.
-- Returns: table String, partition_id String; by both.
SELECT table, partition_id
FROM system.parts
WHERE active AND database = currentDatabase()
GROUP BY table, partition_id
HAVING count() > 1
ORDER BY table, partition_id
