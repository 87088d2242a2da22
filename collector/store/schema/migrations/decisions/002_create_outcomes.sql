-- Why: what a decision earned; the latest revision of an outcome id counts
-- Sorted: outcome id, so that FINAL finds every revision; by day, so that what decisions of some seconds earned is looked
-- for from that day on. A lookup reads a few hundred rows a name, however many are kept
-- An empty key is one value, of which a bloom filter says little: where all are empty the least and the last say so
-- Read by: attribution (value of a decision). Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS outcomes${local} ${on_cluster} (
    outcome_id String CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'sale, refund or correction',
    decision_id String CODEC(ZSTD(1)) COMMENT 'empty where only the key is known',
    outcome_key String CODEC(ZSTD(1)),
    converted UInt8,
    revenue Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    margin Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    currency LowCardinality(String),
    channel LowCardinality(String),
    is_sale Bool ALIAS kind != 'refund' AND (converted = 1 OR ifNull(revenue, 0) != 0 OR ifNull(margin, 0) != 0)
        COMMENT 'it, or what it corrects, was taken: it says so, or names an amount; one of 0.00 alone says that nothing was sold',
    event_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when it happened; also its revision',
    source LowCardinality(String) COMMENT 'otlp or csv',
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    INDEX idx_outcome_id outcome_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_decision_id decision_id TYPE bloom_filter(0.0001) GRANULARITY 8,
    INDEX idx_outcome_key outcome_key TYPE bloom_filter(0.0001) GRANULARITY 8,
    INDEX idx_keys outcome_key TYPE minmax GRANULARITY 1,
    INDEX idx_received received_ns TYPE minmax GRANULARITY 1,
    INDEX idx_event event_ns TYPE minmax GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(event_ns)
PARTITION BY toDate(toDateTime(intDiv(event_ns, 1000000000)))
ORDER BY outcome_id
TTL toDateTime(intDiv(event_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 256, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1
