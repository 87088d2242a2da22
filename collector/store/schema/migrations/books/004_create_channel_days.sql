-- Why: what the visitors of a channel cost on a day, to tell what it takes to get them from what they then do
-- Sorted: source, channel, day
-- Read by: attribution (channels). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS channel_days${local} ${on_cluster} (
    source LowCardinality(String) COMMENT 'who was paid; those of one day are added up',
    channel LowCardinality(String) COMMENT 'as decision.channel',
    day_ns UInt64 COMMENT 'start of the day, UTC',
    currency LowCardinality(String) COMMENT 'of the cost; empty without one',
    clicks Nullable(UInt64),
    cost Nullable(Decimal(18, 6)),
    quality_score Nullable(Decimal(18, 6)) COMMENT '0 to 10, as the source gives it',
    received_ns UInt64
) ENGINE = ${replicated}ReplacingMergeTree(received_ns)
PARTITION BY toYear(toDateTime(intDiv(day_ns, 1000000000)))
ORDER BY (source, channel, day_ns)
TTL toDateTime(intDiv(day_ns, 1000000000)) + INTERVAL 3 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1, fsync_part_directory = 1
