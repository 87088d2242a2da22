-- Why: what latency was worth, as it was told: every version of the model with what it was made of, so that two
-- can be compared and a figure in a decision can be traced
-- Sorted: version
-- Read by: attribution (diff), dashboard
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS vram_models${local} ${on_cluster} (
    version UInt32,
    computed_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    from_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'decisions of the model',
    to_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    dimension LowCardinality(String) COMMENT 'what the groups are: channel, region, action or cohort',
    decisions UInt64,
    slope_version UInt32 COMMENT '0 for the prior',
    content_hash String CODEC(ZSTD(1)) COMMENT 'SHA-256 of the document without its version and instant',
    document String CODEC(ZSTD(3)) COMMENT 'JSON'
) ENGINE = ${replicated}MergeTree
PARTITION BY toYear(toDateTime(intDiv(computed_ns, 1000000000)))
ORDER BY version
TTL toDateTime(intDiv(computed_ns, 1000000000)) + INTERVAL 10 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
