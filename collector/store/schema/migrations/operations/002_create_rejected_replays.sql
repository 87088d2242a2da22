-- Why: what became of rejected items that were replayed after a fix; the last result of an item counts
-- Sorted: the item, by what `rejected` calls it, so that both are joined in order
-- Read by: collector (`millworth rejected`). Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS rejected_replays${local} ${on_cluster} (
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'of the rejected item',
    signal LowCardinality(String),
    reason_code LowCardinality(String),
    item_id String CODEC(ZSTD(1)),
    replayed_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    result LowCardinality(String) COMMENT 'stored, refused or gone',
    item_count UInt32 COMMENT 'spans, records, points, decisions or outcomes that were stored',
    detail String CODEC(ZSTD(1)) COMMENT 'why the rest of it is still refused'
) ENGINE = ${replicated}ReplacingMergeTree(replayed_ns)
PARTITION BY toDate(toDateTime(intDiv(received_ns, 1000000000)))
ORDER BY (received_ns, signal, reason_code, item_id)
TTL toDateTime(intDiv(received_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1
