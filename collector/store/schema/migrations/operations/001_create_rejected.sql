-- Why: what was acknowledged but could not be used, with its bytes and a reason code: nothing is lost silently
-- Sorted: reason, time
-- Read by: dashboard (health), `millworth query`
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS rejected${local} ${on_cluster} (
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    signal LowCardinality(String) COMMENT 'traces, logs or outcomes',
    reason_code LowCardinality(String),
    detail String CODEC(ZSTD(1)) COMMENT 'the value, what was expected and the remedy',
    item_id String CODEC(ZSTD(1)) COMMENT 'trace:span, outcome id or segment:frame',
    item_count UInt32 COMMENT 'spans or records in it that are stored nowhere else',
    bytes String CODEC(ZSTD(1)) COMMENT 'as received, where they are stored nowhere else'
) ENGINE = ${replicated}MergeTree
PARTITION BY toDate(toDateTime(intDiv(received_ns, 1000000000)))
ORDER BY (reason_code, received_ns)
TTL toDateTime(intDiv(received_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1
