-- Why: what spans and log records say of runtimes, feature flags and caches, by hour, so that a ledger of a month reads no
-- map of attributes again. What arrived in ten minutes is summed once all of it is there, and never again: what is late
-- is a row of its own beside those of its hour, and a sum that is written twice replaces itself
-- Sorted: hour of the span or record, ten minutes of arrival, what it is about
-- Read by: attribution (debt). With FINAL, and arrivals before the cursor of the job alone
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS observed_hours${local} ${on_cluster} (
    hour_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'start of the hour of the spans or log records',
    slot_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'start of the ten minutes of arrival',
    kind LowCardinality(String) COMMENT 'runtime, flag or cache',
    service LowCardinality(String) COMMENT 'empty of a cache',
    name LowCardinality(String) COMMENT 'of the runtime, the flag, the cache',
    variant LowCardinality(String) COMMENT 'version of a runtime; operation of a call of a cache',
    detail LowCardinality(String) COMMENT 'language of a runtime; of a call of a cache hit, miss, other, or empty where it does not say',
    variants Array(String) CODEC(ZSTD(1)) COMMENT 'at most ten that a flag answered',
    count UInt64 CODEC(ZSTD(1)) COMMENT 'spans, evaluations or calls; the larger of two sums is of more arrivals',
    first_ns Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'of what is counted',
    last_ns Int64 CODEC(Delta(8), ZSTD(1)),
    rows_first_ns Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'of its spans or log records: an event of a span has a time of its own',
    rows_last_ns Int64 CODEC(Delta(8), ZSTD(1))
) ENGINE = ${replicated}ReplacingMergeTree(count)
PARTITION BY toDate(toDateTime(intDiv(hour_ns, 1000000000)))
ORDER BY (hour_ns, slot_ns, kind, service, name, variant, detail)
TTL toDateTime(intDiv(hour_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
