-- Why: what a collector stored long after it was received, the store having been away: attribution, which reads by arrival
-- and knows nothing of what lies in the log of another process, has read on past it and reads it again
-- Sorted: when it was stored
-- Read by: attribution, where the collector is another process
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS delayed_inserts${local} ${on_cluster} (
    stored_ns UInt64 COMMENT 'when the rows were there',
    signal LowCardinality(String) COMMENT 'traces or logs',
    first_ns UInt64 COMMENT 'received_ns of the first request',
    last_ns UInt64 COMMENT 'and of the last'
) ENGINE = ${replicated}MergeTree
PARTITION BY toDate(toDateTime(intDiv(stored_ns, 1000000000)))
ORDER BY stored_ns
TTL toDateTime(intDiv(stored_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1
