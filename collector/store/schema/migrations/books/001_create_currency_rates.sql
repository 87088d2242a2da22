-- Why: what a unit of another currency was worth on a day; the last import of a day counts, and what rests on it
-- is computed again
-- Sorted: currency, day
-- Read by: attribution (outcomes in other currencies). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS currency_rates${local} ${on_cluster} (
    currency LowCardinality(String) COMMENT 'ISO 4217',
    day_ns UInt64 COMMENT 'start of the day, UTC',
    rate Decimal(18, 9) COMMENT 'units of attribution.currency for one',
    received_ns UInt64
) ENGINE = ${replicated}ReplacingMergeTree(received_ns)
PARTITION BY toYear(toDateTime(intDiv(day_ns, 1000000000)))
ORDER BY (currency, day_ns)
TTL toDateTime(intDiv(day_ns, 1000000000)) + INTERVAL 3 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1, fsync_part_directory = 1
