-- Why: the slope of each cohort, region, channel, offer type and action, which a version of the slope was stored
-- with: weak ones drawn to their mean. A version is never changed, and neither are its groups
-- Sorted: version, then group: all groups of a version are one range
-- Read by: attribution (the VRAM model), dashboard
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS slope_groups${local} ${on_cluster} (
    version UInt32 COMMENT 'of slope_models',
    dimension LowCardinality(String) COMMENT 'cohort, region, channel, offer_type or action',
    name String CODEC(ZSTD(1)),
    computed_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    decisions UInt64,
    own_per_ms Nullable(Float64) COMMENT 'by its own decisions alone, relative to their mean outcome; null where they cannot say',
    own_se Nullable(Float64),
    median_per_ns Float64 COMMENT 'relative loss of value a nanosecond, as it is used',
    low_per_ns Float64 COMMENT '5 % quantile',
    high_per_ns Float64 COMMENT '95 % quantile',
    pooled_weight Float64 COMMENT 'of the common mean in it: 0 is its own, 1 is that of all',
    decisions_needed Nullable(UInt64) COMMENT 'further ones until its own is identified',
    basis String CODEC(ZSTD(1))
) ENGINE = ${replicated}MergeTree
PARTITION BY toYear(toDateTime(intDiv(computed_ns, 1000000000)))
ORDER BY (version, dimension, name)
TTL toDateTime(intDiv(computed_ns, 1000000000)) + INTERVAL 10 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
