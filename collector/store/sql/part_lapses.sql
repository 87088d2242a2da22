-- When the first and the last row of each part lapse, by its table's TTL, as the engine noted it when it wrote the part.
-- Returns: table, name String; rows, first_s, last_s UInt64: Unix seconds, first_s 0 where that is not noted or some
--   rows of the part are gone; by table, name.
SELECT
    table, name, rows,
    if(has_lightweight_delete, 0, toUnixTimestamp(delete_ttl_info_min)) AS first_s,
    toUnixTimestamp(delete_ttl_info_max) AS last_s
FROM system.parts
WHERE active AND rows > 0 AND database = {database:String}
ORDER BY table, name
