-- Why: what the books say was earned on a day, to hold the outcomes against
-- Sorted: source, day
-- Read by: attribution (reconciliation). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS ledger_days${local} ${on_cluster} (
    source LowCardinality(String) COMMENT 'of the ledger; those of one day are added up',
    day_ns UInt64 COMMENT 'start of the day, UTC',
    currency LowCardinality(String),
    amount Decimal(18, 6) COMMENT 'revenue of the day, refunds taken off',
    received_ns UInt64
) ENGINE = ${replicated}ReplacingMergeTree(received_ns)
PARTITION BY toYear(toDateTime(intDiv(day_ns, 1000000000)))
ORDER BY (source, day_ns, currency)
TTL toDateTime(intDiv(day_ns, 1000000000)) + INTERVAL 3 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1, fsync_part_directory = 1
